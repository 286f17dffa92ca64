"""The embedding: what it computes, and bad input."""

import numpy as np
import pytest

from bigmodel_edu.errors import DTypeError, HyperparameterError, TokenError
from bigmodel_edu.lstm.reference import Embedding, scatter_add


def test_an_embedding_is_a_linear_layer_on_one_hot_inputs():
    rng = np.random.default_rng(0)
    params, tokens = Embedding(7, 3).init(rng), rng.integers(0, 7, size=(5, 2))
    y, _ = Embedding(7, 3).forward(params, tokens)
    np.testing.assert_array_equal(y, np.eye(7)[tokens] @ params["weight"])


def test_gradients_of_one_token_add_up():
    tokens, rows = np.array([2, 3, 2]), np.array([[1.0], [10.0], [100.0]])
    sums = scatter_add(tokens, rows, np.zeros((4, 1)))
    np.testing.assert_array_equal(sums, [[0], [0], [101], [10]])


@pytest.mark.parametrize("tokens", [[0], [5, 5, 5], [6, 0, 6, 1, 0, 6], list(range(7))])
def test_scatter_add_is_what_add_at_does(tokens):
    rows = np.random.default_rng(0).normal(size=(len(tokens), 3))
    expected = np.zeros((7, 3))
    np.add.at(expected, tokens, rows)
    np.testing.assert_allclose(scatter_add(np.array(tokens), rows, expected), expected)


def test_the_padding_row_is_zero_and_stays_so():
    layer = Embedding(5, 3, padding_idx=1)
    params = layer.init(np.random.default_rng(0))
    assert not params["weight"][1].any()
    assert params["weight"][0].all()
    _, cache = layer.forward(params, np.array([[1, 2], [1, 1]]))
    _, grads = layer.backward(params, cache, np.ones((2, 2, 3)))
    np.testing.assert_array_equal(grads["weight"][:, 0], [0, 0, 1, 0, 0])


def test_tokens_outside_the_vocabulary_are_refused():
    layer = Embedding(7, 3)
    params = layer.init(np.random.default_rng(0))
    with pytest.raises(TokenError, match=r"tokens\[0, 1\] is 7, expected a token id from 0 to 6"):
        layer.forward(params, np.array([[0, 7]]))
    with pytest.raises(DTypeError, match="expected integer token ids"):
        layer.forward(params, np.ones((2, 3)))


def test_a_padding_outside_the_vocabulary_is_refused():
    with pytest.raises(HyperparameterError, match="padding_idx is 7, expected a token from 0 to 6"):
        Embedding(7, 3, padding_idx=7)
