import itertools

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bigmodel_edu.neural_nets.autograd import Variable, topological_order
from bigmodel_edu.neural_nets.reference import CrossEntropy, mlp

SHAPES = ((), (3,), (1,), (2, 1), (1, 3), (2, 3))  # each broadcasts against each other


def close(value, expected, tolerance=1e-12):
    """Equal to within rounding of the largest number among them."""
    expected = np.asarray(expected)
    scale = max(1.0, np.abs(expected).max(initial=0))
    np.testing.assert_allclose(value, expected, rtol=0, atol=tolerance * scale, strict=True)


# Against PyTorch: random expressions, with whatever shapes broadcasting allows

OPERATIONS = {
    "add": lambda a, b, _: a + b,
    "subtract": lambda a, b, _: a - b,
    "multiply": lambda a, b, _: a * b,
    "negate": lambda a, b, _: -a,
    "add a number": lambda a, b, _: 2.5 + a,
    "subtract from a number": lambda a, b, _: 2.5 - a,
    "multiply by a number": lambda a, b, _: a * -0.5,
    "relu": lambda a, b, _: a.relu(),
    "exp": lambda a, b, _: (a * 0.2).exp(),
    "log": lambda a, b, _: (a * a + 1).log(),
    "sum": lambda a, b, _: a.sum(),
    "sum along": lambda a, b, _: total(a, axis=-1) if np.ndim(value_of(a)) else a,
    "matrix product": lambda a, b, leaves: (a + leaves[0]) @ leaves[1] + b,
}


def value_of(x):
    return x.value if isinstance(x, Variable) else x.detach().numpy()


def total(x, axis):
    return x.sum(axis=axis) if isinstance(x, Variable) else x.sum(dim=axis, keepdim=True)


@st.composite
def programs(draw):
    """Shapes of the leaves, and steps: an operation on two values computed earlier."""
    shapes = [(2, 3), (3, 3), *draw(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=4))]
    steps = []
    for i in range(draw(st.integers(1, 10))):
        earlier = st.integers(2, len(shapes) + i - 1)  # not the leaves of the matrix product
        steps.append((draw(st.sampled_from(list(OPERATIONS))), draw(earlier), draw(earlier)))
    return shapes, steps, draw(st.integers(0, 10**6))


def run(steps, leaves):
    values = list(leaves)
    for operation, i, j in steps:
        values.append(OPERATIONS[operation](values[i], values[j], leaves))
    return values


@settings(deadline=None, max_examples=200)
@given(programs())
def test_random_expressions_have_the_gradients_of_pytorch(program):
    shapes, steps, seed = program
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=shape) for shape in shapes]
    ours = run(steps, [Variable(array) for array in arrays])
    assume(max(np.abs(value_of(value)).max() for value in ours) < 1e3)
    theirs = run(steps, [torch.tensor(array, requires_grad=True) for array in arrays])
    for value in theirs:
        value.retain_grad()
    ours[-1].backward()
    theirs[-1].sum().backward()
    for mine, other in zip(ours, theirs, strict=True):
        close(mine.value, other.detach().numpy())
        close(mine.grad, np.zeros(mine.value.shape) if other.grad is None else other.grad.numpy())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("other", SHAPES)
@pytest.mark.parametrize("operation", ["add", "subtract", "multiply"])
def test_every_pair_of_shapes(shape, other, operation):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape), rng.normal(size=other)]
    upstream = rng.normal(size=np.broadcast_shapes(shape, other))
    ours = [Variable(array) for array in arrays]
    theirs = [torch.tensor(array, requires_grad=True) for array in arrays]
    (OPERATIONS[operation](*ours, None) * Variable(upstream)).backward()
    (OPERATIONS[operation](*theirs, None) * torch.tensor(upstream)).sum().backward()
    for mine, tensor in zip(ours, theirs, strict=True):
        close(mine.grad, tensor.grad.numpy())


def test_arrays_and_numbers_may_stand_on_either_side():
    a, w = np.array([[1.0, 2.0, 3.0]]), np.array([[1.0], [-1.0], [2.0]])
    v = Variable(a)
    for result, value, gradient in (
        (a + v, 2 * a, np.ones((1, 3))),
        (v - a, 0 * a, np.ones((1, 3))),
        (a - v, 0 * a, -np.ones((1, 3))),
        (1 - v, 1 - a, -np.ones((1, 3))),
        (a * v, a * a, a),
        (v @ w, a @ w, w.T),
        (w @ v, w @ a, np.full((1, 3), 2.0)),
    ):
        assert isinstance(result, Variable)
        v.grad = np.zeros((1, 3))
        result.backward()
        close(result.value, value)
        close(v.grad, gradient)


# By hand


