"""Splitting facts so that none gives another away, and taking whole entities out of a graph."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bigmodel_edu.errors import HyperparameterError, UnknownName, did_you_mean

from .graph import PARTS, KnowledgeGraph


@dataclass(frozen=True, eq=False)
class NewEntities:
    """Entities that a graph does not hold, and facts that link them to it.

    New entity i has the number E + i, E being `graph.num_entities`: a model for them appends M
    rows to its table of entities. Facts between two of them are in neither part.

    Attributes:
        graph: without the new entities.
        names, titles, kinds: of the M new entities.
        known: int64 of shape (n, 3), the facts to place them by.
        asked: int64 of shape (n, 3), the facts to ask for.
        left_out: entities that would have had no fact to train on without the new ones.
    """

    graph: KnowledgeGraph
    names: tuple[str, ...]
    titles: tuple[str, ...]
    kinds: tuple[str, ...]
    known: np.ndarray
    asked: np.ndarray
    left_out: tuple[str, ...]


def split_facts(
    facts: np.ndarray,
    num_entities: int,
    num_relations: int,
    rng: np.random.Generator,
    split: Literal["careful", "random"] = "careful",
    valid_fraction: float = 0.1,
    test_fraction: float = 0.1,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return train, valid and test, so that each entity and relation has a fact in train.

    Args:
        facts: shape (n, 3), each once.
        split: "random" draws single facts. "careful" keeps all facts between the same two
            entities, in either direction, in one part: whoever has seen *Switzerland official
            language German* need not learn anything to answer which languages it speaks.
        valid_fraction, test_fraction: of the facts. Fewer are drawn if entities are too rare.
    """
    if split not in ("careful", "random"):
        raise UnknownName(f"Unknown split {split!r}, expected 'careful' or 'random'.")
    if min(valid_fraction, test_fraction) < 0 or valid_fraction + test_fraction >= 1:
        raise HyperparameterError(
            "valid_fraction and test_fraction must be at least 0 and sum to less than 1, got "
            f"{valid_fraction} and {test_fraction}: leave some facts to train on."
        )
    groups = _pairs(facts, num_entities) if split == "careful" else np.arange(len(facts))
    order = np.argsort(groups, kind="stable")
    bundles = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    budget = _Budget(facts, num_entities, num_relations)
    wanted = {
        "test": round(test_fraction * len(facts)),
        "valid": round(valid_fraction * len(facts)),
    }
    drawn: dict[str, list[int]] = {"test": [], "valid": []}
    for i in rng.permutation(len(bundles)):
        part = next((p for p in drawn if len(drawn[p]) + len(bundles[i]) <= wanted[p]), None)
        if part is None:
            if all(len(drawn[p]) >= wanted[p] for p in drawn):
                break
        elif budget.spend(bundles[i]):
            drawn[part].extend(bundles[i])
    rest = np.ones(len(facts), dtype=bool)
    rest[drawn["test"] + drawn["valid"]] = False
    train, valid, test = np.flatnonzero(rest), drawn["valid"], drawn["test"]
    return tuple(facts[rng.permutation(np.array(rows, dtype=int))] for rows in (train, valid, test))


