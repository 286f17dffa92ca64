"""An exercise: the online softmax."""

from collections.abc import Callable

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array

from .. import reference as ref

Tile = tuple[Array, Array, Array]


def merge_tiles(first: Tile, second: Tile) -> Tile:
    """Return (m, l, o) of both tiles together; m and l (T,), o (T, e) not yet divided by l."""
    one, other = ((m[:, None], total[:, None], o) for m, total, o in (first, second))
    m, total, o = ref.merge_tiles(one, other)
    return m[:, 0], total[:, 0], o


def _merge_variant(
    factor: Callable[[Array, Array], Array] = lambda own, m: np.exp(own - m),
    of_l: bool = True,
    of_o: bool = True,
    maximum: Callable[[Array, Array], Array] = np.maximum,
    normalised: bool = False,
    weighted: bool = False,
):
    """Return a merge with something changed."""

    def merge(first, second):
        (m1, l1, o1), (m2, l2, o2) = first, second
        with np.errstate(all="ignore"):
            m = maximum(m1, m2)
            a1, a2 = factor(m1, m), factor(m2, m)
            total = (a1 if of_l else 1) * l1 + (a2 if of_l else 1) * l2
            b1, b2 = (a1 if of_o else 1.0 + 0 * m), (a2 if of_o else 1.0 + 0 * m)
            if weighted:
                b1, b2 = b1 * l1, b2 * l2
            o = b1[:, None] * o1 + b2[:, None] * o2
            return m, total, o / total[:, None] if normalised else o

    return merge


def _tile(scores: Array, v: Array) -> Tile:
    m = scores.max(axis=-1)
    exponentials = np.exp(scores - m[:, None])
    return m, exponentials.sum(axis=-1), exponentials @ v


def _tile_cases(rng: np.random.Generator) -> list[Case]:
    def drawn(t: int, s: int, e: int, shift: Array | float = 0.0) -> Tile:
        scores = rng.uniform(-0.5, 0.5, size=(t, s)) + np.reshape(shift, (-1, 1))
        return _tile(scores, rng.normal(size=(s, e)))

    def nothing(tile: Tile, queries: Array) -> Tile:
        """Return the tile as if these queries had seen none of it."""
        seen = ~queries
        m, total, o = tile
        return np.where(seen, m, -np.inf), total * seen, o * seen[:, None]

    first = np.arange(5) % 3 == 0
    return [
        Case((drawn(5, 7, 3), drawn(5, 2, 3, shift=[2, -2, 2, -2, 2])), note="either is higher"),
        Case((drawn(2, 3, 5), drawn(2, 4, 5, shift=50.0)), note="the second tile is far higher"),
        Case((drawn(7, 5, 2, shift=2000.0), drawn(7, 3, 2, shift=-2000.0)), note="large scores"),
        Case((nothing(drawn(3, 2, 4), np.ones(3, bool)), drawn(3, 5, 4)), note="an empty tile"),
        Case(
            (nothing(drawn(5, 3, 2), first), nothing(drawn(5, 4, 2), ~first)),
            note="each query has seen one of the two tiles",
        ),
    ]


MERGE_TILES = Exercise(
    name="transformer.merge_tiles",
    title="Merging two tiles",
    points=2,
    stars=2,
    parts=("m", "l", "o"),
    reference=merge_tiles,
    cases=_tile_cases,
    mistakes=(
        Mistake(
            _merge_variant(of_l=False, of_o=False),
            "You added the sums as they are. They were taken with different maxima: multiply each "
            "by exp(its own m - the new m) first.",
        ),
        Mistake(
            _merge_variant(of_o=False),
            "l is right, but o has to be brought to the new maximum as well: multiply each o by "
            "the same factor as its l.",
        ),
        Mistake(
            _merge_variant(of_l=False),
            "o is right, but l has to be brought to the new maximum as well: multiply each l by "
            "the same factor as its o.",
        ),
        Mistake(
            _merge_variant(factor=lambda own, m: np.exp(m - own)),
            "The factor is upside down: exp(own m - new m), at most 1, so that it cannot overflow.",
        ),
        Mistake(
            _merge_variant(normalised=True),
            "You divided o by l. The division comes once, after the last tile; a further merge of "
            "this o would be wrong.",
        ),
        Mistake(
            _merge_variant(weighted=True),
            "You multiplied each o by its l, as if it were an average. It is a sum already: only "
            "the factor for the new maximum is missing.",
        ),
        Mistake(
            _merge_variant(factor=lambda own, m: np.exp(own), maximum=np.maximum),
            "You brought both tiles to the maximum 0 by exp(m), which overflows for large scores; "
            "bring them to the larger of the two maxima, exp(own m - new m).",
        ),
    ),
    hints=(
        "The new m is the larger of the two, for each query. What would l and o of each tile be, "
        "had it been computed with that m?",
        "exp(s - m_new) = exp(s - m_old) · exp(m_old - m_new): one factor for each query, the same "
        "for l and for o.",
        "m = np.maximum(m1, m2); a1, a2 = np.exp(m1 - m), np.exp(m2 - m); "
        "return m, a1 * l1 + a2 * l2, a1[:, None] * o1 + a2[:, None] * o2",
    ),
)
