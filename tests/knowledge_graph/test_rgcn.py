"""The relational graph convolution: what is a mean of what, and bad input."""

import numpy as np
import pytest

from bigmodel_edu.errors import DTypeError, HyperparameterError, IdError, ShapeError
from bigmodel_edu.knowledge_graph.reference import RGCN

LAYER = RGCN(2, 2, num_relations=1, num_bases=1)


def identity_params(inverse_factor=10.0):
    """Return parameters with W_0 = 1 (forward), W_1 = 10 (inverse) times the unit matrix."""
    return {
        "bases": np.eye(2)[None],
        "coefficients": np.array([[1.0], [inverse_factor]]),
        "self_loop.weight": np.zeros((2, 2)),
        "self_loop.bias": np.zeros(2),
    }


X = np.array([[1.0, 2.0], [3.0, 5.0], [7.0, 11.0]])


def output(edges, params=None):
    return LAYER.forward(params or identity_params(), X, edges=np.array(edges))[0]


def test_an_entity_gets_the_mean_of_its_neighbours():
    y = output([[0, 0, 2], [1, 0, 2]])
    np.testing.assert_allclose(y, [[0, 0], [0, 0], [2, 3.5]])


def test_each_relation_has_a_mean_of_its_own():
    y = output([[0, 0, 2], [1, 0, 2], [1, 1, 2]])
    np.testing.assert_allclose(y[2], [2 + 30, 3.5 + 50])


def test_an_edge_given_twice_counts_twice():
    y = output([[0, 0, 2], [0, 0, 2], [1, 0, 2]])
    np.testing.assert_allclose(y[2], [(1 + 1 + 3) / 3, (2 + 2 + 5) / 3])


def test_the_order_of_edges_does_not_matter():
    rng = np.random.default_rng(0)
    layer = RGCN(7, 11, 3, 2)
    params, x = layer.init(rng), rng.normal(size=(5, 7))
    edges = rng.integers([5, 6, 5], size=(31, 3))
    y, _ = layer.forward(params, x, edges=edges)
    shuffled, _ = layer.forward(params, x, edges=rng.permutation(edges))
    np.testing.assert_allclose(y, shuffled, atol=1e-13)


def test_an_entity_without_edges_keeps_its_own_part():
    params = identity_params() | {"self_loop.weight": 2 * np.eye(2), "self_loop.bias": np.ones(2)}
    np.testing.assert_allclose(output([[0, 0, 2]], params)[1], 2 * X[1] + 1)


def test_weights_are_sums_of_bases():
    layer = RGCN(7, 11, 3, 2)
    params = layer.init(np.random.default_rng(0))
    a, v = params["coefficients"], params["bases"]
    np.testing.assert_allclose(layer.weight(params, 4), a[4, 0] * v[0] + a[4, 1] * v[1])


def test_every_weight_starts_with_glorots_variance():
    layer = RGCN(31, 37, 101, 7)
    params = layer.init(np.random.default_rng(0))
    variance = np.mean([layer.weight(params, r).var() for r in range(202)])
    assert 0.85 < variance / (2 / 68) < 1.15


@pytest.mark.parametrize(
    ("edges", "error", "message"),
    [
        ([[3, 0, 0]], IdError, r"edges\[:, 0\]\[0\] is 3, expected an entity from 0 to 2"),
        ([[0, 0, 0], [0, 0, -1]], IdError, r"edges\[:, 2\]\[1\] is -1"),
        ([[0, 2, 0]], IdError, r"edges\[:, 1\]\[0\] is 2, expected a relation from 0 to 0, or 1"),
        ([[0, 0]], ShapeError, r"edges has shape \(1, 2\), expected \(M, 3\)"),
        ([[0.0, 0.0, 1.0]], DTypeError, "expected integer numbers of entities"),
    ],
)
def test_impossible_edges_are_refused(edges, error, message):
    with pytest.raises(error, match=message):
        output(edges)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bases": np.ones((1, 2, 3))}, "bases has shape"),
        ({"coefficients": np.ones((1, 1))}, r"coefficients has shape \(1, 1\), expected \(2, 1\)"),
    ],
)
def test_parameters_must_fit(changes, message):
    with pytest.raises(ShapeError, match=message):
        output([[0, 0, 1]], identity_params() | changes)


def test_integers_are_refused_as_features():
    with pytest.raises(DTypeError, match="x is of type int64"):
        LAYER.forward(identity_params(), np.ones((3, 2), np.int64), edges=np.array([[0, 0, 1]]))


@pytest.mark.parametrize("sizes", [(0, 2, 1, 1), (2, 0, 1, 1), (2, 2, 0, 1), (2, 2, 1, 0)])
def test_sizes_are_one_or_more(sizes):
    with pytest.raises(HyperparameterError, match="expected a whole number of 1 or more"):
        RGCN(*sizes)