def test_a_variable_used_twice():
    x = Variable(3.0)
    (x * x).backward()
    assert x.grad == 6


def test_a_diamond():
    """a → b = 2a, c = a², d = b c = 2a³, so ∂d/∂a = 6a²."""
    a = Variable(3.0)
    b, c = 2 * a, a * a
    d = b * c
    d.backward()
    assert (d.value, d.grad, b.grad, c.grad, a.grad) == (54, 1, 9, 6, 54)


def test_a_short_cut_does_not_run_ahead():
    """b = a² is used by d at once and by c = eᵇ⁻⁴ first: a must wait for both."""
    a = Variable(2.0)
    b = a * a
    c = (b - 4).exp()
    (b * c).backward()
    assert a.grad == pytest.approx((4 + 1) * 2 * 2)


def test_the_corner_of_the_relu():
    x = Variable([-1.0, 0.0, 2.0])
    x.relu().backward()
    np.testing.assert_array_equal(x.grad, [0, 0, 1])


def test_gradients_add_up_from_call_to_call():
    x, y = (f(3.0) for f in (Variable, lambda v: torch.tensor(v, requires_grad=True)))
    z, w = x * x * 2, y * y * 2
    for times in (1, 2, 3):
        z.backward()
        w.backward(retain_graph=True)
        assert x.grad == y.grad.item() == 12 * times


def test_two_results_share_what_they_are_computed_from():
    x = Variable(3.0)
    shared = x * x
    (shared * 2).backward()
    (shared * 5).backward()
    assert x.grad == 2 * 6 + 5 * 6


def test_backward_changes_no_values():
    x = Variable(np.ones((2, 3)))
    grad = x.grad
    (x * x).sum().backward()
    assert not grad.any()  # whoever holds the old gradient keeps it
    np.testing.assert_array_equal(x.value, np.ones((2, 3)))


def test_a_deep_chain_needs_no_recursion():
    x = Variable(1.0)
    y = x
    for _ in range(5_000):
        y = y * 1.0001
    y.backward()
    assert x.grad == pytest.approx(1.0001**5_000)


# The order


@given(st.lists(st.lists(st.integers(0, 30), max_size=3), min_size=1, max_size=15))
def test_topological_order(graph):
    """graph[i] names the parents of variable i + 1 among the variables before it."""
    variables = [Variable(0.0)]
    for parents in graph:
        chosen = [variables[i % len(variables)] for i in parents]
        variables.append(Variable(0.0, tuple((parent, lambda g: g) for parent in chosen)))
    result = variables[-1]
    order = topological_order(result)
    place = {variable: i for i, variable in enumerate(order)}
    assert len(place) == len(order)  # each once
    assert order[-1] is result
    parents = [(parent, v) for v in order for parent, _ in v.parents]
    assert set(order) == {result, *(parent for parent, _ in parents)}  # the ancestors, no others
    assert all(place[parent] < place[child] for parent, child in parents)


def test_many_paths_are_walked_once():
    """2⁵⁰ paths lead from x to the result."""
    x = Variable(1.0)
    y = x
    for _ in range(50):
        y = y + y
    y.backward()
    assert x.grad == 2.0**50


# Chapter 1's network


@pytest.mark.parametrize("sizes", [(5, 3), (5, 7, 3), (5, 7, 11, 3)])
def test_an_mlp_has_the_gradients_of_the_reference(sizes):
    rng = np.random.default_rng(0)
    n, n_classes = 13, sizes[-1]
    x, y = rng.normal(size=(n, sizes[0])), rng.integers(0, n_classes, size=n)
    model, loss = mlp(sizes), CrossEntropy()
    params = model.init(rng)
    params |= {name: rng.normal(size=p.shape) for name, p in params.items() if "bias" in name}
    logits, cache = model.forward(params, x)
    value, loss_cache = loss.forward({}, logits, y)
    (d_logits, _), _ = loss.backward({}, loss_cache, np.ones(()))
    (dx,), grads = model.backward(params, cache, d_logits)

    leaves = {name: Variable(p.T if "weight" in name else p) for name, p in params.items()}
    inputs = Variable(x)
    h = inputs
    for i, last in zip(itertools.count(0, 2), range(len(sizes) - 2, -1, -1), strict=False):
        h = h @ leaves[f"{i}.weight"] + leaves[f"{i}.bias"]
        h = h.relu() if last else h
    own = (h * np.eye(n_classes)[y]).sum(axis=1)
    result = (h.exp().sum(axis=1).log() - own).sum() * (1 / n)
    result.backward()
    close(result.value, value)
    close(inputs.grad, dx)
    for name, leaf in leaves.items():
        close(leaf.grad.T if "weight" in name else leaf.grad, grads[name])
