"""Tokenizer, sampling and n-grams."""

import numpy as np
import pytest

from bigmodel_edu.errors import HyperparameterError, LengthError, TokenError
from bigmodel_edu.lstm.reference import (
    CharacterTokenizer,
    LanguageModel,
    NGramModel,
    bits_per_character,
    generate,
    sample,
    temperature_probabilities,
)

TOKENIZER = CharacterTokenizer.fit(["abba", "cab "])


# Tokenizer


def test_characters_are_numbered_from_two_in_their_order():
    assert TOKENIZER.characters == (" ", "a", "b", "c")
    assert TOKENIZER.vocabulary_size == 6
    np.testing.assert_array_equal(TOKENIZER.encode("cab!"), [5, 3, 4, 1])


@pytest.mark.parametrize("text", ["abba", " c", "a"])
def test_decoding_undoes_encoding(text):
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


def test_padding_is_left_out_and_the_unknown_is_shown():
    assert TOKENIZER.decode([3, 0, 1, 4, 0]) == "a\N{REPLACEMENT CHARACTER}b"


def test_a_batch_is_padded_at_the_end():
    tokens, lengths = TOKENIZER.encode_batch(["ab", "c", "abba"])
    np.testing.assert_array_equal(tokens, [[3, 4, 0, 0], [5, 0, 0, 0], [3, 4, 4, 3]])
    np.testing.assert_array_equal(lengths, [2, 1, 4])
    assert tokens.dtype == lengths.dtype == np.int64


@pytest.mark.parametrize(
    ("texts", "sentence"), [(["a", ""], r"texts\[1\] is empty"), ([], "texts is empty")]
)
def test_there_is_nothing_to_read_in_an_empty_text(texts, sentence):
    with pytest.raises(LengthError, match=sentence):
        TOKENIZER.encode_batch(texts)


def test_a_token_outside_the_vocabulary_has_no_character():
    with pytest.raises(TokenError, match=r"tokens\[1\] is 6, expected a token id from 0 to 5"):
        TOKENIZER.decode([2, 6])


@pytest.mark.parametrize("characters", [(), ("a", "b", "a")])
def test_a_vocabulary_has_each_character_once(characters):
    with pytest.raises(HyperparameterError, match="expected one or more, each once"):
        CharacterTokenizer(characters)


# Sampling


def test_temperature_one_is_the_softmax_and_others_sharpen_or_flatten():
    logits = np.array([0.0, np.log(2), np.log(3)])
    np.testing.assert_allclose(temperature_probabilities(logits, 1.0), [1 / 6, 1 / 3, 1 / 2])
    np.testing.assert_allclose(temperature_probabilities(logits, 0.5), np.array([1, 4, 9]) / 14)
    np.testing.assert_allclose(temperature_probabilities(logits, 1e9), 1 / 3)
    np.testing.assert_allclose(temperature_probabilities(logits, 1e-3), [0, 0, 1], atol=1e-99)


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan")])
def test_a_temperature_is_positive(temperature):
    with pytest.raises(HyperparameterError, match=r"temperature is .*, expected a number above 0"):
        temperature_probabilities(np.zeros(3), temperature)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_samples_come_as_often_as_they_should(dtype):
    rng = np.random.default_rng(0)
    logits = np.log(np.array([0.1, 0.2, 0.7], dtype=dtype))
    drawn = np.bincount([sample(logits, 1.0, rng) for _ in range(5000)], minlength=3) / 5000
    np.testing.assert_allclose(drawn, [0.1, 0.2, 0.7], atol=0.02)


def writer():
    model = LanguageModel(TOKENIZER.vocabulary_size, 7, 5)
    return model, model.init(np.random.default_rng(0))


def test_what_is_written_is_reproducible_and_has_only_known_characters():
    model, params = writer()
    texts = [
        generate(model, params, TOKENIZER, "ab", length=50, rng=np.random.default_rng(3))
        for _ in range(2)
    ]
    assert texts[0] == texts[1]
    assert len(texts[0]) == 50
    assert set(texts[0]) <= set(TOKENIZER.characters)


def test_the_state_is_carried_along():
    """Each character is drawn from what the model says after reading all before it."""
    model, params = writer()
    written = generate(
        model, params, TOKENIZER, "ab", length=12, temperature=1e-3, rng=np.random.default_rng(0)
    )
    read = "ab"
    for character in written:
        (logits, *_), _ = model.forward(params, TOKENIZER.encode(read)[None])
        assert character == TOKENIZER.characters[logits[0, -1, 2:].argmax()]
        read += character


def test_writing_needs_a_beginning():
    with pytest.raises(LengthError, match="prompt is empty"):
        generate(*writer(), TOKENIZER, "", length=3, rng=np.random.default_rng(0))


# N-grams


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
