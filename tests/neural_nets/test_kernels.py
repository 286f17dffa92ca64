"""The CUDA kernels of chapter 1, run on the CPU through the whole of `cupy_impl`.

Sizes are primes, some longer than a block of 128 threads; one row and one column are among them.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bigmodel_edu.components import arrange
from bigmodel_edu.cuda import on_cpu
from bigmodel_edu.cuda.kernels import KernelError, kernel_source
from bigmodel_edu.errors import BookError, DTypeError, ShapeError
from bigmodel_edu.neural_nets import reference
from bigmodel_edu.parity import TOLERANCE, ParityError, compare

KERNELS = sorted(Path(reference.__file__).parents[1].glob("cupy_impl/*.cu"))
SHAPES = [(3, 7), (5, 293), (131, 3), (1, 151), (7, 1), (1, 1)]
LAYERS: dict[str, Callable[[Any, int], Any]] = {
    "sigmoid": lambda module, columns: module.Sigmoid(),
    "tanh": lambda module, columns: module.Tanh(),
    "relu": lambda module, columns: module.ReLU(),
    "gelu": lambda module, columns: module.GELU(),
    "gelu_tanh": lambda module, columns: module.GELU(approximate="tanh"),
    "softmax": lambda module, columns: module.Softmax(),
    "layer_norm": lambda module, columns: module.LayerNorm(columns, eps=1e-3),
    "cross_entropy": lambda module, columns: module.CrossEntropy(label_smoothing=0.1),
    "hard_cross_entropy": lambda module, columns: module.CrossEntropy(ignore_index=0),
    "adamw": lambda module, columns: module.AdamW(
        lr=0.1, betas=(0.7, 0.9), eps=1e-2, weight_decay=0.3
    ),
}


@pytest.fixture
def twin():
    if reason := on_cpu.unavailable():
        pytest.skip(reason)
    return on_cpu.twin_module("bigmodel_edu.neural_nets")


def answers(name, module, shape=(5, 293), dtype="float64", layout="contiguous", scale=1.0, seed=0):
    """Return all that a component computes from random arrays, by name."""
    rng = np.random.default_rng(seed)

    def draw(*shape):
        return arrange((scale * rng.normal(size=shape)).astype(dtype), layout)

    component = LAYERS[name](module, shape[-1])
    if name == "adamw":
        return two_steps(component, draw(*shape), draw(*shape), draw(*shape))
    params = {key: draw(*value.shape) for key, value in component.init(rng).items()}
    inputs, upstream = [draw(*shape)], arrange(rng.normal(size=shape).astype(dtype), layout)
    if "cross_entropy" in name:
        inputs.append(labels(rng, *shape, component.ignore_index))
        upstream = np.array(1.7, dtype=dtype)
    y, cache = component.forward(params, *inputs)
    d_inputs, grads = component.backward(params, cache, upstream)
    return {"y": np.asarray(y), "dx": d_inputs[0]} | grads


def labels(rng, n, n_classes, ignored):
    """Return labels (n,), every third one ignored where others are left."""
    targets = rng.integers(min(1, n_classes - 1), n_classes, size=n).astype(np.int32)
    targets[2::3] = ignored
    return targets


def two_steps(optimizer, w, *gradients):
    params, state = {"w": w}, optimizer.init({"w": w})
    for gradient in gradients:
        params, state = optimizer.update(params, {"w": gradient}, state)
    return params | state | {"step": np.array(state["step"])}


def cases() -> list:
    return [
        pytest.param(name, shape, id=f"{name}-{shape[0]}x{shape[1]}")
        for name in LAYERS
        for shape in SHAPES
        # the only class of hard_cross_entropy would be the ignored one
        if (name, shape[-1]) != ("hard_cross_entropy", 1)
    ]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("name", "shape"), cases())
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
@pytest.mark.parametrize("name", ["softmax", "cross_entropy", "sigmoid", "gelu", "gelu_tanh"])
def test_huge_inputs_overflow_nowhere(twin, name, dtype):
    expected = answers(name, reference, dtype=dtype, scale=1e4)
    actual = answers(name, twin, dtype=dtype, scale=1e4)
    assert all(np.isfinite(value).all() for value in actual.values())
    compare(actual, expected, TOLERANCE[dtype])


def test_layer_norm_keeps_its_digits_when_the_mean_is_large(twin):
    x = (9000 + np.random.default_rng(0).normal(size=(3, 151))).astype(np.float32)
    params = {"weight": np.ones(151, np.float32), "bias": np.zeros(151, np.float32)}
    y, _ = twin.LayerNorm(151).forward(params, x)
    expected, _ = reference.LayerNorm(151).forward(params, x.astype(np.float64))
    np.testing.assert_allclose(y, expected, atol=2e-2)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu", "gelu", "gelu_tanh", "softmax"])
def test_a_nan_stays_visible(twin, name):
    x = np.array([[1.0, np.nan, -1.0], [0.0, 1.0, 2.0]])
    component = LAYERS[name](twin, 3)
    expected, _ = LAYERS[name](reference, 3).forward({}, x)
    np.testing.assert_array_equal(np.isnan(component.forward({}, x)[0]), np.isnan(expected))


def test_a_masked_logit_gets_probability_zero(twin):
    z = np.array([[-np.inf, 1.0, 2.0]])
    np.testing.assert_allclose(twin.Softmax().forward({}, z)[0], reference.softmax(z))


def test_adamw_changes_nothing_it_was_given(twin):
    arrays = [np.random.default_rng(i).normal(size=7) for i in range(4)]
    before = [array.copy() for array in arrays]
    w, g, m, v = arrays
    twin.AdamW(0.1).step(w, g, (m, v), 1, 0.1)
    np.testing.assert_array_equal(arrays, before)


def test_adamw_takes_a_schedules_rate_and_whole_numbers(twin):
    w, g = np.ones((2, 3))
    for module in (twin, reference):
        optimizer = module.AdamW(lr=1, weight_decay=1, betas=(0, 0), eps=1)
        state = optimizer.init({"w": w})
        params, _ = optimizer.update({"w": w}, {"w": g}, state, lr=np.float64(0.5))
        np.testing.assert_allclose(params["w"], 0.25)


def test_mlp_is_built_from_the_twins(twin):
    network = twin.mlp((7, 5, 3, 2), activation="gelu", batch_norm=True, dropout=0.1)
    expected = reference.mlp((7, 5, 3, 2), activation="gelu", batch_norm=True, dropout=0.1)
    assert [type(layer).__name__ for layer in network.layers] == [
        type(layer).__name__ for layer in expected.layers
    ]
    assert sum(type(layer) is twin.GELU for layer in network.layers) == 2


@pytest.mark.parametrize("name", ["sigmoid", "softmax", "layer_norm"])
def test_a_gradient_of_another_shape_is_refused(twin, name):
    layer = LAYERS[name](twin, 7)
    params = layer.init(np.random.default_rng(0))
    _, cache = layer.forward(params, np.ones((3, 7)))
    with pytest.raises(ShapeError, match=r"dy has shape \(7,\), expected \(3, 7\)"):
        layer.backward(params, cache, np.ones(7))


def test_a_weight_of_another_shape_is_refused(twin):
    params = {"weight": np.ones(8), "bias": np.zeros(7)}
    with pytest.raises(ShapeError, match=r"weight has shape \(8,\), expected \(7,\)"):
        twin.LayerNorm(7).forward(params, np.ones((3, 7)))


def test_a_mixture_of_dtypes_is_refused(twin):
    params = {"weight": np.ones(7), "bias": np.zeros(7)}
    with pytest.raises(DTypeError, match="float64 beside one of float32"):
        twin.LayerNorm(7).forward(params, np.ones((3, 7), np.float32))


@pytest.mark.parametrize("targets", [[0, 7], [-100, -100], [0.0, 1.0], [0, 1, 2]])
def test_cross_entropy_refuses_what_the_reference_refuses(twin, targets):
    given = ({}, np.ones((2, 7)), np.array(targets))
    with pytest.raises(BookError) as expected:
        reference.CrossEntropy().forward(*given)
    with pytest.raises(type(expected.value)) as actual:
        twin.CrossEntropy().forward(*given)
    assert str(actual.value) == str(expected.value)


def test_cross_entropy_of_impossible_classes_and_of_ignored_rows_without_numbers(twin):
    logits = np.array([[0.5, -np.inf, 1.5], [np.nan, 0, -np.inf], [2, 1, -np.inf]])
    targets = np.array([2, -100, 0])
    results = []
    for module in (reference, twin):
        loss, cache = module.CrossEntropy().forward({}, logits, targets)
        (d_logits, _), _ = module.CrossEntropy().backward({}, cache, np.array(1.7))
        results.append({"y": np.asarray(loss), "dx": d_logits})
    assert all(np.isfinite(value).all() for value in results[1].values())
    compare(results[1], results[0], TOLERANCE["float64"])


# One wrong edit of the kernels each: (component that must fail, right, wrong).
MUTANTS = [
    ("sigmoid", "(1 + tanh(real(0.5) * x[i]))", "(1 + tanh(x[i]))"),
    ("sigmoid", "dy[i] * y[i] * (1 - y[i])", "dy[i] * (1 - y[i])"),
    ("tanh", "y[i] = tanh(x[i]);", "y[i] = x[i];"),
    ("tanh", "(1 - y[i] * y[i])", "(1 + y[i] * y[i])"),
    ("relu", "x[i] < 0 ? real(0) : x[i]", "x[i] < 0 ? -x[i] : x[i]"),
    ("relu", "y[i] > 0 ? dy[i] : real(0)", "dy[i]"),
    ("relu", "if (i < n) dx[i] = y[i] > 0", "dx[i] = y[i] > 0"),
    ("gelu", "(1 + erf(x * SQRT_HALF))", "(1 + erf(x))"),
    ("gelu", "+ x[i] * normal_density(x[i])", ""),
    ("gelu", "exp(real(-0.5) * x * x)", "exp(-x * x)"),
    ("gelu_tanh", "real(0.044715)", "real(0.04)"),
    ("gelu_tanh", "(1 + 3 * CUBIC", "(1 + CUBIC"),
    ("gelu_tanh", "(1 - t * t) * du_dx", "du_dx"),
    ("softmax", "p[c] = exp(z[c] - highest) / total", "p[c] = exp(z[c] - highest)"),
    ("softmax", "total += exp(z[c] - highest)", "total += exp(z[c])"),
    ("softmax", "(dp[c] - inner)", "(dp[c] + inner)"),
    ("softmax", "inner += dp[c] * p[c]", "inner += dp[c]"),
    ("cross_entropy", "a.sum * exp(a.highest - highest)", "a.sum"),
    ("cross_entropy", "1 - smoothing : real(0)", "real(1) : real(0)"),
    ("cross_entropy", "+ smoothing / classes", ""),
    ("cross_entropy", "losses[blockIdx.x] = scale * loss", "losses[blockIdx.x] = loss"),
    ("cross_entropy", "scale * (exp(log_p) - q)", "exp(log_p) - q"),
    ("cross_entropy", "(exp(log_p) - q)", "exp(log_p)"),
    ("cross_entropy", "loss -= q * log_p", "loss += q * log_p"),
    ("hard_cross_entropy", "classes; c += THREADS) dz[c] = 0;", "classes; c += THREADS);"),
    ("hard_cross_entropy", "if (target == ignored)", "if (target == -100)"),
    ("layer_norm", "reduce_block(sum, Add()) / columns", "reduce_block(sum, Add()) / THREADS"),
    ("layer_norm", "(squares, Add()) / columns", "(squares, Add()) / (columns - 1)"),
    ("layer_norm", "sqrt(variance + eps)", "sqrt(variance)"),
    ("layer_norm", "* inverse_std) + bias[c]", "* inverse_std)"),
    ("layer_norm", " - sums.first / columns", ""),
    ("layer_norm", " - x_hat * (sums.second / columns)", ""),
    ("layer_norm", "dx_hat = weight[c] * dy[c]", "dx_hat = dy[c]"),
    ("layer_norm", "dy[i] * (x[i] - means[row]) * inverse_stds[row], dy[i]", "dy[i] * x[i], dy[i]"),
    ("layer_norm", "row = warp; row < rows", "row = warp + 1; row < rows"),
    ("layer_norm", "other = 1; other < WARPS", "other = 2; other < WARPS"),
    ("layer_norm", "if (warp == 0 && c < columns) {", "if (warp == 0) {"),
    ("adamw", "(w[i] - lr_times_decay * w[i])", "w[i]"),
    ("adamw", "m_i / correction1", "m_i"),
    ("adamw", "v_i / correction2", "v_i"),
    ("adamw", "one_minus_beta2 * g[i] * g[i]", "one_minus_beta2 * g[i]"),
    ("adamw", "(sqrt(v_hat) + eps)", "sqrt(v_hat + eps)"),
    ("adamw", "new_v[i] = v_i", "new_v[i] = v_hat"),
    ("adamw", "beta1 * m[i] + one_minus_beta1", "m[i] + one_minus_beta1"),
]


# In code that several kernels share, so that each needs a compilation of its own.
SHARED_MUTANTS = [
    ("softmax", "partial[threadIdx.x + half]);", "partial[half]);"),
    ("layer_norm", "half = THREADS / 2; half > 0", "half = THREADS / 2; half > 1"),
    ("layer_norm", "a.second + b.second", "a.second"),
    ("softmax", "return fmax(a, b)", "return a"),
    ("cross_entropy", "const real highest = fmax(a.highest, b.highest)", "const real highest = 0"),
]


def rounds() -> list[list[tuple[str, str, str]]]:
    """Pack the mutants into few compilations, each with one mutant of a kernel at most."""
    packed: dict[int, list[tuple[str, str, str]]] = {}
    seen: Counter[str] = Counter()
    for mutant in MUTANTS:
        kernel = mutant[0].removeprefix("hard_")  # both cross-entropies are one kernel
        packed.setdefault(seen[kernel], []).append(mutant)
        seen[kernel] += 1
    return [*packed.values(), *([mutant] for mutant in SHARED_MUTANTS)]


@pytest.mark.parametrize(
    ("mutant", "together"),
    [
        pytest.param(mutant, tuple(together), id=f"{mutant[0]}: {mutant[1]} → {mutant[2]}")
        for together in rounds()
        for mutant in together
    ],
)
@pytest.mark.usefixtures("twin")
def test_a_broken_kernel_is_caught(mutant, together, broken_twin):
    name, right, _ = mutant
    assert any(right in kernel_source(path) for path in KERNELS)
    broken = broken_twin("neural_nets", tuple((right, wrong) for _, right, wrong in together))
    with pytest.raises((ParityError, KernelError), match=r"is off by|writes outside"):
        search(name, broken)


def search(name, module):
    for scale in (1.0, 1e3):
        expected = answers(name, reference, scale=scale)
        compare(answers(name, module, scale=scale), expected, TOLERANCE["float64"])


@pytest.mark.parametrize("name", LAYERS)
def test_the_search_for_mutants_finds_nothing_in_the_right_kernels(twin, name):
    search(name, twin)


def test_every_component_has_mutants():
    assert {name for name, _, _ in MUTANTS} == LAYERS.keys()
