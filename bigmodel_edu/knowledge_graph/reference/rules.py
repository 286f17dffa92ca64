"""Rules: what follows from what, read off the facts, with the share of cases in which it does."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from bigmodel_edu.errors import HyperparameterError
from bigmodel_edu.layer import Array, expect_count, expect_not_negative, expect_shape

from .baselines import Popularity
from .facts import FactIndex, ragged
from .questions import expect_entities, expect_relations

Derivations = tuple[Array, Array, Array]


@dataclass(frozen=True)
class Rule:
    """body ⇒ head: b(x, y) ⇒ h(x, y), or b₁(x, z) ∧ b₂(z, y) ⇒ h(x, y), or b(x, d) ⇒ h(x, c).

    Relations are in [0, 2R), so that b may be the inverse of a relation. The first two kinds speak
    about variables only, and answer the question (x, h, ?). The third names two entities, its
    `constants` (d, c): who has relation b to d has relation h to c. It answers (x, h, ?) by c, and
    (c, h⁻¹, ?) by every x (AnyBURL learns rules of these kinds: Meilicke et al. 2019).

    Variables of other names are other entities, and x is neither d nor c: so no fact can be used to
    derive itself.

    With N pairs (x, y) for which the body holds, or N entities x where there are constants,
    `support` is how many of them have the head as well, `confidence` = support / N, and
    `pca_confidence` = support / (those of the N whose x has the relation of the head to anything at
    all). The second rests on the partial completeness assumption: who knows one h of x knows them
    all, and where none is known, nothing is said (Galárraga et al. 2013).
    """

    body: tuple[int, ...]
    head: int
    support: int
    confidence: float
    pca_confidence: float
    constants: tuple[int, int] | None = None  # (d, c)

    def text(self, relation_names: Sequence[str], titles: Sequence[str] = ()) -> str:
        """Write the rule out; the inverse of a relation is the relation with x and y swapped.

        Constants are called by their titles, those of the E entities, or by number without them.
        """

        def name(constant: int) -> str:
            return titles[constant] if len(titles) else f"#{constant}"

        def atom(relation: int, x: str, y: str) -> str:
            if relation >= len(relation_names):
                relation, x, y = relation - len(relation_names), y, x
            return f"{relation_names[relation]}({x}, {y})"

        if self.constants is not None:
            d, c = map(name, self.constants)
            return f"{atom(self.body[0], 'x', d)} ⇒ {atom(self.head, 'x', c)}"
        path = "xy" if len(self.body) == 1 else "xzy"
        atoms = [atom(r, *path[i : i + 2]) for i, r in enumerate(self.body)]
        return f"{' ∧ '.join(atoms)} ⇒ {atom(self.head, 'x', 'y')}"


def mine_rules(
    index: FactIndex,
    *,
    min_support: int = 2,
    min_confidence: float = 0.1,
    max_length: int = 2,
    max_per_head: int | None = None,
    with_constants: bool = False,
) -> list[Rule]:
    """Return the rules with one or two relations in their body, the most confident first.

    Every rule of variables comes with its mirror image, which answers the question for the head.
    Rules `with_constants`, which are often many more, are only mined if asked for; each is its own
    mirror image. Of equally confident rules the better supported comes first, then the shorter,
    then the one without constants. `max_per_head` keeps only so many rules, the first ones, for
    each relation of the head.
    """
    expect_count("min_support", min_support)
    expect_not_negative("min_confidence", min_confidence)
    if max_length not in (1, 2):
        raise HyperparameterError(f"max_length is {max_length}, expected 1 or 2.")
    miner = _Miner(index, min_support, min_confidence)
    rules = miner.of_one_step()
    for relation in range(2 * index.num_relations):
        if max_length == 2:
            rules += miner.of_two_steps(relation)
        if with_constants:
            rules += miner.with_constants(relation)
    rules.sort(key=_order)
    return rules if max_per_head is None else _first_per_head(rules, max_per_head)


def _order(rule: Rule) -> tuple:
    return -rule.confidence, -rule.support, len(rule.body), rule.constants or (), rule.body


def _first_per_head(rules: list[Rule], most: int) -> list[Rule]:
    expect_count("max_per_head", most)
    kept, taken = [], {}
    for rule in rules:
        taken[rule.head] = taken.get(rule.head, 0) + 1
        if taken[rule.head] <= most:
            kept.append(rule)
    return kept


class _Miner:
    """Counts what the rules of one kind hold for, all bodies at a time, by joins of sorted facts.

    Of a join, `ragged` lists the pairs: each row on the left with all rows on the right whose key
    is its own, which lie side by side where the right is sorted.
    """

    def __init__(self, index: FactIndex, min_support: int, min_confidence: float) -> None:
        self.index, self.min_support, self.min_confidence = index, min_support, min_confidence
        self.num_entities, self.n = index.num_entities, 2 * index.num_relations
        facts = index.both_ways()  # sorted by source, then relation, then target
        self.facts = facts[facts[:, 0] != facts[:, 2]]
        pairs = self.facts[:, 0] * self.num_entities + self.facts[:, 2]
        order = np.argsort(pairs, kind="stable")
        self.pairs, self.relations_of_pairs = pairs[order], self.facts[order, 1]
        self.has_relation = np.zeros((self.num_entities, self.n))  # 1: (x, r) has some answer
        self.has_relation[facts[:, 0], facts[:, 1]] = 1
        self.shared = self._shared()

    def _shared(self) -> Array:
        """Return the facts (x, b, d) where enough x have b to d: others are in no rule below."""
        _, b, d = self.facts.T
        _, which, counts = np.unique(
            b * self.num_entities + d, return_inverse=True, return_counts=True
        )
        return self.facts[counts[which] >= self.min_support]

    def of_one_step(self) -> list[Rule]:
        """Return the rules b(x, y) ⇒ h(x, y), where h is another relation than b."""
        x, b, y = self.facts.T
        rules = self.counted(b, x, y, lambda b: (b,))
        return [rule for rule in rules if rule.body != (rule.head,)]

    def of_two_steps(self, first: int) -> list[Rule]:
        """Return the rules first(x, z) ∧ b(z, y) ⇒ h(x, y)."""
        x, _, z = self.facts[self.facts[:, 1] == first].T
        starts = self.facts[:, 0]
        rows, at = ragged(np.searchsorted(starts, z), np.searchsorted(starts, z, side="right"))
        x, b, y = x[rows], self.facts[at, 1], self.facts[at, 2]
        different = x != y
        # by whichever z, a pair counts once
        keys = (b * self.num_entities + x) * self.num_entities + y
        codes, y = np.divmod(np.unique(keys[different]), self.num_entities)
        b, x = np.divmod(codes, self.num_entities)
        return self.counted(b, x, y, lambda b: (first, b))

    def counted(
        self, b: Array, x: Array, y: Array, body_of: Callable[[int], tuple[int, ...]]
    ) -> list[Rule]:
        """Return the rules with enough support and confidence; body b holds for the pair (x, y).

        Bodies b in [0, 2R), each pair once per body; `body_of(b)` writes body b out.
        """
        pairs = x * self.num_entities + y
        begin = np.searchsorted(self.pairs, pairs)
        rows, at = ragged(begin, np.searchsorted(self.pairs, pairs, side="right"))
        both = b[rows] * self.n + self.relations_of_pairs[at]
        support = np.bincount(both, minlength=self.n**2).reshape(self.n, self.n)
        held = np.bincount(b, minlength=self.n)
        from_x = np.bincount(b * self.num_entities + x, minlength=self.n * self.num_entities)
        answered = from_x.reshape(self.n, self.num_entities) @ self.has_relation
        enough = (support >= self.min_support) & (support >= self.min_confidence * held[:, None])
        return [
            Rule(
                body_of(int(i)),
                int(h),
                int(support[i, h]),
                float(support[i, h] / held[i]),
                float(support[i, h] / answered[i, h]),
            )
            for i, h in np.argwhere(enough)
        ]

    def with_constants(self, b: int) -> list[Rule]:
        """Return the rules b(x, d) ⇒ h(x, c), where (h, c) is not (b, d) itself."""
        x, _, d = self.shared[self.shared[:, 1] == b].T
        if not len(x):
            return []
        starts = self.shared[:, 0]
        rows, at = ragged(np.searchsorted(starts, x), np.searchsorted(starts, x, side="right"))
        _, h, c = self.shared[at].T
        different = (h != b) | (c != d[rows])
        keys = (d[rows] * self.n + h) * self.num_entities + c
        keys, support = np.unique(keys[different], return_counts=True)
        keys, support = keys[support >= self.min_support], support[support >= self.min_support]
        codes, c = np.divmod(keys, self.num_entities)
        of_d, h = np.divmod(codes, self.n)
        held, answered = self.who_has(x, d, of_d, h)
        # c itself may have b to d, but is no x of this rule
        c_too = (c != of_d) & self.index.contains(c, np.full_like(c, b), of_d)
        held, answered = held - c_too, answered - c_too * self.has_relation[c, h]
        enough = support >= self.min_confidence * held
        columns = (of_d, h, c, support, support / held, support / answered)
        return [
            Rule((b,), h, support, confidence, pca, (d, c))
            for d, h, c, support, confidence, pca in zip(
                *(column[enough].tolist() for column in columns), strict=True
            )
        ]

    def who_has(self, x: Array, d: Array, of_d: Array, h: Array) -> tuple[Array, Array]:
        """Return how many x stand beside each d in `of_d`, and how many of these have any h."""
        constants, which, held = np.unique(d, return_inverse=True, return_counts=True)
        answered = np.zeros((len(constants), self.n))
        np.add.at(answered, which, self.has_relation[x])
        row = np.searchsorted(constants, of_d)
        return held[row], answered[row, h]


@dataclass(frozen=True)
class RuleModel:
    """Answers questions by rules: the confidence of the best rule that derives a candidate.

    Candidates whose best rules are equally confident are ordered by 1 - Π (1 - confidence) over all
    the rules that derive them ("noisy or": each rule is an independent reason), and what is level
    even then by `popularity`, if given. What breaks ties adds less than half the smallest
    difference between two confidences to the score, so that it never outweighs a rule. What no rule
    derives scores 0, or less than any rule gives where popularity orders it.

    `by` names the confidence that counts: "confidence" or "pca_confidence". The facts of `index`,
    those of the training, are what the bodies of rules are looked up in.
    """

    rules: Sequence[Rule]
    index: FactIndex
    by: str = "confidence"
    popularity: Popularity | None = None
    tie_scale: float = field(init=False, repr=False)
    of_variables: dict[int, list[Rule]] = field(init=False, repr=False, compare=False)  # by head
    with_constants: "_ConstantsTable" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.by not in ("confidence", "pca_confidence"):
            raise HyperparameterError(
                f'by is {self.by!r}, expected "confidence" or "pca_confidence".'
            )
        if self.popularity is not None:
            shape = 2 * self.index.num_relations, self.index.num_entities
            expect_shape("popularity.counts", self.popularity.counts, *shape)
        levels = np.unique([0.0, *(self.weight(rule) for rule in self.rules)])
        gap = np.diff(levels).min() if len(levels) > 1 else 1.0
        object.__setattr__(self, "tie_scale", float(gap) / 2)
        of_variables: dict[int, list[Rule]] = {}
        for rule in self.rules:
            if rule.constants is None:
                of_variables.setdefault(rule.head, []).append(rule)
        object.__setattr__(self, "of_variables", of_variables)
        named = [rule for rule in self.rules if rule.constants is not None]
        table = _ConstantsTable(self.index, named, [self.weight(rule) for rule in named])
        object.__setattr__(self, "with_constants", table)

    def weight(self, rule: Rule) -> float:
        """Return the confidence that counts."""
        return getattr(rule, self.by)

    def __call__(self, sources: Array, relations: Array) -> Array:
        """Return the scores (B, E) of all entities as answers of the questions (B,) and (B,)."""
        expect_entities("sources", sources, self.index.num_entities)
        expect_relations("relations", relations, self.index.num_relations)
        # a batch often asks the same question for several answers
        questions, asked = np.unique(
            np.stack((sources, relations), axis=1), axis=0, return_inverse=True
        )
        sources, relations = questions.T
        best = np.zeros((len(questions), self.index.num_entities))
        evidence = np.zeros_like(best)  # -Σ log(1 - confidence), which orders as the noisy or does
        for rows, targets, weights in self.derivations(sources, relations):
            at = rows * self.index.num_entities + targets
            np.maximum.at(best.reshape(-1), at, weights)
            with np.errstate(divide="ignore"):  # of a certain rule: inf
                np.add.at(evidence.reshape(-1), at, -np.log1p(-weights))
        popular = (
            np.zeros_like(best) if self.popularity is None else self.popularity(sources, relations)
        )
        # rounded: summed in another order, the same numbers may differ in their last digits
        scores = best + self.tie_scale * places(np.round(evidence, 9), popular)
        return scores[asked.reshape(-1)]

    def derivations(self, sources: Array, relations: Array) -> Iterator[Derivations]:
        """Yield rows, targets and weights (A,): so sure a rule derives targets[a] for rows[a].

        Each rule derives a target of a question once; several rules may derive the same one.
        """
        for relation in np.unique(relations).tolist():
            asked = np.flatnonzero(relations == relation)
            for rule in self.of_variables.get(relation, ()):
                rows, targets = derived(self.index, rule, sources[asked])
                yield asked[rows], targets, np.full(len(rows), self.weight(rule))
        yield from self.with_constants.derive_constants(sources, relations)
        yield from self.with_constants.derive_who_has(sources, relations)

    def explain(self, source: int, relation: int, target: int) -> list[Rule]:
        """Return the rules that derive the fact, those that count most first."""
        expect_entities("source", np.array([source]), self.index.num_entities)
        expect_relations("relation", np.array([relation]), self.index.num_relations)
        expect_entities("target", np.array([target]), self.index.num_entities)
        back = _inverse(self.index, relation)
        reasons = [
            rule
            for rule in self.rules
            if (rule.head == relation and _derives(self.index, rule, source, target))
            or (rule.head == back and rule.constants and _derives(self.index, rule, target, source))
        ]
        return sorted(reasons, key=self.weight, reverse=True)


def _derives(index: FactIndex, rule: Rule, source: int, target: int) -> bool:
    """Return whether the rule derives its head from source to target."""
    if rule.constants is None:
        return target in derived(index, rule, np.array([source]))[1]
    d, c = rule.constants
    if target != c or source in rule.constants:
        return False
    return bool(index.contains(np.array([source]), np.array(rule.body), np.array([d]))[0])


def places(first: Array, second: Array) -> Array:
    """Return places in [0, 1) by row, equal where both are equal: by `first`, then by `second`.

    Shapes: all (B, E). The place of the k-th smallest of the different pairs in a row, k = 0, 1, …,
    is k / E.
    """
    order = np.lexsort((second, first))
    first, second = (np.take_along_axis(array, order, axis=1) for array in (first, second))
    larger = (first[:, 1:] != first[:, :-1]) | (second[:, 1:] != second[:, :-1])
    sorted_places = np.zeros_like(first)
    sorted_places[:, 1:] = np.cumsum(larger, axis=1) / first.shape[1]
    found = np.empty_like(sorted_places)
    np.put_along_axis(found, order, sorted_places, axis=1)
    return found


class _ConstantsTable:
    """Many rules b(x, d) ⇒ h(x, c), looked up all at once: a sparse matrix from (b, d) to (h, c).

    Its entries, one a rule, are kept in two orders: in the first those that answer (x, h, ?) and
    have the same (h, b, d) lie side by side, in the second those that answer (c, h⁻¹, ?).
    """

    def __init__(self, index: FactIndex, rules: Sequence[Rule], weights: Sequence[float]) -> None:
        self.index = index
        rows = [(*rule.body, rule.constants[0], rule.head, rule.constants[1]) for rule in rules]
        b, d, h, c = np.array(rows, dtype=np.int64).reshape(-1, 4).T
        weights = np.array(weights, dtype=np.float64)
        by_body = index.keys_of(h, b, d)
        order = np.argsort(by_body, kind="stable")
        self.by_body, self.c, self.weights = by_body[order], c[order], weights[order]
        by_head = index.keys_of(c, _inverse(index, h), 0)
        order = np.argsort(by_head, kind="stable")
        self.by_head, self.weights_by_head = by_head[order], weights[order]
        self.b, self.d = b[order], d[order]

    def derive_constants(self, sources: Array, relations: Array) -> Iterator[Derivations]:
        """Yield rows, c and weights for the questions (x, h, ?): x has b to d."""
        index = self.index
        begin, end = (
            np.searchsorted(index.keys, index.keys_of(x, np.zeros_like(x), 0))
            for x in (sources, sources + 1)
        )
        rows, at = ragged(begin, end)
        questions, d = np.divmod(index.keys[at], index.num_entities)
        b = questions % (2 * index.num_relations)
        keys = index.keys_of(relations[rows], b, d)
        begin, end = _spans(self.by_body, keys)
        end = np.where(d == sources[rows], begin, end)  # x is not d
        for which, rules in _ragged_parts(begin, end):
            of_row, c = rows[which], self.c[rules]
            others = c != sources[of_row]
            yield of_row[others], c[others], self.weights[rules[others]]

    def derive_who_has(self, sources: Array, relations: Array) -> Iterator[Derivations]:
        """Yield rows, x and weights for the questions (c, h⁻¹, ?): those x that have b to d."""
        key = self.index.keys_of(sources, relations, 0)
        rows, rules = ragged(*_spans(self.by_head, key))
        d = self.d[rules]
        begin, end = self.index.spans(d, _inverse(self.index, self.b[rules]))
        for which, at in _ragged_parts(begin, end):
            x, of_row = self.index.keys[at] % self.index.num_entities, rows[which]
            others = (x != sources[of_row]) & (x != d[which])
            yield of_row[others], x[others], self.weights_by_head[rules[which]][others]


def _spans(keys: Array, wanted: Array) -> tuple[Array, Array]:
    """Return where in the sorted keys each wanted one begins and ends."""
    return np.searchsorted(keys, wanted), np.searchsorted(keys, wanted, side="right")


def _ragged_parts(
    begin: Array, end: Array, at_a_time: int = 2**22
) -> Iterator[tuple[Array, Array]]:
    """Yield what `ragged` returns in parts of about so many, which bounds the memory needed."""
    part = np.cumsum(end - begin) // at_a_time
    for start, stop in pairwise([*np.unique(part, return_index=True)[1].tolist(), len(part)]):
        rows, at = ragged(begin[start:stop], end[start:stop])
        yield rows + start, at


def _inverse(index: FactIndex, relations: Array | int) -> Array | int:
    return (relations + index.num_relations) % (2 * index.num_relations)


def derived(index: FactIndex, rule: Rule, sources: Array) -> tuple[Array, Array]:
    """Return rows and targets, (A,) each: the rule derives targets[a] of sources[rows[a]], once."""
    rows, targets = index.answers(sources, np.full(len(sources), rule.body[0]))
    different = targets != sources[rows]
    rows, targets = rows[different], targets[different]
    if len(rule.body) == 1:
        return rows, targets
    steps, ends = index.answers(targets, np.full(len(targets), rule.body[1]))
    different = (ends != targets[steps]) & (ends != sources[rows[steps]])
    keys = rows[steps] * index.num_entities + ends
    return np.divmod(np.unique(keys[different]), index.num_entities)
