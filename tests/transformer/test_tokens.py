import numpy as np
import pytest

from bigmodel_edu.errors import LengthError, TokenError, UnknownName
from bigmodel_edu.transformer.experiments.tokens import END, PADDING, START, padded


def test_a_source_begins_with_the_language_that_is_wanted(vocabulary):
    tokens = vocabulary.encode_source("3月", "bn")
    assert [vocabulary.symbols[t] for t in tokens] == ["<bn>", "3", "月", "<end>"]
    assert vocabulary.encode_target("3月") == [START, *tokens[1:-1], END]


def test_every_text_comes_back(data, vocabulary):
    pairs = data.draw(np.random.default_rng(0), 300)
    for text in (*pairs.sources, *pairs.targets):
        assert vocabulary.decode(vocabulary.encode_target(text)) == text


def test_tokens_are_all_different(vocabulary):
    assert len(set(vocabulary.symbols)) == len(vocabulary) == 3 + 4 + len(vocabulary.characters)
    assert vocabulary.symbols[PADDING] == "<pad>"


def test_what_comes_after_the_end_is_left_out(vocabulary):
    one, two = vocabulary.encode_target("12")[1:-1]
    assert vocabulary.decode([START, one, two, END, two, PADDING]) == "12"
    assert vocabulary.decode(np.array([one, two])) == "12"


@pytest.mark.parametrize(
    ("text", "language", "error", "says"),
    [
        ("3. März", "fr", UnknownName, "Unknown target language 'fr', expected one of en, de"),
        ("3 марта", "de", TokenError, "'3 марта' holds 'м', which is none of the"),
        ("", "de", LengthError, "the text is empty, expected at least one character"),
    ],
)
def test_a_text_that_cannot_be_encoded(vocabulary, text, language, error, says):
    with pytest.raises(error, match=says) as caught:
        vocabulary.encode_source(text, language)
    assert "\n" not in str(caught.value)


def test_padding_comes_last():
    np.testing.assert_array_equal(
        padded([[5, 4], [3], [7, 8, 9]]), [[5, 4, 0], [3, 0, 0], [7, 8, 9]]
    )
