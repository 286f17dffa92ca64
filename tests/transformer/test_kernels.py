"""The CUDA kernels of chapter 4, run on the CPU through the whole of `cupy_impl`.

Sizes are primes, some longer than a tile (16 for float64, 32 for float32); one row, one key, one
feature and the largest head are among them.
"""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bigmodel_edu.components import arrange
from bigmodel_edu.cuda import on_cpu
from bigmodel_edu.cuda.kernels import KernelError, kernel_source
from bigmodel_edu.errors import BookError, DTypeError, ShapeError
from bigmodel_edu.parity import TOLERANCE, ParityError, compare, error_of, no_gpu
from bigmodel_edu.transformer import reference

CHAPTER = "bigmodel_edu.transformer"
KERNELS = sorted(Path(reference.__file__).parents[1].glob("cupy_impl/*.cu"))
NO_MASK, CAUSAL, LENGTHS = {}, {"causal": True}, {"causal": True, "scale": 0.3}
# batch, query heads, key heads, T queries, S keys, d and e features
FLASH = [
    ("all_keys", NO_MASK, (1, 2, 2, 17, 19, 3, 5)),
    ("more_queries", NO_MASK, (1, 1, 1, 37, 3, 2, 3)),
    ("large_heads", NO_MASK, (1, 1, 1, 5, 37, 128, 127)),
    ("one_of_each", NO_MASK, (2, 2, 1, 1, 1, 1, 1)),
    ("causal", CAUSAL, (1, 4, 2, 37, 41, 7, 2)),
    ("one_query", CAUSAL, (2, 3, 1, 1, 37, 7, 17)),
    ("lengths", LENGTHS, (2, 4, 2, 19, 37, 2, 3)),
]
BY_NAME = {name: (options, shape) for name, options, shape in FLASH}


@pytest.fixture
def twin():
    if reason := on_cpu.unavailable():
        pytest.skip(reason)
    return on_cpu.twin_module(CHAPTER)


def run(layer, inputs, *, params=None, layout="contiguous", forward_of=None, **mode):
    """Return output and gradients of a layer by name, for inputs by name.

    `forward_of` is a layer whose forward is called in place of the layer's own.
    """
    rng = np.random.default_rng(1)
    dtype = next(iter(inputs.values())).dtype
    inputs = {name: arrange(x, layout) for name, x in inputs.items()}
    params = params or {}
    y, kept = (forward_of or layer).forward(params, *inputs.values(), **mode)
    dy = arrange(rng.normal(size=y.shape).astype(dtype), layout)
    gradients, grads = layer.backward(params, kept, dy)
    return {"y": y} | {f"d{n}": g for n, g in zip(inputs, gradients, strict=True)} | grads


def queries_keys_values(shape, dtype="float64", scale=1.0):
    batch, heads, kv_heads, n_queries, n_keys, d, e = shape
    rng = np.random.default_rng(0)
    shapes = {
        "q": (batch, heads, n_queries, d),
        "k": (batch, kv_heads, n_keys, d),
        "v": (batch, kv_heads, n_keys, e),
    }
    return {name: (scale * rng.normal(size=s)).astype(dtype) for name, s in shapes.items()}


def flash(module, name="lengths", dtype="float64", scale=1.0, **run_options):
    """Return what FlashAttention computes in one of the cases of FLASH."""
    options, shape = BY_NAME[name]
    if name == "lengths":
        run_options |= {"lengths": np.array([33, 1])}
    inputs = queries_keys_values(shape, dtype, scale)
    return run(module.FlashAttention(**options), inputs, **run_options)


def masks(dtype="float64"):
    """Return masks for 5 queries and 37 keys of 4 heads in 3 sequences, each with its options."""
    rng = np.random.default_rng(0)
    padding = reference.padding_mask(np.array([37, 1, 20]), 37)
    return {
        "none": ({}, None),
        "causal": (CAUSAL, None),
        "padding": ({"scale": 0.3}, padding),
        "padding_causal": (CAUSAL, padding),
        "per_query": ({}, (rng.random((5, 37)) < 0.4) | (np.arange(37) == 5)),
        "biased": (CAUSAL, rng.normal(size=(4, 1, 37)).astype(dtype)),
        "full": ({}, np.where(rng.random((3, 4, 5, 37)) < 0.5, 0.5, -np.inf).astype(dtype)),
        "per_sequence": ({}, rng.normal(size=(3, 1, 5, 1)).astype(dtype)),
    }


