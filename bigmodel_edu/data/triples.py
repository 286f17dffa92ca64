"""Knowledge graphs: facts (head, relation, tail), read from files or built, and checked.

UMLS, WN18RR and FB15k-237 are downloaded; `bigmodel_edu.data.cldr_graph` builds a graph from what
the reader has already.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from bigmodel_edu.errors import BookError, HyperparameterError, UnknownName, did_you_mean

from .downloads import DOWNLOADS, DataFileError, fetch

PARTS = ("train", "valid", "test")

Triple = tuple[str, str, str]
Unseen = Literal["keep", "drop", "error"]


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


def read_triples(path: str | Path) -> list[Triple]:
    """Read facts from a text file: a line is head, relation and tail, separated by tabs.

    Raises:
        DataFileError: the file cannot be read, is empty or has a line that is not a fact.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataFileError(
            f"{path} cannot be read ({error.strerror}): expected a text file of facts, one a line."
        ) from error
    lines = content.split(b"\n")
    if lines[-1] == b"":  # what follows the last line's end
        lines.pop()
    if not lines:
        raise DataFileError(
            f"{path} is empty, expected one fact a line: head, relation and tail, separated by "
            "tabs."
        )
    return [_triple(line, f"{path}, line {number}") for number, line in enumerate(lines, 1)]


def graph_from_files(
    train: str | Path,
    valid: str | Path,
    test: str | Path,
    name: str | None = None,
    source: str | None = None,
    unseen: Unseen = "error",
) -> KnowledgeGraph:
    """Read a knowledge graph from three files, see `read_triples`.

    Entities and relations are numbered in the order of their names.

    Args:
        unseen: what to do with entities and relations of valid and test that have no fact in
            train. "error" refuses them; "drop" leaves out the facts that name them; "keep" keeps
            them, as the published numbers for WN18RR and FB15k-237 do.

    Raises:
        DataFileError: a file cannot be read, or a line in it is not a fact.
        GraphError: a part is empty, a fact occurs twice, or there are `unseen` entities.
        HyperparameterError: `unseen` is none of the three.
    """
    if unseen not in ("keep", "drop", "error"):
        raise HyperparameterError(f"unseen must be 'keep', 'drop' or 'error', got {unseen!r}.")
    paths = {"train": Path(train), "valid": Path(valid), "test": Path(test)}
    triples = {part: read_triples(path) for part, path in paths.items()}
    if unseen == "error":
        _expect_seen(triples, paths)
    elif unseen == "drop":
        triples = _seen_only(triples, paths)
    return graph_from_triples(
        name or paths["train"].parent.name,
        triples,
        source=source or str(paths["train"].parent),
        allow_unseen=unseen == "keep",
    )


def graph_from_triples(
    name: str,
    triples: dict[str, list[Triple]],
    source: str,
    titles: dict[str, str] | None = None,
    kinds: dict[str, str] | None = None,
    allow_unseen: bool = False,
) -> KnowledgeGraph:
    """Make a graph of the named facts in "train", "valid" and "test"."""
    every = [triple for part in PARTS for triple in triples[part]]
    entities = tuple(sorted({h for h, _, _ in every} | {t for _, _, t in every}))
    relations = tuple(sorted({r for _, r, _ in every}))
    entity = {name: number for number, name in enumerate(entities)}
    relation = {name: number for number, name in enumerate(relations)}
    parts = {
        part: np.array(
            [(entity[h], relation[r], entity[t]) for h, r, t in triples[part]], dtype=np.int64
        )
        for part in PARTS
    }
    return KnowledgeGraph(
        name=name,
        entities=entities,
        relations=relations,
        **parts,
        source=source,
        titles=tuple(titles[e] for e in entities) if titles else (),
        kinds=tuple(kinds[e] for e in entities) if kinds else (),
        allow_unseen=allow_unseen,
    )


def load_umls(unseen: Unseen = "keep") -> KnowledgeGraph:
    """Load UMLS: 135 entities, 46 relations, 5,216 + 652 + 661 facts of biomedicine.

    Every entity of valid and test occurs in train, so `unseen` changes nothing.

    Source: the UMLS Semantic Network, as a graph in Kok and Domingos (2007), Statistical Predicate
    Invention; the split is the one that PyKEEN carries.
    """
    return _load("umls", unseen)


