"""N-grams and bits per character, and what judges them from outside."""

import numpy as np

from bigmodel_edu.components import FunctionComponent, outputs


def witten_bell_by_hand(tokens: np.ndarray) -> np.ndarray:
    """Return the trigram probabilities of a text in itself, by dictionaries of counts."""

    def probability(context: tuple, token: int) -> float:
        starts = range(len(tokens) - len(context))
        followers = [
            int(tokens[s + len(context)])
            for s in starts
            if tuple(tokens[s : s + len(context)]) == context
        ]
        lower = probability(context[1:], token) if context else 1 / 13
        if not followers:
            return lower
        different = len(set(followers))
        return (followers.count(token) + different * lower) / (len(followers) + different)

    return np.array(
        [probability(tuple(tokens[n - 2 : n]), int(tokens[n])) for n in range(2, len(tokens))]
    )


NGRAM_MODEL = FunctionComponent(
    name="lstm.ngram_model",
    inputs=lambda rng, batch: {"tokens": rng.integers(0, 4, size=41)},
    call=lambda m, tokens: m.NGramModel(3, 13).fit(tokens).probabilities(tokens),
    oracles={"counts in dictionaries": outputs(witten_bell_by_hand)},
    runs_on_cupy=False,
)

BITS_PER_CHARACTER = FunctionComponent(
    name="lstm.bits_per_character",
    inputs=lambda rng, batch: {"p": rng.uniform(0.01, 1, size=17)},
    call=lambda m, p: m.bits_per_character(p),
    oracles={
        "entropy in nats": outputs(lambda p: -np.log(p).mean() / np.log(2)),
    },
)
