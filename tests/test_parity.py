"""Every component before every judge, and the harness itself before wrong answers."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bigmodel_edu import catalogue, parity
from bigmodel_edu.bench import plain_float32
from bigmodel_edu.components import (
    FunctionComponent,
    JudgeUnavailable,
    LayerComponent,
    OptimizerComponent,
)
from bigmodel_edu.errors import BookError, ShapeError
from bigmodel_edu.parity import ParityError, compare, error_of

COMPONENTS = catalogue.components()
GPU_JUDGES = {"cupy", "reference-on-cupy"}
NEEDS_TWO_EXAMPLES = {"neural_nets.batch_norm", "neural_nets.mlp"}
PRIMES = (2, 3, 5, 7, 11, 13)
ONE_PLUS_ONE = FunctionComponent(
    name="neural_nets.one_plus_one",
    call=lambda module: np.array(2.0),
    oracles={"right": lambda trial: {"y": 2.0}},
)


def with_gpu_mark(name: str, judge: str):
    marks = pytest.mark.gpu if judge in GPU_JUDGES else ()
    return pytest.param(name, judge, marks=marks, id=f"{name}-{judge}")


def put_before(component, judge: str, **options) -> float:
    """Put the component before a judge; skip, saying why, if that judge cannot sit here."""
    try:
        return parity.check(component, judge, **options)
    except JudgeUnavailable as unavailable:
        pytest.skip(str(unavailable))


# Every component, every judge, in float64


@pytest.mark.parametrize(
    ("name", "judge"),
    [with_gpu_mark(name, judge) for name, c in COMPONENTS.items() for judge in parity.judges_of(c)],
)
def test_component_satisfies_judge(name, judge):
    put_before(COMPONENTS[name], judge)


# On a GPU: float32 too, however the arrays lie in memory, and PyTorch's twins


def seen_on_a_gpu(*judges):
    for name, component in COMPONENTS.items():
        if component.draw(np.random.default_rng(0)).inputs:
            for judge in judges:
                if judge in parity.judges_of(component):
                    yield pytest.param(name, judge, id=f"{name}-{judge}")


@pytest.mark.gpu
@pytest.mark.parametrize("layout", ["contiguous", "fortran", "strided"])
@pytest.mark.parametrize(("name", "judge"), list(seen_on_a_gpu("cupy", "reference-on-cupy")))
def test_component_satisfies_judge_in_float32(name, judge, layout):
    component = COMPONENTS[name]
    trial = component.draw(np.random.default_rng(1), batch=13, dtype="float32", layout=layout)
    try:
        parity.judges_of(component)[judge](trial)
    except JudgeUnavailable as unavailable:
        pytest.skip(str(unavailable))


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", [name for name, c in COMPONENTS.items() if c.has_torch_twin])
def test_torch_twin_on_cuda(name, dtype):
    import torch

    if not torch.cuda.is_available():
        pytest.skip("PyTorch sees no CUDA device")
    component = COMPONENTS[name]
    trial = component.draw(np.random.default_rng(0), dtype=dtype)
    expected = component.run(parity.reference_backend(component), trial)
    with plain_float32():
        answer = component.run_torch(trial, device="cuda")
    compare(answer, expected, parity.tolerance_of(component, trial))


def test_every_component_has_a_judge_from_outside():
    lonely = {
        name for name, c in COMPONENTS.items() if not c.has_torch_twin and not c.oracles
    }  # itself and its own CuPy twin do not count
    assert not lonely


def test_every_layer_and_optimizer_faces_all_kinds_of_judges():
    for component in COMPONENTS.values():
        judges = parity.judges_of(component).keys()
        if isinstance(component, LayerComponent | OptimizerComponent):
            assert {"torch", "reference-on-cupy", "cupy", "cuda-on-cpu"} <= judges, component.name
        if isinstance(component, LayerComponent):
            assert "finite-differences" in judges, component.name


# The sweep: dtype × layout × batch × seed


def swept():
    for name, component in COMPONENTS.items():
        if component.draw(np.random.default_rng(0)).inputs:
            for judge in parity.judges_of(component):
                if judge == "torch" or judge.startswith("oracle:"):
                    yield pytest.param(name, judge, id=f"{name}-{judge}")


@st.composite
def draws(draw, smallest_batch=1):
    return {
        "rng": np.random.default_rng(draw(st.integers(0, 2**32 - 1))),
        "batch": draw(st.sampled_from([n for n in (1, *PRIMES) if n >= smallest_batch])),
        "dtype": draw(st.sampled_from(["float64", "float32"])),
        "layout": draw(st.sampled_from(["contiguous", "fortran", "strided"])),
    }


@pytest.mark.parametrize(("name", "judge"), list(swept()))
def test_sweep(name, judge):
    component = COMPONENTS[name]
    run = parity.judges_of(component)[judge]

    @settings(max_examples=15, derandomize=True, deadline=None, database=None)
    @given(draws(smallest_batch=2 if name in NEEDS_TWO_EXAMPLES else 1))
    def sweep(options):
        trial = component.draw(**options)
        run(trial)
        if judge == "torch":
            expect_same_dtype(component, trial, options["dtype"])

    sweep()


def expect_same_dtype(component, trial, dtype):
    results = component.run(parity.reference_backend(component), trial)
    dtypes = {name: str(v.dtype) for name, v in results.items() if v.dtype.kind == "f"}
    assert dtypes
    assert set(dtypes.values()) == {dtype}, dtypes


def test_only_batch_statistics_need_two_examples():
    refused = set()
    for name, component in COMPONENTS.items():
        try:
            component.draw(np.random.default_rng(0), batch=1)
        except ShapeError:
            refused.add(name)
    assert refused == NEEDS_TWO_EXAMPLES


# compare()

A = np.array([[1.0, 2.0], [3.0, 4.0]])


def test_equal_answers_have_no_error():
    assert compare({"y": A}, {"y": A.copy()}, 0.0) == 0.0


def test_error_is_relative_to_the_largest_expected_element():
    assert error_of(A + np.array([[0.4, 0], [0, 0]]), A) == pytest.approx(0.1)


def test_tensors_of_rounding_noise_are_not_compared_with_themselves():
    assert error_of(np.array([1e-17]), np.array([-1e-17])) < 1e-14


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["actual", "expected", "both"])
def test_what_is_not_finite_never_agrees(bad, where):
    spoilt = A.copy()
    spoilt[1, 0] = bad
    actual = A if where == "expected" else spoilt
    expected = A if where == "actual" else spoilt
    with pytest.raises(ParityError, match=r"y\[1, 0\]"), np.errstate(invalid="ignore"):
        compare({"y": actual}, {"y": expected}, 1e9)


@pytest.mark.parametrize("names", [("y", "dx"), ("dx", "y")])
def test_a_nan_does_not_hide_behind_a_tensor_that_agrees(names):
    answer = dict(zip(names, (A, np.full_like(A, np.nan)), strict=True))
    with pytest.raises(ParityError, match=f"'{names[1]}' is off by inf"):
        compare(answer, {"y": A, "dx": A}, 1e-9)


@pytest.mark.parametrize("shape", [(4,), (1, 2, 2), (2, 1), (2, 3), ()])
def test_wrong_shape(shape):
    with pytest.raises(ParityError, match=r"shape .*expected \(2, 2\)"):
        compare({"y": np.ones(shape)}, {"y": np.ones((2, 2))}, 1e9)


def test_missing_name():
    with pytest.raises(ParityError, match=r"missing \['grad bias'\], unexpected \[\]"):
        compare({"y": A}, {"y": A, "grad bias": A}, 1.0)


@pytest.mark.parametrize("partial", [False, True])
def test_unexpected_name(partial):
    with pytest.raises(ParityError, match=r"unexpected \['grad bais'\]"):
        compare({"y": A, "grad bais": A}, {"y": A}, 1.0, partial=partial)


def test_partial_compares_what_is_there():
    both = {"y": A, "dx": A}
    assert compare({"y": A}, both, 1e-9, partial=True) == 0.0
    with pytest.raises(ParityError, match="'y' is off"):
        compare({"y": A + 1}, both, 1e-9, partial=True)


@pytest.mark.parametrize("partial", [False, True])
def test_no_answer_is_no_agreement(partial):
    with pytest.raises(ParityError):
        compare({}, {} if not partial else {"y": A}, 1.0, partial=partial)


def test_disagreement_names_the_worst_element_of_the_worst_tensor():
    actual = {"y": A.copy(), "dx": A.copy()}
    actual["y"][1, 0] += 1e-3
    actual["dx"] += [[0, 0.5], [0.25, 0]]
    with pytest.raises(ParityError) as caught:
        compare(actual, {"y": A, "dx": A}, 1e-9)
    message = str(caught.value)
    assert message.startswith("'dx' is off by 1.2e-01; worst at dx[0, 1]: 2.5, expected 2")
    assert "\n" not in message


def test_disagreement_of_scalars_needs_no_index():
    with pytest.raises(ParityError, match=r"worst at y: 1, expected 2\."):
        compare({"y": np.array(1.0)}, {"y": np.array(2.0)}, 1e-9)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-9), ("float32", 1e-4)])
def test_one_tolerance_per_dtype(dtype, tolerance):
    component = COMPONENTS["neural_nets.linear"]
    trial = component.draw(np.random.default_rng(0), dtype=dtype)
    assert parity.tolerance_of(component, trial) == tolerance


def test_the_shorter_dtype_decides_and_integers_do_not():
    component = COMPONENTS["neural_nets.cross_entropy"]
    trial = component.draw(np.random.default_rng(0), dtype="float32")
    mixed = replace(trial, params={"extra": np.zeros(3)})
    assert parity.tolerance_of(component, mixed) == 1e-4
    integers_only = replace(trial, inputs={"targets": trial.inputs["targets"]})
    assert parity.tolerance_of(component, integers_only) == 1e-9


def test_a_component_may_set_its_own_tolerance():
    component = replace(ONE_PLUS_ONE, tolerance=0.5)
    assert parity.tolerance_of(component, component.draw(np.random.default_rng(0))) == 0.5


# judge() and check()


def verdicts(component) -> dict:
    return {verdict.judge: verdict for verdict in parity.judge(component)}


def test_verdict_as_json():
    (verdict,) = [v for v in parity.judge(ONE_PLUS_ONE) if v.judge == "oracle:right"]
    assert verdict.as_json() == {
        "component": "neural_nets.one_plus_one",
        "chapter": "neural_nets",
        "judge": "oracle:right",
        "status": "ok",
        "max_error": 0.0,
        "reason": "",
    }
    assert json.loads(json.dumps(verdict.as_json())) == verdict.as_json()


def test_a_crash_is_a_failed_verdict_and_hides_no_other():
    def crash(trial):
        raise ZeroDivisionError("division by zero")

    oracles = {"crashing": crash, "wrong": lambda trial: {"y": 3.0}, **ONE_PLUS_ONE.oracles}
    found = verdicts(replace(ONE_PLUS_ONE, oracles=oracles))
    assert found["oracle:crashing"].status == "failed"
    assert found["oracle:crashing"].reason == "ZeroDivisionError: division by zero"
    assert found["oracle:crashing"].max_error is None
    assert found["oracle:wrong"].status == "failed"
    assert "'y' is off by 5.0e-01" in found["oracle:wrong"].reason
    assert found["oracle:right"].status == "ok"


def test_a_reference_that_crashes_fails_before_every_judge(monkeypatch):
    softmax = COMPONENTS["neural_nets.softmax"]
    reference = softmax.implementation("reference")

    class Crashing(reference.Softmax):
        def forward(self, params, z):
            raise FloatingPointError("overflow")

    monkeypatch.setattr(reference, "Softmax", Crashing)
    found = verdicts(softmax)
    assert found.keys() == parity.judges_of(softmax).keys()
    assert {v.status for name, v in found.items() if name not in GPU_JUDGES} == {"failed"}
    assert found["torch"].reason == "FloatingPointError: overflow"


def test_an_unavailable_judge_is_skipped_with_its_reason(monkeypatch):
    monkeypatch.setattr(parity, "no_gpu", lambda: "CuPy sees no GPU (test)")
    found = verdicts(COMPONENTS["neural_nets.tanh"])
    for name in GPU_JUDGES:
        assert (found[name].status, found[name].reason) == ("skipped", "CuPy sees no GPU (test)")
        assert found[name].max_error is None
    assert found["torch"].status == "ok"


def test_no_gpu_says_how_to_get_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)  # makes `import cupy` fail
    assert "pip install" in parity.no_gpu()


def test_judges_see_the_same_trial_for_the_same_seed():
    component = COMPONENTS["neural_nets.linear"]
    one, same, other = (component.draw(np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.inputs["x"], same.inputs["x"])
    assert not np.array_equal(one.inputs["x"], other.inputs["x"])


def test_check_returns_the_error_or_raises(monkeypatch):
    assert parity.check(ONE_PLUS_ONE, "oracle:right") == 0.0
    wrong = replace(ONE_PLUS_ONE, oracles={"wrong": lambda trial: {"y": 3.0}})
    with pytest.raises(ParityError, match="'y' is off"):
        parity.check(wrong, "oracle:wrong")


def test_check_with_an_unknown_judge_lists_the_judges():
    with pytest.raises(BookError, match=r"no judge named 'jury'; its judges are .*oracle:right"):
        parity.check(ONE_PLUS_ONE, "jury")


# Finite differences


def test_finite_differences_need_a_gradient_of_every_float_input(monkeypatch):
    component = COMPONENTS["neural_nets.mean_squared_error"]
    reference = component.implementation("reference")

    class Forgetful(reference.MeanSquaredError):
        def backward(self, params, cache, dy):
            (d_prediction, _), grads = super().backward(params, cache, dy)
            return (d_prediction, None), grads

    monkeypatch.setattr(reference, "MeanSquaredError", Forgetful)
    with pytest.raises(ParityError, match="'dtarget' is missing"):
        parity.check(component, "finite-differences")


def test_finite_differences_see_a_gradient_that_only_broadcasts(monkeypatch):
    component = COMPONENTS["neural_nets.linear"]
    reference = component.implementation("reference")

    class OneRow(reference.Linear):
        def backward(self, params, cache, dy):
            (dx,), grads = super().backward(params, cache, dy)
            return (dx,), grads | {"bias": grads["bias"][None]}

    monkeypatch.setattr(reference, "Linear", OneRow)
    with pytest.raises(ParityError, match=r"'grad bias' has shape \(1, 3\), expected \(3,\)"):
        parity.check(component, "finite-differences")
