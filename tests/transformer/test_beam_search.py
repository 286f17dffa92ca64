"""The cases of the beam search exercise do what they are for."""

from itertools import pairwise

import numpy as np
import pytest

from bigmodel_edu.transformer.exercises.decoding import _TRAPS, BOS, EOS, _beam_cases, beam_search
from bigmodel_edu.transformer.given import ENOUGH, ToyLanguage

BEST = {
    "the best begins behind the beam": "AC",
    "the likeliest first token leads astray": "BF",
    "the likeliest sequence never ends": "A",
    "the first to end is unlikely": "BCD",
    "the best comes after `beam` others": "BCD",
    "a trap after one has ended": "BCE",
    "one as long as is allowed, and a better one that is longer": "BDEF",
}
"""The right answers, worked by hand, without bos and eos."""


def log_probability(case, sequence):
    language, *_ = case.args
    steps = range(1, len(sequence))
    return sum(language(sequence[:i])[sequence[i]] for i in steps)


@pytest.mark.parametrize("seed", range(5))
def test_the_best_sequence_of_each_trap(seed):
    cases = {case.note: case for case in _beam_cases(np.random.default_rng(seed))}
    for note, (language, *_) in _TRAPS.items():
        found = beam_search(*cases[note].args)
        path = [BOS, *BEST[note], EOS]
        by_hand = sum(np.log(language.get(a, {EOS: 0.95})[b]) for a, b in pairwise(path))
        assert len(found) == len(path)
        assert log_probability(cases[note], found) == pytest.approx(by_hand)


@pytest.mark.parametrize("seed", range(5))
def test_the_short_and_the_long_sequence_change_places_once(seed):
    """A score that is stricter with length than the right one, and one that is milder, err."""
    cases = [c for c in _beam_cases(np.random.default_rng(seed)) if "short" in c.note]
    tokens = [len(beam_search(*case.args)) - 1 for case in cases]
    assert tokens == [6, 6, 6, 2, 2, 2]


def test_a_search_that_drops_nothing_is_stopped():
    language = ToyLanguage(np.zeros((1, 3, 3)))
    for _ in range(ENOUGH):
        language((0, 1))
    with pytest.raises(RuntimeError, match="do more sequences stay alive than `beam`"):
        language((0, 1))
