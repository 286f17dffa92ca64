"""The references run unchanged on arrays that are not NumPy's.

CuPy needs a GPU, so a stand-in takes its place: `Duck` follows the two protocols by which NumPy's
functions hand over to another library (NEP 13 and NEP 18), and, like CuPy, refuses to be turned
into a NumPy array in passing or to be mixed with one. What passes here may still use a function
that CuPy lacks; `pytest -m gpu` tells.
"""

import sys
from types import ModuleType

import numpy as np
import pytest
import scipy.special
from numpy.lib.mixins import NDArrayOperatorsMixin

from bigmodel_edu import catalogue
from bigmodel_edu.components import Backend, LayerComponent
from bigmodel_edu.parity import compare, judges_of, reference_backend

COMPONENTS = {
    name: c for name, c in catalogue.components().items() if "reference-on-cupy" in judges_of(c)
}
TRANSFERS = (np.asarray, np.array)  # with like=…, the two ways to bring a NumPy array over


class Duck(NDArrayOperatorsMixin):
    """An array of another library, with the methods and attributes that CuPy's arrays have."""

    def __init__(self, values):
        self.values = np.asarray(values)

    def __array__(self, dtype=None, copy=None):
        raise TypeError("implicit conversion to a NumPy array is not allowed")

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **options):
        options = unwrap(options | ({"out": out} if out else {}))
        return wrap(getattr(ufunc, method)(*unwrap(inputs), **options))

    def __array_function__(self, function, types, args, options):
        if function in TRANSFERS:
            return Duck(function(*args, **options))
        return wrap(function(*unwrap(args), **unwrap(options)))

    shape = property(lambda self: self.values.shape)
    dtype = property(lambda self: self.values.dtype)
    ndim = property(lambda self: self.values.ndim)
    size = property(lambda self: self.values.size)
    T = property(lambda self: Duck(self.values.T))

    def __getitem__(self, index):
        return Duck(self.values[unwrap(index)])

    def __setitem__(self, index, value):
        self.values[unwrap(index)] = unwrap(value)

    def __len__(self):
        return len(self.values)

    def __int__(self):
        return int(self.values)

    def __float__(self):
        return float(self.values)

    def __bool__(self):
        return bool(self.values)


def method(name: str):
    return lambda self, *args, **options: wrap(
        getattr(self.values, name)(*unwrap(args), **unwrap(options))
    )


for name in ("all", "any", "argmax", "astype", "copy", "max", "mean", "min", "ravel", "reshape"):
    setattr(Duck, name, method(name))
for name in ("swapaxes", "transpose"):
    setattr(Duck, name, method(name))
Duck.sum = method("sum")


def unwrap(value):
    """Return NumPy's array of a Duck, anywhere inside `value`; refuse NumPy's own arrays."""
    if isinstance(value, Duck):
        return value.values
    if isinstance(value, np.ndarray):
        raise TypeError("a NumPy array among arrays of another library")
    if isinstance(value, tuple | list):
        return type(value)(unwrap(item) for item in value)
    if isinstance(value, dict):
        return {name: unwrap(item) for name, item in value.items()}
    return value


def wrap(value):
    """Return a Duck for every array that a NumPy function returned; scalars become 0-d arrays."""
    if isinstance(value, np.ndarray | np.generic):
        return Duck(value)
    if isinstance(value, tuple | list) and any(isinstance(item, np.ndarray) for item in value):
        return tuple(wrap(item) for item in value)
    return value


def leave(value):
    """Bring a result back; a NumPy array among them fell out of the other library on the way."""
    if isinstance(value, np.ndarray | np.generic):
        raise TypeError("the result is a NumPy array: some step left the other library")
    return value.values if isinstance(value, Duck) else value


