"""The CUDA kernels of chapter 8, run on the CPU through the whole of `cupy_impl`.

Sizes are primes, or twice a prime where numbers are complex; some are longer than a tile, and one
query, one candidate and one number are among them. Models are put before the judges as components;
here are their parts by hand, and what only kernels can get wrong.
"""

import numpy as np
import pytest
from broken import each_kernel_slip, expect_caught, kernel_slips

from bigmodel_edu.components import arrange
from bigmodel_edu.cuda import on_cpu
from bigmodel_edu.errors import BookError, DTypeError, ShapeError
from bigmodel_edu.knowledge_graph import reference
from bigmodel_edu.lstm.reference import scatter_add
from bigmodel_edu.parity import TOLERANCE, compare

WARPS, STEP = 4, 32  # of 32 threads in a block of 128; rows that are added up at one time
MEASURES = {  # in matching.cu, and the matchings that are made of them
    "product": "DotProduct",
    "manhattan": "ManhattanDistance",
    "euclidean": "EuclideanDistance",
    "modulus": "ComplexDistance",
}
DISTANCES = [name for name in MEASURES.values() if name != "DotProduct"]
# Queries, shared candidates, numbers in a row, real or complex; then with candidates of their own.
SHARED = [(3, 5, 7), (67, 131, 17), (1, 257, 1), (5, 1, 257), (1, 1, 1)]
OWN = [(3, 5, 7), (2, 1, 257), (1, 131, 1), (13, 3, 41), (1, 1, 1)]
MODELS = {
    "transe": lambda module, **options: module.TransE(11, 3, 7, **options),
    "transe_l1": lambda module, **options: module.TransE(11, 3, 7, p=1, **options),
    "distmult": lambda module, **options: module.DistMult(11, 3, 7, **options),
    "complex": lambda module, **options: module.ComplEx(11, 3, 7, **options),
    "rotate": lambda module, **options: module.RotatE(11, 3, 7, **options),
}


@pytest.fixture
def twin():
    if reason := on_cpu.unavailable():
        pytest.skip(reason)
    return on_cpu.twin_module("bigmodel_edu.knowledge_graph")


def drawn(rng, *shape, dtype="float64", layout="contiguous"):
    """Return random numbers that cannot be written to."""
    array = arrange(rng.normal(size=shape).astype(dtype), layout)
    array.flags.writeable = False
    return array


def width_of(name, numbers):
    return numbers * (2 if name == "ComplexDistance" else 1)


def rows_that_meet(rng, q, *shape, dtype):
    """Return candidates, the first of which is a query, and the second half of one."""
    t = rng.normal(size=shape).astype(dtype)
    first = t[0] if t.ndim == 3 else t
    first[0] = q[0]
    first[-1, ::2] = q[0, ::2]
    return t


def answers(name, module, shape, *, own=False, dtype="float64", layout="contiguous"):
    """Return the scores and gradients of a matching by name."""
    rng = np.random.default_rng(0)
    batch, candidates, numbers = shape
    width = width_of(name, numbers)
    q = drawn(rng, batch, width, dtype=dtype, layout=layout)
    t_shape = (batch, candidates, width) if own else (candidates, width)
    t = arrange(rows_that_meet(rng, q, *t_shape, dtype=dtype), layout)
    t.flags.writeable = False
    dy = drawn(rng, batch, candidates, dtype=dtype, layout=layout)
    matching = getattr(module, name)()
    scores, cached = matching.forward(q, t)
    dq, dt = matching.backward(cached, dy)
    return {"scores": scores, "dq": dq, "dt": dt}


def case_of_all(name, shape):
    """Return queries, candidates and upstream gradients, and what the reference makes of them."""
    rng = np.random.default_rng(0)
    batch, candidates, numbers = shape
    width = width_of(name, numbers)
    q, t, dy = (drawn(rng, *size) for size in ((batch, width), (candidates, width), shape[:2]))
    scores, cached = getattr(reference, name)().forward(q, t)
    dq, dt = getattr(reference, name)().backward(cached, dy)
    return (q, t), dy, {"scores": scores, "dq": dq, "dt": dt}


def case_of_chosen(name, shape):
    """Return the same for candidates that are rows of a table: some many times, some never.

    The reference gathers them, and scatters their gradients.
    """
    rng = np.random.default_rng(0)
    batch, per_query, entities, numbers = shape
    width = width_of(name, numbers)
    q, table, dy = (drawn(rng, *size) for size in ((batch, width), (entities, width), shape[:2]))
    candidates = rng.integers(1, entities - 1, size=(batch, per_query))
    scores, cached = getattr(reference, name)().forward(q, table[candidates])
    dq, dt = getattr(reference, name)().backward(cached, dy)
    dt = scatter_add(candidates.ravel(), dt.reshape(-1, width), table)
    return (q, table, candidates), dy, {"scores": scores, "dq": dq, "dt": dt}


