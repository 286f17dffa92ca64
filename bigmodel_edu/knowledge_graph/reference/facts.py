"""An index of the known facts: is this one of them, and which answers has a question?"""

from collections.abc import Iterator

import numpy as np

from bigmodel_edu.errors import HyperparameterError, IdError
from bigmodel_edu.layer import Array, expect_count, expect_shape

from .questions import expect_entities, expect_relations


class FactIndex:
    """Facts (n, 3) of head, relation, tail, found by the questions that they answer, both ways.

    Every fact (s, r, t) is kept as one number, (s · 2R + r) · E + t, and (t, r + R, s) as another.
    In the sorted `keys` the answers of a question then lie side by side, in ascending order, and
    binary search finds them. A fact that is given twice counts once.

    With answers t_0 < t_1 < … of a question, t_j - j entities below t_j are wrong answers: this
    number takes the place of t_j in `wrong_below`, which is sorted too.
    """

    def __init__(self, facts: Array, num_entities: int, num_relations: int) -> None:
        expect_count("num_entities", num_entities)
        expect_count("num_relations", num_relations)
        expect_facts(facts, num_entities, num_relations)
        if 2 * int(num_relations) * int(num_entities) ** 2 >= 2**63:
            raise HyperparameterError(
                f"num_entities is {num_entities} with {num_relations} relations, expected at most "
                f"{int((2**62 / num_relations) ** 0.5)}: the key of a fact has 64 bits."
            )
        self.num_entities, self.num_relations = num_entities, num_relations
        head, relation, tail = facts.astype(np.int64).T
        there = self.keys_of(head, relation, tail)
        back = self.keys_of(tail, relation + num_relations, head)
        self.keys = np.unique(np.concatenate((there, back)))
        questions = self.keys // num_entities
        nth_answer = np.arange(len(self.keys)) - np.searchsorted(questions, questions)
        self.wrong_below = self.keys - nth_answer

    def __len__(self) -> int:
        return len(self.keys) // 2

    def keys_of(self, sources: Array, relations: Array, targets: Array | int) -> Array:
        """Return the numbers of facts. Shapes: alike, or such that they broadcast."""
        questions = sources.astype(np.int64) * (2 * self.num_relations) + relations
        return questions * self.num_entities + targets

    def contains(self, sources: Array, relations: Array, targets: Array) -> Array:
        """Return which of the facts are known. Shapes: alike, or such that they broadcast."""
        keys = self.keys_of(sources, relations, targets)
        if not len(self.keys):
            return np.zeros(keys.shape, dtype=bool)
        at = np.searchsorted(self.keys, keys)
        return self.keys[np.minimum(at, len(self.keys) - 1)] == keys

    def spans(self, sources: Array, relations: Array) -> tuple[Array, Array]:
        """Return where in `keys` the answers of each question (B,) begin, and where they end."""
        expect_entities("sources", sources, self.num_entities)
        expect_relations("relations", relations, self.num_relations)
        first = self.keys_of(sources, relations, 0)
        return (
            np.searchsorted(self.keys, first),
            np.searchsorted(self.keys, first + self.num_entities),
        )

    def answers(self, sources: Array, relations: Array) -> tuple[Array, Array]:
        """Return rows and targets, (A,) each: questions[rows[a]] has the answer targets[a].

        Rows ascend, and so do the targets of one row.
        """
        begin, end = self.spans(sources, relations)
        rows, at = ragged(begin, end)
        return rows, self.keys[at] % self.num_entities

    def facts(self) -> Array:
        """Return the facts (n, 3), each once, in the order of head, relation and tail."""
        all_facts = self.both_ways()
        return all_facts[all_facts[:, 1] < self.num_relations]

    def both_ways(self) -> Array:
        """Return (2n, 3): all facts, and all of them read backwards with the inverse relation."""
        questions, targets = np.divmod(self.keys, self.num_entities)
        sources, relations = np.divmod(questions, 2 * self.num_relations)
        return np.stack((sources, relations, targets), axis=1)


def ragged(begin: Array, end: Array) -> tuple[Array, Array]:
    """Return rows and positions of the spans: begin[i], …, end[i] - 1 with row i, one by one."""
    lengths = end - begin
    rows = np.repeat(np.arange(len(lengths)), lengths)
    before = np.cumsum(lengths) - lengths
    return rows, np.arange(len(rows)) - before[rows] + begin[rows]


def batches(n: int, size: int) -> Iterator[slice]:
    """Return slices that cut n into batches."""
    expect_count("batch_size", size)
    return (slice(start, start + size) for start in range(0, n, size))


def expect_facts(facts: Array, num_entities: int, num_relations: int) -> None:
    """Raise unless facts (n, 3) are integers of entities in [0, E) and relations in [0, R)."""
    if np.shape(facts) == (0, 3):
        return
    expect_shape("facts", facts, "n", 3)
    expect_entities("facts[:, 0]", facts[:, 0], num_entities)
    expect_relations("facts[:, 1]", facts[:, 1], num_relations)
    expect_entities("facts[:, 2]", facts[:, 2], num_entities)
    inverse = np.flatnonzero(facts[:, 1] >= num_relations)
    if len(inverse):
        raise IdError(
            f"facts[{inverse[0]}, 1] is {facts[inverse[0], 1]}, the inverse of a relation, "
            f"expected one from 0 to {num_relations - 1}; write the fact the other way round."
        )
