"""Exercises: one step of a recurrent network, forwards and backwards."""

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array
from bigmodel_edu.neural_nets.reference import sigmoid

from ..reference import RNNCell

# --- one step of a recurrent network -------------------------------------------------------------


def rnn_step(x: Array, h: Array, W_x: Array, W_h: Array, b: Array) -> Array:
    """Return tanh(x W_xᵀ + h W_hᵀ + b), shape (B, H)."""
    params = {"weight_ih": W_x, "weight_hh": W_h, "bias_ih": b, "bias_hh": np.zeros_like(b)}
    h_new, _ = RNNCell(W_x.shape[1], len(b)).forward(params, x, h)
    return h_new


def _rnn_cases(rng: np.random.Generator) -> list[Case]:
    return [
        Case(
            (
                rng.normal(size=(n, d)),
                rng.normal(size=(n, h)),
                rng.normal(size=(h, d)),
                rng.normal(size=(h, h)),
                rng.normal(size=h),
            )
        )
        for n, d, h in ((5, 7, 3), (1, 2, 5), (11, 3, 2))
    ]


RNN_STEP = Exercise(
    name="lstm.rnn_step",
    title="One step of a recurrent network",
    points=1,
    stars=1,
    reference=rnn_step,
    cases=_rnn_cases,
    mistakes=(
        Mistake(
            lambda x, h, W_x, W_h, b: x @ W_x.T + h @ W_h.T + b,
            "You returned what is inside the tanh; the state is the tanh of it.",
        ),
        Mistake(
            lambda x, h, W_x, W_h, b: np.tanh(x @ W_x.T + h @ W_h + b),
            "W_h is not transposed in your product. It is square, so NumPy does not complain, but "
            "row i of W_h belongs to unit i of the new state: h @ W_h.T.",
        ),
        Mistake(
            lambda x, h, W_x, W_h, b: np.tanh(x @ W_x.T + b),
            "The old state h is missing: without it nothing is remembered.",
        ),
        Mistake(
            lambda x, h, W_x, W_h, b: np.tanh(x @ W_x.T + h @ W_h.T),
            "The bias b is missing.",
        ),
        Mistake(
            lambda x, h, W_x, W_h, b: sigmoid(x @ W_x.T + h @ W_h.T + b),
            "You took the sigmoid; the state of this network is a tanh, so that it can be "
            "negative too.",
        ),
        Mistake(
            lambda x, h, W_x, W_h, b: np.tanh(x @ W_x.T + b) + h @ W_h.T,
            "The old state belongs inside the tanh, added to the input's part.",
        ),
    ),
    hints=(
        "It is chapter 1's linear layer twice, once for x and once for h, with one tanh around.",
        "An example is a row, so the weights are transposed: x @ W_x.T has shape (B, H).",
        "return np.tanh(x @ W_x.T + h @ W_h.T + b)",
    ),
)

# --- one step backwards --------------------------------------------------------------------------


def rnn_step_backward(
    x: Array, h: Array, h_new: Array, W_x: Array, W_h: Array, dh_new: Array
) -> tuple[Array, Array, Array, Array, Array]:
    """Return the gradients of x, h, W_x, W_h and b, the last three summed over the batch."""
    dz = dh_new * (1 - h_new**2)
    return dz @ W_x, dz @ W_h, dz.T @ x, dz.T @ h, dz.sum(axis=0)


def _rnn_backward_cases(rng: np.random.Generator) -> list[Case]:
    def case(x: Array, h: Array, W_x: Array, W_h: Array, b: Array) -> Case:
        h_new = rnn_step(x, h, W_x, W_h, b)
        return Case((x, h, h_new, W_x, W_h, rng.normal(size=h.shape)))

    return [case(*drawn.args) for drawn in _rnn_cases(rng)]


def _with_dh_new_added(x, h, h_new, W_x, W_h, dh_new):
    dx, dh, dW_x, dW_h, db = rnn_step_backward(x, h, h_new, W_x, W_h, dh_new)
    return dx, dh + dh_new, dW_x, dW_h, db


RNN_STEP_BACKWARD = Exercise(
    name="lstm.rnn_step_backward",
    title="One step backwards in time",
    points=2,
    stars=2,
    parts=("dx", "dh", "dW_x", "dW_h", "db"),
    reference=rnn_step_backward,
    cases=_rnn_backward_cases,
    mistakes=(
        Mistake(
            lambda x, h, h_new, W_x, W_h, dh_new: rnn_step_backward(
                x, h, np.zeros_like(h_new), W_x, W_h, dh_new
            ),
            "The slope of the tanh is missing: dz = dh_new ⊙ (1 - h_new²).",
        ),
        Mistake(
            lambda x, h, h_new, W_x, W_h, dh_new: rnn_step_backward(x, h, h, W_x, W_h, dh_new),
            "The slope is that of this step's output: 1 - h_new², not 1 - h².",
        ),
        Mistake(
            lambda x, h, h_new, W_x, W_h, dh_new: rnn_step_backward(
                x, h, np.tanh(h_new), W_x, W_h, dh_new
            ),
            "h_new is a tanh already; its slope is 1 - h_new², with no further tanh.",
        ),
        Mistake(
            lambda x, h, h_new, W_x, W_h, dh_new: rnn_step_backward(
                x, h_new, h_new, W_x, W_h, dh_new
            ),
            "W_h was multiplied by the state before the step, so dW_h = dzᵀ h, not dzᵀ h_new.",
        ),
        Mistake(
            lambda x, h, h_new, W_x, W_h, dh_new: rnn_step_backward(
                x, h, h_new, W_x, W_h.T, dh_new
            ),
            "dh = dz @ W_h, without a transpose: forwards it was h @ W_h.T.",
        ),
        Mistake(
            lambda x, h, h_new, W_x, W_h, dh_new: (
                *rnn_step_backward(x, h, h_new, W_x, W_h, dh_new)[:4],
                (dh_new * (1 - h_new**2)).mean(axis=0),
            ),
            "You averaged db over the batch. The bias acts on every row: its gradient is the sum.",
        ),
        Mistake(
            _with_dh_new_added,
            "You added dh_new to dh. The old state is used once in this step, inside the tanh, so "
            "that dz @ W_h is all that goes back to it.",
        ),
    ),
    hints=(
        "First the gradient dz at what is inside the tanh; everything else follows from it as in "
        "the linear layer of chapter 1.",
        "tanh' = 1 - tanh², and the tanh is at hand: it is h_new.",
        "dz = dh_new * (1 - h_new**2); then dz @ W_x, dz @ W_h, dz.T @ x, dz.T @ h and "
        "dz.sum(axis=0).",
    ),
)
