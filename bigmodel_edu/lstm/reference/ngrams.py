"""The baseline of language models: counting what followed the last n - 1 tokens."""

from dataclasses import dataclass, field

import numpy as np

from bigmodel_edu.errors import HyperparameterError, LengthError
from bigmodel_edu.layer import Array, expect_count, expect_tokens


def bits_per_character(probabilities: Array) -> float:
    """Return the mean surprise -log₂ p of the characters that came, given their p (N,)."""
    return float(-np.log2(probabilities).mean())


@dataclass(frozen=True)
class NGramModel:
    """An n-gram model with the interpolated smoothing of Witten and Bell (1991).

    p_n(w | context) = (c(context, w) + u(context) p_{n-1}(w | shorter context))
                       / (c(context) + u(context)),
    with c the count and u the number of different tokens seen after the context: a context that was
    followed by many different tokens is likely to be followed by a new one. Below the
    unigrams all V tokens are equally probable; where a context was never seen, p_n is p_{n-1}.

    `order` is n, at most 62 / log₂ V so that a context fits into 64 bits; `counts` holds for each
    length of context the sorted codes and counts of the (context, token) pairs.
    """

    order: int
    vocabulary_size: int
    counts: tuple["_Counts", ...] = field(repr=False, compare=False, default=())

    def __post_init__(self) -> None:
        expect_count("order", self.order)
        expect_count("vocabulary_size", self.vocabulary_size)
        if self.order * np.log2(max(self.vocabulary_size, 2)) > 62:
            raise HyperparameterError(
                f"order is {self.order} with {self.vocabulary_size} tokens, expected at most "
                f"{int(62 / np.log2(self.vocabulary_size))}: a longer context has no 64-bit code."
            )

    def fit(self, tokens: Array) -> "NGramModel":
        """Return the model with the counts of tokens (N,), N ≥ order."""
        self._expect_long_enough(tokens)
        counts = tuple(_Counts.of(*self._codes(tokens, length)) for length in range(self.order))
        return NGramModel(self.order, self.vocabulary_size, counts)

    def probabilities(self, tokens: Array) -> Array:
        """Return p of every token of (N,) but the first order - 1, given those before it."""
        self._expect_long_enough(tokens)
        if not self.counts:
            raise LengthError("the model has no counts yet; call fit(tokens) on a text first.")
        n = len(tokens) - self.order + 1
        p = np.full(n, 1 / self.vocabulary_size)
        for length, counts in enumerate(self.counts):
            contexts, pairs = self._codes(tokens, length)
            p = counts.smoothed(contexts[-n:], pairs[-n:], p)
        return p

    def distribution(self, context: Array) -> Array:
        """Return p of all V tokens after a context of order - 1 tokens."""
        rows = [np.append(context, token) for token in range(self.vocabulary_size)]
        return np.array([self.probabilities(row)[0] for row in rows])

    def _codes(self, tokens: Array, length: int) -> tuple[Array, Array]:
        """Return the codes of all contexts of `length` tokens, and of them with the next token."""
        n = len(tokens) - length
        context = np.zeros(n, dtype=np.int64)
        for offset in range(length):
            context = context * self.vocabulary_size + tokens[offset : offset + n]
        return context, context * self.vocabulary_size + tokens[length:]

    def _expect_long_enough(self, tokens: Array) -> None:
        expect_tokens("tokens", tokens, self.vocabulary_size)
        if len(tokens) < self.order:
            raise LengthError(
                f"the text has {len(tokens)} tokens, expected at least {self.order}, the order of "
                "the model."
            )


@dataclass(frozen=True)
class _Counts:
    """Counts of contexts and of (context, token) pairs, found by their sorted codes."""

    pairs: Array
    pair_counts: Array
    contexts: Array
    context_counts: Array
    followers: Array  # of each context, how many different tokens

    @classmethod
    def of(cls, contexts: Array, pairs: Array) -> "_Counts":
        pair_codes, first, pair_counts = np.unique(pairs, return_index=True, return_counts=True)
        context_codes, context_counts = np.unique(contexts, return_counts=True)
        _, followers = np.unique(contexts[first], return_counts=True)
        return cls(pair_codes, pair_counts, context_codes, context_counts, followers)

    def smoothed(self, contexts: Array, pairs: Array, lower: Array) -> Array:
        """Return the probabilities of this order, given those of the order below."""
        seen_pair = _found(self.pairs, self.pair_counts, pairs)
        seen = _found(self.contexts, self.context_counts, contexts)
        followers = _found(self.contexts, self.followers, contexts)
        followers = np.where(seen == 0, 1, followers)  # p of the order below, and no 0 / 0
        return (seen_pair + followers * lower) / (seen + followers)


def _found(codes: Array, values: Array, wanted: Array) -> Array:
    """Return the value of each wanted code, 0 where it is not among the sorted codes."""
    at = np.minimum(np.searchsorted(codes, wanted), len(codes) - 1)
    return np.where(codes[at] == wanted, values[at], 0)
