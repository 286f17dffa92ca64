"""Penalties on factors: numbers by hand, and bad input."""

import numpy as np
import pytest

from bigmodel_edu.errors import HyperparameterError, IdError, ShapeError
from bigmodel_edu.knowledge_graph import torch_impl
from bigmodel_edu.knowledge_graph.reference import ComplEx, DistMult, FactorPenalty, RotatE

FACT = np.array([0]), np.array([0]), np.array([1])


def penalty(model, power, entities, relations, facts=FACT):
    params = {"entity.weight": np.array(entities), "relation.weight": np.array(relations)}
    layer = FactorPenalty(model, power)
    y, cache = layer.forward(params, *facts)
    inputs, grads = layer.backward(params, cache, np.array(1.0))
    assert inputs == (None, None, None)
    return y, grads


def test_n3_of_real_factors_by_hand():
    y, grads = penalty(DistMult(2, 1, 1), 3, [[2.0], [-3.0]], [[0.5]])
    assert y == 8 + 27 + 0.125
    np.testing.assert_allclose(grads["entity.weight"], [[12], [-27]])  # 3 |x| x
    np.testing.assert_allclose(grads["relation.weight"], [[0.75]])


def test_l2_of_real_factors_by_hand():
    y, grads = penalty(DistMult(2, 1, 1), 2, [[2.0], [-3.0]], [[0.5]])
    assert y == 4 + 9 + 0.25
    np.testing.assert_allclose(grads["entity.weight"], [[4], [-6]])


def test_n3_of_complex_factors_by_hand():
    y, grads = penalty(ComplEx(2, 1, 1), 3, [[3.0, 4.0], [0.0, 0.0]], [[0.0, -2.0]])
    assert y == 5**3 + 2**3  # the moduli, not 3³ + 4³ + 2³
    np.testing.assert_allclose(grads["entity.weight"], [[45, 60], [0, 0]])  # 3 · 5 · (3, 4)
    np.testing.assert_allclose(grads["relation.weight"], [[0, -12]])


def test_angles_are_free():
    y, grads = penalty(RotatE(2, 1, 1), 2, [[3.0, 4.0], [0.0, 1.0]], [[2.5]])
    assert y == 26
    assert (grads["relation.weight"] == 0).all()


def test_a_factor_pays_for_every_fact_it_is_part_of():
    facts = np.array([0, 0]), np.array([0, 0]), np.array([0, 1])
    y, grads = penalty(DistMult(3, 1, 1), 2, [[2.0], [3.0], [5.0]], [[1.0]], facts)
    assert y == ((4 + 1 + 4) + (4 + 1 + 9)) / 2
    np.testing.assert_allclose(grads["entity.weight"], [[3 * 2 * 2 / 2], [2 * 3 / 2], [0]])


@pytest.mark.parametrize("reciprocal", [False, True])
def test_an_inverse_is_as_large_as_its_relation_unless_it_has_its_own(reciprocal):
    model = DistMult(2, 1, 1, reciprocal)
    table = [[2.0], [3.0]] if reciprocal else [[2.0]]
    fact = np.array([0]), np.array([1]), np.array([1])
    y, _ = penalty(model, 2, [[0.0], [0.0]], table, fact)
    assert y == (9 if reciprocal else 4)


def test_the_twin_shares_the_tables_of_the_model():
    model = torch_impl.ComplEx(5, 3, 7)
    twin = torch_impl.FactorPenalty(model, 3)
    assert twin.entity.weight is model.entity.weight
    assert twin.state_dict().keys() == {"entity.weight", "relation.weight"}


@pytest.mark.parametrize("power", [1, 4, 2.5, 0, None])
def test_other_powers_are_refused(power):
    with pytest.raises(HyperparameterError, match=f"power is {power}, expected 2 .L2. or 3 .N3."):
        FactorPenalty(DistMult(2, 1, 1), power)


def test_impossible_facts_are_refused():
    tables = DistMult(2, 1, 1), 2, [[1.0], [1.0]], [[1.0]]
    with pytest.raises(IdError, match=r"targets\[0\] is 2, expected an entity from 0 to 1"):
        penalty(*tables, (np.array([0]), np.array([0]), np.array([2])))
    with pytest.raises(IdError, match=r"relations\[0\] is 2"):
        penalty(*tables, (np.array([0]), np.array([2]), np.array([1])))
    with pytest.raises(ShapeError, match=r"targets has shape \(2,\), expected \(1,\)"):
        penalty(*tables, (np.array([0]), np.array([0]), np.array([0, 1])))
