"""Matchings: distances near and far, and what they need of memory."""

import tracemalloc

import numpy as np
import pytest

from bigmodel_edu.knowledge_graph.reference import (
    ComplexDistance,
    DotProduct,
    EuclideanDistance,
    ManhattanDistance,
    matching,
)

DISTANCES = [ManhattanDistance(), EuclideanDistance(), ComplexDistance()]


def name_of(value):
    return type(value).__name__ + (f"_{value.p}" if hasattr(value, "p") else "")


@pytest.mark.parametrize("distance", DISTANCES, ids=name_of)
@pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])
def test_at_distance_zero_the_gradient_is_zero(distance, own):
    q = np.random.default_rng(0).normal(size=(2, 6))
    t = q[:, None].copy() if own else q.copy()
    y, cache = distance.forward(q, t)
    zeros = y[:, 0] if own else np.diag(y)
    assert (np.abs(zeros) == 0).all()
    dy = np.ones((2, 1)) if own else np.eye(2)
    for gradient in distance.backward(cache, dy):
        assert (gradient == 0).all()


@pytest.mark.parametrize("distance", DISTANCES, ids=name_of)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_stay_bounded_at_the_smallest_distances(distance, dtype):
    q = np.full((1, 2), np.finfo(dtype).tiny, dtype)
    for t in (np.zeros((1, 2), dtype), -q):
        _, cache = distance.forward(q, t)
        dq, dt = distance.backward(cache, np.ones((1, 1), dtype))
        assert np.abs(dq).max() <= 1
        assert np.abs(dt).max() <= 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("gap", [1e-1, 1e-3, 1e-5])
def test_euclidean_distances_keep_their_digits_when_near(dtype, gap):
    """|q|² + |t|² - 2 q·t alone has an error of ε |q|² / gap² here: all digits, in the end."""
    rng = np.random.default_rng(0)
    t = rng.normal(size=(31, 17)).astype(dtype)
    q = (t[:3] + gap * rng.normal(size=(3, 17))).astype(dtype)
    y, cache = EuclideanDistance().forward(q, t)
    exact = q.astype("float64")[:, None] - t.astype("float64")
    lengths = np.sqrt((exact**2).sum(axis=-1))
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(y, -lengths, rtol=tolerance)
    dy = np.eye(3, 31, dtype=dtype)  # only the near ones
    dq, dt = EuclideanDistance().backward(cache, dy)
    expected = -(exact / lengths[..., None])[np.arange(3), np.arange(3)]
    np.testing.assert_allclose(dq, expected, atol=tolerance)
    np.testing.assert_allclose(dt[:3], -expected, atol=tolerance)


@pytest.mark.parametrize("distance", DISTANCES, ids=name_of)
def test_blocks_change_nothing(distance, monkeypatch):
    rng = np.random.default_rng(0)
    q, t, dy = rng.normal(size=(5, 14)), rng.normal(size=(31, 14)), rng.normal(size=(5, 31))

    def run():
        y, cache = distance.forward(q, t)
        return y, *distance.backward(cache, dy)

    whole = run()
    monkeypatch.setattr(matching, "BLOCK", 14 * 3)
    for value, expected in zip(run(), whole, strict=True):
        np.testing.assert_allclose(value, expected, atol=1e-13)


@pytest.mark.parametrize("match", [DotProduct(), *DISTANCES], ids=name_of)
def test_memory_stays_far_below_all_differences(match):
    rng = np.random.default_rng(0)
    q, t = rng.normal(size=(64, 40)).astype("f"), rng.normal(size=(1000, 40)).astype("f")
    dy = rng.normal(size=(64, 1000)).astype("f")
    tracemalloc.start()
    _, cache = match.forward(q, t)
    match.backward(cache, dy)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 64 * 1000 * 40 / 4
