"""What the project's judge says of answers that are no probabilities of the next character."""

import re

import numpy as np
import pytest

from bigmodel_edu.lstm.exercises.beat_the_ngrams import (
    BEAT_THE_NGRAMS,
    _plain_ngrams,
    judge_predictor,
)


@pytest.fixture(scope="module")
def case():
    (case,) = BEAT_THE_NGRAMS.cases(np.random.default_rng(0))
    return case


@pytest.fixture(scope="module")
def ngrams(case):
    return _plain_ngrams(*case.args)


def looking_ahead(p, text):
    """Give more to a character with an odd one after it: a bidirectional network does that."""
    return p * np.where(np.append(text[2:], 0) % 2, 1.0, 0.9)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda p, text: p[:-1], "must return .* probabilities, got shape"),
        (lambda p, text: -np.log2(p), "Probabilities are at most 1"),
        (lambda p, text: np.where(p < 1e-3, 0, p), "above 0 for whatever can come"),
        (lambda p, text: p * np.random.default_rng().uniform(0.5, 1), "model.eval"),
        (lambda p, text: p / len(text), "other probabilities when the text ends there"),
        (looking_ahead, "cannot look ahead"),
        (lambda p, text: p / 2, "sum to 0.5, not to 1"),
        (lambda p, text: p, "N-grams need .* there, and 0.06 less are asked for"),
    ],
)
def test_what_is_wrong_is_said(case, ngrams, change, says):
    verdict = judge_predictor(case, lambda text: change(ngrams(text), text))
    assert re.search(says, verdict)


def test_a_function_is_expected(case):
    assert "Return a function" in judge_predictor(case, np.ones(3))
