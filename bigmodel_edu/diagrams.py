"""Diagrams of boxes and arrows, drawn from a list of each, in the book's style."""

from collections.abc import Iterable, Mapping

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Patch

from bigmodel_edu.errors import UnknownName, did_you_mean
from bigmodel_edu.plotting import INK, PALETTE, PAPER

HEIGHT = 0.56  # of a box, in the unit of the positions
CHARACTER = 0.16  # the width that a character takes
RADIUS = 0.24  # of an operation

Arrow = tuple[str, str] | tuple[str, str, str]


def draw_diagram(
    boxes: Mapping[str, tuple[float, float]],
    arrows: Iterable[Arrow],
    *,
    title: str,
    highlighted: Iterable[str] = (),
    scale: float = 0.85,
    ax: Axes | None = None,
) -> Axes:
    """Draw boxes at their places and the arrows between them.

    Args:
        boxes: the centre (x, y) of each by its name, y growing upwards; a box shows its name up to
            the first "#", so that two boxes can show the same text. "×", "+" and the like, names
            of one character that is no letter or digit, become circles.
        arrows: pairs of names, or triples with a text for the arrow.
        title: the finding.
        highlighted: names of the boxes to colour.
        scale: inches for one unit of the positions.

    Raises:
        UnknownName: an arrow leads to or from a box that is not there.
    """
    xs, ys = zip(*boxes.values(), strict=True)
    left, right, low, high = min(xs) - 1, max(xs) + 1, min(ys) - 0.6, max(ys) + 0.6
    if ax is None:
        _, ax = plt.subplots(figsize=(scale * (right - left), scale * (high - low) + 0.4))
    ax.set(xlim=(left, right), ylim=(low, high), aspect="equal", title=title)
    ax.set_axis_off()
    highlighted = set(highlighted)
    shapes = {name: _shape(name, place, name in highlighted) for name, place in boxes.items()}
    for arrow in arrows:
        _draw_arrow(ax, arrow, boxes, shapes)
    for name, (x, y) in boxes.items():
        ax.add_patch(shapes[name])
        ax.text(x, y, text_of(name), ha="center", va="center", color=INK, zorder=4)
    return ax


def text_of(name: str) -> str:
    """Return what a box shows: its name up to the first "#"."""
    return name.partition("#")[0]


def _shape(name: str, place: tuple[float, float], is_highlighted: bool) -> Patch:
    colour = PALETTE[0] if is_highlighted else INK
    style = {"facecolor": PAPER, "edgecolor": colour, "linewidth": 2 if is_highlighted else 1.2}
    text = text_of(name)
    if len(text) == 1 and not text.isalnum():
        return Circle(place, RADIUS, zorder=3, **style)
    width = CHARACTER * len(text) + 0.3
    corner = (place[0] - width / 2, place[1] - HEIGHT / 2)
    rounded = "round,pad=0,rounding_size=0.12"
    return FancyBboxPatch(corner, width, HEIGHT, boxstyle=rounded, zorder=3, **style)


def _draw_arrow(
    ax: Axes, arrow: Arrow, boxes: Mapping[str, tuple[float, float]], shapes: Mapping[str, Patch]
) -> None:
    start, end, *text = arrow
    for name in (start, end):
        if name not in boxes:
            raise UnknownName(
                f"There is no box {name!r} for an arrow to meet: give it a place in `boxes`."
                + did_you_mean(name, boxes)
            )
    ax.add_patch(
        FancyArrowPatch(
            boxes[start],
            boxes[end],
            patchA=shapes[start],
            patchB=shapes[end],
            arrowstyle="-|>",
            mutation_scale=12,
            color=INK,
            linewidth=1.2,
            shrinkA=0,
            shrinkB=1,
            zorder=2,
        )
    )
    if text:
        middle = [(a + b) / 2 for a, b in zip(boxes[start], boxes[end], strict=True)]
        ax.text(*middle, text[0], ha="center", va="bottom", color=INK, fontsize=9, zorder=4)
