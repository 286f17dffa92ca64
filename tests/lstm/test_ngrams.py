"""N-grams and bits per character."""

import numpy as np
import pytest

from bigmodel_edu.errors import HyperparameterError, LengthError, TokenError
from bigmodel_edu.lstm.reference import NGramModel, bits_per_character


def test_bits_by_hand():
    assert bits_per_character(np.array([0.5, 0.25, 0.125])) == pytest.approx(2)
    assert bits_per_character(np.full(7, 1 / 64)) == pytest.approx(6)


def test_unigrams_by_hand():
    """Of "a a b" with V = 4: 3 tokens, 2 different: p(a) = (2 + 2/4) / 5."""
    model = NGramModel(1, 4).fit(np.array([0, 0, 1]))
    np.testing.assert_allclose(model.distribution(np.array([], dtype=int)), [0.5, 0.3, 0.1, 0.1])


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_probabilities_sum_to_one_after_any_context(order):
    rng = np.random.default_rng(0)
    model = NGramModel(order, 7).fit(rng.integers(0, 4, size=60))
    for seen in (4, 7):  # contexts that came, and contexts with tokens that never came
        context = rng.integers(0, seen, size=order - 1)
        p = model.distribution(context)
        assert p.sum() == pytest.approx(1)
        assert (p > 0).all()


def test_an_unseen_context_is_judged_by_the_shorter_one():
    tokens = np.array([0, 1, 0, 1, 1, 0, 2, 0])
    short, long = NGramModel(1, 5).fit(tokens), NGramModel(2, 5).fit(tokens)
    np.testing.assert_allclose(
        long.distribution(np.array([4])), short.distribution(np.array([], int))
    )


def test_a_text_that_repeats_costs_less_with_every_order():
    tokens = np.tile([0, 1, 2, 3, 0, 2, 1], 40)
    bits = [
        bits_per_character(NGramModel(n, 5).fit(tokens).probabilities(tokens)) for n in (1, 2, 3)
    ]
    assert bits[0] > bits[1] > bits[2]
    assert bits[2] < 0.3


def test_what_an_ngram_model_cannot_do():
    with pytest.raises(LengthError, match="call fit"):
        NGramModel(2, 5).probabilities(np.array([0, 1, 2]))
    with pytest.raises(LengthError, match="has 1 tokens, expected at least 2"):
        NGramModel(2, 5).fit(np.array([0]))
    with pytest.raises(TokenError, match=r"tokens\[2\] is 5"):
        NGramModel(2, 5).fit(np.array([0, 1, 5]))
    with pytest.raises(HyperparameterError, match="order is 20 with 97 tokens, expected at most 9"):
        NGramModel(20, 97)