def attention(module, name="biased", dtype="float64", scale=1.0, **run_options):
    """Return what ScaledDotProductAttention computes under one of the masks."""
    options, mask = masks(dtype)[name]
    inputs = queries_keys_values((3, 4, 2, 5, 37, 7, 2), dtype, scale)
    layer = module.ScaledDotProductAttention(**options)
    return run(layer, inputs, mask=mask, **run_options)


def rms_norm(module, shape=(5, 293), dtype="float64", scale=1.0, layout="contiguous"):
    rng = np.random.default_rng(0)
    x = (scale * rng.normal(size=shape)).astype(dtype)
    params = {"weight": rng.normal(size=shape[-1]).astype(dtype)}
    return run(module.RMSNorm(shape[-1], eps=1e-2), {"x": x}, params=params, layout=layout)


def rotary(module, shape=(3, 7, 46), dtype="float64", scale=1.0, layout="contiguous"):
    x = (scale * np.random.default_rng(0).normal(size=shape)).astype(dtype)
    layer = module.RotaryPositions(shape[-1], base=100.0)
    return run(layer, {"x": x}, offset=5, layout=layout)


def swiglu(module, shape=(7, 19), dtype="float64", scale=1.0, layout="contiguous"):
    rng = np.random.default_rng(0)
    layer = module.SwiGLU(shape[-1], 23)
    params = {k: rng.normal(size=w.shape).astype(dtype) for k, w in layer.init(rng).items()}
    x = (scale * rng.normal(size=shape)).astype(dtype)
    return run(layer, {"x": x}, params=params, layout=layout)


SHAPES = {
    rms_norm: [(3, 7), (2, 3, 293), (13, 3), (1, 1)],
    rotary: [(3, 7, 46), (2, 3, 5, 2), (1, 2)],
    swiglu: [(7, 19), (2, 3, 5), (1, 1)],
}


def cases() -> list:
    flashes = [pytest.param(flash, name, id=f"flash-{name}") for name, _, _ in FLASH]
    attentions = [pytest.param(attention, name, id=f"attention-{name}") for name in masks()]
    others = [
        pytest.param(component, shape, id=f"{component.__name__}-{'x'.join(map(str, shape))}")
        for component, shapes in SHAPES.items()
        for shape in shapes
    ]
    return flashes + attentions + others


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("component", "case"), cases())
def test_twin_equals_reference(twin, component, case, dtype):
    expected = component(reference, case, dtype)
    actual = component(twin, case, dtype)
    compare(actual, expected, TOLERANCE[dtype])
    assert {k: v.dtype for k, v in actual.items()} == {k: v.dtype for k, v in expected.items()}


@pytest.mark.parametrize("layout", ["fortran", "strided"])
@pytest.mark.parametrize("component", [flash, attention, rms_norm, rotary, swiglu])
def test_arrays_of_any_layout_are_read_rightly(twin, component, layout):
    expected = component(reference)
    compare(component(twin, layout=layout), expected, TOLERANCE["float64"])


@pytest.mark.parametrize("component", [flash, attention, swiglu])
def test_huge_inputs_overflow_nowhere(twin, component):
    actual = component(twin, scale=300.0)
    assert all(np.isfinite(value).all() for value in actual.values())
    compare(actual, component(reference, scale=300.0), TOLERANCE["float64"])
    in_float32 = component(twin, dtype="float32", scale=300.0)
    assert all(np.isfinite(value).all() for value in in_float32.values())


@pytest.mark.parametrize(
    ("layer", "options"), [("FlashAttention", CAUSAL), ("ScaledDotProductAttention", NO_MASK)]
)
@pytest.mark.parametrize("place", ["q", "k", "v"])
def test_a_nan_stays_visible_and_where_it_is(twin, layer, options, place):
    inputs = queries_keys_values((1, 2, 1, 17, 19, 3, 2))
    inputs[place][0, 0, 11, 1] = np.nan
    actual, expected = (run(getattr(m, layer)(**options), inputs) for m in (twin, reference))
    assert np.isnan(actual["y"]).any()
    for name, array in expected.items():
        np.testing.assert_array_equal(np.isnan(actual[name]), np.isnan(array), err_msg=name)


# What FlashAttention promises beyond the numbers


def test_flash_attention_stores_nothing_of_the_size_of_the_scores(twin):
    inputs = queries_keys_values((1, 2, 2, 37, 41, 2, 3))
    y, kept = twin.FlashAttention().forward({}, *inputs.values())
    sizes = {array.size for array in kept}
    assert sizes == {1, 2 * 37, *(x.size for x in inputs.values()), y.size}


