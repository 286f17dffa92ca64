"""Rules against enumeration of every pair, and by hand on a family of facts."""

from itertools import pairwise, product

import numpy as np
import pytest

from bigmodel_edu.data import load_cldr_graph
from bigmodel_edu.errors import HyperparameterError, IdError, ShapeError
from bigmodel_edu.knowledge_graph.reference import (
    FactIndex,
    Popularity,
    Rule,
    RuleModel,
    evaluate,
    mine_rules,
)
from bigmodel_edu.knowledge_graph.reference.facts import ragged
from bigmodel_edu.knowledge_graph.reference.rules import _ragged_parts, places

E, R = 11, 3


@pytest.fixture
def facts():
    return np.random.default_rng(0).integers([E, R, E], size=(71, 3))  # loops among them


def both_ways(facts, num_relations):
    return {(h, r, t) for h, r, t in facts.tolist()} | {
        (t, r + num_relations, h) for h, r, t in facts.tolist()
    }


def by_enumeration(facts, body, head, num_entities=E, num_relations=R):
    """Support, pairs of the body, and those whose x has an answer, by trying every x, y and z."""
    known = both_ways(facts, num_relations)
    pairs = set()
    for x, y in product(range(num_entities), repeat=2):
        if x == y:
            continue
        if len(body) == 1 and (x, body[0], y) in known:
            pairs.add((x, y))
        if len(body) == 2 and any(
            (x, body[0], z) in known and (z, body[1], y) in known
            for z in range(num_entities)
            if z not in (x, y)
        ):
            pairs.add((x, y))
    support = sum((x, head, y) in known for x, y in pairs)
    answered = sum(any((x, head, y) in known for y in range(num_entities)) for x, _ in pairs)
    return support, len(pairs), answered


def all_bodies():
    return [(b,) for b in range(2 * R)] + list(product(range(2 * R), repeat=2))


# Mining


def test_every_rule_by_enumeration(facts):
    mined = mine_rules(FactIndex(facts, E, R), min_support=1, min_confidence=0.0)
    found = {(rule.body, rule.head): rule for rule in mined}
    assert len(found) == len(mined)
    for body, head in product(all_bodies(), range(2 * R)):
        support, held, answered = by_enumeration(facts, body, head)
        if body == (head,) or support == 0:
            assert (body, head) not in found
            continue
        rule = found.pop((body, head))
        assert rule.support == support
        assert rule.confidence == support / held
        assert rule.pca_confidence == support / answered
    assert not found


