"""Diagrams: every box and every arrow is drawn, and a mistyped name is noticed."""

import matplotlib.pyplot as plt
import pytest
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

from bigmodel_edu.diagrams import draw_diagram
from bigmodel_edu.errors import UnknownName

BOXES = {"x": (0, 0), "×": (2, 0), "×#again": (4, 0), "hidden": (4, 2)}
ARROWS = [("x", "×"), ("×", "×#again", "W"), ("×#again", "hidden")]


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def patches(ax, kind):
    return [patch for patch in ax.patches if type(patch) is kind]


def test_every_box_and_every_arrow_is_drawn():
    ax = draw_diagram(BOXES, ARROWS, title="Two products")
    assert len(patches(ax, FancyArrowPatch)) == 3
    assert len(patches(ax, Circle)) == 2  # the operations
    assert len(patches(ax, FancyBboxPatch)) == 2
    assert [text.get_text() for text in ax.texts] == ["W", "x", "×", "×", "hidden"]
    assert ax.get_title() == "Two products"


def test_arrows_join_the_places_of_their_boxes():
    ax = draw_diagram(BOXES, ARROWS, title="")
    ends = [arrow._posA_posB for arrow in patches(ax, FancyArrowPatch)]
    assert ends == [[(0, 0), (2, 0)], [(2, 0), (4, 0)], [(4, 0), (4, 2)]]


def test_all_that_is_drawn_is_in_view():
    ax = draw_diagram(BOXES, ARROWS, title="")
    ax.figure.canvas.draw()
    for patch in ax.patches:
        box = patch.get_window_extent()
        assert ax.bbox.x0 <= box.x0 <= box.x1 <= ax.bbox.x1
        assert ax.bbox.y0 <= box.y0 <= box.y1 <= ax.bbox.y1


def test_a_highlighted_box_has_another_edge():
    ax = draw_diagram(BOXES, ARROWS, title="", highlighted=["hidden"])
    x, hidden = patches(ax, FancyBboxPatch)
    assert x.get_edgecolor() != hidden.get_edgecolor()


def test_an_arrow_to_nowhere_is_refused():
    with pytest.raises(UnknownName, match=r"no box 'hiden'.*Did you mean 'hidden'"):
        draw_diagram(BOXES, [("x", "hiden")], title="")
