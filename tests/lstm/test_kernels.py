"""The CUDA kernels of chapter 2, run on the CPU through the whole of `cupy_impl`.

Sizes are primes, some longer than a block of 128 threads; one row and one column are among them.
Sequences, stacks and models are put before the judges as components; here are the parts by hand.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from broken import each_kernel_slip, expect_caught, kernel_slips

from bigmodel_edu.components import arrange, as_returned, as_tuple
from bigmodel_edu.cuda import on_cpu
from bigmodel_edu.errors import BookError, DTypeError, ShapeError
from bigmodel_edu.lstm import reference
from bigmodel_edu.parity import TOLERANCE, compare

SHAPES = [(3, 7), (5, 293), (131, 3), (1, 151), (7, 1), (1, 1)]
INPUT, VOCABULARY, TOKENS = 2, 7, 11
WARPS = 4  # of 32 threads in a block of 128
LAYERS: dict[str, Callable[[Any, int], Any]] = {
    "rnn_cell": lambda module, columns: module.RNNCell(INPUT, columns),
    "lstm_cell": lambda module, columns: module.LSTMCell(INPUT, columns),
    "gru_cell": lambda module, columns: module.GRUCell(INPUT, columns),
    "embedding": lambda module, columns: module.Embedding(VOCABULARY, columns),
    "padded_embedding": lambda module, columns: module.Embedding(VOCABULARY, columns, 2),
}
CELLS = [name for name in LAYERS if name.endswith("cell")]


@pytest.fixture
def twin():
    if reason := on_cpu.unavailable():
        pytest.skip(reason)
    return on_cpu.twin_module("bigmodel_edu.lstm")


def answers(name, module, shape=(5, 293), dtype="float64", layout="contiguous", scale=1.0, seed=0):
    """Return all that a layer computes from random arrays that cannot be written to, by name."""
    rng = np.random.default_rng(seed)

    def locked(array):
        array = arrange(array, layout)
        array.flags.writeable = False
        return array

    def draw(*shape):
        return locked((scale * rng.normal(size=shape)).astype(dtype))

    layer = LAYERS[name](module, shape[-1])
    params = {key: draw(*value.shape) for key, value in layer.init(rng).items()}
    if name in CELLS:
        inputs = [draw(shape[0], INPUT), *(draw(*shape) for _ in states(name))]
        outputs = states(name)
    else:
        inputs = [locked(rng.integers(VOCABULARY - 1, size=(shape[0], TOKENS)).astype(np.int32))]
        outputs = ["y"]
    y, cache = layer.forward(params, *inputs)
    y = as_tuple(y)
    upstream = [locked(rng.normal(size=value.shape).astype(dtype)) for value in y]
    d_inputs, grads = layer.backward(params, cache, as_returned(upstream))
    given = {f"d{i}": d for i, d in enumerate(d_inputs) if d is not None}
    return dict(zip(outputs, y, strict=True)) | given | grads


def states(name):
    return ["h", "c"] if name == "lstm_cell" else ["h"]


def cell_and_arguments(name, module, batch=3, hidden=7):
    """Return a cell, parameters and inputs, with every element another number."""
    rng = np.random.default_rng(0)
    cell = LAYERS[name](module, hidden)
    inputs = [rng.normal(size=(batch, INPUT))]
    inputs += [rng.normal(size=(batch, hidden)) for _ in states(name)]
    return cell, cell.init(rng), inputs


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape[0]}x{shape[1]}")
@pytest.mark.parametrize("name", LAYERS)
def test_twin_equals_reference(twin, name, shape, dtype):
    expected = answers(name, reference, shape, dtype)
    actual = answers(name, twin, shape, dtype)
    compare(actual, expected, TOLERANCE[dtype])
    assert {k: v.dtype for k, v in actual.items()} == {k: v.dtype for k, v in expected.items()}


@pytest.mark.parametrize("layout", ["fortran", "strided"])
@pytest.mark.parametrize("name", LAYERS)
def test_arrays_of_any_layout_are_read_rightly(twin, name, layout):
    expected = answers(name, reference, (5, 7))
    compare(answers(name, twin, (5, 7), layout=layout), expected, TOLERANCE["float64"])


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", CELLS)
def test_huge_inputs_overflow_nowhere(twin, name, dtype):
    expected = answers(name, reference, (3, 7), dtype, scale=1e4)
    actual = answers(name, twin, (3, 7), dtype, scale=1e4)
    assert all(np.isfinite(value).all() for value in actual.values())
    compare(actual, expected, TOLERANCE[dtype])


@pytest.mark.parametrize("name", CELLS)
def test_a_nan_stays_visible_in_its_row(twin, name):
    cell, params, inputs = cell_and_arguments(name, twin)
    inputs[0][1, 0] = np.nan
    y, _ = cell.forward(params, *inputs)
    for state in as_tuple(y):
        np.testing.assert_array_equal(np.isnan(state).all(axis=1), [False, True, False])
        np.testing.assert_array_equal(np.isnan(state).any(axis=1), [False, True, False])


@pytest.mark.parametrize("name", CELLS)
def test_states_may_be_left_out(twin, name):
    cell, params, (x, *_) = cell_and_arguments(name, twin)
    expected, _ = cell.forward(params, x, *(np.zeros((3, 7)) for _ in states(name)))
    actual, _ = cell.forward(params, x)
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_sequences_run_on_the_fused_cells(twin, kind):
    layer = getattr(twin, kind)(INPUT, 7)
    assert type(layer.cell_of(0)) is getattr(twin, f"{kind}Cell")
    expected = getattr(reference, kind)(INPUT, 7)
    rng = np.random.default_rng(0)
    params, x = expected.init(rng), rng.normal(size=(3, 11, INPUT))
    lengths = np.array([11, 1, 4])
    actual, _ = layer.forward(params, x, lengths=lengths)
    expected, _ = expected.forward(params, x, lengths=lengths)
    for ours, theirs in zip(actual, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["SequenceClassifier", "LanguageModel"])
def test_models_are_built_from_the_twins(twin, kind):
    model = getattr(twin, kind)(13, 5, 3, 2)
    parts = (model.embedding, model.lstm, model.output)
    linear = on_cpu.twin_module("bigmodel_edu.neural_nets").Linear
    assert [type(part) for part in parts] == [twin.Embedding, twin.LSTM, linear]


def test_an_embedding_adds_up_in_a_fixed_order(twin):
    """Float32 addition depends on its order, so equal bits mean the order that is promised."""
    rng = np.random.default_rng(0)
    layer, tokens = twin.Embedding(3, 2), rng.integers(3, size=1009)
    dy = (10.0 ** rng.uniform(-4, 4, size=(1009, 2))).astype(np.float32)
    _, grads = layer.backward({"weight": np.ones((3, 2), np.float32)}, tokens, dy)
    for token in range(3):
        rows = dy[tokens == token]
        sums = [np.cumsum(rows[warp::WARPS], axis=0)[-1] for warp in range(WARPS)]
        np.testing.assert_array_equal(grads["weight"][token], np.cumsum(sums, axis=0)[-1])


def test_an_embedding_of_bytes_knows_all_its_tokens(twin):
    layer, tokens = twin.Embedding(256, 1), np.arange(256, dtype=np.uint8)
    weight, dy = np.arange(256.0)[:, None], -np.arange(256.0)[:, None]
    y, cache = layer.forward({"weight": weight}, tokens)
    np.testing.assert_array_equal(y, weight)
    np.testing.assert_array_equal(layer.backward({"weight": weight}, cache, dy)[1]["weight"], dy)


def test_what_comes_back_to_the_padding_is_not_added(twin):
    layer, weight = twin.Embedding(3, 2, padding_idx=1), np.ones((3, 2))
    dy = np.array([[1.0, 2.0], [np.nan, np.inf], [3.0, 4.0]])
    _, grads = layer.backward({"weight": weight}, np.array([2, 1, 2]), dy)
    np.testing.assert_array_equal(grads["weight"], [[0, 0], [0, 0], [4, 6]])


@pytest.mark.parametrize("name", CELLS)
def test_a_gradient_of_another_shape_is_refused(twin, name):
    cell, params, inputs = cell_and_arguments(name, twin)
    _, cache = cell.forward(params, *inputs)
    for wrong in range(len(states(name))):
        d_new = [np.ones((3, 7)) for _ in states(name)]
        d_new[wrong] = np.ones((1, 7))
        with pytest.raises(ShapeError, match=r"d[hyc] has shape \(1, 7\), expected \(3, 7\)"):
            cell.backward(params, cache, as_returned(d_new))


def test_a_gradient_of_another_shape_is_refused_by_the_embedding(twin):
    layer, params = twin.Embedding(3, 2), {"weight": np.ones((3, 2))}
    _, cache = layer.forward(params, np.array([0, 1]))
    with pytest.raises(ShapeError, match=r"dy has shape \(1, 2\), expected \(2, 2\)"):
        layer.backward(params, cache, np.ones((1, 2)))


@pytest.mark.parametrize("key", ["weight_ih", "weight_hh", "bias_hh"])
@pytest.mark.parametrize("name", CELLS)
def test_parameters_of_another_size_are_refused(twin, name, key):
    cell, params, inputs = cell_and_arguments(name, twin)
    rows = len(params[key])
    params[key] = params[key][: rows - 1]
    if key == "weight_ih":  # with its bias, so that only the number of rows is wrong
        params["bias_ih"] = params["bias_ih"][: rows - 1]
    with pytest.raises(ShapeError, match=rf"{key} has shape \({rows - 1},.*expected \({rows},"):
        cell.forward(params, *inputs)


def test_a_table_of_another_size_is_refused(twin):
    with pytest.raises(ShapeError, match=r"weight has shape \(2, 2\), expected \(3, 2\)"):
        twin.Embedding(3, 2).forward({"weight": np.ones((2, 2))}, np.array([2]))


@pytest.mark.parametrize("name", CELLS)
def test_a_mixture_of_dtypes_is_refused(twin, name):
    cell, params, inputs = cell_and_arguments(name, twin)
    params["bias_hh"] = params["bias_hh"].astype(np.float32)
    with pytest.raises(DTypeError, match="float32 beside one of float64"):
        cell.forward(params, *inputs)


def test_a_state_of_less_precision_writes_nothing_outside(twin):
    """The new state has the dtype of what the kernel computes in, not that of the old state."""
    cell, params, (x, h) = cell_and_arguments("rnn_cell", twin)
    expected, _ = reference.RNNCell(INPUT, 7).forward(params, x, h.astype(np.float32))
    actual, _ = cell.forward(params, x, h.astype(np.float32))
    np.testing.assert_allclose(actual, expected)
    assert actual.dtype == expected.dtype


REFUSED = {
    "x too wide": (lambda m: m.LSTMCell(2, 3), [np.ones((5, 3))]),
    "x of integers": (lambda m: m.GRUCell(2, 3), [np.ones((5, 2), int)]),
    "h too wide": (lambda m: m.RNNCell(2, 3), [np.ones((5, 2)), np.ones((5, 2))]),
    "h of another batch": (lambda m: m.GRUCell(2, 3), [np.ones((5, 2)), np.ones((1, 3))]),
    "c of another batch": (
        lambda m: m.LSTMCell(2, 3),
        [np.ones((5, 2)), np.ones((5, 3)), np.ones((1, 3))],
    ),
    "token too high": (lambda m: m.Embedding(3, 2), [np.array([[0, 1], [3, 0]])]),
    "token below 0": (lambda m: m.Embedding(3, 2), [np.array([[0, -1]])]),
    "tokens of floats": (lambda m: m.Embedding(3, 2), [np.ones((5, 2))]),
}


@pytest.mark.parametrize(("build", "inputs"), REFUSED.values(), ids=REFUSED)
def test_the_twin_refuses_what_the_reference_refuses(twin, build, inputs):
    params = build(reference).init(np.random.default_rng(0))
    with pytest.raises(BookError) as expected:
        build(reference).forward(params, *inputs)
    with pytest.raises(type(expected.value)) as actual:
        build(twin).forward(params, *inputs)
    assert str(actual.value) == str(expected.value)


# Kernels broken on purpose: the tables stand in mutants.py


# both embeddings are one kernel
@each_kernel_slip("lstm", kernel_of=lambda name: name.removeprefix("padded_"))
@pytest.mark.usefixtures("twin")
def test_a_broken_kernel_is_caught(slip, together, broken_twin):
    expect_caught("lstm", slip, together, broken_twin, search)


def search(name, module):
    """Compare at a size at which a thread without bounds stays between the guards."""
    expected = answers(name, reference, (3, 41))
    compare(answers(name, module, (3, 41)), expected, TOLERANCE["float64"])


@pytest.mark.parametrize("name", LAYERS)
def test_the_search_for_mutants_finds_nothing_in_the_right_kernels(twin, name):
    search(name, twin)


def test_every_component_has_mutants():
    assert {name for name, *_ in kernel_slips("lstm")} == LAYERS.keys()