def agree(actual, expected, dtype="float64"):
    compare(actual, expected, TOLERANCE[dtype])
    assert {array.dtype for array in actual.values()} == {np.dtype(dtype)}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", SHARED, ids=str)
@pytest.mark.parametrize("name", MEASURES.values())
def test_shared_candidates_get_the_scores_of_the_reference(twin, name, shape, dtype):
    expected = answers(name, reference, shape, dtype=dtype)
    agree(answers(name, twin, shape, dtype=dtype), expected, dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", OWN, ids=str)
@pytest.mark.parametrize("name", MEASURES.values())
def test_own_candidates_get_the_scores_of_the_reference(twin, name, shape, dtype):
    expected = answers(name, reference, shape, own=True, dtype=dtype)
    agree(answers(name, twin, shape, own=True, dtype=dtype), expected, dtype)


@pytest.mark.parametrize("shape", [(5, 7, 11, 37), (3, 1, 5, 1)], ids=str)
@pytest.mark.parametrize("name", MEASURES.values())
def test_candidates_may_stay_in_the_table(twin, name, shape):
    given, dy, expected = case_of_chosen(name, shape)
    matching = getattr(twin, name)()
    scores = matching.score_chosen(*given)
    dq, d_table = matching.chosen_backward(*given, scores, dy)
    agree({"scores": scores, "dq": dq, "dt": d_table}, expected)


@pytest.mark.parametrize("layout", ["fortran", "strided"])
@pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])
@pytest.mark.parametrize("name", MEASURES.values())
def test_arrays_of_any_layout_are_read_rightly(twin, name, own, layout):
    expected = answers(name, reference, (3, 5, 7), own=own)
    agree(answers(name, twin, (3, 5, 7), own=own, layout=layout), expected)


@pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])
@pytest.mark.parametrize("name", DISTANCES)
def test_a_distance_of_zero_has_no_gradient(twin, name, own):
    """And a score of 0, where a matrix product would leave noise."""
    q = np.full((2, 6), 1e3, np.float32)
    t = np.full((2, 3, 6) if own else (3, 6), 1e3, np.float32)
    scores, cached = getattr(twin, name)().forward(q, t)
    dq, dt = getattr(twin, name)().backward(cached, np.ones((2, 3), np.float32))
    for zeros in (scores, dq, dt):
        np.testing.assert_array_equal(zeros, 0)


@pytest.mark.parametrize("name", MEASURES.values())
def test_a_nan_stays_visible_in_its_row(twin, name):
    rng = np.random.default_rng(0)
    q, t = rng.normal(size=(3, 6)), rng.normal(size=(5, 6))
    q[1, 4] = np.nan
    scores, cached = getattr(twin, name)().forward(q, t)
    dq, _ = getattr(twin, name)().backward(cached, np.ones((3, 5)))
    np.testing.assert_array_equal(np.isnan(scores).all(axis=1), [False, True, False])
    np.testing.assert_array_equal(np.isnan(scores).any(axis=1), [False, True, False])
    if name != "DotProduct":  # whose gradient of q does not depend on q
        np.testing.assert_array_equal(np.isnan(dq).any(axis=1), [False, True, False])


def uneven(rng, *shape):
    """Return floats of very different sizes: their sum depends on the order of adding."""
    return (10.0 ** rng.uniform(-4, 4, size=shape)).astype(np.float32)


def test_gradients_of_all_candidates_add_up_in_a_fixed_order(twin):
    """Equal bits mean the order that is promised: by slice, then the slices."""
    rng = np.random.default_rng(0)
    q, t = np.zeros((1, 1), np.float32), np.ones((101, 1), np.float32)  # a slope of -1 everywhere
    scores, dy = -np.ones((1, 101), np.float32), uneven(rng, 1, 101)
    dq, _ = twin.ManhattanDistance().backward((q, t, scores), dy)
    slices = [np.cumsum(dy[0, first : first + STEP])[-1] for first in range(0, 101, STEP)]
    np.testing.assert_array_equal(dq[0, 0], np.cumsum(slices)[-1])


def test_gradients_of_chosen_candidates_add_up_in_a_fixed_order(twin):
    rng = np.random.default_rng(0)
    candidates = rng.integers(3, size=(7, 101))
    q, table = np.zeros((7, 1), np.float32), np.ones((3, 1), np.float32)
    scores, dy = -np.ones((7, 101), np.float32), uneven(rng, 7, 101)
    dq, d_table = twin.ManhattanDistance().chosen_backward(q, table, candidates, scores, dy)

    def total(rows):
        return np.cumsum([np.cumsum(rows[warp::WARPS])[-1] for warp in range(WARPS)])[-1]

    np.testing.assert_array_equal(dq[:, 0], [total(row) for row in dy])
    by_entity = [total(dy[candidates == entity]) for entity in range(3)]
    np.testing.assert_array_equal(d_table[:, 0], -np.array(by_entity))


