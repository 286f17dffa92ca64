"""Beam search, and what judges it from outside."""

from itertools import product
from typing import Any

import numpy as np
import scipy.special

from bigmodel_edu.components import FunctionComponent, Results, Trial


def bigram_model(prefixes: np.ndarray) -> np.ndarray:
    """Return log-probabilities (N, 4) of the next token from a table, with some history in it."""
    logits = np.random.default_rng(24).normal(size=(4, 4)) * 2  # here the penalty decides
    history = np.sin(prefixes.sum(axis=1))[:, None] * np.arange(4)
    return scipy.special.log_softmax(logits[prefixes[:, -1]] + history, axis=-1)


def found_by_enumeration(trial: Trial) -> Results:
    """Return the best of all sequences of at most four tokens that end with 0 or are cut."""
    best: tuple = (-np.inf, ())
    for length in range(1, 5):
        for tokens in product(range(4), repeat=length):
            if 0 in tokens[:-1] or (length < 4 and tokens[-1] != 0):
                continue
            prefix, total = [1], 0.0
            for token in tokens:
                total += bigram_model(np.array([prefix]))[0, token]
                prefix.append(token)
            best = max(best, (total / ((5 + length) / 6) ** 0.7, tokens))
    return {"tokens": np.array(best[1]), "score": np.array(best[0])}


def found_by_beam_search(module: Any) -> dict:
    """Return the best hypothesis of a beam that is as wide as there are sequences."""
    best = module.beam_search(bigram_model, start=1, end=0, beam=300, max_length=4, alpha=0.7)[0]
    return {"tokens": np.array(best.tokens), "score": np.array(best.score)}


BEAM_SEARCH = FunctionComponent(
    name="transformer.beam_search",
    call=found_by_beam_search,
    oracles={"enumeration": found_by_enumeration},
    runs_on_cupy=False,
)