def test_thresholds_keep_what_reaches_them(facts):
    index = FactIndex(facts, E, R)
    everything = mine_rules(index, min_support=1, min_confidence=0.0)
    support, confidence = 3, everything[len(everything) // 2].confidence
    kept = mine_rules(index, min_support=support, min_confidence=confidence)
    assert kept == [
        rule for rule in everything if rule.support >= support and rule.confidence >= confidence
    ]
    assert {rule.support for rule in kept} >= {support}
    assert confidence in {rule.confidence for rule in everything}


def test_the_most_confident_rules_come_first(facts):
    rules = mine_rules(FactIndex(facts, E, R), min_support=1, min_confidence=0.0)
    keys = [(-rule.confidence, -rule.support, len(rule.body)) for rule in rules]
    assert keys == sorted(keys)


def test_only_so_many_rules_for_each_head(facts):
    index = FactIndex(facts, E, R)
    everything = mine_rules(index, min_support=1)
    few = mine_rules(index, min_support=1, max_per_head=4)
    for head in range(2 * R):
        assert [r for r in few if r.head == head] == [r for r in everything if r.head == head][:4]


def test_rules_of_one_step_only(facts):
    index = FactIndex(facts, E, R)
    rules = mine_rules(index, min_support=1, max_length=1)
    assert rules == [r for r in mine_rules(index, min_support=1) if len(r.body) == 1]


def test_every_rule_has_its_mirror_image(facts):
    rules = mine_rules(FactIndex(facts, E, R), min_support=1)

    def mirrored(rule):
        turn = [(r + R) % (2 * R) for r in (*rule.body[::-1], rule.head)]
        return tuple(turn[:-1]), turn[-1], rule.support, rule.confidence

    assert {(r.body, r.head, r.support, r.confidence) for r in rules} == set(map(mirrored, rules))


def test_a_fact_does_not_derive_itself():
    """A loop, r(x, x), and s(0, 0) with r(0, 1): nothing follows from anything else."""
    facts = np.array([[2, 0, 2], [3, 0, 3], [0, 1, 0], [0, 0, 1]])
    assert mine_rules(FactIndex(facts, E, R), min_support=1, min_confidence=0.0) == []


def test_an_index_of_nothing_has_no_rules():
    index = FactIndex(np.zeros((0, 3), int), E, R)
    assert mine_rules(index, with_constants=True) == []
    assert not RuleModel([], index)(np.array([0, 1]), np.array([0, 1])).any()


# Mining rules with constants


def constants_by_enumeration(facts, b, d, h, c):
    """Support, those who have b to d, and those of them that have any h, by trying every x."""
    known = both_ways(facts, R)
    who = [x for x in range(E) if (x, b, d) in known and x not in (d, c)]
    answered = sum(any((x, h, y) in known for y in range(E)) for x in who)
    return sum((x, h, c) in known for x in who), len(who), answered


def test_every_rule_with_constants_by_enumeration(facts):
    index = FactIndex(facts, E, R)
    mined = mine_rules(index, min_support=1, min_confidence=0.0, max_length=1, with_constants=True)
    named = [rule for rule in mined if rule.constants is not None]
    found = {
        (rule.body[0], rule.constants[0], rule.head, rule.constants[1]): rule for rule in named
    }
    assert len(found) == len(named) > 500
    pairs = list(product(range(2 * R), range(E)))
    for (b, d), (h, c) in product(pairs, pairs):
        support, held, answered = constants_by_enumeration(facts, b, d, h, c)
        if (b, d) == (h, c) or support == 0:
            assert (b, d, h, c) not in found
            continue
        rule = found.pop((b, d, h, c))
        assert rule.support == support
        assert rule.confidence == support / held
        assert rule.pca_confidence == support / answered
    assert not found


def test_rules_with_constants_only_if_asked_for(facts):
    index = FactIndex(facts, E, R)
    options = {"min_support": 1, "min_confidence": 0.0}
    rules = mine_rules(index, **options, with_constants=True)
    assert mine_rules(index, **options) == [rule for rule in rules if rule.constants is None]


def test_thresholds_and_order_with_constants(facts):
    index = FactIndex(facts, E, R)
    everything = mine_rules(index, min_support=1, min_confidence=0.0, with_constants=True)
    assert mine_rules(index, min_support=2, min_confidence=0.5, with_constants=True) == [
        rule for rule in everything if rule.support >= 2 and rule.confidence >= 0.5
    ]
    keys = [
        (-rule.confidence, -rule.support, len(rule.body), rule.constants is not None)
        for rule in everything
    ]
    two_steps = [len(rule.body) for rule in everything]
    assert keys == sorted(keys)
    assert {1, 2} == set(two_steps)
    few = mine_rules(index, min_support=1, with_constants=True, max_per_head=5)
    assert few[0] == everything[0]
    assert len(few) == 5 * 2 * R


def test_of_equally_good_rules_the_one_without_constants_comes_first():
    facts = np.array([[0, 0, 5], [1, 0, 5], [0, 1, 5], [1, 1, 5]])
    rules = mine_rules(FactIndex(facts, E, 2), max_length=1, with_constants=True)
    assert {(rule.support, rule.confidence) for rule in rules} == {(2, 1)}
    named = [rule.constants is not None for rule in rules]
    assert named == sorted(named)
    assert 0 < sum(named) < len(named)


def test_a_fact_does_not_derive_itself_by_its_constant():
    """Of who has 0 to 5 nothing follows but that; and 5 to itself is no example."""
    facts = np.array([[0, 0, 5], [1, 0, 5], [5, 0, 5], [5, 1, 5]])
    rules = mine_rules(FactIndex(facts, E, 2), min_support=1, min_confidence=0, with_constants=True)
    # what 5 is to one, it is to the other
    assert [(rule.body, rule.head, rule.constants) for rule in rules] == [
        ((2,), 2, (0, 1)),
        ((2,), 2, (1, 0)),
    ]


def test_who_is_named_by_the_head_is_no_example():
    """0, 1 and 2 have 0 to 5, and 0 and 1 have 1 to 2, who cannot have it to itself."""
    facts = np.array([[0, 0, 5], [1, 0, 5], [2, 0, 5], [0, 1, 2], [1, 1, 2], [2, 1, 7]])
    rules = mine_rules(FactIndex(facts, 8, 2), with_constants=True)
    rule = next(r for r in rules if (r.body, r.head, r.constants) == ((0,), 1, (5, 2)))
    assert (rule.support, rule.confidence, rule.pca_confidence) == (2, 1, 1)


# Countries by hand: 0 to 3 speak Spanish (4), and their weeks start on Monday (5), but for 2, whose
# starts on Sunday (6), and 3, of which that is not known

SPEAKS, STARTS = range(2)
COUNTRIES = np.array(
    [[x, SPEAKS, 4] for x in range(4)] + [[0, STARTS, 5], [1, STARTS, 5], [2, STARTS, 6]]
)
TITLES = ("Spain", "Chile", "Mexico", "Cuba", "Spanish", "Monday", "Sunday")


def of_countries():
    index = FactIndex(COUNTRIES, 7, 2)
    return index, mine_rules(index, max_length=1, with_constants=True)


def test_rules_of_countries():
    _, rules = of_countries()
    rules = {rule.text(("speaks", "starts"), TITLES): rule for rule in rules}
    rule = rules["speaks(x, Spanish) ⇒ starts(x, Monday)"]
    assert (rule.support, rule.confidence, rule.pca_confidence) == (2, 2 / 4, 2 / 3)
    assert (rule.body, rule.head, rule.constants) == ((SPEAKS,), STARTS, (4, 5))
    back = rules["starts(x, Monday) ⇒ speaks(x, Spanish)"]
    assert (back.support, back.confidence) == (2, 1)
    assert "speaks(x, Spanish) ⇒ starts(x, Sunday)" not in rules  # once is not enough


def test_a_rule_with_constants_answers_both_questions():
    index, rules = of_countries()
    model = RuleModel([rule for rule in rules if rule.constants == (4, 5)], index)
    assert len(model.rules) == 1
    # when does the week of Cuba start, and where does it start on Monday?
    when, where = model(np.array([3, 5]), np.array([STARTS, STARTS + 2]))
    assert when.argmax() == 5
    assert list(np.flatnonzero(when)) == [5]
    assert list(np.flatnonzero(where)) == [0, 1, 2, 3]
    assert model.explain(3, STARTS, 5) == model.explain(5, STARTS + 2, 3) == model.rules
    assert model.explain(3, STARTS, 6) == model.explain(6, STARTS + 2, 3) == []
    assert model.explain(3, STARTS + 2, 5) == model.explain(4, STARTS, 5) == []


# A family by hand: 0 parent of 2, 1 parent of 2, 2 parent of 3 and of 4; 0 married to 1 and back;
# 0 and 1 grandparents of 3, 0 of 4 as well

PARENT, MARRIED, GRAND = range(3)
NAMES = ("parent", "married", "grandparent")
FAMILY = np.array(
    [
        *([0, PARENT, 2], [1, PARENT, 2], [2, PARENT, 3], [2, PARENT, 4]),
        *([0, MARRIED, 1], [1, MARRIED, 0]),
        *([0, GRAND, 3], [1, GRAND, 3], [0, GRAND, 4]),
    ]
)


def of_family(**options):
    rules = mine_rules(FactIndex(FAMILY, 5, 3), min_support=1, min_confidence=0.0, **options)
    return {rule.text(NAMES): rule for rule in rules}


def test_rules_of_a_family():
    rules = of_family()
    married = rules["married(x, y) ⇒ married(y, x)"]
    assert (married.support, married.confidence, married.pca_confidence) == (2, 1, 1)
    assert married.body == (MARRIED,)
    grand = rules["parent(x, z) ∧ parent(z, y) ⇒ grandparent(x, y)"]
    assert (grand.support, grand.confidence, grand.pca_confidence) == (3, 3 / 4, 3 / 4)
    # whose child's parent is who: 0 and 1, married; from 2 the parents' child is 2 itself
    spouses = rules["parent(x, z) ∧ parent(y, z) ⇒ married(x, y)"]
    assert (spouses.support, spouses.confidence) == (2, 1)
    assert "parent(x, y) ⇒ parent(x, y)" not in rules


def test_partial_completeness_does_not_count_who_has_no_answer_at_all():
    """Two of three speakers of the official language; of the third no language is known."""
    facts = np.array([[0, 0, 5], [1, 0, 5], [2, 0, 5], [0, 1, 5], [1, 1, 5]])
    rules = mine_rules(FactIndex(facts, 6, 2), max_length=1)
    rule = next(rule for rule in rules if (rule.body, rule.head) == ((0,), 1))
    assert (rule.support, rule.confidence, rule.pca_confidence) == (2, 2 / 3, 1)
    # asked the other way, for who speaks 5, something is known: the third is a counterexample
    rule = next(rule for rule in rules if (rule.body, rule.head) == ((2,), 3))
    assert (rule.support, rule.confidence, rule.pca_confidence) == (2, 2 / 3, 2 / 3)


def test_rules_read_well():
    assert Rule((4,), 0, 2, 1.0, 1.0).text(NAMES) == "married(y, x) ⇒ parent(x, y)"
    assert (
        Rule((3, 2), 4, 2, 1.0, 1.0).text(NAMES)
        == "parent(z, x) ∧ grandparent(z, y) ⇒ married(y, x)"
    )
    rule = Rule((4,), 2, 2, 1.0, 1.0, (3, 1))
    assert rule.text(NAMES) == "married(#3, x) ⇒ grandparent(x, #1)"
    assert rule.text(NAMES, ("Ann", "Bo", "Cy", "Di")) == "married(Di, x) ⇒ grandparent(x, Bo)"


# Answering


def derives(known, rule, x, r, y):
    """Whether the rule derives the fact (x, r, y); one with constants does so both ways."""
    if rule.constants is not None:
        d, c = rule.constants
        there = r == rule.head and y == c and x not in (d, c) and (x, rule.body[0], d) in known
        x, r, y = y, (r + R) % (2 * R), x
        back = r == rule.head and y == c and x not in (d, c) and (x, rule.body[0], d) in known
        return there or back
    if r != rule.head or x == y:
        return False
    if len(rule.body) == 1:
        return (x, rule.body[0], y) in known
    return any(
        (x, rule.body[0], z) in known and (z, rule.body[1], y) in known
        for z in range(E)
        if z not in (x, y)
    )


ALL_QUESTIONS = np.divmod(np.arange(E * 2 * R), 2 * R)


@pytest.mark.parametrize("with_popularity", [False, True])
@pytest.mark.parametrize("with_constants", [False, True])
@pytest.mark.parametrize("by", ["confidence", "pca_confidence"])
def test_scores_by_enumeration(facts, by, with_constants, with_popularity):
    """The best confidence counts, then 1 - Π (1 - confidence), then popularity."""
    index = FactIndex(facts, E, R)
    rules = mine_rules(
        index, min_support=3, min_confidence=0.2, with_constants=with_constants, max_per_head=25
    )
    assert {(len(rule.body), rule.constants is None) for rule in rules} >= {(1, True), (2, True)}
    assert any(rule.constants is not None for rule in rules) == with_constants
    popularity = Popularity.of(facts, E, R, by_degree=True) if with_popularity else None
    model, known = RuleModel(rules, index, by, popularity), both_ways(facts, R)
    scores = model(*ALL_QUESTIONS)
    assert scores.shape == (len(ALL_QUESTIONS[0]), E)
    levels = sorted({0.0} | {getattr(rule, by) for rule in rules})
    gap = min(b - a for a, b in pairwise(levels))
    for row, x, r in zip(scores, *map(np.ndarray.tolist, ALL_QUESTIONS), strict=True):
        merits = []
        for y in range(E):
            reasons = [getattr(q, by) for q in rules if derives(known, q, x, r, y)]
            noisy_or = round(float(1 - np.prod([1 - c for c in reasons])), 12)
            popular = popularity.counts[r, y] if with_popularity else 0
            merits.append((max(reasons, default=0), noisy_or, popular))
            assert merits[-1][0] <= row[y] < merits[-1][0] + gap / 2
        for (a, of_a), (b, of_b) in product(zip(merits, row, strict=True), repeat=2):
            assert (a < b, a == b) == (of_a < of_b, of_a == of_b)


def test_a_question_has_its_scores_in_any_batch(facts):
    index = FactIndex(facts, E, R)
    rules = mine_rules(index, with_constants=True)
    model = RuleModel(rules, index, popularity=Popularity.of(facts, E, R))
    scores = model(*ALL_QUESTIONS)
    rng = np.random.default_rng(1)
    chosen = rng.integers(len(scores), size=37)  # some twice, in no order
    assert (model(*(column[chosen] for column in ALL_QUESTIONS)) == scores[chosen]).all()
    for i in chosen[:5]:
        assert (model(*(column[[i]] for column in ALL_QUESTIONS)) == scores[i]).all()


def test_what_has_a_score_has_an_explanation(facts):
    index = FactIndex(facts, E, R)
    rules = mine_rules(index, min_support=3, min_confidence=0.2, with_constants=True)
    model, known = RuleModel(rules, index), both_ways(facts, R)
    for (x, r), row in zip(np.stack(ALL_QUESTIONS, 1).tolist(), model(*ALL_QUESTIONS), strict=True):
        for y in range(E):
            reasons = model.explain(x, r, y)
            assert reasons == sorted(reasons, key=lambda rule: -rule.confidence)
            assert set(reasons) == {rule for rule in rules if derives(known, rule, x, r, y)}
            assert bool(reasons) == (row[y] > 0)


def test_popularity_breaks_ties_and_never_outweighs_a_rule():
    """2 by a poor rule, and no answer ever; 3 and 4 by none, and 4 the answer of many."""
    facts = np.array([[0, 0, 2], *([x, 1, 4] for x in range(5, 10)), [5, 1, 3]])
    rules, index = [Rule((0,), 1, 5, 0.01, 0.01)], FactIndex(facts, E, 2)
    popularity = Popularity.of(facts, E, 2)
    question = np.array([0]), np.array([1])
    scores = RuleModel(rules, index, popularity=popularity)(*question)[0]
    assert list(np.argsort(-scores)[:3]) == [2, 4, 3]
    assert scores[4] > scores[3] > scores[0] == scores[10] == 0
    plain = RuleModel(rules, index)(*question)[0]
    assert plain[4] == plain[3] == 0
    without_rules = RuleModel([], index, popularity=popularity)(*question)[0]
    assert list(np.argsort(-without_rules)[:2]) == [4, 3]


def test_many_reasons_do_not_run_out_of_digits():
    """Ninety rules of 0.5 are better than eighty: 1 - 2⁻⁸⁰ is 1 in float64."""
    facts = np.array([[0, r, 2 + (r >= 80)] for r in range(170)])
    rules = [Rule((r,), 170, 5, 0.5, 0.5) for r in range(170)]
    scores = RuleModel(rules, FactIndex(facts, 5, 171))(np.array([0]), np.array([170]))[0]
    assert scores[3] > scores[2] > 0.5


def test_equal_reasons_in_another_order_are_level():
    confidences = [0.1, 0.2, 0.3, 0.4]
    facts = np.array([[0, r, 2 + r // 4] for r in range(8)])
    rules = [Rule((r,), 8, 5, c, c) for r, c in enumerate(confidences + confidences[::-1])]
    scores = RuleModel(rules, FactIndex(facts, 5, 9))(np.array([0]), np.array([8]))[0]
    assert scores[2] == scores[3] > 0.4


def test_places_by_two_keys():
    first = np.array([[1, 0, 1, 0, np.inf], [2, 2, 2, 2, 2]])
    second = np.array([[5, 9, 4, 9, 0], [1, 1, 1, 1, 1.0]])
    assert places(first, second).tolist() == [[0.4, 0, 0.2, 0, 0.6], [0] * 5]


@pytest.mark.parametrize("at_a_time", [1, 3, 7, 1000])
def test_parts_of_spans_are_the_whole(at_a_time):
    rng = np.random.default_rng(0)
    begin = rng.integers(50, size=13)
    end = begin + rng.integers(5, size=13)
    parts = list(_ragged_parts(begin, end, at_a_time))
    assert max(len(rows) for rows, _ in parts) < at_a_time + 5
    for joined, whole in zip(
        map(np.concatenate, zip(*parts, strict=True)), ragged(begin, end), strict=True
    ):
        assert (joined == whole).all()


def test_constants_tell_more_about_countries_and_languages():
    """On facts held out of the CLDR: few rules of variables hold there, many with constants do."""
    graph = load_cldr_graph(seed=0)
    size = graph.num_entities, graph.num_relations
    index, known = FactIndex(graph.train, *size), FactIndex(graph.facts, *size)

    def mrr(rules, **options):
        model = RuleModel(rules, index, **options)
        return evaluate(model, graph.questions("test"), known).metrics().mrr

    rules = mine_rules(index, with_constants=True)
    of_variables = mrr([rule for rule in rules if rule.constants is None])
    assert of_variables < 0.1 < 0.2 < mrr(rules)
    assert mrr(rules) + 0.01 < mrr(rules, popularity=Popularity.of(graph.train, *size))


def test_the_best_rule_decides_and_more_reasons_break_ties():
    """2 by one rule of 0.6; 3 by two of 0.5; 4 by one of 0.5."""
    facts = np.array([[0, 0, 2], [0, 1, 3], [0, 2, 3], [0, 1, 4]])
    rules = [Rule((r,), 3, 5, c, c) for r, c in ((0, 0.6), (1, 0.5), (2, 0.5))]
    scores = RuleModel(rules, FactIndex(facts, 5, 4))(np.array([0]), np.array([3]))[0]
    assert list(np.argsort(-scores)[:3]) == [2, 3, 4]
    assert scores[2] > 0.6 > scores[3] > scores[4] > 0.5
    assert scores[0] == scores[1] == 0


def test_either_confidence_may_count():
    facts = np.array([[0, 0, 2], [0, 1, 3]])
    rules = [Rule((0,), 2, 5, 0.3, 0.9), Rule((1,), 2, 5, 0.6, 0.7)]
    index = FactIndex(facts, 5, 3)
    question = np.array([0]), np.array([2])
    assert RuleModel(rules, index)(*question).argmax() == 3
    assert RuleModel(rules, index, by="pca_confidence")(*question).argmax() == 2
    with pytest.raises(HyperparameterError, match="by is 'lift', expected"):
        RuleModel(rules, index, by="lift")


def test_a_certain_rule_and_a_single_one():
    facts = np.array([[0, 0, 2]])
    model = RuleModel([Rule((0,), 1, 5, 1.0, 1.0)], FactIndex(facts, 5, 2))
    assert model(np.array([0]), np.array([1]))[0].tolist() == [0, 0, 1.1, 0, 0]


def test_no_rules_know_nothing():
    index = FactIndex(FAMILY, 5, 3)
    assert not RuleModel([], index)(np.array([0, 1]), np.array([0, 1])).any()


def test_a_hidden_fact_is_found_and_explained():
    """1 is a grandparent of 4 by the rule, on no more than the facts of the family."""
    index = FactIndex(FAMILY, 5, 3)
    rules = mine_rules(index, min_support=2, min_confidence=0.5)
    model = RuleModel(rules, index)
    questions = np.array([[1, GRAND, 4], [4, GRAND + 3, 1]])
    assert evaluate(model, questions, index).metrics().hits_at_1 == 1
    first, *others = model.explain(1, GRAND, 4)
    assert first.text(NAMES) == "parent(x, z) ∧ parent(z, y) ⇒ grandparent(x, y)"
    assert all(rule.confidence <= first.confidence for rule in others)
    assert model.explain(4, GRAND, 1) == []


# Bad input


def test_questions_about_what_is_not_there():
    model = RuleModel([Rule((0,), 1, 5, 1.0, 1.0)], FactIndex(FAMILY, 5, 3))
    with pytest.raises(IdError, match=r"sources\[0\] is 5"):
        model(np.array([5]), np.array([1]))
    with pytest.raises(IdError, match=r"relations\[0\] is 6"):
        model(np.array([0]), np.array([6]))
    with pytest.raises(IdError, match=r"target\[0\] is 9"):
        model.explain(0, 1, 9)
    with pytest.raises(IdError, match=r"source\[0\] is 7"):
        model.explain(7, 1, 0)


def test_popularity_in_another_graph():
    with pytest.raises(ShapeError, match=r"popularity\.counts"):
        RuleModel([], FactIndex(FAMILY, 5, 3), popularity=Popularity.of(FAMILY, 6, 3))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_support": 0}, "min_support is 0"),
        ({"min_confidence": -0.1}, "min_confidence is -0.1"),
        ({"max_length": 3}, "max_length is 3, expected 1 or 2"),
        ({"max_per_head": 0}, "max_per_head is 0"),
    ],
)
def test_options_without_a_meaning(options, message):
    with pytest.raises(HyperparameterError, match=message):
        mine_rules(FactIndex(FAMILY, 5, 3), **options)