def test_flash_attention_keeps_the_logarithm_of_the_sum(twin):
    inputs = queries_keys_values((1, 2, 1, 5, 37, 3, 2))
    _, (*_, log_sums) = twin.FlashAttention().forward({}, *inputs.values())
    _, (*_, expected) = reference.FlashAttention().forward({}, *inputs.values())
    np.testing.assert_allclose(log_sums, expected[..., 0])


def test_tiles_in_the_future_are_not_touched(twin):
    """NaN times a weight of zero is NaN: where none comes out, none was multiplied."""
    inputs = queries_keys_values((1, 1, 1, 32, 32, 3, 2))  # two tiles of 16 in float64
    layer = twin.FlashAttention(causal=True)
    y, kept = layer.forward({}, *inputs.values())
    dy = np.ones_like(y)

    def with_nan(array, rows):
        array = array.copy()
        array[..., rows, :] = np.nan
        return array

    q, k, v, *others = kept
    late, early = slice(16, None), slice(16)
    y, _ = layer.forward({}, q, with_nan(k, late), with_nan(v, late))
    assert np.isfinite(y[..., early, :]).all()
    (dq, *_), _ = layer.backward({}, (q, with_nan(k, late), with_nan(v, late), *others), dy)
    assert np.isfinite(dq[..., early, :]).all()
    kept = (with_nan(q, early), k, v, *others)
    (_, dk, dv), _ = layer.backward({}, kept, with_nan(dy, early))
    assert np.isfinite(dk[..., late, :]).all()
    assert np.isfinite(dv[..., late, :]).all()


def test_tiles_of_padding_are_not_touched(twin):
    inputs = queries_keys_values((1, 1, 1, 3, 37, 3, 2))
    for name in ("k", "v"):
        inputs[name][..., 16:, :] = np.nan
    results = run(twin.FlashAttention(), inputs, lengths=np.array([13]))
    assert all(np.isfinite(value).all() for value in results.values())
    assert not results["dk"][..., 13:, :].any()
    assert not results["dv"][..., 13:, :].any()


def test_the_reference_block_sizes_change_nothing(twin):
    inputs = queries_keys_values((1, 1, 1, 3, 5, 3, 2))
    compare(
        run(twin.FlashAttention(block_q=2, block_k=3), inputs),
        run(reference.FlashAttention(block_q=2, block_k=3), inputs),
        TOLERANCE["float64"],
    )


# The composites are made of the twins


@pytest.mark.parametrize(
    ("d", "n_keys", "mask", "uses_flash"),
    [
        (3, 7, None, True),
        (128, 7, None, True),
        (131, 7, None, False),
        (3, 7, np.ones((1, 1, 1, 7), dtype=bool), False),
    ],
)
def test_multi_head_attention_uses_flash_attention_where_it_applies(
    twin, d, n_keys, mask, uses_flash
):
    inputs = queries_keys_values((1, 2, 1, 5, n_keys, d, 2))
    attention = twin.MultiHeadAttention(6, 2, causal=True).attention
    _, (used_flash, _) = attention.forward({}, *inputs.values(), mask=mask)
    assert used_flash is uses_flash
    expected = run(reference.ScaledDotProductAttention(causal=True), inputs, mask=mask)
    compare(run(attention, inputs, mask=mask), expected, TOLERANCE["float64"])


def test_every_part_of_a_composite_is_a_twin(twin):
    block = twin.DecoderBlock(12, 2, 7)
    layers = [
        block,
        block.self_attn,
        block.self_attn.attention,
        block.self_attn.rotary,
        block.feed_forward,
        block.norm1,
    ]
    for activation in ("relu", "gelu_tanh"):
        model = twin.Transformer(5, 7, 12, 2, 1, 7, activation=activation)
        for layer in (model.part("encoder.layers.0"), model.part("decoder.layers.0")):
            layers += [layer, layer.self_attn, layer.feed_forward, layer.norm1]
            layers.append(layer.feed_forward.part("activation"))
        layers += [layer.multihead_attn, model.source_embedding]
    of_references = [layer for layer in layers if ".reference" in type(layer).__module__]
    assert not of_references


