"""Exercises: bits per character, and a bigram model."""

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array

# --- bits per character --------------------------------------------------------------------------


def bits_per_character(probabilities: Array) -> float:
    """Return the mean of -log₂ p over the characters that came, p (N,)."""
    return float(-np.log2(probabilities).mean())


_AS_IN_AN_ENTROPY = (
    "You weighted each surprise by its own probability, as in an entropy. Here each character that "
    "came counts once."
)

BITS_PER_CHARACTER = Exercise(
    name="lstm.bits_per_character",
    title="Bits per character",
    points=1,
    stars=1,
    reference=bits_per_character,
    cases=lambda rng: [
        Case((np.array([0.5, 0.25, 0.125]),), note="2 bits on average"),
        Case((rng.uniform(0.01, 1, size=7),)),
        Case((rng.uniform(1e-12, 1e-3, size=101),), note="improbable characters"),
    ],
    mistakes=(
        Mistake(
            lambda probabilities: float(-np.log(probabilities).mean()),
            "These are nats: you took the natural logarithm. Bits come from log₂.",
        ),
        Mistake(
            lambda probabilities: float(-np.log2(probabilities).sum()),
            "You added the bits up; per character means the mean.",
        ),
        Mistake(
            lambda probabilities: float(-np.log2(probabilities.mean())),
            "You took the logarithm of the mean; it is the mean of the logarithms.",
        ),
        Mistake(
            lambda probabilities: float(np.log2(probabilities).mean()),
            "The sign is missing: the logarithm of a probability is negative, a surprise is not.",
        ),
        Mistake(
            lambda probabilities: float(-(probabilities * np.log2(probabilities)).mean()),
            _AS_IN_AN_ENTROPY,
        ),
        Mistake(
            lambda probabilities: float(-(probabilities * np.log2(probabilities)).sum()),
            _AS_IN_AN_ENTROPY,
        ),
    ),
    hints=(
        "The surprise at one character is -log₂ of the probability that it was given.",
        "np.log2 works on the whole array; then the mean.",
        "return -np.log2(probabilities).mean()",
    ),
)

# --- a bigram model ------------------------------------------------------------------------------


def bigram_bits(train: Array, test: Array, n_characters: int, alpha: float) -> float:
    """Return the bits per character of test[1:] under bigrams counted in train, plus alpha each."""
    counts = np.full((n_characters, n_characters), float(alpha))
    np.add.at(counts, (train[:-1], train[1:]), 1)
    p = counts / counts.sum(axis=1, keepdims=True)
    return bits_per_character(p[test[:-1], test[1:]])


def _bigram_counts(train: Array, n_characters: int, start: float) -> Array:
    counts = np.full((n_characters, n_characters), start)
    np.add.at(counts, (train[:-1], train[1:]), 1)
    return counts


def _bigram_normalised_over_the_characters_before(train, test, n_characters, alpha):
    counts = _bigram_counts(train, n_characters, float(alpha))
    p = counts / counts.sum(axis=0, keepdims=True)
    return bits_per_character(p[test[:-1], test[1:]])


def _bigram_normalised_over_all_pairs(train, test, n_characters, alpha):
    counts = _bigram_counts(train, n_characters, float(alpha))
    return bits_per_character((counts / counts.sum())[test[:-1], test[1:]])


def _bigram_counted_once(train, test, n_characters, alpha):
    counts = np.full((n_characters, n_characters), float(alpha))
    counts[train[:-1], train[1:]] += 1
    p = counts / counts.sum(axis=1, keepdims=True)
    return bits_per_character(p[test[:-1], test[1:]])


def _bigram_read_the_wrong_way_round(train, test, n_characters, alpha):
    return bigram_bits(train, test[::-1], n_characters, alpha)


def _bigram_half_smoothed(train, test, n_characters, alpha):
    counts = _bigram_counts(train, n_characters, 0.0)
    p = (counts + alpha) / (counts.sum(axis=1, keepdims=True) + alpha)
    return bits_per_character(p[test[:-1], test[1:]])