def question(rng, batch=5):
    """Return sources, and relations there and back."""
    return rng.integers(11, size=batch), rng.integers(6, size=batch)


@pytest.mark.parametrize("reciprocal", [False, True])
@pytest.mark.parametrize("per_query", [None, 13], ids=["all", "chosen"])
@pytest.mark.parametrize("name", MODELS)
def test_models_equal_the_reference(twin, name, per_query, reciprocal):
    def run(module):
        rng = np.random.default_rng(0)
        model = MODELS[name](module, reciprocal=reciprocal)
        params, (sources, relations) = model.init(rng), question(rng)
        candidates = None if per_query is None else rng.integers(10, size=(5, per_query))
        scores, cached = model.forward(params, sources, relations, candidates)
        d_inputs, grads = model.backward(params, cached, rng.normal(size=scores.shape))
        assert d_inputs == (None, None, None)
        return grads | {"scores": scores}

    agree(run(twin), run(reference))


@pytest.mark.parametrize("name", MODELS)
def test_models_are_matched_by_the_twins(twin, name):
    model = MODELS[name](twin)
    expected = type(MODELS[name](reference).matching).__name__
    assert type(model.matching) is getattr(twin, expected)


def convolve(module, entities, n_edges, into, dtype="float64"):
    """Return the output and gradients of R-GCN on a random graph, some of its edges repeated."""
    rng = np.random.default_rng(0)
    layer = module.RGCN(into, 5, 3, 2)
    params = {name: value.astype(dtype) for name, value in layer.init(rng).items()}
    high = [entities, 2 if n_edges > 7 else 6, entities]  # relations 2 to 5 without edges
    edges = rng.integers(high, size=(n_edges, 3)).astype(np.uint8)  # as small as they may be
    x, dy = drawn(rng, entities, into, dtype=dtype), drawn(rng, entities, 5, dtype=dtype)
    y, cached = layer.forward(params, x, edges=edges)
    (dx,), grads = layer.backward(params, cached, dy)
    return grads | {"y": y, "dx": dx}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", [(7, 101, 3), (131, 67, 3), (2, 5, 257), (1, 1, 1)], ids=str)
def test_a_convolution_takes_all_relations_at_once(twin, shape, dtype):
    agree(convolve(twin, *shape, dtype), convolve(reference, *shape, dtype), dtype)


def test_a_gradient_of_another_shape_is_refused_by_the_convolution(twin):
    layer, edges = twin.RGCN(3, 5, 1, 2), np.array([[0, 1, 2]])
    params = layer.init(np.random.default_rng(0))
    _, cached = layer.forward(params, np.ones((7, 3)), edges=edges)
    with pytest.raises(ShapeError, match=r"dy has shape \(1, 5\), expected \(7, 5\)"):
        layer.backward(params, cached, np.ones((1, 5)))


@pytest.mark.parametrize("power", [2, 3])
@pytest.mark.parametrize("name", MODELS)
def test_penalties_equal_the_reference(twin, name, power):
    def run(module):
        rng = np.random.default_rng(0)
        penalty = module.FactorPenalty(MODELS[name](module), power)
        params = penalty.init(rng)
        y, cached = penalty.forward(params, *question(rng, 31), rng.integers(11, size=31))
        return penalty.backward(params, cached, np.array(0.7))[1] | {"y": y}

    agree(run(twin), run(reference))


REFUSED = {
    "a source too high": ([np.array([0, 11]), np.array([0, 1])], None),
    "a relation too high": ([np.array([0, 1]), np.array([0, 6])], None),
    "a relation missing": ([np.array([0, 1]), np.array([0])], None),
    "a candidate too high": ([np.array([0, 1]), np.array([0, 1])], np.array([[0], [11]])),
    "a candidate below 0": ([np.array([0, 1]), np.array([0, 1])], np.array([[0], [-1]])),
    "candidates of another batch": ([np.array([0, 1]), np.array([0, 1])], np.array([[0]])),
    "candidates of floats": ([np.array([0]), np.array([0])], np.array([[0.5]])),
}


@pytest.mark.parametrize(("known", "candidates"), REFUSED.values(), ids=REFUSED)
def test_the_twin_refuses_what_the_reference_refuses(twin, known, candidates):
    params = MODELS["transe"](reference).init(np.random.default_rng(0))
    with pytest.raises(BookError) as expected:
        MODELS["transe"](reference).forward(params, *known, candidates)
    with pytest.raises(type(expected.value)) as actual:
        MODELS["transe"](twin).forward(params, *known, candidates)
    assert str(actual.value) == str(expected.value)