@pytest.fixture(autouse=True)
def special_functions(monkeypatch):
    """Stand in for `cupyx.scipy.special`, which knows nothing of NumPy's arrays."""
    special = ModuleType("cupyx.scipy.special")
    special.erf = lambda x: Duck(scipy.special.erf(unwrap(x)))
    for name in ("cupyx", "cupyx.scipy"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "cupyx.scipy.special", special)


def on_ducks(component) -> Backend:
    return Backend(component.implementation("reference"), Duck, leave)


@pytest.mark.parametrize("layout", ["contiguous", "strided"])
@pytest.mark.parametrize("name", COMPONENTS)
def test_the_reference_runs_on_arrays_of_another_library(name, layout):
    component = COMPONENTS[name]
    trial = component.draw(np.random.default_rng(0), layout=layout)
    answer = component.run(on_ducks(component), trial)
    compare(answer, component.run(reference_backend(component), trial), 1e-14)


def test_dropout_draws_its_mask_where_x_is():
    component = COMPONENTS["neural_nets.dropout"]
    layer = component.build(component.implementation("reference"))
    x = np.random.default_rng(0).normal(size=(5, 7))
    on_duck, _ = layer.forward({}, Duck(x), training=True, rng=np.random.default_rng(3))
    on_numpy, _ = layer.forward({}, x, training=True, rng=np.random.default_rng(3))
    np.testing.assert_array_equal(leave(on_duck), on_numpy)


def takes_floats_first(component) -> bool:
    if not isinstance(component, LayerComponent):
        return False
    first, *_ = component.draw(np.random.default_rng(0)).inputs.values()
    return first.dtype.kind == "f"


@pytest.mark.parametrize("name", [name for name, c in COMPONENTS.items() if takes_floats_first(c)])
def test_bad_input_is_recognised_there_too(name):
    """The checks of an argument must not need NumPy arrays either."""
    component = COMPONENTS[name]
    trial = component.draw(np.random.default_rng(0))
    first, *others = (Duck(value) for value in trial.inputs.values())
    params = {key: Duck(value) for key, value in trial.params.items()}
    layer = component.build(component.implementation("reference"))
    with pytest.raises(TypeError, match="floating-point"):
        layer.forward(params, first.astype(np.int64), *others, **on_ducks(component).mode(trial))


def test_wrong_labels_are_recognised_there_too():
    component = COMPONENTS["neural_nets.cross_entropy"]
    layer = component.build(component.implementation("reference"))
    with pytest.raises(ValueError, match=r"targets\[1\] is 9, expected a class from 0 to 2"):
        layer.forward({}, Duck(np.zeros((2, 3))), Duck(np.array([0, 9])))
    with pytest.raises(ValueError, match="all 2 targets are ignore_index"):
        layer.forward({}, Duck(np.zeros((2, 3))), Duck(np.array([-100, -100])))


# The stand-in itself: it must not be kinder than CuPy


def test_duck_is_not_turned_into_a_numpy_array():
    with pytest.raises(TypeError, match="implicit conversion"):
        np.asarray(Duck([1.0, 2.0]))


@pytest.mark.parametrize(
    "mix",
    [
        lambda duck, array: duck + array,
        lambda duck, array: array @ duck,
        lambda duck, array: np.where(duck > 0, array, duck),
        lambda duck, array: np.concatenate([duck, array]),
        lambda duck, array: duck[array > 0],
    ],
)
def test_duck_does_not_mix_with_numpy_arrays(mix):
    with pytest.raises(TypeError, match="NumPy array"):
        mix(Duck(np.ones(3)), np.ones(3))


def test_duck_comes_back_from_functions_operators_and_reductions():
    duck = Duck(np.arange(6.0).reshape(2, 3))
    results = [duck * 2, np.exp(duck), duck.sum(), np.zeros_like(duck), np.arange(3, like=duck)]
    assert all(isinstance(result, Duck) for result in results)


def test_a_result_that_left_is_noticed():
    with pytest.raises(TypeError, match="left the other library"):
        leave(np.zeros(3))