def test_a_step_with_a_cache_is_the_last_row_of_the_whole(twin):
    rng = np.random.default_rng(0)
    block = twin.DecoderBlock(12, 2, 7, 1)
    params, x = block.init(rng), rng.normal(size=(2, 5, 12))
    whole, _ = block.forward(params, x)
    past = block.empty_cache(2, 5, like=x)
    parts = [block.step(params, x[:, rows], past) for rows in (slice(3), slice(3, 4), slice(4, 5))]
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=1e-12)


# Refusals


QKV = queries_keys_values((2, 4, 2, 3, 7, 5, 2))


@pytest.mark.parametrize(
    ("layer", "changed", "mode"),
    [
        ("FlashAttention", {"k": np.ones((2, 2, 7, 3))}, {}),
        ("FlashAttention", {"q": np.ones((2, 3, 3, 5))}, {}),
        ("FlashAttention", {"v": np.ones((2, 2, 7, 2), dtype=int)}, {}),
        ("FlashAttention", {"q": np.ones((2, 4, 11, 5))}, {}),
        ("FlashAttention", {}, {"lengths": np.array([0, 7])}),
        ("FlashAttention", {}, {"lengths": np.array([7, 8])}),
        ("FlashAttention", {}, {"lengths": np.array([7])}),
        ("FlashAttention", {}, {"lengths": np.array([7.0, 7.0])}),
        ("ScaledDotProductAttention", {"q": np.ones((2, 4, 11, 5))}, {}),
        ("ScaledDotProductAttention", {}, {"mask": np.ones((3, 7), dtype=int)}),
        ("ScaledDotProductAttention", {}, {"mask": np.ones((3, 5), dtype=bool)}),
        ("ScaledDotProductAttention", {}, {"mask": np.arange(3)[:, None] > 0}),
        ("ScaledDotProductAttention", {}, {"mask": np.where(np.arange(7) > 5, 0.0, -np.inf)}),
    ],
)
def test_attention_refuses_what_the_reference_refuses(twin, layer, changed, mode):
    def attempt(module):
        getattr(module, layer)(causal=True).forward({}, *(QKV | changed).values(), **mode)

    expect_the_same_refusal(twin, attempt)


@pytest.mark.parametrize(
    "attempt",
    [
        lambda module: module.RMSNorm(7).forward({"weight": np.ones(7)}, np.ones((3, 5))),
        lambda module: module.RMSNorm(7).forward({"weight": np.ones(7)}, np.ones((3, 7), int)),
        lambda module: module.RotaryPositions(6).forward({}, np.ones((3, 5))),
        lambda module: module.RotaryPositions(6).forward({}, np.ones((3, 6)), offset=-1),
        lambda module: module.SwiGLU(7, 3).forward({}, np.ones((3, 5))),
        lambda module: module.MultiHeadAttention(6, 4),
        lambda module: module.MultiHeadAttention(6, 2, causal=True).attention.forward(
            {}, np.ones((1, 1, 3, 2)), np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2))
        ),
    ],
)
def test_layers_refuse_what_the_reference_refuses(twin, attempt):
    expect_the_same_refusal(twin, attempt)


def expect_the_same_refusal(twin, attempt):
    with pytest.raises(BookError) as expected:
        attempt(reference)
    with pytest.raises(type(expected.value)) as actual:
        attempt(twin)
    assert str(actual.value) == str(expected.value)


@pytest.mark.parametrize(("name", "place", "size"), [("q", 5, 129), ("v", 6, 200)])
def test_a_head_too_large_for_the_tiles_is_refused(twin, name, place, size):
    shape = [1, 1, 1, 2, 3, 128, 128]
    shape[place] = size
    with pytest.raises(ShapeError, match=f"{name} has heads of {size} features, .* at most 128"):
        twin.FlashAttention().forward({}, *queries_keys_values(shape).values())


@pytest.mark.parametrize("component", [rms_norm, rotary, swiglu])
def test_a_nan_stays_visible_in_the_other_layers(twin, component):
    expected, actual = (component(m, scale=np.nan)["y"] for m in (reference, twin))
    assert np.isnan(expected).all()
    assert np.isnan(actual).all()


@pytest.mark.parametrize("layer", ["FlashAttention", "ScaledDotProductAttention"])
def test_a_gradient_of_another_shape_is_refused(twin, layer):
    attention = getattr(twin, layer)()
    _, kept = attention.forward({}, *QKV.values())
    with pytest.raises(ShapeError, match=r"dy has shape \(2, 4, 3, 5\), expected \(2, 4, 3, 2\)"):
        attention.backward({}, kept, np.ones((2, 4, 3, 5)))