def _bigram_nats(train, test, n_characters, alpha):
    return bigram_bits(train, test, n_characters, alpha) * float(np.log(2))


def _bigram_of_the_whole_text(train, test, n_characters, alpha):
    occurrences = np.bincount(train, minlength=n_characters) + alpha * n_characters
    p = _bigram_counts(train, n_characters, float(alpha)) / occurrences[:, None]
    return bits_per_character(p[test[:-1], test[1:]])


def _bigram_without_keepdims(train, test, n_characters, alpha):
    counts = _bigram_counts(train, n_characters, float(alpha))
    p = counts / counts.sum(axis=1)
    return bits_per_character(p[test[:-1], test[1:]])


def _bigram_per_character_of_test(train, test, n_characters, alpha):
    return bigram_bits(train, test, n_characters, alpha) * (len(test) - 1) / len(test)


def _bigram_cases(rng: np.random.Generator) -> list[Case]:
    def case(n_train: int, n_test: int, n_characters: int, alpha: float) -> Case:
        shares = rng.dirichlet(np.full(n_characters, 0.5))
        train, test = (rng.choice(n_characters, size=n, p=shares) for n in (n_train, n_test))
        # Every character but the ends comes before one and after one: were the ends of both texts
        # alike, it would make no difference which way the counts are normalised.
        test[0], test[-1] = shares.argmax(), shares.argmin()
        train[0], train[-1] = shares.argmax(), shares.argmin()
        # The last character of train once had no successor: let test ask what follows it.
        test[n_test // 2] = train[-1]
        return Case((train, test, n_characters, alpha))

    return [case(200, 50, 5, 1.0), case(31, 17, 7, 0.1), case(1000, 101, 11, 0.5)]


BIGRAM_BITS = Exercise(
    name="lstm.bigram_bits",
    title="A bigram model",
    points=2,
    stars=2,
    reference=bigram_bits,
    cases=_bigram_cases,
    mistakes=(
        Mistake(
            _bigram_normalised_over_the_characters_before,
            "You normalised over the characters before; p(next | before) sums to one over the next "
            "ones: each row of the counts, one row per character before.",
        ),
        Mistake(
            _bigram_normalised_over_all_pairs,
            "You divided by the total: that is the probability of the pair. Given the character "
            "before, the next ones sum to one, so normalise each row.",
        ),
        Mistake(
            _bigram_counted_once,
            "Each pair was counted once, however often it came: `counts[a, b] += 1` keeps only one "
            "of several equal pairs. Use np.add.at.",
        ),
        Mistake(
            _bigram_half_smoothed,
            "Your probabilities do not sum to one: when alpha is added to each of the counts, the "
            "sum of a row grows by alpha times the number of characters.",
        ),
        Mistake(
            _bigram_read_the_wrong_way_round,
            "You read the pairs the wrong way round: p[before, next].",
        ),
        Mistake(_bigram_nats, "These are nats; bits come from log₂."),
        Mistake(
            _bigram_of_the_whole_text,
            "You divided by how often the character before occurs in all of train. Its last "
            "character has no successor and is no pair: count over train[:-1], or take the sum "
            "of the row.",
        ),
        Mistake(
            _bigram_without_keepdims,
            "counts.sum(axis=1) has shape (V,), so that NumPy divides column j by the sum of row "
            "j. With keepdims=True it keeps the shape (V, 1), one number for each row.",
        ),
        Mistake(
            _bigram_per_character_of_test,
            "You divided by len(test). The first character is not predicted, since nothing comes "
            "before it: the mean is over len(test) - 1 pairs.",
        ),
    ),
    hints=(
        "Count the pairs of train in a matrix whose row is the character before and whose column "
        "is the next one, starting from alpha everywhere.",
        "np.add.at(counts, (train[:-1], train[1:]), 1) counts; then divide each row by its sum.",
        "p = counts / counts.sum(axis=1, keepdims=True); "
        "return -np.log2(p[test[:-1], test[1:]]).mean()",
    ),
)
