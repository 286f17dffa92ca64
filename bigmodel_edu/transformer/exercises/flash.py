"""An exercise: the online softmax."""

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


def _added_as_they_are(first: Tile, second: Tile) -> Tile:
    (m1, l1, o1), (m2, l2, o2) = first, second
    return np.maximum(m1, m2), l1 + l2, o1 + o2


def _o_added_as_it_is(first: Tile, second: Tile) -> Tile:
    m, total, _ = merge_tiles(first, second)
    return m, total, first[2] + second[2]


def _l_added_as_it_is(first: Tile, second: Tile) -> Tile:
    m, _, o = merge_tiles(first, second)
    return m, first[1] + second[1], o


def _scaled(first: Tile, second: Tile, m: Array, a1: Array, a2: Array) -> Tile:
    (_, l1, o1), (_, l2, o2) = first, second
    return m, a1 * l1 + a2 * l2, a1[:, None] * o1 + a2[:, None] * o2


def _factor_upside_down(first: Tile, second: Tile) -> Tile:
    with np.errstate(all="ignore"):
        m = np.maximum(first[0], second[0])
        return _scaled(first, second, m, np.exp(m - first[0]), np.exp(m - second[0]))


def _brought_to_zero(first: Tile, second: Tile) -> Tile:
    with np.errstate(all="ignore"):
        m = np.maximum(first[0], second[0])
        return _scaled(first, second, m, np.exp(first[0]), np.exp(second[0]))


def _divided_too_early(first: Tile, second: Tile) -> Tile:
    m, total, o = merge_tiles(first, second)
    return m, total, o / total[:, None]


def _averages_taken_for_sums(first: Tile, second: Tile) -> Tile:
    (m1, l1, o1), (m2, l2, o2) = first, second
    m, total, _ = merge_tiles(first, second)
    b1, b2 = np.exp(m1 - m) * l1, np.exp(m2 - m) * l2
    return m, total, b1[:, None] * o1 + b2[:, None] * o2


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
            _added_as_they_are,
            "You added the sums as they are. They were taken with different maxima: multiply each "
            "by exp(its own m - the new m) first.",
        ),
        Mistake(
            _o_added_as_it_is,
            "l is right, but o has to be brought to the new maximum as well: multiply each o by "
            "the same factor as its l.",
        ),
        Mistake(
            _l_added_as_it_is,
            "o is right, but l has to be brought to the new maximum as well: multiply each l by "
            "the same factor as its o.",
        ),
        Mistake(
            _factor_upside_down,
            "The factor is upside down: exp(own m - new m), at most 1, so that it cannot overflow.",
        ),
        Mistake(
            _divided_too_early,
            "You divided o by l. The division comes once, after the last tile; a further merge of "
            "this o would be wrong.",
        ),
        Mistake(
            _averages_taken_for_sums,
            "You multiplied each o by its l, as if it were an average. It is a sum already: only "
            "the factor for the new maximum is missing.",
        ),
        Mistake(
            _brought_to_zero,
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
