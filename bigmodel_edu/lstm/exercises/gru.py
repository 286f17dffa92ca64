"""An exercise: the reset gate of a GRU."""

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array
from bigmodel_edu.neural_nets.reference import sigmoid

from ..reference import GRUCell


def gru_step(x: Array, h: Array, W_x: Array, W_h: Array, b_x: Array, b_h: Array) -> Array:
    """Return the new state of a GRU whose stacked gates stand in the order r, z, n."""
    params = {"weight_ih": W_x, "weight_hh": W_h, "bias_ih": b_x, "bias_hh": b_h}
    h_new, _ = GRUCell(W_x.shape[1], W_h.shape[1]).forward(params, x, h)
    return h_new


def _three_parts(x, W, b):
    return np.split(x @ W.T + b, 3, axis=-1)


def _reset_before_the_product(x, h, W_x, W_h, b_x, b_h):
    (x_r, x_z, x_n), (h_r, h_z, _) = _three_parts(x, W_x, b_x), _three_parts(h, W_h, b_h)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    W_hn, b_hn = np.split(W_h, 3)[2], np.split(b_h, 3)[2]
    return (1 - z) * np.tanh(x_n + (r * h) @ W_hn.T + b_hn) + z * h


def _bias_outside_the_reset(x, h, W_x, W_h, b_x, b_h):
    (x_r, x_z, x_n), (h_r, h_z, _) = _three_parts(x, W_x, b_x), _three_parts(h, W_h, b_h)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    W_hn, b_hn = np.split(W_h, 3)[2], np.split(b_h, 3)[2]
    return (1 - z) * np.tanh(x_n + r * (h @ W_hn.T) + b_hn) + z * h


def _without_reset(x, h, W_x, W_h, b_x, b_h):
    (_, x_z, x_n), (_, h_z, h_n) = _three_parts(x, W_x, b_x), _three_parts(h, W_h, b_h)
    z = sigmoid(x_z + h_z)
    return (1 - z) * np.tanh(x_n + h_n) + z * h


def _old_and_new_exchanged(x, h, W_x, W_h, b_x, b_h):
    (x_r, x_z, x_n), (h_r, h_z, h_n) = _three_parts(x, W_x, b_x), _three_parts(h, W_h, b_h)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    return z * np.tanh(x_n + r * h_n) + (1 - z) * h


def _gates_exchanged(x, h, W_x, W_h, b_x, b_h):
    (x_z, x_r, x_n), (h_z, h_r, h_n) = _three_parts(x, W_x, b_x), _three_parts(h, W_h, b_h)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    return (1 - z) * np.tanh(x_n + r * h_n) + z * h


def _candidate_by_a_sigmoid(x, h, W_x, W_h, b_x, b_h):
    (x_r, x_z, x_n), (h_r, h_z, h_n) = _three_parts(x, W_x, b_x), _three_parts(h, W_h, b_h)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    return (1 - z) * sigmoid(x_n + r * h_n) + z * h


def _reset_around_everything(x, h, W_x, W_h, b_x, b_h):
    (x_r, x_z, x_n), (h_r, h_z, h_n) = _three_parts(x, W_x, b_x), _three_parts(h, W_h, b_h)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    return (1 - z) * np.tanh(r * (x_n + h_n)) + z * h


GRU_STEP = Exercise(
    name="lstm.gru_step",
    title="The reset gate of a GRU",
    points=2,
    stars=2,
    reference=gru_step,
    cases=lambda rng: [
        Case(
            (
                rng.normal(size=(n, d)),
                rng.normal(size=(n, h)),
                rng.normal(size=(3 * h, d)),
                rng.normal(size=(3 * h, h)),
                *rng.normal(size=(2, 3 * h)),
            )
        )
        for n, d, h in ((5, 7, 3), (1, 2, 5), (11, 3, 2))
    ],
    mistakes=(
        Mistake(
            _reset_before_the_product,
            "You reset the state before the matrix product, (r ⊙ h) W_hn, as the paper has it; "
            "here it is after it: r ⊙ (h W_hnᵀ + b_hn).",
        ),
        Mistake(
            _bias_outside_the_reset,
            "The bias b_hn stands inside the parenthesis that r multiplies: r ⊙ (h W_hnᵀ + b_hn). "
            "That is why the two biases are kept apart.",
        ),
        Mistake(
            _without_reset,
            "The reset gate is missing from the candidate: r ⊙ (h W_hnᵀ + b_hn).",
        ),
        Mistake(
            _reset_around_everything,
            "r multiplies the input's part too. It resets what comes from the old state and "
            "nothing else: n = tanh(x_n + r ⊙ h_n).",
        ),
        Mistake(
            _old_and_new_exchanged,
            "You swapped old and new: z is the share of the old state, h' = (1 - z) ⊙ n + z ⊙ h.",
        ),
        Mistake(
            _gates_exchanged,
            "You swapped the reset and the update gate: the order is r, z, n.",
        ),
        Mistake(
            _candidate_by_a_sigmoid,
            "The candidate n is a tanh, not a sigmoid: it is content, not a share.",
        ),
    ),
    hints=(
        "Compute the two products x W_xᵀ + b_x and h W_hᵀ + b_h separately and cut each in three.",
        "r and z are sigmoids of the sums of the first and of the second parts; in the candidate "
        "r multiplies the third part of the state's product, bias included.",
        "n = np.tanh(x_n + r * h_n); return (1 - z) * n + z * h",
    ),
)
