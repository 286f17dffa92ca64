"""A baseline: the answers that were right most often."""

from dataclasses import dataclass

import numpy as np

from bigmodel_edu.layer import Array

from .facts import expect_facts
from .questions import expect_relations


@dataclass(frozen=True)
class Popularity:
    """Answers a question (s, r, ?) by what was the answer for r most often, whatever s is.

    The score of t is the number of facts with relation r and answer t, in the direction asked for;
    `by_degree` breaks ties between answers by the number of all facts that t is in, which never
    outweighs one fact of the relation.
    """

    counts: Array  # (2R, E)

    @classmethod
    def of(
        cls, facts: Array, num_entities: int, num_relations: int, *, by_degree: bool = False
    ) -> "Popularity":
        """Return the baseline that has counted the facts (n, 3)."""
        expect_facts(facts, num_entities, num_relations)
        head, relation, tail = facts.T
        answers = np.concatenate((tail, head))
        of_relation = np.concatenate((relation, relation + num_relations))
        counts = np.bincount(
            of_relation * num_entities + answers, minlength=2 * num_relations * num_entities
        ).astype(np.float64)
        counts = counts.reshape(2 * num_relations, num_entities)
        if by_degree:
            degree = np.bincount(answers, minlength=num_entities)
            counts += degree / (1 + degree.max(initial=0))
        return cls(counts)

    def __call__(self, sources: Array, relations: Array) -> Array:
        """Return the scores (B, E) of all entities; the sources (B,) are of no account."""
        expect_relations("relations", relations, len(self.counts) // 2)
        return self.counts[relations]
