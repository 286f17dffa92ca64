"""From a model that knows the next token to a whole sequence: greedy and beam search.

Both know nothing of models. They take a function that maps prefixes (N, t), tokens that all begin
with `start`, to the logarithms of the probabilities of the next token (N, V).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bigmodel_edu.errors import HyperparameterError
from bigmodel_edu.layer import Array, expect_count, expect_not_negative, expect_shape

NextLogProbabilities = Callable[[Array], Array]


@dataclass(frozen=True)
class Hypothesis:
    """A sequence that beam search found: its tokens, without `start`, and how good they are.

    `score` is log_probability / length_penalty, `finished` tells whether the last token is `end`.
    """

    tokens: tuple[int, ...]
    log_probability: float
    score: float
    finished: bool


def greedy_decode(
    next_log_probabilities: NextLogProbabilities,
    *,
    start: int,
    end: int,
    max_length: int,
    batch: int = 1,
) -> Array:
    """Return the tokens (`batch`, t ≤ `max_length`) found by taking the likeliest next one.

    Row n of the prefixes is row n of the answer. A row that has ended is filled with `end`; of
    equally likely tokens the one with the smallest number is taken.
    """
    expect_count("max_length", max_length)
    expect_count("batch", batch)
    prefixes = np.full((batch, 1), start, dtype=np.int64)
    ended = np.zeros(batch, dtype=bool)
    while prefixes.shape[1] <= max_length and not ended.all():
        log_p = next_log_probabilities(prefixes)
        expect_shape("next_log_probabilities(prefixes)", log_p, batch, "V")
        token = np.where(ended, end, log_p.argmax(axis=-1))
        ended |= token == end
        prefixes = np.concatenate([prefixes, token[:, None]], axis=1)
    return prefixes[:, 1:]


def length_penalty(length: int, alpha: float) -> float:
    """Return ((5 + |Y|) / 6)^α (Wu et al. 2016, eq. 14, first line)."""
    return ((5 + length) / 6) ** alpha


def beam_search(
    next_log_probabilities: NextLogProbabilities,
    *,
    start: int,
    end: int,
    beam: int,
    max_length: int,
    alpha: float = 0.6,
) -> list[Hypothesis]:
    """Return the hypotheses that beam search found, the best first (Wu et al. 2016, section 7).

    In every step each live hypothesis is continued with each token, and the `beam` likeliest of all
    stay; those that end with `end` are set aside. It stops when none is left, when they have
    `max_length` tokens, or when no continuation can beat the best that has ended. Among equals the
    earlier hypothesis wins, then the smaller token, so that the answer is always the same. A beam
    of 1 is greedy search; `alpha` 0 compares probabilities alone, which favours short sequences.
    """
    expect_count("beam", beam)
    expect_count("max_length", max_length)
    expect_not_negative("alpha", alpha)
    live, log_probabilities = np.full((1, 1), start, dtype=np.int64), np.zeros(1)
    found: list[Hypothesis] = []
    for length in range(1, max_length + 1):
        log_p = next_log_probabilities(live)
        expect_shape("next_log_probabilities(prefixes)", log_p, len(live), "V")
        totals = (log_probabilities[:, None] + log_p).ravel()
        if np.isnan(totals).any():
            raise HyperparameterError(
                "next_log_probabilities(prefixes) holds a NaN, expected logarithms of "
                "probabilities; is a whole row of the model's logits masked?"
            )
        best = np.argsort(-totals, kind="stable")[:beam]
        best = best[totals[best] > -np.inf]  # what is impossible is no candidate
        parents, tokens = np.divmod(best, log_p.shape[1])
        prefixes = np.concatenate([live[parents], tokens[:, None]], axis=1)
        goes_on = (tokens != end) & (length < max_length)
        penalty = length_penalty(length, alpha)
        found += [
            Hypothesis(tuple(row[1:]), total, total / penalty, row[-1] == end)
            for row, total in zip(
                prefixes[~goes_on].tolist(), totals[best][~goes_on].tolist(), strict=True
            )
        ]
        live, log_probabilities = prefixes[goes_on], totals[best][goes_on]
        if not len(live) or _cannot_improve(found, log_probabilities, max_length, alpha):
            break
    return sorted(found, key=lambda hypothesis: -hypothesis.score)[:beam]


def _cannot_improve(
    found: list[Hypothesis], log_probabilities: Array, max_length: int, alpha: float
) -> bool:
    """Return whether no live hypothesis can beat the best one found.

    More tokens only lower the log-probability; the longest sequence has the mildest penalty.
    """
    if not found:
        return False
    bound = float(log_probabilities.max()) / length_penalty(max_length, alpha)
    return max(hypothesis.score for hypothesis in found) >= bound
