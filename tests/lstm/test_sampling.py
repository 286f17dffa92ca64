"""Sampling at a temperature, and writing."""

import numpy as np
import pytest

from bigmodel_edu.errors import HyperparameterError, LengthError
from bigmodel_edu.lstm.reference import (
    CharacterTokenizer,
    LanguageModel,
    generate,
    sample,
    temperature_probabilities,
)

TOKENIZER = CharacterTokenizer.fit(["abba", "cab "])


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
