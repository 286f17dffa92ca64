"""The book's plots are readable, say what they show, and change no data."""

import io
import math
import os
import subprocess
import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from bigmodel_edu import plotting
from bigmodel_edu.errors import ShapeError

DIGITS = np.random.default_rng(0).random((12, 64))


@pytest.fixture(autouse=True)
def book_style():
    with mpl.rc_context():
        plt.switch_backend("Agg")
        plotting.use_book_style()
        yield
        plt.close("all")


def luminance(color):
    """Relative luminance, WCAG 2.2."""
    channels = np.array(to_rgb(color))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def contrast(one, other):
    """Contrast ratio from 1 to 21, WCAG 2.2."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_contrast_is_that_of_the_standard():
    assert contrast("white", "black") == pytest.approx(21)
    assert contrast("#777777", "white") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("ink", [plotting.INK, plotting.MUTED_INK])
def test_ink_is_readable_on_paper(ink):
    assert contrast(ink, plotting.PAPER) >= 7


def test_no_single_colour_is_readable_on_white_and_on_jupyterlab_dark():
    # Why figures are opaque: 4.5 on both would take 4.5² = 20.25 between white and #111111.
    assert math.sqrt(contrast("white", "#111111")) < 4.5


def test_figures_are_opaque_on_light_and_dark_pages():
    ax = plotting.plot_losses({"a": [1, 0.5]}, title="It falls")
    png = io.BytesIO()
    ax.figure.savefig(png)
    png.seek(0)
    pixels = plt.imread(png)
    assert pixels.shape[2] == 3 or (pixels[..., 3] == 1).all()


def test_first_colours_stand_out_on_white_and_on_dark():
    for colour in plotting.PALETTE[:4]:
        assert contrast(colour, "white") >= 3
        assert contrast(colour, "#111111") >= 3


def test_style_has_left_titles_grid_and_two_spines():
    ax = plotting.plot_losses({"a": [1, 0.5]}, title="It falls")
    assert ax.get_title(loc="left") == "It falls"
    assert not ax.spines["top"].get_visible()
    assert not ax.spines["right"].get_visible()
    assert ax.get_axisbelow()
    assert plt.rcParams["axes.grid"]


def test_font_comes_with_matplotlib():
    from matplotlib import font_manager, get_data_path

    assert font_manager.findfont(plt.rcParams["font.family"][0]).startswith(get_data_path())


def test_losses_that_coincide_are_both_visible():
    losses = np.linspace(2, 1, 50)
    ax = plotting.plot_losses({"NumPy": losses, "PyTorch": losses}, title="Alike")
    below, above = ax.lines
    assert below.get_linewidth() > 2 * above.get_linewidth()
    assert (below.get_linestyle(), above.get_linestyle()) == ("-", "--")
    assert below.get_zorder() <= above.get_zorder()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["NumPy", "PyTorch"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "loss (nats)")


def test_losses_start_at_step_zero_and_go_where_they_are_told():
    _, (left, right) = plt.subplots(ncols=2)
    losses = [3.0, 2.0, np.nan]
    ax = plotting.plot_losses({"a": losses}, title="", xlabel="epoch", ax=right)
    assert ax is right
    assert not left.lines
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [0, 1, 2])
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), losses)
    assert ax.get_xlabel() == "epoch"


@pytest.mark.parametrize(
    ("images", "shape"),
    [(DIGITS, (8, 8)), (DIGITS.reshape(12, 8, 8), (8, 8)), (np.ones((3, 5, 7)), (5, 7))],
)
def test_images_are_drawn_in_order(images, shape):
    ax = plotting.show_images(images, range(len(images)), columns=5, title="Digits")
    assert texts(ax) == [str(i) for i in range(len(images))]
    assert len(ax.images) == len(images)
    for drawn, image in zip(ax.images, images, strict=True):
        np.testing.assert_array_equal(drawn.get_array(), image.reshape(shape))
        assert drawn.get_clim() == (images.min(), images.max())
    lefts, rights, bottoms, tops = zip(*(drawn.get_extent() for drawn in ax.images), strict=True)
    columns = min(5, len(images))
    assert len(set(lefts)) == columns
    assert len(set(tops)) == math.ceil(len(images) / columns)
    assert rights[0] < lefts[1]
    assert bottoms[0] > tops[0], "the first row of pixels is on top"


def test_captions_do_not_touch_their_neighbours():
    ax = plotting.show_images(
        DIGITS[:8], ["is 3, said 8\n(97 % sure)"] * 8, columns=4, title="Mistakes"
    )
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    boxes += [image.get_window_extent() for image in ax.images]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


def test_images_without_captions():
    assert not any(texts(plotting.show_images(DIGITS, title="Digits")))


@pytest.mark.parametrize("shape", [(12, 63), (12,), (0, 64), (2, 3, 4, 5)])
def test_images_of_another_shape_are_refused(shape):
    with pytest.raises(ShapeError, match=r"Images must have shape \(N, H, W\)"):
        plotting.show_images(np.zeros(shape), title="")


def test_captions_must_be_as_many():
    with pytest.raises(ShapeError, match="12 images needs one caption, got 3"):
        plotting.show_images(DIGITS, ["a", "b", "c"], title="")


def test_confusion_writes_counts_where_they_belong():
    matrix = np.array([[5, 1, 0], [0, 1234, 2], [3, 0, 7]])
    ax = plotting.plot_confusion(matrix, ["cat", "dog", "eel"], title="Pets")
    written = {tuple(map(int, text.get_position())): text.get_text() for text in ax.texts}
    for (true, predicted), count in np.ndenumerate(matrix):
        assert written[predicted, true] == (f"{count:,}" if count else "·")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["cat", "dog", "eel"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")


def test_confusion_counts_are_readable_in_every_cell():
    # one row for each share from 0 to 100 %, in steps of 5
    share = np.arange(0, 101, 5)
    matrix = np.diag(share)
    matrix[:, 0] += 100 - share
    ax = plotting.plot_confusion(matrix, range(len(share)), title="")
    (image,) = ax.images
    cells = image.to_rgba(image.get_array())
    for text in ax.texts:
        column, row = map(int, text.get_position())
        assert contrast(text.get_color(), cells[row, column, :3]) >= 4.5


def test_confusion_of_an_absent_class():
    ax = plotting.plot_confusion(np.array([[2, 0], [0, 0]]), range(2), title="")
    assert not np.ma.getmaskarray(ax.images[0].get_array()).any(), "NaN would be masked"


@pytest.mark.parametrize(("shape", "names"), [((2, 3), "ab"), ((3, 3), "ab"), ((4,), "ab")])
def test_confusion_of_another_shape_is_refused(shape, names):
    with pytest.raises(ShapeError, match=r"shape \(C, C\) for C = 2"):
        plotting.plot_confusion(np.zeros(shape, dtype=int), names, title="")


def test_notebooks_get_sharp_opaque_pictures(tmp_path):
    # A kernel in a process of its own: the inline backend changes the shell it runs in.
    code = """
import base64, struct
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
shell = InteractiveShell.instance()
shell.enable_gui = lambda gui: None
with capture_output() as captured:
    shell.run_cell("from bigmodel_edu.plotting import use_book_style, plot_losses")
    shell.run_cell("use_book_style()")
    shell.run_cell("plot_losses({'a': [2, 1]}, title='It falls');")
(output,) = captured.outputs
png = output.data["image/png"]
png = png if isinstance(png, bytes) else base64.b64decode(png)
width = struct.unpack(">I", png[16:20])[0]
print(width, output.metadata["image/png"]["width"], output.metadata.get("needs_background"))
"""
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ
        | {
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            "IPYTHONDIR": str(tmp_path),  # not the user's home
        },
    )
    assert result.returncode == 0, result.stderr
    pixels, width, needs_background = result.stdout.split()
    assert 550 < int(width) < 700
    assert int(pixels) == pytest.approx(2 * int(width), abs=1)
    assert needs_background == "None"
