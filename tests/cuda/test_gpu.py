"""What only a real GPU shows: streams, sizes beyond 32 bits, the same bits in every run."""

import numpy as np
import pytest

from bigmodel_edu.neural_nets import reference
from bigmodel_edu.parity import TOLERANCE, error_of, no_gpu

pytestmark = pytest.mark.gpu


@pytest.fixture
def cp():
    if reason := no_gpu():
        pytest.skip(reason)
    return pytest.importorskip("cupy")


@pytest.fixture
def twin(cp):
    from bigmodel_edu.neural_nets import cupy_impl

    return cupy_impl


def test_kernels_run_on_the_current_stream(cp, twin):
    z = np.random.default_rng(0).normal(size=(4099, 1009))
    with cp.cuda.Stream(non_blocking=True) as stream:
        p, _ = twin.Softmax().forward({}, cp.asarray(z))
        on_cpu = cp.asnumpy(p, stream=stream)
        stream.synchronize()
    assert error_of(on_cpu, reference.softmax(z)) < TOLERANCE["float64"]


def test_there_may_be_more_rows_than_a_grid_has_in_its_other_directions(cp, twin):
    z = np.random.default_rng(0).normal(size=(70_001, 3))
    p, _ = twin.Softmax().forward({}, cp.asarray(z))
    assert error_of(cp.asnumpy(p), reference.softmax(z)) < TOLERANCE["float64"]


def test_indices_have_64_bits(cp, twin):
    n = 2**31 + 129
    needed, free = 3 * 4 * n, cp.cuda.runtime.memGetInfo()[0]
    if free < needed:
        pytest.skip(f"needs {needed / 1e9:.0f} GB of free GPU memory, has {free / 1e9:.0f} GB")
    y, _ = twin.ReLU().forward({}, cp.ones(n, dtype=cp.float32))
    assert int((y == 1).sum()) == n


def test_sums_have_the_same_bits_in_every_run(cp, twin):
    rng = np.random.default_rng(0)
    layer = twin.LayerNorm(1009)
    params = {name: cp.asarray(value) for name, value in layer.init(rng).items()}
    x, dy = (cp.asarray(rng.normal(size=(4099, 1009)).astype(np.float32)) for _ in range(2))
    params = {name: value.astype(cp.float32) for name, value in params.items()}

    def gradients():
        _, cache = layer.forward(params, x)
        (dx,), grads = layer.backward(params, cache, dy)
        return [cp.asnumpy(array).tobytes() for array in (dx, grads["weight"], grads["bias"])]

    assert gradients() == gradients()


def test_the_right_sentence_meets_an_array_left_on_the_cpu(twin):
    with pytest.raises(TypeError, match=r"expected arrays on the GPU.*cupy\.asarray"):
        twin.Sigmoid().forward({}, np.ones(3))
