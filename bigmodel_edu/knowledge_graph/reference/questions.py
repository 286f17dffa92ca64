"""What a question is made of: numbers of entities and relations, and what they must be."""

import numpy as np

from bigmodel_edu.errors import IdError
from bigmodel_edu.layer import Array, expect_integers


def expect_entities(name: str, ids: Array, num_entities: int) -> None:
    """Raise DTypeError or IdError unless the ids are integers in [0, num_entities)."""
    expect_integers(name, ids, "numbers of entities")
    _expect_below(
        name,
        ids,
        num_entities,
        f"expected an entity from 0 to {num_entities - 1}; was the graph numbered as this model's?",
    )


def expect_relations(name: str, ids: Array, num_relations: int) -> None:
    """Raise DTypeError or IdError unless the ids are integers in [0, 2 num_relations)."""
    expect_integers(name, ids, "numbers of relations")
    _expect_below(
        name,
        ids,
        2 * num_relations,
        f"expected a relation from 0 to {num_relations - 1}, or {num_relations} more for its "
        "inverse; was the graph numbered as this model's?",
    )


def _expect_below(name: str, ids: Array, end: int, expected: str) -> None:
    wrong = (ids < 0) | (ids >= end)
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        index = ", ".join(str(int(i)) for i in np.unravel_index(at, ids.shape))
        raise IdError(f"{name}[{index}] is {int(ids.ravel()[at])}, {expected}")
