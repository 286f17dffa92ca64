"""What the catalogue's trials are like, and what running one must not do."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from bigmodel_edu import catalogue
from bigmodel_edu.components import (
    Backend,
    LayerComponent,
    OptimizerComponent,
    arrange,
    as_returned,
    as_tuple,
    let_cudnn_train,
    run_torch_module,
)
from bigmodel_edu.layer import Layer

COMPONENTS = catalogue.components()
LAYERS = [name for name, c in COMPONENTS.items() if isinstance(c, LayerComponent)]
OPTIMIZERS = [name for name, c in COMPONENTS.items() if isinstance(c, OptimizerComponent)]
LAYOUTS = ("contiguous", "fortran", "strided")


class ReadOnly(Backend):
    """NumPy arrays that cannot be written to."""

    def arrays(self, values, layout):
        arrays = super().arrays({name: value.copy() for name, value in values.items()}, layout)
        for array in arrays.values():
            array.flags.writeable = False
        return arrays


def copies(arrays: dict) -> dict:
    return {name: np.copy(value) for name, value in arrays.items()}


def assert_equal(actual: dict, expected: dict) -> None:
    assert actual.keys() == expected.keys()
    for name, value in actual.items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def is_prime(n: int) -> bool:
    return n > 1 and all(n % d for d in range(2, n))


# Layouts


@pytest.mark.parametrize("shape", [(), (5,), (5, 7), (2, 3, 5)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_arrange_keeps_the_values(shape, layout):
    array = np.random.default_rng(0).normal(size=shape)
    np.testing.assert_array_equal(arrange(array, layout), array)


def test_arrange_changes_the_memory():
    array = np.zeros((5, 7))
    fortran, strided = arrange(array, "fortran"), arrange(array, "strided")
    assert fortran.flags.f_contiguous
    assert not fortran.flags.c_contiguous
    assert not strided.flags.c_contiguous
    assert not strided.flags.f_contiguous
    assert strided.strides[-1] == 2 * array.itemsize


# Trials


@pytest.mark.parametrize("name", LAYERS)
def test_upstream_gradients_are_random(name):
    drawn = [COMPONENTS[name].draw(np.random.default_rng(seed)).upstream for seed in range(3)]
    values = np.concatenate([dy.ravel() for upstream in drawn for dy in upstream.values()])
    assert len(np.unique(values)) == len(values)


@pytest.mark.parametrize("name", LAYERS + OPTIMIZERS)
def test_sizes_are_distinct_primes(name):
    trial = COMPONENTS[name].draw(np.random.default_rng(0))
    derived = getattr(COMPONENTS[name], "derived_sizes", ())
    for array_name, array in (trial.inputs | trial.params).items():
        free = [size for size in array.shape if size not in derived]
        assert len(set(free)) == len(free), f"{array_name} {array.shape}"
        assert all(map(is_prime, free)), f"{array_name} {array.shape}"


@pytest.mark.parametrize("name", LAYERS)
def test_no_more_sizes_are_called_derived_than_there_are(name):
    component = COMPONENTS[name]
    trial = component.draw(np.random.default_rng(0))
    arrays = [*trial.inputs.values(), *trial.params.values()]
    squares = {a.shape[-1] for a in arrays if a.ndim > 1 and a.shape[-1] == a.shape[-2]}
    sizes = {size for array in arrays for size in array.shape}
    needed = squares | {size for size in sizes if not is_prime(size)}
    assert set(component.derived_sizes) == needed


@pytest.mark.parametrize("name", LAYERS)
def test_no_parameter_is_as_long_as_the_batch(name):
    trial = COMPONENTS[name].draw(np.random.default_rng(0), batch=5)
    sizes = {size for value in trial.params.values() for size in value.shape}
    assert 5 not in sizes


@pytest.mark.parametrize("name", LAYERS)
def test_parameters_are_not_what_init_gives(name):
    """A bias of zeros or a gain of ones would hide that it is forgotten."""
    trial = COMPONENTS[name].draw(np.random.default_rng(0))
    for value in trial.params.values():
        if value.dtype.kind == "f":
            assert len(np.unique(value)) == value.size


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", COMPONENTS)
def test_trials_have_the_dtype_asked_for(name, dtype):
    trial = COMPONENTS[name].draw(np.random.default_rng(0), dtype=dtype)
    arrays = [*trial.inputs.values(), *trial.params.values()]
    arrays += trial.upstream.values()
    assert {str(a.dtype) for a in arrays if a.dtype.kind == "f"} <= {dtype}


# The layer contract, for every layer of every chapter


def pieces(name: str, backend=None, **options):
    """Return a layer and its arguments on read-only NumPy arrays."""
    component = COMPONENTS[name]
    reference = component.implementation("reference")
    backend = ReadOnly(reference)
    trial = component.draw(np.random.default_rng(0), **options)
    return (
        component.build(reference),
        backend.arrays(trial.params, trial.layout),
        backend.arrays(trial.inputs, trial.layout),
        as_returned(backend.arrays(trial.upstream, trial.layout).values()),
        backend.mode(trial),
    )


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", LAYERS)
def test_layers_leave_their_arguments_alone(name, layout):
    layer, params, inputs, dy, mode = pieces(name, layout=layout)
    before = copies(params), copies(inputs), copies(dict(enumerate(as_tuple(dy))))
    _, cache = layer.forward(params, *inputs.values(), **mode)
    layer.backward(params, cache, dy)
    layer.updated_buffers(params, cache)
    assert_equal(params, before[0])
    assert_equal(inputs, before[1])
    assert_equal(dict(enumerate(as_tuple(dy))), before[2])


@pytest.mark.parametrize("name", LAYERS)
def test_backward_never_accumulates(name):
    layer, params, inputs, dy, mode = pieces(name)
    _, cache = layer.forward(params, *inputs.values(), **mode)
    d_inputs, grads = layer.backward(params, cache, dy)
    d_inputs, grads = [None if d is None else d.copy() for d in d_inputs], copies(grads)
    again_inputs, again = layer.backward(params, cache, dy)
    assert_equal(again, grads)
    for first, second in zip(d_inputs, again_inputs, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_hashable_records_of_hyperparameters(name):
    component = COMPONENTS[name]
    reference = component.implementation("reference")
    layer = component.build(reference)
    assert isinstance(layer, Layer)
    assert layer == component.build(reference)
    assert hash(layer) == hash(component.build(reference))
    assert not any(isinstance(value, np.ndarray) for value in vars(layer).values())
    with pytest.raises(FrozenInstanceError):
        layer.anything = 1


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_have_the_shapes_of_what_they_are_gradients_of(name):
    layer, params, inputs, dy, mode = pieces(name)
    _, cache = layer.forward(params, *inputs.values(), **mode)
    d_inputs, grads = layer.backward(params, cache, dy)
    assert grads.keys() <= params.keys()
    for key, grad in grads.items():
        assert grad.shape == params[key].shape
    assert len(d_inputs) >= len(inputs)  # more where an input was left out
    for d_input, value in zip(d_inputs, inputs.values(), strict=False):
        if value.dtype.kind == "f":
            assert d_input.shape == value.shape
        else:
            assert d_input is None


@pytest.mark.parametrize("name", LAYERS)
def test_init_is_reproducible_and_in_float64(name):
    component = COMPONENTS[name]
    layer = component.build(component.implementation("reference"))
    params = layer.init(np.random.default_rng(0))
    assert_equal(params, layer.init(np.random.default_rng(0)))
    assert all(value.dtype in (np.float64, np.int64) for value in params.values())


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_optimizers_leave_their_arguments_alone(name, layout):
    component = COMPONENTS[name]
    reference = component.implementation("reference")
    trial = component.draw(np.random.default_rng(0), layout=layout)
    backend = ReadOnly(reference)
    optimizer = component.build(reference)
    params = backend.arrays(trial.params, layout)
    injected = backend.arrays(trial.inputs, layout)
    state = optimizer.init(params)
    for t in range(3):
        grads = {key: injected[f"{key}@{t}"] for key in params}
        before = copies(params), copies(grads), copies(state)
        for value in (*params.values(), *state.values()):
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
        new_params, new_state = optimizer.update(params, grads, state)
        assert_equal(params, before[0])
        assert_equal(grads, before[1])
        assert_equal(state, before[2])
        assert new_state["step"] == t + 1
        params, state = new_params, new_state


@pytest.mark.parametrize("name", COMPONENTS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_running_leaves_the_trial_alone(name, layout):
    component = COMPONENTS[name]
    trial = component.draw(np.random.default_rng(0), layout=layout)
    inputs, params = copies(trial.inputs), copies(trial.params)
    component.run(Backend(component.implementation("reference")), trial)
    if component.has_torch_twin:
        component.run_torch(trial)
    assert_equal(trial.inputs, inputs)
    assert_equal(trial.params, params)


# The PyTorch twin's state_dict

WITH_PARAMETERS = [
    name for name in LAYERS if COMPONENTS[name].draw(np.random.default_rng(0)).params
]


@pytest.mark.parametrize("change", ["missing", "extra", "misspelt", "wrong shape"])
@pytest.mark.parametrize("name", WITH_PARAMETERS)
def test_the_state_dict_must_fit_exactly(name, change):
    component = COMPONENTS[name]
    trial = component.draw(np.random.default_rng(0))
    key, value = next(iter(trial.params.items()))
    if change in ("missing", "misspelt"):
        del trial.params[key]
    if change in ("extra", "misspelt"):
        trial.params[f"{key}s"] = value
    if change == "wrong shape":
        trial.params[key] = np.stack([value, value])
    twin = component.build(component.implementation("torch_impl"))
    with pytest.raises(RuntimeError, match=key):
        run_torch_module(twin, trial)


@pytest.mark.parametrize("name", LAYERS)
def test_the_twin_has_the_keys_and_shapes_of_the_reference(name):
    component = COMPONENTS[name]
    params = component.build(component.implementation("reference")).init(np.random.default_rng(0))
    state = component.build(component.implementation("torch_impl")).state_dict()
    assert {key: tuple(value.shape) for key, value in state.items()} == {
        key: value.shape for key, value in params.items()
    }


def test_recurrent_layers_are_trained_where_that_changes_nothing():
    """On a GPU they refuse backward in evaluation mode; a CPU does not tell."""
    import torch

    layers = torch.nn.ModuleDict(
        {
            "alike": torch.nn.LSTM(3, 5, num_layers=2),
            "different": torch.nn.LSTM(3, 5, num_layers=2, dropout=0.5),
            "other": torch.nn.Dropout(0.5),
        }
    ).eval()
    let_cudnn_train(layers)
    assert {name: layer.training for name, layer in layers.items()} == {
        "alike": True,
        "different": False,
        "other": False,
    }
