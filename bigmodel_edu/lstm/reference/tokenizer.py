"""A tokenizer of characters: text to whole numbers and back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bigmodel_edu.errors import HyperparameterError, LengthError
from bigmodel_edu.layer import Array, expect_tokens

PADDING, UNKNOWN = 0, 1
FIRST = 2  # the token of the first character
UNKNOWN_CHARACTER = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class CharacterTokenizer:
    """Numbers the characters of a vocabulary from 2; 0 is padding, 1 an unknown character.

    `characters` are the vocabulary in its order; `CharacterTokenizer.fit(texts)` collects them.
    """

    characters: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "characters", tuple(self.characters))
        if len(set(self.characters)) != len(self.characters) or not self.characters:
            raise HyperparameterError(
                f"characters holds {len(self.characters)} characters, "
                f"{len(set(self.characters))} of them different; expected one or more, each once."
            )

    @classmethod
    def fit(cls, texts: Iterable[str]) -> "CharacterTokenizer":
        """Return the tokenizer of all characters of the texts, sorted."""
        return cls(tuple(sorted(set().union(*texts))))

    @property
    def vocabulary_size(self) -> int:
        """How many tokens there are, padding and unknown among them."""
        return len(self.characters) + FIRST

    @cached_property
    def _token_of(self) -> dict[str, int]:
        return {character: token for token, character in enumerate(self.characters, start=FIRST)}

    def encode(self, text: str) -> Array:
        """Return the tokens of a text, int64 (T,); characters not in the vocabulary become 1."""
        return np.array([self._token_of.get(c, UNKNOWN) for c in text], dtype=np.int64)

    def decode(self, tokens: Iterable[int]) -> str:
        """Return the text of tokens (T,): nothing for padding, a replacement character for 1."""
        tokens = np.asarray(tokens, dtype=np.int64)
        expect_tokens("tokens", tokens, self.vocabulary_size)
        shown = ("", UNKNOWN_CHARACTER, *self.characters)
        return "".join(shown[token] for token in tokens)

    def encode_batch(self, texts: Sequence[str]) -> tuple[Array, Array]:
        """Return tokens (B, T), padded at the end to the longest text, and lengths (B,), int64.

        Raises LengthError for an empty text: there would be nothing to read.
        """
        rows = [self.encode(text) for text in texts]
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        if not rows or lengths.min() == 0:
            where = f"texts[{int(lengths.argmin())}] is empty" if rows else "texts is empty"
            raise LengthError(f"{where}, expected texts of one character or more; leave it out.")
        tokens = np.full((len(rows), lengths.max()), PADDING, dtype=np.int64)
        for row, encoded in enumerate(rows):
            tokens[row, : len(encoded)] = encoded
        return tokens, lengths
