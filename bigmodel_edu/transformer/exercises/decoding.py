"""An exercise: beam search."""

from collections.abc import Callable
from itertools import chain, pairwise
from math import sqrt

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array
from bigmodel_edu.neural_nets.reference import softmax

from .. import reference as ref
from ..given import ToyLanguage

LogProbabilities = Callable[[tuple[int, ...]], Array]


def beam_search(
    log_probabilities: LogProbabilities,
    beam: int,
    length_penalty: float,
    bos: int,
    eos: int,
    max_length: int,
) -> tuple[int, ...]:
    """Return the best finished sequence that beam search finds, with bos and eos.

    Begin with the one sequence (bos,), of log-probability 0. In each step continue every sequence
    that is alive with every token, and keep the `beam` likeliest of all these continuations
    together; those that end in eos are finished and leave the beam, the others stay alive. (So
    fewer than `beam` may be alive in the next step; again the `beam` likeliest continuations are
    kept.) Stop when none is alive or when the sequences have `max_length` tokens after bos; who is
    not finished then does not count. Of all finished ones return that with the largest log p / lp,
    lp = ((5 + n) / 6)^length_penalty, where n counts the tokens after bos, eos included
    (Wu et al. 2016, eq. 14). At least one finishes, and no two are equally good.
    """
    found = _hypotheses(log_probabilities, beam, length_penalty, bos, eos, max_length)
    return next((bos, *hypothesis.tokens) for hypothesis in found if hypothesis.finished)


def _hypotheses(
    log_probabilities: LogProbabilities,
    beam: int,
    length_penalty: float,
    bos: int,
    eos: int,
    max_length: int,
) -> list[ref.Hypothesis]:
    return ref.beam_search(
        lambda prefixes: np.array([log_probabilities(tuple(row)) for row in prefixes.tolist()]),
        start=bos,
        end=eos,
        beam=beam,
        max_length=max_length,
        alpha=length_penalty,
    )


def _search(
    log_probabilities: LogProbabilities,
    beam: int,
    bos: int,
    eos: int,
    max_length: int,
    *,
    of_each: bool = False,
    shrinks: bool = False,
    lets_end: bool = True,
    stops: Callable[[list], bool] = lambda found: False,
) -> list[tuple[float, tuple[int, ...]]]:
    """Return what was finished, and what was alive at the end, in the order found.

    With `of_each` the beam is as wide for each sequence alone, with `shrinks` every sequence that
    is finished makes it narrower for good, without `lets_end` such a sequence stays alive, and the
    search ends early where `stops(finished ones)`.
    """

    def likeliest(pairs):
        return sorted(pairs, key=lambda pair: -pair[0])[:beam]

    live, found = [(0.0, (bos,))], []
    for _ in range(max_length):
        longer = [
            [
                (total + float(log_p), (*prefix, token))
                for token, log_p in enumerate(log_probabilities(prefix))
            ]
            for total, prefix in live
        ]
        ranked = [*chain(*map(likeliest, longer))] if of_each else likeliest(chain(*longer))
        ended = [pair for pair in ranked if pair[1][-1] == eos]
        live = [pair for pair in ranked if pair[1][-1] != eos] if lets_end else ranked
        beam -= len(ended) * shrinks
        found += ended
        if stops(found):
            break
    return found + live


Score = Callable[[float, int, float], float]


def _beam_score(total: float, n: int, alpha: float) -> float:
    return total / ((5 + n) / 6) ** alpha


def _beam_variant(
    score: Score = _beam_score,
    width: Callable[[int], int] = lambda beam: beam,
    steps: Callable[[int], int] = lambda max_length: max_length,
    stops_at: Callable[[int], float] = lambda beam: np.inf,
    unfinished: bool = False,
    **options: bool,
):
    """Return a beam search with another score, width, length, end, or idea of what counts."""

    def search(log_probabilities, beam, length_penalty, bos, eos, max_length):
        found = _search(
            log_probabilities,
            width(beam),
            bos,
            eos,
            steps(max_length),
            stops=lambda found: len(found) >= stops_at(beam),
            **options,
        )
        finished = [pair for pair in found if pair[1][-1] == eos]
        counted = found if unfinished or not finished else finished
        return max(counted, key=lambda pair: score(pair[0], len(pair[1]) - 1, length_penalty))[1]

    return search


