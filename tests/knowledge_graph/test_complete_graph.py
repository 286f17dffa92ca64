"""The project's judge: what it hides, whom it lets pass, and what it tells the others."""

import numpy as np
import pytest

from bigmodel_edu.data import leaks, load_cldr_graph
from bigmodel_edu.knowledge_graph import reference
from bigmodel_edu.knowledge_graph.exercises.complete_graph import (
    BY_CHANCE,
    COMPLETE_GRAPH,
    HIDDEN,
    _whole,
    judge_scores,
)
from bigmodel_edu.knowledge_graph.experiments.results import baselines

CASE = COMPLETE_GRAPH.cases(np.random.default_rng(0))[0]
VISIBLE = CASE.args[0]
SIZES = VISIBLE.num_entities, VISIBLE.num_relations


def triples(graph, facts):
    return {(graph.entities[h], graph.relations[r], graph.entities[t]) for h, r, t in facts}


def knowing(facts):
    """Score 1 for the answers that the facts give, else 0."""
    index = reference.FactIndex(facts, *SIZES)

    def score(sources, relations):
        scores = np.zeros((len(sources), SIZES[0]))
        scores[index.answers(sources, relations)] = 1
        return scores

    return score


def with_linked_last(score):
    linked = np.zeros((SIZES[0], SIZES[0]), dtype=bool)
    heads, _, tails = VISIBLE.facts.T
    linked[heads, tails] = True
    linked |= linked.T
    return lambda sources, relations: np.where(linked[sources], -1e9, score(sources, relations))


def test_a_fifth_of_the_facts_is_hidden_and_none_leaks():
    whole = _whole(VISIBLE)
    every = load_cldr_graph()
    assert triples(whole, whole.facts) == triples(every, every.facts)
    assert len(whole.test) == pytest.approx(HIDDEN * len(every.facts), rel=0.01)
    assert not triples(VISIBLE, VISIBLE.facts) & triples(whole, whole.test)
    assert len(leaks(VISIBLE.facts, whole.test)) == 0
    kinds = dict(zip(every.entities, every.kinds, strict=True))
    titles = dict(zip(every.entities, every.titles, strict=True))
    assert all(kinds[name] == kind for name, kind in zip(whole.entities, whole.kinds, strict=True))
    assert all(titles[name] == t for name, t in zip(whole.entities, whole.titles, strict=True))


def test_who_knows_the_facts_passes():
    assert judge_scores(CASE, knowing(_whole(VISIBLE).facts)) is None


def test_what_was_trained_on_the_chapters_graph_is_of_no_use():
    """Even with all hidden facts in it: the entities have other numbers."""
    verdict = judge_scores(CASE, knowing(load_cldr_graph().facts))
    assert verdict.startswith(f"The filtered MRR on the hidden facts is below {BY_CHANCE}")
    assert "trained on another graph" in verdict


def test_nothing_is_gained_by_what_the_split_gives_away():
    rules = baselines(VISIBLE)["rules"]
    verdict = judge_scores(CASE, rules)
    assert judge_scores(CASE, with_linked_last(rules)) == verdict
    found, _, of_rules = verdict.partition(" The chapter's rules have ")
    assert found.rpartition(" ")[2].rstrip(".") == of_rules.partition(",")[0]
    assert "by heart" not in verdict


def test_who_learnt_by_heart_is_told_so():
    known, popular = knowing(VISIBLE.train), reference.Popularity.of(VISIBLE.train, *SIZES)
    verdict = judge_scores(CASE, lambda *asked: 1e4 * known(*asked) + popular(*asked))
    assert "On the facts that it was given it has 1.000: it learnt them by heart." in verdict


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (np.zeros(3), "Return a function score(sources, relations)"),
        (lambda sources, relations: np.zeros((3, 2)), f"of shape (3, {SIZES[0]})"),
        (lambda sources, relations: [[0.0] * SIZES[0]] * 3, "must return a NumPy array"),
    ],
)
def test_an_answer_of_another_form(answer, says):
    assert says in judge_scores(CASE, answer)