def test_a_weight_or_a_gradient_of_another_shape_is_refused_by_rms_norm(twin):
    layer, x = twin.RMSNorm(7), np.ones((3, 7))
    with pytest.raises(ShapeError, match=r"weight has shape \(8,\), expected \(7,\)"):
        layer.forward({"weight": np.ones(8)}, x)
    _, kept = layer.forward({"weight": np.ones(7)}, x)
    with pytest.raises(ShapeError, match=r"dy has shape \(7,\), expected \(3, 7\)"):
        layer.backward({"weight": np.ones(7)}, kept, np.ones(7))


def test_a_mixture_of_dtypes_is_refused(twin):
    mixed = QKV | {"v": QKV["v"].astype(np.float32)}
    with pytest.raises(DTypeError, match="float32 beside one of float64"):
        twin.FlashAttention().forward({}, *mixed.values())


# Mutants. Each kernel of FlashAttention is judged by what it computes, backward with the cache of
# the right forward, so that a mutant of one does not show in another's answer.


def only(component, *names):
    def judged(module, **options):
        results = component(module, **options)
        return {name: results[name] for name in names}

    return judged


def on_the_right_cache(component, layer, options):
    """Let the layer of a broken module go backward with what the right one kept."""

    def judged(module, **run_options):
        if module is not reference:
            right = getattr(on_cpu.twin_module(CHAPTER), layer)
            run_options["forward_of"] = right(**options)
        return component(module, **run_options)

    return judged


flash_backward = on_the_right_cache(flash, "FlashAttention", LENGTHS)
weights_backward = on_the_right_cache(attention, "ScaledDotProductAttention", CAUSAL)
JUDGED = {
    "flash_forward": only(flash, "y"),
    "flash_queries": only(flash_backward, "dq"),
    "flash_keys": only(flash_backward, "dk", "dv"),
    "weights": only(attention, "y"),
    "weights_backward": only(weights_backward, "dq", "dk", "dv"),
    "rms_norm": rms_norm,
    "rotary": rotary,
    "swiglu": swiglu,
}

# One wrong edit of the kernels each: (what must be wrong then, right, wrong).
MUTANTS = [
    ("flash_forward", "const real shrink = exp(m[i] - highest[i]);", "const real shrink = 1;"),
    ("flash_forward", "l[i] *= shrink;", ""),
    ("flash_forward", "m[i] = LOWEST;", "m[i] = 0;"),
    ("flash_forward", "o[i][f] /= l[i];", ""),
    ("flash_forward", "reduce_rows(l, Add());", ""),
    ("flash_forward", "reduce_rows(highest, Max());", "__syncthreads();"),
    ("flash_queries", "sum[i][f] *= scale;", ""),
    ("flash_queries", "ds[my_row(i)][my_column(j)] = p[i][j] *", "ds[my_row(i)][my_column(j)] ="),
    ("flash_queries", "add_product(sum, ds, other, d);", "add_product(sum, ds, own, d);"),
    ("flash_queries", "multiply(dp, own, other, e);", "multiply(dp, own, other, d);"),
    ("flash_keys", "(dp[i][j] - inner);", "dp[i][j];"),
    ("flash_keys", "head < (kv_head + 1) * shared_by", "head < kv_head * shared_by + 1"),
    ("flash_keys", "lengths[kv_head / kv_heads]", "lengths[0]"),
    ("flash_keys", "weights_of(p, s, log_sums + head * queries", "weights_of(p, s, log_sums"),
    ("flash_keys", "add_product(dv_sum, turned,", "add_product(dv_sum, turned, of_queries, 1); //"),
    ("weights", "if (row >= rows) return;", ""),
    ("weights", "s[c] + mask[c * step_key] - highest[0]) / total[0]", "s[c] - highest[0])"),
    ("weights", "row / queries / heads * step_batch + head * step_head", "head"),
    ("weights", "smaller(keys, larger(query + offset + 1, 0))", "keys"),
    ("weights", "c < seen ? exp", "true ? exp"),
    ("weights_backward", "(dp[c] - inner[0])", "dp[c]"),
    ("weights_backward", "inner[0] += dp[c] * p[c]", "inner[0] += dp[c]"),
    ("weights_backward", "row < rows ? keys : 0", "keys"),
    ("rms_norm", "sqrt(mean_square + eps)", "sqrt(mean_square)"),
    (
        "rms_norm",
        "reduce_block(squares, Add()) / columns",
        "reduce_block(squares, Add()) / THREADS",
    ),
    ("rms_norm", " - x[c] * inverse * inner", ""),
    ("rms_norm", "inner += weight[c] * dy[c]", "inner += dy[c]"),
    ("rms_norm", "row = warp; row < rows", "row = warp + 1; row < rows"),
    ("rms_norm", "if (warp == 0 && c < columns) {", "if (warp == 0) {"),
    ("rotary", "direction * sines[angle]", "sines[angle]"),
    ("rotary", "row % length * half + pair", "row * half % (length * half) + pair / 2"),
    ("rotary", "x[second] * cosine + x[first] * sine", "x[second] * cosine - x[first] * sine"),
    ("rotary", "if (at >= pairs) return;", ""),
    ("swiglu", "gate[i] * sigmoid(gate[i]) * up[i]", "sigmoid(gate[i]) * up[i]"),
    ("swiglu", "* (1 + gate[i] * (1 - s))", "* (1 - s)"),
    ("swiglu", "d_up[i] = d_hidden[i] * gate[i] * s", "d_up[i] = d_hidden[i] * gate[i]"),
]