def test_a_table_of_another_size_is_refused(twin):
    model, params = MODELS["rotate"](twin), MODELS["rotate"](twin).init(np.random.default_rng(0))
    params["entity.weight"] = params["entity.weight"][:, :-1]
    with pytest.raises(ShapeError, match=r"entity.weight has shape \(11, 13\)"):
        model.forward(params, np.array([0]), np.array([0]))


@pytest.mark.parametrize("per_query", [None, 13], ids=["all", "chosen"])
def test_a_gradient_of_another_shape_is_refused(twin, per_query):
    model, rng = MODELS["transe"](twin), np.random.default_rng(0)
    params = model.init(rng)
    candidates = None if per_query is None else rng.integers(11, size=(5, per_query))
    scores, cached = model.forward(params, *question(rng), candidates)
    with pytest.raises(ShapeError, match=r"dy has shape \(1, \d+\), expected \(5, \d+\)"):
        model.backward(params, cached, np.ones((1, scores.shape[1])))


@pytest.mark.parametrize("name", MEASURES.values())
@pytest.mark.parametrize(
    ("t", "message"),
    [
        ((5, 4), r"t has shape \(5, 4\), expected \(E, 6\)"),
        ((2, 5, 6), r"t has shape \(2, 5, 6\), expected \(3, N, 6\)"),
        ((3, 5, 4), r"t has shape \(3, 5, 4\), expected \(3, N, 6\)"),
        ((6,), r"t has shape \(6,\), expected \(E, 6\)"),
    ],
)
def test_candidates_of_another_shape_are_refused(twin, name, t, message):
    with pytest.raises(ShapeError, match=message):
        getattr(twin, name)().forward(np.ones((3, 6)), np.ones(t))


def test_half_a_complex_number_is_refused(twin):
    with pytest.raises(ShapeError, match=r"q has shape \(3, 5\), expected an even number"):
        twin.ComplexDistance().forward(np.ones((3, 5)), np.ones((2, 5)))


@pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])
@pytest.mark.parametrize("name", DISTANCES)
def test_a_gradient_of_a_matching_has_the_shape_of_its_scores(twin, name, own):
    _, cached = getattr(twin, name)().forward(
        np.ones((2, 6)), np.ones((2, 3, 6) if own else (3, 6))
    )
    with pytest.raises(ShapeError, match=r"dy has shape \(2, 2\), expected \(2, 3\)"):
        getattr(twin, name)().backward(cached, np.ones((2, 2)))


@pytest.mark.parametrize("name", DISTANCES)
def test_a_mixture_of_dtypes_is_refused(twin, name):
    with pytest.raises(DTypeError, match="float32 beside one of float64"):
        getattr(twin, name)().forward(np.ones((2, 6)), np.ones((3, 6), np.float32))


# Kernels broken on purpose: the tables stand in mutants.py


@each_kernel_slip("knowledge_graph")
@pytest.mark.usefixtures("twin")
def test_a_broken_kernel_is_caught(slip, together, broken_twin):
    expect_caught("knowledge_graph", slip, together, broken_twin, search)


def search(kind, module):
    """Compare at sizes at which a thread without bounds stays between the guards."""
    if kind in MEASURES:
        name = MEASURES[kind]
        for own in (False, True):
            expected = answers(name, reference, (3, 5, 7), own=own)
            compare(answers(name, module, (3, 5, 7), own=own), expected, TOLERANCE["float64"])
        return
    what, which = kind.split(" of ")
    matching, name = module.ManhattanDistance(), "ManhattanDistance"
    if which == "all":
        given, dy, expected = case_of_all(name, (127, 191, 37))
        forward, backward = matching.score_all, matching.all_backward
    else:
        given, dy, expected = case_of_chosen(name, (5, 7, 11, 37))
        forward, backward = matching.score_chosen, matching.chosen_backward
    if what == "scores":
        actual = {"scores": forward(*given)}
    else:  # with the reference's scores: the kernel that computes them may be broken as well
        actual = dict(zip(("dq", "dt"), backward(*given, expected["scores"], dy), strict=True))
    compare(actual, expected, TOLERANCE["float64"], partial=True)


@pytest.mark.parametrize(
    "kind", dict.fromkeys(kind for kind, *_ in kernel_slips("knowledge_graph"))
)
def test_the_search_for_mutants_finds_nothing_in_the_right_kernels(twin, kind):
    search(kind, twin)


def test_everything_has_mutants():
    kinds = {
        f"{what} of {which}" for what in ("scores", "gradients") for which in ("all", "chosen")
    }
    assert {kind for kind, *_ in kernel_slips("knowledge_graph")} == kinds | MEASURES.keys()
