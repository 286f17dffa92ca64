"""Dates as tokens: one for each character, and one that says which language is wanted.

A source is read as ``<ja> Tuesday, 3 March 2026 <end>``, character by character.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bigmodel_edu.data import CldrDates, DatePairs
from bigmodel_edu.errors import LengthError, TokenError, UnknownName
from bigmodel_edu.layer import Array

PADDING, START, END = 0, 1, 2


@dataclass(frozen=True)
class Vocabulary:
    """One token per character and one per language, after padding, start and end.

    Sources and targets share it: what a character is does not depend on where it stands.
    """

    languages: tuple[str, ...]
    characters: tuple[str, ...]

    @classmethod
    def of(cls, data: CldrDates) -> "Vocabulary":
        """Return the vocabulary of all languages and characters of the data."""
        return cls(data.languages, data.characters)

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """What each token stands for, to read."""
        tags = (f"<{language}>" for language in self.languages)
        return ("<pad>", "<start>", "<end>", *tags, *self.characters)

    @cached_property
    def _token_of(self) -> dict[str, int]:
        return {symbol: token for token, symbol in enumerate(self.symbols)}

    def __len__(self) -> int:
        return len(self.symbols)

    def encode_source(self, text: str, target_language: str) -> list[int]:
        """Return the tag of the language to translate into, the characters, and the end."""
        if target_language not in self.languages:
            raise UnknownName(
                f"Unknown target language {target_language!r}, expected one of "
                f"{', '.join(self.languages)}."
            )
        return [self._token_of[f"<{target_language}>"], *self._encode(text), END]

    def encode_target(self, text: str) -> list[int]:
        """Return the start, the characters, and the end."""
        return [START, *self._encode(text), END]

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text up to the end; padding and start are left out."""
        tokens = [int(token) for token in tokens]
        if END in tokens:
            tokens = tokens[: tokens.index(END)]
        return "".join(self.symbols[token] for token in tokens if token not in (PADDING, START))

    def _encode(self, text: str) -> list[int]:
        if not text:
            raise LengthError("the text is empty, expected at least one character; leave it out.")
        try:
            return [self._token_of[character] for character in text]
        except KeyError as error:
            raise TokenError(
                f"{text!r} holds {error.args[0]!r}, which is none of the {len(self.characters)} "
                "characters of this vocabulary; is the text in one of its languages?"
            ) from None


def padded(rows: Sequence[Sequence[int]]) -> Array:
    """Return rows of tokens as one array (B, T), T the longest, the others padded at the end."""
    tokens = np.full((len(rows), max(map(len, rows))), PADDING, dtype=np.int64)
    for row, given in zip(tokens, rows, strict=True):
        row[: len(given)] = given
    return tokens


def encode_pairs(vocabulary: Vocabulary, pairs: DatePairs) -> list[tuple[list[int], list[int]]]:
    """Return the tokens of each pair's source and of its target."""
    return [
        (vocabulary.encode_source(source, language), vocabulary.encode_target(target))
        for source, target, language in zip(
            pairs.sources, pairs.targets, pairs.target_languages, strict=True
        )
    ]