# In code that several kernels share, or whose result another kernel reads, so that each needs a
# compilation of its own.
SHARED_MUTANTS = [
    ("flash_queries", "inner[i] += dy[query * e + c] * y[query * e + c]", "inner[i] += 0"),
    ("flash_forward", "row < rows ? factor * x[row * width + c] : real(0)", "x[row * width + c]"),
    ("flash_forward", "key <= query + offset;", "key <= query;"),
    ("flash_keys", "query < queries && key < keys && key <=", "key <="),
    ("flash_forward", "for (int c = 0; c < TILE; c++)", "for (int c = 1; c < TILE; c++)"),
    ("flash_forward", "first + my_row(i) < rows && my_column(f)", "my_column(f)"),
    ("flash_queries", "smaller(keys, first + TILE + offset)", "smaller(keys, first + TILE)"),
    ("flash_keys", "larger(first - offset, 0) / TILE * TILE", "first / TILE * TILE"),
    ("weights", "lane = 1; lane < COLUMN_LANES", "lane = 1; lane < COLUMN_LANES - 1"),
]


def rounds() -> list[list[tuple[str, str, str]]]:
    """Pack the mutants into few compilations, each with one mutant of a kernel at most."""
    packed: dict[int, list[tuple[str, str, str]]] = {}
    seen: Counter[str] = Counter()
    for mutant in MUTANTS:
        packed.setdefault(seen[mutant[0]], []).append(mutant)
        seen[mutant[0]] += 1
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
    broken = broken_twin("transformer", tuple((right, wrong) for _, right, wrong in together))
    with pytest.raises((ParityError, KernelError), match=r"is off by|writes outside"):
        search(name, broken)


def search(name, module):
    for scale in (1.0, 300.0):
        expected = JUDGED[name](reference, scale=scale)
        compare(JUDGED[name](module, scale=scale), expected, TOLERANCE["float64"])


@pytest.mark.parametrize("name", JUDGED)
def test_the_search_for_mutants_finds_nothing_in_the_right_kernels(twin, name):
    search(name, twin)


def test_everything_judged_has_mutants():
    assert {name for name, _, _ in MUTANTS} == JUDGED.keys()


# What only a real GPU shows: threads that race, and sequences too long for the CPU


@pytest.mark.gpu
def test_flash_attention_on_long_sequences_has_the_same_bits_in_every_run():
    if reason := no_gpu():
        pytest.skip(reason)
    cp = pytest.importorskip("cupy")
    from bigmodel_edu.transformer import cupy_impl

    inputs = queries_keys_values((2, 4, 2, 1031, 2053, 64, 61), "float32")
    q, k, v = (cp.asarray(x) for x in inputs.values())
    dy = cp.asarray(np.random.default_rng(1).normal(size=(2, 4, 1031, 61)).astype(np.float32))

    def answers(layer):
        y, kept = layer.forward({}, q, k, v)
        return [cp.asnumpy(array) for array in (y, *layer.backward({}, kept, dy)[0])]

    first, second = (answers(cupy_impl.FlashAttention(causal=True)) for _ in range(2))
    assert [x.tobytes() for x in first] == [x.tobytes() for x in second]
    expected = answers(cupy_impl.ScaledDotProductAttention(causal=True))
    for actual, wanted in zip(first, expected, strict=True):
        assert error_of(actual, wanted) < TOLERANCE["float32"]
