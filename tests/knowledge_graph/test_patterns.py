"""What each small world gives away, by the definition of its pattern; and who can learn which."""

import numpy as np
import pytest

from bigmodel_edu.errors import UnknownName
from bigmodel_edu.knowledge_graph.experiments import patterns
from bigmodel_edu.knowledge_graph.experiments.patterns import (
    ENTITIES,
    PATTERNS,
    SETTINGS,
    learn_pattern,
    with_relation,
)

seeds = pytest.mark.parametrize("seed", [0, 1])


def world(pattern, seed):
    """Known and asked facts, as sets of tuples."""
    known, asked = PATTERNS[pattern](np.random.default_rng(seed))
    facts = [set(map(tuple, part.tolist())) for part in (known, asked)]
    assert [len(part) for part in facts] == [len(known), len(asked)]  # none twice
    assert not facts[0] & facts[1]
    assert {e for h, _, t in facts[0] for e in (h, t)} == set(range(ENTITIES))
    return facts


@pytest.mark.parametrize("pattern", PATTERNS)
def test_another_seed_makes_another_world(pattern):
    assert world(pattern, 0) == world(pattern, 0) != world(pattern, 1)


@seeds
def test_the_mirror_of_each_friendship_asked_for_is_known(seed):
    known, asked = world("symmetric", seed)
    assert all((t, r, h) in known for h, r, t in asked)
    every = known | asked
    assert all((t, r, h) in every for h, r, t in every)
    assert len(asked) == ENTITIES / 4
    assert sorted(h for h, _, _ in every) == list(range(ENTITIES))  # each has one partner


@seeds
def test_never_are_two_before_each_other(seed):
    known, asked = world("antisymmetric", seed)
    every = known | asked
    assert not any((t, r, h) in every for h, r, t in every)
    assert len(every) == ENTITIES * (ENTITIES - 1) / 2
    before = [sum(t == e for _, _, t in every) for e in range(ENTITIES)]
    assert sorted(before) == list(range(ENTITIES))  # they stand in a line
    assert len(asked) == len(every) / 4


@seeds
def test_the_next_of_each_previous_asked_for_is_known(seed):
    known, asked = world("inverse", seed)
    assert {r for _, r, _ in asked} == {1}
    assert all((t, 0, h) in known for h, _, t in asked)
    every = known | asked
    assert all((t, 1 - r, h) in every for h, r, t in every)
    assert len(asked) == 6  # of 23


@seeds
def test_both_steps_of_each_double_step_asked_for_are_known(seed):
    known, asked = world("composed", seed)
    following = {h: t for h, r, t in known if r == 0}
    assert {r for _, r, _ in asked} == {1}
    assert all(following[following[h]] == t for h, _, t in asked)
    assert sum(r == 1 for _, r, _ in known | asked) == ENTITIES - 2
    assert len(asked) == 6  # of 22


def test_with_relation():
    np.testing.assert_array_equal(
        with_relation(7, np.array([[1, 2], [3, 4]])), [[1, 7, 2], [3, 7, 4]]
    )


# Learning


def test_distmult_cannot_tell_before_from_after():
    assert learn_pattern("antisymmetric", "DistMult") < 0.5


def test_complex_learns_inverses():
    assert learn_pattern("inverse", "ComplEx") > 0.9


def test_distmult_learns_symmetry_without_being_asked_to():
    assert learn_pattern("symmetric", "DistMult") > 0.9


def test_transe_is_between_two_on_symmetric_relations():
    """A step there and the same step back is no step: nearest is the entity itself."""
    assert 0.35 < learn_pattern("symmetric", "TransE") < 0.55


def test_what_is_asked_for_is_judged_from_both_sides(monkeypatch):
    judged = []
    evaluate = patterns.reference.evaluate
    monkeypatch.setattr(
        patterns.reference,
        "evaluate",
        lambda score, questions, index: (
            judged.append((questions, index)) or evaluate(score, questions, index)
        ),
    )
    learn_pattern("inverse", "DistMult", seed=1, epochs=1)
    known, asked = world("inverse", 1)
    ((questions, index),) = judged
    assert len(questions) == 2 * len(asked)
    assert set(map(tuple, questions.tolist())) == asked | {(t, r + 2, h) for h, r, t in asked}
    assert set(map(tuple, index.facts().tolist())) == known | asked  # the filter knows them all


@pytest.mark.parametrize(
    ("pattern", "model", "says"),
    [
        ("symmetry", "TransE", "no pattern named 'symmetry'.*Did you mean 'symmetric'"),
        ("symmetric", "transe", "no model named 'transe', expected one of TransE"),
    ],
)
def test_unknown_names_are_refused(pattern, model, says):
    with pytest.raises(UnknownName, match=says):
        learn_pattern(pattern, model)


def test_there_are_settings_for_each_model():
    assert all(configuration.model == name for name, configuration in SETTINGS.items())
    assert set(SETTINGS) == {"TransE", "DistMult", "ComplEx", "RotatE"}