def leaks(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Return the test facts whose two entities some fact of train links already, shape (n, 3).

    Whether that fact has the same direction makes no difference, nor which relation it has.
    """
    top = int(max(facts[:, [0, 2]].max(initial=-1) for facts in (train, test))) + 1
    return test[np.isin(_pairs(test, top), _pairs(train, top))]


def hold_out_entities(
    graph: KnowledgeGraph,
    rng: np.random.Generator,
    share: float = 0.1,
    kinds: Iterable[str] | None = None,
    names: Iterable[str] | None = None,
    known: int = 3,
) -> NewEntities:
    """Take whole entities out of a graph, to be added later as if they were new.

    Args:
        rng: draws the entities, and which of their facts are known.
        share: of the entities (of these kinds) to take out. Drawn are such as have more than
            `known` facts with what remains, and as leave every other entity and relation a fact to
            train on.
        kinds: the kinds to draw from; None for all.
        names: take out exactly these, instead of drawing any.
        known: so many facts of a new entity, drawn at random, are known; the others are asked.

    Raises:
        UnknownName: the graph has no such entity or kind.
        HyperparameterError: share or known have no meaning, or no entity can be taken out.
    """
    if known < 0 or not 0 < share < 1:
        raise HyperparameterError(
            f"known must be at least 0 and share between 0 and 1, got {known} and {share}."
        )
    if names is not None:
        new = np.unique([graph.entity(name) for name in names])
    else:
        new = _draw_entities(graph, rng, share, kinds, known)
    if len(new) == 0:
        raise HyperparameterError(
            f"No entity can be held out with share={share}, known={known}: allow more of them."
        )
    return _without(graph, new, known, rng)


# --- splitting


def _pairs(facts: np.ndarray, num_entities: int) -> np.ndarray:
    """Number the pair of entities of each fact, whichever of the two is the head; shape (n,)."""
    low, high = np.sort(facts[:, [0, 2]], axis=1).T
    return low * num_entities + high


class _Budget:
    """Counts how many facts of each entity and relation are left to train on."""

    def __init__(self, facts: np.ndarray, num_entities: int, num_relations: int) -> None:
        # relations are counted after the entities, in the same table
        self._numbers = [{h, t, num_entities + r} for h, r, t in facts.tolist()]
        self._left = np.zeros(num_entities + num_relations, dtype=np.int64)
        for numbers in self._numbers:
            self._left[list(numbers)] += 1

    def spend(self, rows: Iterable[int], spared: int = -1) -> bool:
        """Take facts away if all that they name (but for `spared`) keeps one; tell whether."""
        numbers = [n for row in rows for n in self._numbers[row] if n != spared]
        np.subtract.at(self._left, numbers, 1)
        if (self._left[numbers] > 0).all():
            return True
        np.add.at(self._left, numbers, 1)
        return False


# --- new entities


def _draw_entities(
    graph: KnowledgeGraph,
    rng: np.random.Generator,
    share: float,
    kinds: Iterable[str] | None,
    known: int,
) -> np.ndarray:
    candidates = _of_kinds(graph, kinds)
    goal = max(1, round(share * len(candidates)))
    budget = _Budget(graph.train, graph.num_entities, graph.num_relations)
    facts = graph.facts  # those to train on come first
    drawn = np.zeros(graph.num_entities, dtype=bool)
    for entity in rng.permutation(candidates):
        its = facts[:, [0, 2]] == entity
        rows = np.flatnonzero(its.any(axis=1))
        # no two of them are linked, so that each keeps all of its facts
        if (its.sum(axis=1) == 1).sum() <= known or drawn[facts[rows][:, [0, 2]]].any():
            continue
        if budget.spend(rows[rows < len(graph.train)], spared=entity):
            drawn[entity] = True
            if drawn.sum() == goal:
                break
    return np.flatnonzero(drawn)


def _of_kinds(graph: KnowledgeGraph, kinds: Iterable[str] | None) -> np.ndarray:
    if kinds is None:
        return np.arange(graph.num_entities)
    wanted = [kinds] if isinstance(kinds, str) else list(kinds)
    for kind in wanted:
        if kind not in graph.kinds:
            raise UnknownName(
                f"The graph {graph.name!r} has no entities of the kind {kind!r}."
                + did_you_mean(str(kind), sorted(set(graph.kinds)))
            )
    return np.flatnonzero(np.isin(graph.kinds, wanted))


def _without(
    graph: KnowledgeGraph, new: np.ndarray, known: int, rng: np.random.Generator
) -> NewEntities:
    is_new = np.zeros(graph.num_entities, dtype=bool)
    is_new[new] = True
    touched = {part: is_new[getattr(graph, part)[:, [0, 2]]] for part in PARTS}
    kept = {part: getattr(graph, part)[~touched[part].any(axis=1)] for part in PARTS}
    stays = np.zeros(graph.num_entities, dtype=bool)
    stays[kept["train"][:, [0, 2]]] = True
    if graph.allow_unseen:  # who had no fact to train on before may stay
        stays |= ~np.isin(np.arange(graph.num_entities), graph.train[:, [0, 2]])
    stays &= ~is_new
    numbers = np.full(graph.num_entities, -1)
    numbers[stays] = np.arange(stays.sum())
    numbers[new] = stays.sum() + np.arange(len(new))

    def renumber(facts: np.ndarray) -> np.ndarray:
        h, r, t = facts.T
        facts = np.stack([numbers[h], r, numbers[t]], axis=1)
        return facts[(facts >= 0).all(axis=1)]

    def chosen(labels: tuple[str, ...], mask: np.ndarray) -> tuple[str, ...]:
        return tuple(labels[i] for i in np.flatnonzero(mask)) if labels else ()

    facts = graph.facts
    one_new = np.concatenate([touched[part] for part in PARTS]).sum(axis=1) == 1
    known_facts, asked = _known_and_asked(renumber(facts[one_new]), int(stays.sum()), known, rng)
    return NewEntities(
        graph=dataclasses.replace(
            graph,
            entities=chosen(graph.entities, stays),
            titles=chosen(graph.titles, stays),
            kinds=chosen(graph.kinds, stays),
            **{part: renumber(rows) for part, rows in kept.items()},
        ),
        names=chosen(graph.entities, is_new),
        titles=chosen(graph.titles, is_new),
        kinds=chosen(graph.kinds, is_new),
        known=known_facts,
        asked=asked,
        left_out=chosen(graph.entities, ~stays & ~is_new),
    )


def _known_and_asked(
    facts: np.ndarray, first_new: int, known: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    facts = rng.permutation(facts)
    newcomer = facts[:, [0, 2]].max(axis=1)
    is_known = np.zeros(len(facts), dtype=bool)
    for entity in range(first_new, int(newcomer.max(initial=-1)) + 1):
        is_known[np.flatnonzero(newcomer == entity)[:known]] = True
    return facts[is_known], facts[~is_known]
