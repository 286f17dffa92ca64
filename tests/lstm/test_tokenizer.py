"""The tokenizer of characters."""

import numpy as np
import pytest

from bigmodel_edu.errors import HyperparameterError, LengthError, TokenError
from bigmodel_edu.lstm.reference import CharacterTokenizer

TOKENIZER = CharacterTokenizer.fit(["abba", "cab "])


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