def load_wn18rr(unseen: Unseen = "keep") -> KnowledgeGraph:
    """Load WN18RR: 40,943 word senses, 11 relations, 86,835 + 3,034 + 3,134 facts of WordNet.

    WN18 had each relation and its inverse, so that most of its test facts stood in train, turned
    round; WN18RR has no such pair of relations any more. What was removed left 384 entities
    without a fact to train on; 210 facts of valid and 210 of test name one. Published numbers
    keep these facts, although no model that learns one embedding per entity can know them, and so
    does the default; "drop" leaves them out, which gives better numbers, not to be compared with
    those.

    Source: T. Dettmers, P. Minervini, P. Stenetorp and S. Riedel (2018), Convolutional 2D
    Knowledge Graph Embeddings, arXiv:1707.01476.
    """
    return _load("wn18rr", unseen)


def load_fb15k237(unseen: Unseen = "keep") -> KnowledgeGraph:
    """Load FB15k-237: 14,541 entities, 237 relations, 272,115 + 17,535 + 20,466 facts of Freebase.

    Of FB15k's relations, those that (nearly) repeat or invert another were removed. A few facts of
    valid and test name entities that train does not; as for WN18RR, the default keeps them.

    Source: K. Toutanova and D. Chen (2015), Observed versus Latent Features for Knowledge Base and
    Text Inference, Workshop on Continuous Vector Space Models and their Compositionality.
    """
    return _load("fb15k-237", unseen)


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


# --- reading


def _load(name: str, unseen: Unseen) -> KnowledgeGraph:
    train, valid, test = fetch(name)
    source = DOWNLOADS[name].source
    return graph_from_files(train, valid, test, name=name, source=source, unseen=unseen)


def _triple(line: bytes, place: str) -> Triple:
    try:
        text = line.decode("utf-8").rstrip("\r")
    except UnicodeDecodeError as error:
        raise DataFileError(
            f"{place}: expected UTF-8, got the byte 0x{line[error.start]:02x} in column "
            f"{error.start + 1}: save the file as UTF-8."
        ) from error
    fields = [field.strip() for field in text.split("\t")]
    if len(fields) != 3:
        raise DataFileError(
            f"{place}: expected 3 fields separated by tabs (head, relation, tail), got "
            f"{len(fields)} in {text[:60]!r}: correct the line or delete it."
        )
    if "" in fields:
        empty = ("head", "relation", "tail")[fields.index("")]
        raise DataFileError(
            f"{place}: expected a head, a relation and a tail, got an empty {empty} in "
            f"{text[:60]!r}: fill it in or delete the line."
        )
    return fields[0], fields[1], fields[2]


def _expect_seen(triples: dict[str, list[Triple]], paths: dict[str, Path]) -> None:
    entities, relations = _named(triples["train"])
    for part in ("valid", "test"):
        for number, (h, r, t) in enumerate(triples[part], 1):
            kind, name = next(
                (
                    (kind, name)
                    for kind, name, seen in (
                        ("entity", h, entities),
                        ("relation", r, relations),
                        ("entity", t, entities),
                    )
                    if name not in seen
                ),
                ("", ""),
            )
            if kind:
                raise GraphError(
                    f"{paths[part]}, line {number}: the {kind} {name!r} has no fact in "
                    f"{paths['train']}, so that nothing can be learned about it: move a fact of "
                    "it there, or read with unseen='drop' (leaves such facts out) or 'keep'."
                )


def _seen_only(triples: dict[str, list[Triple]], paths: dict[str, Path]) -> dict[str, list[Triple]]:
    entities, relations = _named(triples["train"])
    kept = {
        part: [(h, r, t) for h, r, t in rows if h in entities and r in relations and t in entities]
        for part, rows in triples.items()
    }
    for part, rows in kept.items():
        if not rows:
            raise GraphError(
                f"{paths[part]}: no fact is left, each names an entity or a relation without a "
                f"fact in {paths['train']}: read with unseen='keep', or split the facts anew."
            )
    return kept


def _named(triples: list[Triple]) -> tuple[set[str], set[str]]:
    entities = {h for h, _, _ in triples} | {t for _, _, t in triples}
    return entities, {r for _, r, _ in triples}


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
