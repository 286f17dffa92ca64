"""One style for every plot of the book, and the plots that several chapters share.

Call `use_book_style()` once at the top of a chapter. Each plot takes the finding as its `title`
and returns its Axes; in a notebook, end the line with `;` to hide them.

Figures are dark ink on an opaque white card, on light pages and on dark ones. One grey on a
transparent background cannot do it: white and JupyterLab's dark #111111 are 18.9:1 apart, so no
colour reaches the 4.5:1 of WCAG 2.2 (criterion 1.4.3) on both (the best has √18.9 = 4.3), and
JupyterLab and the built site put panels of their own behind transparent images.
"""

import itertools
import math
import sys
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm

from bigmodel_edu.errors import ShapeError

PAPER = "#ffffff"
INK = "#1f2328"  # titles and what is written into plots
MUTED_INK = "#4d555e"  # axes, their labels and ticks
GRID = "#e3e6ea"

# Okabe and Ito, Color Universal Design (2008), https://jfly.uni-koeln.de/color/, without its
# black and yellow; in front the four that have a contrast of 3:1 on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")

STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED_INK,
    "axes.facecolor": PAPER,
    "axes.grid": True,
    "axes.labelcolor": MUTED_INK,
    "axes.prop_cycle": cycler(color=PALETTE),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "figure.facecolor": PAPER,
    "figure.figsize": (6.4, 3.6),
    "font.family": "DejaVu Sans",  # comes with Matplotlib, so every machine draws the same
    "font.size": 10,
    "grid.color": GRID,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 2,
    "savefig.facecolor": PAPER,
    "text.color": INK,
    "xtick.color": MUTED_INK,
    "ytick.color": MUTED_INK,
}


def use_book_style() -> None:
    """Draw all further plots in the book's style, at twice the resolution in notebooks."""
    plt.rcParams.update(STYLE)
    if "IPython" in sys.modules:
        _use_retina_in_notebooks()


def _use_retina_in_notebooks() -> None:
    from IPython import get_ipython

    if get_ipython() is not None:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        # optimised PNGs keep executed notebooks small
        set_matplotlib_formats("retina", pil_kwargs={"optimize": True})


def show_images(
    images: np.ndarray,
    captions: Sequence[object] | None = None,
    *,
    title: str,
    columns: int = 10,
) -> Axes:
    """Draw grey images in a grid, row by row, a caption below each.

    Args:
        images: shape (N, H, W), or (N, H·H) for square ones; the smallest number of all is
            drawn white, the largest black.
        captions: N of them, anything that `str` can write.
        title: the finding.
        columns: how many images stand in a row.

    Raises:
        ShapeError: images of another shape, or not as many captions.
    """
    images = _as_images(images)
    n, height, width = images.shape
    captions = [""] * n if captions is None else captions
    if len(captions) != n:
        raise ShapeError(f"Each of the {n} images needs one caption, got {len(captions)}.")
    columns = min(columns, n)
    rows = math.ceil(n / columns)
    gap = 0.18 * width
    cell = min(plt.rcParams["figure.figsize"][0] / columns, 1.2)  # inches
    caption_line = 0.17 / cell * (width + gap)  # 0.17 inches, in pixels of the images
    below = gap + caption_line * max(len(str(caption).splitlines()) for caption in captions)
    tall = rows * cell * (height + below) / (width + gap)
    _, ax = plt.subplots(figsize=(columns * cell, tall + 0.4))
    low, high = images.min(), images.max()
    for image, caption, (row, column) in zip(
        images, captions, itertools.product(range(rows), range(columns)), strict=False
    ):
        left, top = column * (width + gap), row * (height + below)
        extent = (left, left + width, top + height, top)
        ax.imshow(image, cmap="gray_r", vmin=low, vmax=high, extent=extent)
        ax.text(left + width / 2, top + height + gap / 2, str(caption), ha="center", va="top")
    ax.set(xlim=(0, columns * (width + gap) - gap), ylim=(rows * (height + below), -gap / 2))
    ax.set_axis_off()
    ax.set_title(title)
    return ax


def _as_images(images: np.ndarray) -> np.ndarray:
    images = np.asarray(images)
    if images.ndim == 2 and (side := math.isqrt(images.shape[1])) ** 2 == images.shape[1]:
        images = images.reshape(-1, side, side)
    if images.ndim != 3 or images.size == 0:
        raise ShapeError(
            "Images must have shape (N, H, W), or (N, H·H) for square ones, with N ≥ 1, got "
            f"{images.shape}: reshape them first."
        )
    return images


def plot_losses(
    curves: Mapping[str, Sequence[float]],
    *,
    title: str,
    xlabel: str = "step",
    ylabel: str = "loss (nats)",
    ax: Axes | None = None,
) -> Axes:
    """Draw loss curves, by name, over the step 0, 1, 2, …

    Each curve is thinner than the one before it and every second one is dashed, so that all can
    be seen where they lie on each other.
    """
    ax = ax or plt.subplots()[1]
    widths = np.linspace(5, 2, len(curves)) if len(curves) > 1 else [2]
    dashes = itertools.cycle(("-", (0, (3, 2))))
    for (name, losses), width, dash in zip(curves.items(), widths, dashes, strict=False):
        ax.plot(losses, label=name, linewidth=width, linestyle=dash)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1), handlelength=3)  # never over a curve
    return ax


def plot_confusion(matrix: np.ndarray, class_names: Sequence[object], *, title: str) -> Axes:
    """Draw a confusion matrix, its counts written into the cells.

    Args:
        matrix: shape (C, C), counts; row i, column j: examples of class i predicted as j.
        class_names: C of them, anything that `str` can write.
        title: the finding.

    A cell is shaded by its share of the row, as a square root, so that rare confusions show.

    Raises:
        ShapeError: the matrix is not square, or not as many names.
    """
    matrix, n = np.asarray(matrix), len(class_names)
    if matrix.shape != (n, n):
        raise ShapeError(
            f"The confusion matrix must have shape (C, C) for C = {n} class names, got "
            f"{matrix.shape}: pass one name for each class."
        )
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = max(4.2, 0.42 * n + 0.8)
    _, ax = plt.subplots(figsize=(side, side))
    # vmax leaves out the dark end of the map, so that ink is readable in every cell
    ax.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=3))
    for (i, j), count in np.ndenumerate(matrix):
        ax.text(j, i, f"{count:,}" if count else "·", ha="center", va="center")
    ax.set(
        xticks=range(n),
        yticks=range(n),
        xticklabels=map(str, class_names),
        yticklabels=map(str, class_names),
        xlabel="predicted class",
        ylabel="true class",
        title=title,
    )
    ax.tick_params(length=0)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    return ax
