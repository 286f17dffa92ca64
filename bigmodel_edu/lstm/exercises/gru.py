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


def _gru_variant(order: str = "rzn", reset: str = "after", keep: str = "z", candidate=np.tanh):
    """Return a GRU step with something changed."""

    def step(x, h, W_x, W_h, b_x, b_h):
        from_x = dict(zip(order, np.split(x @ W_x.T + b_x, 3, axis=-1), strict=True))
        from_h = dict(zip(order, np.split(h @ W_h.T + b_h, 3, axis=-1), strict=True))
        r, z = (sigmoid(from_x[gate] + from_h[gate]) for gate in "rz")
        place = order.index("n")
        W_hn, b_hn = np.split(W_h, 3)[place], np.split(b_h, 3)[place]
        recurrent = {
            "after": r * from_h["n"],
            "before": (r * h) @ W_hn.T + b_hn,
            "without bias": r * (h @ W_hn.T) + b_hn,
            "none": from_h["n"],
        }[reset]
        n = candidate(from_x["n"] + recurrent)
        return (1 - z) * n + z * h if keep == "z" else z * n + (1 - z) * h

    return step


def _reset_around_everything(x, h, W_x, W_h, b_x, b_h):
    x_r, x_z, x_n = np.split(x @ W_x.T + b_x, 3, axis=-1)
    h_r, h_z, h_n = np.split(h @ W_h.T + b_h, 3, axis=-1)
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
            _gru_variant(reset="before"),
            "You reset the state before the matrix product, (r ⊙ h) W_hn, as the paper has it; "
            "here it is after it: r ⊙ (h W_hnᵀ + b_hn).",
        ),
        Mistake(
            _gru_variant(reset="without bias"),
            "The bias b_hn stands inside the parenthesis that r multiplies: r ⊙ (h W_hnᵀ + b_hn). "
            "That is why the two biases are kept apart.",
        ),
        Mistake(
            _gru_variant(reset="none"),
            "The reset gate is missing from the candidate: r ⊙ (h W_hnᵀ + b_hn).",
        ),
        Mistake(
            _reset_around_everything,
            "r multiplies the input's part too. It resets what comes from the old state and "
            "nothing else: n = tanh(x_n + r ⊙ h_n).",
        ),
        Mistake(
            _gru_variant(keep="1 - z"),
            "You swapped old and new: z is the share of the old state, h' = (1 - z) ⊙ n + z ⊙ h.",
        ),
        Mistake(
            _gru_variant(order="zrn"),
            "You swapped the reset and the update gate: the order is r, z, n.",
        ),
        Mistake(
            _gru_variant(candidate=sigmoid),
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