_WRONG_SCORES: tuple[tuple[Score, str], ...] = (
    (
        lambda total, n, alpha: total,
        "You compared the log-probabilities without the length penalty: each further token makes "
        "them lower, so that short sequences win.",
    ),
    (
        lambda total, n, alpha: total * ((5 + n) / 6) ** alpha,
        "You multiplied by the length penalty. Log-probabilities are negative: dividing by a "
        "number above 1 is what makes a long sequence better.",
    ),
    (
        lambda total, n, alpha: total / n,
        "You divided by the number of tokens. The length penalty of the task grows more slowly: "
        "((5 + n) / 6)^length_penalty.",
    ),
    (
        lambda total, n, alpha: total / ((5 + n) / 6),
        "`length_penalty` is an exponent: the logarithm is divided by "
        "((5 + n) / 6)^length_penalty.",
    ),
    (
        lambda total, n, alpha: total / ((4 + n) / 6) ** alpha,
        "Your length is one too small: n counts all tokens after bos, eos included.",
    ),
    (
        lambda total, n, alpha: total / ((6 + n) / 6) ** alpha,
        "Your length is one too large: n counts the tokens after bos, not bos itself.",
    ),
)

_BEAM_MISTAKES = (
    *(Mistake(_beam_variant(score), message) for score, message in _WRONG_SCORES),
    Mistake(
        _beam_variant(unfinished=True),
        "You returned a sequence that has no end: only finished ones count, those with eos.",
    ),
    Mistake(
        _beam_variant(width=lambda beam: 1),
        "This is greedy search: you kept one sequence in each step, not `beam` of them.",
    ),
    Mistake(
        _beam_variant(stops_at=lambda beam: 1),
        "You stopped at the first sequence that was finished; a longer one may be better.",
    ),
    Mistake(
        _beam_variant(stops_at=lambda beam: beam),
        "You stopped when `beam` sequences were finished. Go on as long as one is alive and has "
        "fewer than `max_length` tokens after bos: it may become the best.",
    ),
    Mistake(
        _beam_variant(shrinks=True),
        "Your beam becomes narrower for good when a sequence is finished. In the next step the "
        "`beam` likeliest continuations are kept again.",
    ),
    Mistake(
        _beam_variant(lets_end=False),
        "Sequences that have ended are continued in your search. With eos a sequence is finished: "
        "it leaves the beam.",
    ),
    Mistake(
        _beam_variant(steps=lambda max_length: max_length - 1),
        "You stopped one step too soon: a sequence may have `max_length` tokens after bos, which "
        "does not count.",
    ),
    Mistake(
        _beam_variant(steps=lambda max_length: max_length + 1),
        "You went one step too far: a sequence has at most `max_length` tokens after bos.",
    ),
    Mistake(
        lambda *args: beam_search(*args)[1:],
        "The sequence lacks its bos: return it with bos and eos.",
    ),
    # these two take long, so they are tried last
    Mistake(
        _beam_variant(of_each=True),
        "You kept the `beam` likeliest continuations of each sequence. Put those of all live "
        "sequences into one list, and keep the `beam` likeliest of that.",
    ),
    Mistake(
        _beam_variant(width=lambda beam: 10**9),
        "No sequence ever leaves your beam. In each step keep the `beam` likeliest of all "
        "continuations of all live sequences.",
    ),
)

BOS, EOS, LOST = "^", "$", "uvwxyz"
"""In the languages of the cases. Who is lost wanders about and never ends."""

Language = dict[str, dict[str, float]]

_TRAPS: dict[str, tuple[Language, int, int]] = {
    "the best begins behind the beam": (
        {
            "^": {"A": 0.6, "B": 0.35},
            "A": {"C": 0.45, "D": 0.4},
            "B": {"E": 0.6},
            "C": {"$": 0.5},
            "D": {"$": 0.5},
        },
        2,
        3,
    ),
    "the likeliest first token leads astray": (
        {"^": {"A": 0.55, "B": 0.4}, "A": {"C": 0.4, "D": 0.3, "E": 0.2}, "B": {"F": 0.9}},
        2,
        5,
    ),
    "the likeliest sequence never ends": (
        {"^": {"A": 0.3, "B": 0.6}, "B": {"B": 0.97}},
        2,
        5,
    ),
    "the first to end is unlikely": (
        {"^": {"A": 0.1, "B": 0.8}, "B": {"C": 0.95}, "C": {"D": 0.95}},
        2,
        6,
    ),
    "the best comes after `beam` others": (
        {"^": {"A": 0.3, "B": 0.6}, "B": {"C": 0.75}, "C": {"D": 0.75, "$": 0.2}},
        2,
        6,
    ),
    "a trap after one has ended": (
        {
            "^": {"A": 0.2, "B": 0.75},
            "B": {"C": 0.95},
            "C": {"D": 0.5, "E": 0.45},
            "D": {"F": 0.35, "G": 0.3, "H": 0.3},
        },
        2,
        7,
    ),
    "one as long as is allowed, and a better one that is longer": (
        {
            "^": {"A": 0.1, "B": 0.3, "C": 0.55},
            **{before: {after: 0.95} for before, after in pairwise("BDEF")},
            **{before: {after: 0.95} for before, after in pairwise("CGHIJ")},
        },
        3,
        5,
    ),
}
"""Languages in which a slip shows, with the width of the beam and the largest length."""


