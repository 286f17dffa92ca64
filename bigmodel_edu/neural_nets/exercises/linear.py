"""Exercises: one neuron, and a linear layer backwards."""

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array

from ..reference import Linear, sigmoid

# --- one neuron ------------------------------------------------------------------------------


def neuron(x: Array, w: Array, b: float) -> float:
    """Return σ(w · x + b)."""
    return sigmoid(w @ x + b)


NEURON = Exercise(
    name="neural_nets.neuron",
    title="One neuron",
    points=1,
    stars=1,
    reference=neuron,
    cases=lambda rng: [
        Case((np.array([2.0, 3.0]), np.array([0.5, 0.5]), 0.0), note="the numbers of the text"),
        *(Case((rng.normal(size=n), rng.normal(size=n), rng.normal())) for n in (1, 5, 7)),
    ],
    mistakes=(
        Mistake(
            lambda x, w, b: w @ x + b,
            "You returned z, the weighted sum; the neuron's output is σ(z).",
        ),
        Mistake(lambda x, w, b: sigmoid(w @ x), "The bias b is missing from the weighted sum."),
        Mistake(
            lambda x, w, b: 1 / (1 + np.exp(w @ x + b)),
            "You computed 1 / (1 + e^z), which falls as z grows; the sigmoid has e^(-z).",
        ),
        Mistake(
            lambda x, w, b: sigmoid(w * x + b),
            "You multiplied element by element and did not add up: w · x is one number, w @ x.",
        ),
        Mistake(
            lambda x, w, b: sigmoid((w * x).mean() + b),
            "You took the mean of the products; a neuron adds them up.",
        ),
        Mistake(lambda x, w, b: sigmoid(w @ x - b), "You took the bias off; it is added."),
    ),
    hints=(
        "First the weighted sum z: multiply each input by its weight, add up, add the bias.",
        "`w @ x` is the sum of the products. σ(z) = 1 / (1 + e^(-z)), and np.exp is e^….",
        "return 1 / (1 + np.exp(-(w @ x + b)))",
    ),
)

# --- a linear layer, backwards -----------------------------------------------------------------


def linear_backward(x: Array, weight: Array, dy: Array) -> tuple[Array, Array, Array]:
    """Return the gradients of a linear layer with respect to x, weight and bias."""
    (dx,), grads = Linear(*weight.shape[::-1]).backward({"weight": weight}, x, dy)
    return dx, grads["weight"], grads["bias"]


def _linear_cases(rng: np.random.Generator) -> list[Case]:
    first, one, square = (
        Case((rng.normal(size=(n, d)), rng.normal(size=(h, d)), rng.normal(size=(n, h))))
        for n, d, h in ((5, 7, 3), (1, 2, 5), (11, 3, 3))
    )
    return [first, first.in_batch_of(2, 0, 2), one, one.in_batch_of(3, 0, 2), square]


LINEAR_BACKWARD = Exercise(
    name="neural_nets.linear_backward",
    title="A linear layer, backwards",
    points=2,
    stars=2,
    parts=("dx", "dweight", "dbias"),
    reference=linear_backward,
    cases=_linear_cases,
    mistakes=(
        Mistake(
            lambda x, weight, dy: (dy @ weight, dy.T @ x, dy),
            "The bias is added to every row, so its gradient is the sum of dy over the batch; "
            "you returned dy itself.",
        ),
        Mistake(
            lambda x, weight, dy: (dy @ weight, dy.T @ x / len(x), dy.mean(axis=0)),
            "You averaged over the batch. The mean, where there is one, belongs to the loss and is "
            "in dy already; a layer adds up.",
        ),
        Mistake(
            lambda x, weight, dy: (dy @ weight, dy.T @ x, dy.mean(axis=0)),
            "You averaged the bias gradient over the batch. The bias acts on every row, and what "
            "acts in several ways has the sum of their gradients.",
        ),
        Mistake(
            lambda x, weight, dy: (dy @ weight, dy.T @ x / len(x), dy.sum(axis=0)),
            "You averaged the weight gradient over the batch. The mean, where there is one, "
            "belongs to the loss and is in dy already; a layer adds up.",
        ),
        Mistake(
            lambda x, weight, dy: (dy @ weight, x.T @ dy, dy.sum(axis=0)),
            "Your weight gradient is transposed: it must have the shape of weight, (H, D), "
            "so it is dyᵀ x.",
        ),
        Mistake(
            lambda x, weight, dy: (dy @ weight.T, dy.T @ x, dy.sum(axis=0)),
            "dx must have the shape of x, (N, D): dy (N, H) times weight (H, D), not transposed.",
        ),
        Mistake(
            lambda x, weight, dy: (dy @ weight, dy.T @ x, dy.sum()),
            "You summed the bias gradient over everything; there is one number per output.",
        ),
        Mistake(
            lambda x, weight, dy: (dy @ weight, dy.T @ x, dy.sum(axis=1)),
            "You summed the bias gradient over the outputs (axis 1); each output has a bias of its "
            "own, and it is the batch that is summed over, axis 0.",
        ),
    ),
    hints=(
        "Let the shapes guide you: dx is (N, D), dweight (H, D), dbias (H,), and you have "
        "x (N, D), weight (H, D), dy (N, H).",
        "y_nh = Σ_d x_nd w_hd + b_h. Differentiate by one x_nd: which y hold it, and with what "
        "factor?",
        "dx = dy @ weight; dweight = dy.T @ x; dbias = dy.sum(axis=0)",
    ),
)
