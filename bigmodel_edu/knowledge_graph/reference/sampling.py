"""Drawing negatives: wrong answers to questions, and which of its two questions a fact asks.

Questions are (B, 3) integers of source, relation in [0, 2R) and target; negatives (B, N) are
entities that take the place of the target.
"""

import numpy as np

from bigmodel_edu.errors import BookError, HyperparameterError
from bigmodel_edu.layer import Array, expect_count, expect_shape

from .facts import FactIndex, expect_facts


def uniform_negatives(
    rng: np.random.Generator, questions: Array, num_entities: int, n: int
) -> Array:
    """Return n entities (B, n) for each question, all equally likely but for its target.

    Some of them may be right all the same, by another fact: see `filtered_negatives`.
    """
    expect_shape("questions", questions, "B", 3)
    expect_count("n", n)
    if num_entities < 2:
        raise HyperparameterError(
            f"num_entities is {num_entities}, expected 2 or more: a wrong answer is another entity."
        )
    drawn = rng.integers(num_entities - 1, size=(len(questions), n))
    return drawn + (drawn >= questions[:, 2:])  # the target is stepped over


def filtered_negatives(
    rng: np.random.Generator, questions: Array, negatives: Array, index: FactIndex
) -> Array:
    """Return the negatives (B, N) with those that are known answers drawn again.

    A new one is any entity that is no known answer of its question, all of them equally likely, so
    that one draw is enough. With the negatives of `uniform_negatives`, all that is returned is
    uniform over these entities, as long as the questions themselves are known facts.
    """
    expect_shape("questions", questions, "B", 3)
    expect_shape("negatives", negatives, len(questions), "N")
    sources, relations, _ = questions.T
    rows, columns = np.nonzero(index.contains(sources[:, None], relations[:, None], negatives))
    filtered = negatives.copy()
    filtered[rows, columns] = draw_wrong(rng, sources[rows], relations[rows], index)
    return filtered


def draw_wrong(
    rng: np.random.Generator, sources: Array, relations: Array, index: FactIndex
) -> Array:
    """Return one entity for each question (B,) that is none of its known answers.

    The k-th wrong entity, k from 0, is k plus the number of answers below it: those with at most k
    wrong entities below them.
    """
    begin, end = index.spans(sources, relations)
    wrong = index.num_entities - (end - begin)
    if not wrong.all():
        at = np.flatnonzero(wrong == 0)[0]
        raise BookError(
            f"every entity is a known answer of the question (source {sources[at]}, relation "
            f"{relations[at]}), expected at least one that is wrong; leave this question out, or "
            "do not filter."
        )
    k = rng.integers(wrong)
    keys = index.keys_of(sources, relations, k)
    return k + np.searchsorted(index.wrong_below, keys, side="right") - begin


def bernoulli_head_probability(facts: Array, num_relations: int) -> Array:
    """Return for each relation (R,) how likely it is that a fact (n, 3) asks for its head.

    tph / (tph + hpt), with tph the tails per head and hpt the heads per tail, averaged over the
    different heads and the different tails of the relation (Wang et al. 2014, section "Reducing
    False Negative Labels"). Of a relation with many heads per tail (born in), many heads are right,
    so that a wrong answer is better drawn as a tail. A relation without facts has 1/2.
    """
    expect_shape("facts", facts, "n", 3)
    expect_facts(facts, int(facts.max()) + 1, num_relations)
    heads, tails = (
        np.bincount(np.unique(facts[:, [1, side]], axis=0)[:, 0], minlength=num_relations)
        for side in (0, 2)
    )
    # tph = facts / heads and hpt = facts / tails: the number of facts cancels
    return np.where(heads > 0, tails / np.maximum(heads + tails, 1), 0.5)


def bernoulli_questions(rng: np.random.Generator, facts: Array, head_probability: Array) -> Array:
    """Return one question (n, 3) of each fact (n, 3): for its head with the given probabilities.

    The question for the head has the inverse relation, r + R, and the head as its target.
    """
    expect_shape("head_probability", head_probability, "R")
    expect_shape("facts", facts, "n", 3)
    expect_facts(facts, int(facts.max()) + 1, len(head_probability))
    for_head = rng.random(len(facts)) < head_probability[facts[:, 1]]
    backwards = facts[:, ::-1] + np.array([0, len(head_probability), 0])
    return np.where(for_head[:, None], backwards, facts)