def _beam_cases(rng: np.random.Generator) -> list[Case]:
    """Return a case for every slip of a search, for every wrong score, and two at random."""
    return [
        *(
            _beam_case(rng, language, beam, float(rng.uniform(0.6, 0.75)), max_length, note)
            for note, (language, beam, max_length) in _TRAPS.items()
        ),
        *_score_cases(rng),
        _random_case(rng, 5, 3, 0.0, 6),
        _random_case(rng, 7, 2, float(rng.uniform(1.2, 1.5)), 8),
    ]


def _beam_case(
    rng: np.random.Generator,
    language: Language,
    beam: int,
    penalty: float,
    max_length: int,
    note: str,
) -> Case:
    """Return a case in which every token that goes nowhere ends."""
    used = sorted({*language, *chain(*language.values())} - {BOS, EOS})
    symbols = [BOS, EOS, *used, *LOST]
    number = dict(zip(symbols, rng.permutation(len(symbols)).tolist(), strict=True))
    lost = [number[symbol] for symbol in LOST]
    table = np.full((len(symbols), len(symbols)), 1e-9)
    for before in symbols:
        row = table[number[before]]
        for after, p in ({} if before in LOST else language.get(before, {EOS: 0.95})).items():
            row[number[after]] = p
        row[lost] = (1 - row.sum()) * rng.dirichlet([50] * len(LOST))
    args = (ToyLanguage(np.log(table)[None]), beam, penalty, number[BOS], number[EOS], max_length)
    return Case(args, note=note)


def _score_cases(rng: np.random.Generator) -> list[Case]:
    """Return cases of which any two scores, the right one among them, decide one differently.

    One sequence has 2 tokens after bos, the other 6. A score prefers the long one if its log p is
    at most so many times that of the short one; where two scores are neighbours, we go between.
    """
    penalty = float(rng.uniform(0.6, 0.75))  # no two of the scores are alike
    scores = (_beam_score, *(score for score, _ in _WRONG_SCORES))
    factors = sorted(score(-1.0, 2, penalty) / score(-1.0, 6, penalty) for score in scores)
    cases = []
    for factor in (sqrt(one * other) for one, other in pairwise(factors)):
        log_short = float(np.log(rng.uniform(0.34, 0.38)))
        language = {
            "^": {"A": 0.45, "B": 0.5},
            "A": {EOS: np.exp(log_short) / 0.45},
            "F": {EOS: np.exp(factor * log_short) / (0.5 * 0.98**4)},
            **{before: {after: 0.98} for before, after in pairwise("BCDEF")},
        }
        note = "a short sequence against a long one"
        cases.append(_beam_case(rng, language, 3, penalty, 6, note))
    return cases


def _random_case(
    rng: np.random.Generator, n_tokens: int, beam: int, penalty: float, max_length: int
) -> Case:
    """Return a language in which everything is possible until `max_length`, when all must end."""
    bos, eos = (int(token) for token in rng.choice(n_tokens, size=2, replace=False))
    logits = 1.5 * rng.normal(size=(max_length, n_tokens, n_tokens))
    logits[..., eos] += np.linspace(-1.5, 1.5, max_length)[:, None]
    logits[-1, :, eos] = 50
    args = (ToyLanguage(np.log(softmax(logits))), beam, penalty, bos, eos, max_length)
    return Case(args, note=f"{n_tokens} tokens, a beam of {beam}")


BEAM_SEARCH = Exercise(
    name="transformer.beam_search",
    title="Beam search with a length penalty",
    points=3,
    stars=3,
    reference=beam_search,
    cases=_beam_cases,
    mistakes=_BEAM_MISTAKES,
    hints=(
        "Keep two lists of pairs (log-probability, sequence): the live ones, at first "
        "[(0.0, (bos,))], and the finished ones.",
        "In each step make one list of all continuations of all live sequences, sort it by "
        "log-probability and take the first `beam`; then part those that end in eos from the rest.",
        "At the end: max(finished, key=lambda pair: pair[0] / ((5 + len(pair[1]) - 1) / 6) ** "
        "length_penalty)[1]",
    ),
)
