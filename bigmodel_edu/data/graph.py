"""The knowledge graph: entities, relations and facts in three parts, checked when it is made."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bigmodel_edu.errors import BookError, UnknownName, did_you_mean

PARTS = ("train", "valid", "test")


class GraphError(BookError, ValueError):
    """Facts do not make a graph to train and to judge a model on."""


def questions_of(facts: np.ndarray, num_relations: int) -> np.ndarray:
    """Return the 2n questions (2n, 3) of n facts: for the tails, then, inverted, for the heads."""
    h, r, t = facts.T
    return np.concatenate([facts, np.stack([t, r + num_relations, h], axis=1)])


@dataclass(frozen=True, eq=False, repr=False)
class KnowledgeGraph:
    """E entities, R relations and the facts between them, in three parts.

    Attributes:
        name: of the graph.
        entities: E different names; number i is entity i.
        relations: R different names.
        train, valid, test: int64 of shape (n, 3), a row is (head, relation, tail). No fact occurs
            twice, neither in one part nor in two.
        source: where the facts come from.
        titles: for people, one for each entity; () if the names are all there is.
        kinds: what each entity is ("territory"); () if that is not known.
        allow_unseen: whether valid and test may have entities without a fact to train on. No model
            that learns one embedding per entity can know those; see `load_wn18rr`.
    """

    name: str
    entities: tuple[str, ...]
    relations: tuple[str, ...]
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    source: str
    titles: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    allow_unseen: bool = False

    def __post_init__(self) -> None:
        for part in PARTS:
            object.__setattr__(self, part, _as_facts(getattr(self, part), part, self.name))
        _check_names(self)
        _check_facts(self)

    def __repr__(self) -> str:
        sizes = " + ".join(f"{len(getattr(self, part)):,}" for part in PARTS)
        return (
            f"<KnowledgeGraph {self.name!r}: {self.num_entities:,} entities, "
            f"{self.num_relations} relations, {sizes} facts (train, valid, test)>"
        )

    @property
    def num_entities(self) -> int:
        return len(self.entities)

    @property
    def num_relations(self) -> int:
        return len(self.relations)

    @property
    def facts(self) -> np.ndarray:
        """All facts, shape (n, 3): those to train on, to validate and to test, in this order."""
        return np.concatenate([self.train, self.valid, self.test])

    def part(self, name: str) -> np.ndarray:
        """Return the facts of "train", "valid", "test" or "all"."""
        if name == "all":
            return self.facts
        if name not in PARTS:
            raise UnknownName(f"Unknown part {name!r}, expected train, valid, test or all.")
        return getattr(self, name)

    def questions(self, part: str) -> np.ndarray:
        """Return the 2n questions of a part's n facts, shape (2n, 3).

        A row is (source, relation, target). First come the questions for tails, (h, r, t), then
        those for heads, which ask for the tail of the inverse relation: (t, r + R, h).
        """
        return questions_of(self.part(part), self.num_relations)

    def entity(self, name: str) -> int:
        """Return the number of an entity."""
        return _number(self._entity_numbers, name, "entity", self.name)

    def relation(self, name: str) -> int:
        """Return the number of a relation."""
        return _number(self._relation_numbers, name, "relation", self.name)

    def title(self, entity: int) -> str:
        """Return what people call an entity: its title, or else its name."""
        return (self.titles or self.entities)[entity]

    def describe(self, fact: Sequence[int]) -> str:
        """Write a fact (head, relation, tail) for people, "Switzerland official language German".

        Also a question: relation numbers from R on are inverses, marked by ⁻¹.
        """
        head, relation, tail = (int(number) for number in fact)
        inverse = "⁻¹" if relation >= self.num_relations else ""
        words = self.relations[relation % self.num_relations].replace("_", " ").strip()
        return f"{self.title(head)} {words}{inverse} {self.title(tail)}"

    def neighbours(self, entity: str | int, part: str = "all") -> list[str]:
        """Write the facts of a part in which an entity is head or tail, in their order."""
        number = self.entity(entity) if isinstance(entity, str) else int(entity)
        facts = self.part(part)
        return [self.describe(fact) for fact in facts[(facts[:, [0, 2]] == number).any(axis=1)]]

    @cached_property
    def _entity_numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.entities)}

    @cached_property
    def _relation_numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.relations)}


# --- checks


def _number(numbers: dict[str, int], name: str, what: str, graph: str) -> int:
    if name not in numbers:
        raise UnknownName(
            f"The graph {graph!r} has no {what} {name!r}." + did_you_mean(str(name), numbers)
        )
    return numbers[name]


def _as_facts(rows, part: str, graph: str) -> np.ndarray:
    rows = np.asarray(rows)
    if rows.size == 0:
        return np.empty((0, 3), dtype=np.int64)
    if rows.ndim != 2 or rows.shape[1] != 3 or rows.dtype.kind not in "iu":
        raise GraphError(
            f"{graph}: expected {part!r} as integers of shape (n, 3), a row for each fact (head, "
            f"relation, tail), got {rows.dtype} of shape {rows.shape}."
        )
    return rows.astype(np.int64)


def _check_names(graph: KnowledgeGraph) -> None:
    for what in ("entities", "relations"):
        names = getattr(graph, what)
        if len(set(names)) != len(names):
            twice = next(name for i, name in enumerate(names) if name in names[:i])
            raise GraphError(f"{graph.name}: {what} must have different names, {twice!r} is twice.")
    for what in ("titles", "kinds"):
        count = len(getattr(graph, what))
        if count not in (0, graph.num_entities):
            raise GraphError(
                f"{graph.name}: expected one of {what} for each of the {graph.num_entities} "
                f"entities or none at all, got {count}."
            )


def _check_facts(graph: KnowledgeGraph) -> None:
    limits = np.array([graph.num_entities, graph.num_relations, graph.num_entities])
    for part in PARTS:
        rows = getattr(graph, part)
        if len(rows) == 0:
            raise GraphError(
                f"{graph.name}: the part {part!r} has no facts, expected at least one: give it "
                "some, or draw another split."
            )
        if ((rows < 0) | (rows >= limits)).any():
            row = rows[((rows < 0) | (rows >= limits)).any(axis=1)][0].tolist()
            raise GraphError(
                f"{graph.name}: {part!r} has the fact {row}, expected entities below "
                f"{graph.num_entities} and relations below {graph.num_relations}."
            )
    _check_distinct(graph)
    if not graph.allow_unseen:
        _check_seen(graph)


def _check_distinct(graph: KnowledgeGraph) -> None:
    facts = graph.facts
    keys = (facts[:, 0] * graph.num_relations + facts[:, 1]) * graph.num_entities + facts[:, 2]
    order = np.argsort(keys, kind="stable")
    again = order[1:][keys[order[1:]] == keys[order[:-1]]]
    if len(again) == 0:
        return
    second = int(again.min())
    first = int(np.flatnonzero(keys == keys[second])[0])
    ends = np.cumsum([len(getattr(graph, part)) for part in PARTS])
    of = [PARTS[int(np.searchsorted(ends, row, side="right"))] for row in (first, second)]
    where = f"twice in {of[0]!r}" if of[0] == of[1] else f"in {of[0]!r} and again in {of[1]!r}"
    raise GraphError(
        f"{graph.name}: the fact {_spelt(graph, facts[second])} stands {where}, where it would "
        "count double or give its own answer away: keep it once."
    )


def _check_seen(graph: KnowledgeGraph) -> None:
    train = graph.train
    for column, what, names in (
        (0, "entity", graph.entities),
        (1, "relation", graph.relations),
        (2, "entity", graph.entities),
    ):
        seen = train[:, 1] if what == "relation" else train[:, [0, 2]]
        for part in ("valid", "test"):
            rows = getattr(graph, part)
            unseen = ~np.isin(rows[:, column], seen)
            if unseen.any():
                fact = rows[unseen][0]
                raise GraphError(
                    f"{graph.name}: the {what} {names[fact[column]]!r} occurs in {part!r} "
                    f"({_spelt(graph, fact)}) and in no fact to train on, so that nothing can be "
                    "learned about it: move a fact of it to 'train', or set allow_unseen=True."
                )


def _spelt(graph: KnowledgeGraph, fact: np.ndarray) -> str:
    h, r, t = fact
    return f"({graph.entities[h]}, {graph.relations[r]}, {graph.entities[t]})"
