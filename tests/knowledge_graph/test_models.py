"""The embedding models: their inverses, their twins, and bad input."""

import numpy as np
import pytest
import torch

from bigmodel_edu.errors import DTypeError, HyperparameterError, IdError, ShapeError
from bigmodel_edu.knowledge_graph import reference, torch_impl
from bigmodel_edu.knowledge_graph.reference import ComplEx, DistMult, RotatE, TransE

E, R = 13, 3
MODELS = [
    TransE(E, R, 7, p=1),
    TransE(E, R, 7, p=2),
    DistMult(E, R, 7),
    ComplEx(E, R, 7),
    RotatE(E, R, 7),
]


def name_of(value):
    return type(value).__name__ + (f"_{value.p}" if hasattr(value, "p") else "")


def drawn(model, seed=0):
    rng = np.random.default_rng(seed)
    params = model.init(rng)
    facts = rng.integers(E, size=5), rng.permutation(6)[:5], rng.integers(E, size=5)
    return params, facts


def score(model, params, sources, relations, targets):
    return model.forward(params, sources, relations, targets[:, None])[0][:, 0]


def as_complex(x):
    return x[:, :7] + 1j * x[:, 7:]


# Inverse relations


@pytest.mark.parametrize("model", MODELS, ids=name_of)
def test_a_fact_scores_the_same_from_both_ends(model):
    params, (heads, relations, tails) = drawn(model)
    there = score(model, params, heads, relations, tails)
    back = score(model, params, tails, (relations + R) % (2 * R), heads)
    np.testing.assert_allclose(there, back, rtol=1e-12)


def test_reciprocal_inverses_have_embeddings_of_their_own():
    model = ComplEx(E, R, 7, reciprocal=True)
    params, (heads, relations, tails) = drawn(model)
    assert params["relation.weight"].shape == (2 * R, 14)
    there = score(model, params, heads, relations, tails)
    back = score(model, params, tails, (relations + R) % (2 * R), heads)
    assert np.abs(there - back).min() > 1e-4


def test_distmult_cannot_tell_the_ends_apart():
    model = DistMult(E, R, 7)
    params, (heads, relations, tails) = drawn(model)
    np.testing.assert_allclose(
        score(model, params, heads, relations, tails), score(model, params, tails, relations, heads)
    )


def test_complex_can_be_antisymmetric():
    model = ComplEx(E, R, 7)
    params, (heads, relations, tails) = drawn(model)
    params["relation.weight"][:, :7] = 0  # imaginary relations
    np.testing.assert_allclose(
        score(model, params, heads, relations, tails),
        -score(model, params, tails, relations, heads),
    )


def test_rotations_compose_by_adding_their_angles():
    model = RotatE(E, R, 7)
    params, (heads, *_) = drawn(model)
    entities, angles = params["entity.weight"], params["relation.weight"]
    once = model.query(entities[heads], angles[[0] * 5])
    twice = model.query(once, angles[[1] * 5])
    at_once = model.query(entities[heads], angles[[0] * 5] + angles[[1] * 5])
    np.testing.assert_allclose(twice, at_once)


def test_angles_start_all_around_the_circle():
    angles = RotatE(E, 101, 7).init(np.random.default_rng(0))["relation.weight"]
    assert angles.min() < -3
    assert angles.max() > 3


@pytest.mark.parametrize("model", MODELS, ids=name_of)
def test_scores_by_complex_or_real_arithmetic_of_one_fact(model):
    params, (heads, relations, tails) = drawn(model)
    entities, table = params["entity.weight"], params["relation.weight"]
    relations %= R
    s, r, t = entities[heads], table[relations], entities[tails]
    expected = {
        "TransE_1": lambda: -np.abs(s + r - t).sum(axis=1),
        "TransE_2": lambda: -np.sqrt(((s + r - t) ** 2).sum(axis=1)),
        "DistMult": lambda: (s * r * t).sum(axis=1),
        "ComplEx": lambda: (as_complex(s) * as_complex(r) * as_complex(t).conj()).sum(axis=1).real,
        "RotatE": lambda: -np.abs(as_complex(s) * np.exp(1j * r) - as_complex(t)).sum(axis=1),
    }[name_of(model)]()
    np.testing.assert_allclose(score(model, params, heads, relations, tails), expected)


@pytest.mark.parametrize("model", MODELS, ids=name_of)
def test_all_entities_are_candidates_if_none_are_given(model):
    params, (sources, relations, _) = drawn(model)
    all_of_them = np.tile(np.arange(E), (5, 1))
    y, cache = model.forward(params, sources, relations)
    own, own_cache = model.forward(params, sources, relations, all_of_them)
    np.testing.assert_allclose(y, own)
    dy = np.random.default_rng(1).normal(size=y.shape)
    _, grads = model.backward(params, cache, dy)
    _, own_grads = model.backward(params, own_cache, dy)
    for name, grad in grads.items():
        np.testing.assert_allclose(grad, own_grads[name], atol=1e-14)


@pytest.mark.parametrize("model", MODELS, ids=name_of)
def test_nan_shows_where_it_belongs_and_nowhere_else(model):
    params, (sources, relations, _) = drawn(model)
    entity = int(np.setdiff1d(np.arange(E), sources)[0])
    params["entity.weight"][entity, 0] = np.nan
    y, _ = model.forward(params, sources, relations)
    assert np.isnan(y[:, entity]).all()
    assert np.isfinite(np.delete(y, entity, axis=1)).all()


@pytest.mark.parametrize("model", MODELS, ids=name_of)
def test_float32_stays_float32(model):
    params, (sources, relations, targets) = drawn(model)
    params = {name: value.astype("float32") for name, value in params.items()}
    for candidates in (None, targets[:, None]):
        y, cache = model.forward(params, sources, relations, candidates)
        assert y.dtype == np.float32
        _, grads = model.backward(params, cache, np.ones_like(y))
        assert {grad.dtype for grad in grads.values()} == {np.dtype("float32")}


@pytest.mark.parametrize("model", MODELS, ids=name_of)
def test_an_encoder_may_stand_in_for_the_table_of_entities(model):
    """Both sides take entity vectors from elsewhere, and give back the gradient of these."""
    params, (sources, relations, _) = drawn(model)
    encoded = np.random.default_rng(2).normal(size=params["entity.weight"].shape)
    y, cache = model.forward(params | {"entity.weight": encoded}, sources, relations)
    _, grads = model.backward(params | {"entity.weight": encoded}, cache, np.ones_like(y))
    options = {"p": model.p} if hasattr(model, "p") else {}
    twin = getattr(torch_impl, type(model).__name__)(E, R, 7, **options).double()
    twin.load_state_dict({name: torch.tensor(value) for name, value in params.items()})
    tensor = torch.tensor(encoded, requires_grad=True)
    asked = torch.tensor(sources), torch.tensor(relations)
    scores = torch.func.functional_call(twin, {"entity.weight": tensor}, asked)
    scores.sum().backward()
    np.testing.assert_allclose(y, scores.detach().numpy())
    np.testing.assert_allclose(grads["entity.weight"], tensor.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize("p", [1, 2])
def test_the_twins_gradient_is_zero_at_distance_zero_too(p):
    for twin in (torch_impl.TransE(2, 1, 3, p=p), torch_impl.RotatE(2, 1, 3)):
        torch.nn.init.zeros_(twin.relation.weight)
        zero = torch.tensor([0])
        for candidates in (None, torch.zeros(1, 1, dtype=torch.int64)):
            twin.zero_grad()
            twin(zero, zero, candidates)[0, 0].backward()
            assert (twin.entity.weight.grad == 0).all()


# Bad input

MODEL = DistMult(E, R, 7)
SOURCES, RELATIONS = np.array([0, 12]), np.array([0, 5])


@pytest.mark.parametrize(
    ("sources", "relations", "candidates", "error", "message"),
    [
        ([0, 13], [0, 5], None, IdError, r"sources\[1\] is 13, expected an entity from 0 to 12"),
        ([-1, 12], [0, 5], None, IdError, r"sources\[0\] is -1"),
        (
            [0, 12],
            [0, 6],
            None,
            IdError,
            r"relations\[1\] is 6, expected a relation from 0 to 2, or 3",
        ),
        ([0, 12], [0, -1], None, IdError, r"relations\[1\] is -1"),
        ([0, 12], [0, 5], [[0], [13]], IdError, r"candidates\[1, 0\] is 13"),
        ([0, 12], [0], None, ShapeError, r"relations has shape \(1,\), expected \(2,\)"),
        ([0, 12], [0, 5], [[0]], ShapeError, r"candidates has shape \(1, 1\), expected \(2, N\)"),
        ([0.0, 12.0], [0, 5], None, DTypeError, "sources is of type float64, expected integer"),
        ([0, 12], [0, 5], [[0.5], [1]], DTypeError, "candidates is of type float64"),
        ([], [], None, ShapeError, "sources is empty"),
    ],
)
def test_impossible_questions_are_refused(sources, relations, candidates, error, message):
    params = MODEL.init(np.random.default_rng(0))
    candidates = None if candidates is None else np.array(candidates)
    asked = np.array(sources), np.array(relations), candidates
    with pytest.raises(error, match=message):
        MODEL.forward(params, *asked)


def test_lists_are_refused_as_ids():
    params = MODEL.init(np.random.default_rng(0))
    with pytest.raises(DTypeError, match="sources is of type list, expected integer"):
        MODEL.forward(params, [0, 12], RELATIONS)


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("entity.weight", np.ones((E, 8)), ShapeError, r"entity.weight has shape \(13, 8\)"),
        ("entity.weight", np.ones((E + 1, 7)), ShapeError, r"expected \(13, 7\)"),
        (
            "relation.weight",
            np.ones((2 * R, 7)),
            ShapeError,
            r"relation.weight .* expected \(3, 7\)",
        ),
        ("entity.weight", np.ones((E, 7), int), DTypeError, "entity.weight is of type int"),
    ],
)
def test_tables_must_fit(name, value, error, message):
    params = MODEL.init(np.random.default_rng(0)) | {name: value}
    with pytest.raises(error, match=message):
        MODEL.forward(params, SOURCES, RELATIONS)


@pytest.mark.parametrize("p", [0, 3, 1.5, float("inf"), None])
def test_other_norms_are_refused(p):
    with pytest.raises(HyperparameterError, match=f"p is {p}, expected 1 or 2"):
        TransE(E, R, 7, p=p)


@pytest.mark.parametrize("kind", ["TransE", "DistMult", "ComplEx", "RotatE"])
@pytest.mark.parametrize("sizes", [(0, 3, 7), (13, 0, 7), (13, 3, 0), (13, 3, 3.5), (-1, 3, 7)])
def test_sizes_are_whole_numbers_of_one_or_more(kind, sizes):
    with pytest.raises(HyperparameterError, match="expected a whole number of 1 or more"):
        getattr(reference, kind)(*sizes)
