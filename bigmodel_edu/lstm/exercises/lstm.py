"""Exercises: one step of an LSTM, forwards and backwards."""

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array
from bigmodel_edu.neural_nets.reference import sigmoid

from ..reference import LSTMCell

# --- one step of an LSTM -------------------------------------------------------------------------


def lstm_step(
    x: Array, h: Array, c: Array, W_x: Array, W_h: Array, b: Array
) -> tuple[Array, Array]:
    """Return (h', c') of an LSTM whose stacked gates stand in the order i, f, g, o."""
    params = {"weight_ih": W_x, "weight_hh": W_h, "bias_ih": b, "bias_hh": np.zeros_like(b)}
    outputs, _ = LSTMCell(W_x.shape[1], W_h.shape[1]).forward(params, x, h, c)
    return outputs


def _four_parts(x, h, W_x, W_h, b):
    return np.split(x @ W_x.T + h @ W_h.T + b, 4, axis=-1)


def _candidate_by_a_sigmoid(x, h, c, W_x, W_h, b):
    i, f, g, o = _four_parts(x, h, W_x, W_h, b)
    c_new = sigmoid(f) * c + sigmoid(i) * sigmoid(g)
    return sigmoid(o) * np.tanh(c_new), c_new


def _gates_in_another_order(x, h, c, W_x, W_h, b):
    i, f, o, g = _four_parts(x, h, W_x, W_h, b)
    c_new = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c_new), c_new


def _forgetting_by_the_input_gate(x, h, c, W_x, W_h, b):
    f, i, g, o = _four_parts(x, h, W_x, W_h, b)
    c_new = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c_new), c_new


def _memory_shown_as_it_is(x, h, c, W_x, W_h, b):
    i, f, g, o = _four_parts(x, h, W_x, W_h, b)
    c_new = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * c_new, c_new


def _memory_shown_by_a_sigmoid(x, h, c, W_x, W_h, b):
    i, f, g, o = _four_parts(x, h, W_x, W_h, b)
    c_new = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * sigmoid(c_new), c_new


def _old_memory_shown(x, h, c, W_x, W_h, b):
    i, f, g, o = _four_parts(x, h, W_x, W_h, b)
    c_new = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c_new


def _keeping_as_a_gru_does(x, h, c, W_x, W_h, b):
    i, _, g, o = _four_parts(x, h, W_x, W_h, b)
    c_new = (1 - sigmoid(i)) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c_new), c_new


def _lstm_cases(rng: np.random.Generator) -> list[Case]:
    return [
        Case(
            (
                rng.normal(size=(n, d)),
                rng.normal(size=(n, h)),
                2 * rng.normal(size=(n, h)),
                rng.normal(size=(4 * h, d)),
                rng.normal(size=(4 * h, h)),
                rng.normal(size=4 * h),
            )
        )
        for n, d, h in ((5, 7, 3), (1, 2, 5), (11, 3, 2))
    ]


LSTM_STEP = Exercise(
    name="lstm.lstm_step",
    title="One step of an LSTM",
    points=2,
    stars=2,
    parts=("h_new", "c_new"),
    reference=lstm_step,
    cases=_lstm_cases,
    mistakes=(
        Mistake(
            _candidate_by_a_sigmoid,
            "Your candidate g is a sigmoid, as in the article; it is a tanh, so that it can lower "
            "the memory as well as raise it.",
        ),
        Mistake(
            _gates_in_another_order,
            "Your gates are in the order i, f, o, g; the stacked weights have i, f, g, o.",
        ),
        Mistake(
            _forgetting_by_the_input_gate,
            "You swapped the input and the forget gate: the order is i, f, g, o.",
        ),
        Mistake(
            _memory_shown_as_it_is,
            "The output shows the tanh of the memory: h' = o ⊙ tanh(c').",
        ),
        Mistake(
            _memory_shown_by_a_sigmoid,
            "The output shows the tanh of the memory, not its sigmoid: h' = o ⊙ tanh(c').",
        ),
        Mistake(
            _old_memory_shown,
            "The output shows the new memory: h' = o ⊙ tanh(c'), you took the old c.",
        ),
        Mistake(
            _keeping_as_a_gru_does,
            "You kept 1 - i of the old memory, as a GRU would. The LSTM has a forget gate of its "
            "own: f ⊙ c.",
        ),
        Mistake(
            lambda *args: lstm_step(*args)[::-1],
            "The two results are in the wrong order: return (h_new, c_new).",
        ),
    ),
    hints=(
        "All 4H pre-activations at once: z = x W_xᵀ + h W_hᵀ + b. Cut z into four parts of H "
        "columns.",
        "np.split(z, 4, axis=-1) cuts; i, f and o get a sigmoid, g a tanh.",
        "c_new = f * c + i * g; h_new = o * np.tanh(c_new)",
    ),
)

# --- an LSTM step, backwards ---------------------------------------------------------------------


def lstm_step_backward(
    gates: tuple[Array, Array, Array, Array], c: Array, c_new: Array, dh_new: Array, dc_new: Array
) -> tuple[Array, Array]:
    """Return dz (B, 4H), the gradient at the pre-activations, and dc (B, H), at the old memory."""
    i, f, g, o = gates
    shown = np.tanh(c_new)
    dc_all = dc_new + dh_new * o * (1 - shown**2)
    dz = (
        dc_all * g * i * (1 - i),
        dc_all * c * f * (1 - f),
        dc_all * i * (1 - g**2),
        dh_new * shown * o * (1 - o),
    )
    return np.concatenate(dz, axis=-1), dc_all * f


def _lstm_backward_cases(rng: np.random.Generator) -> list[Case]:
    def case(n: int, size: int) -> Case:
        z = rng.normal(size=(4, n, size))
        i, f, o = sigmoid(z[0]), sigmoid(z[1]), sigmoid(z[3])
        g, c = np.tanh(z[2]), 2 * rng.normal(size=(n, size))
        return Case(((i, f, g, o), c, f * c + i * g, *rng.normal(size=(2, n, size))))

    return [case(5, 3), case(1, 7), case(11, 2)]


def _from_the_memory_on(gates, c, dc_all, do):
    """Return dz and dc from the gradient at the new memory, right or wrong, and that of o."""
    i, f, g, o = gates
    dz = (
        dc_all * g * i * (1 - i),
        dc_all * c * f * (1 - f),
        dc_all * i * (1 - g**2),
        do * o * (1 - o),
    )
    return np.concatenate(dz, axis=-1), dc_all * f


def _nothing_through_the_output(gates, c, c_new, dh_new, dc_new):
    return _from_the_memory_on(gates, c, dc_new, dh_new * np.tanh(c_new))


def _nothing_from_the_next_step(gates, c, c_new, dh_new, dc_new):
    shown, o = np.tanh(c_new), gates[3]
    return _from_the_memory_on(gates, c, dh_new * o * (1 - shown**2), dh_new * shown)


def _without_the_slope_of_the_tanh(gates, c, c_new, dh_new, dc_new):
    return _from_the_memory_on(gates, c, dc_new + dh_new * gates[3], dh_new * np.tanh(c_new))


def _slope_of_the_memory_itself(gates, c, c_new, dh_new, dc_new):
    dc_all = dc_new + dh_new * gates[3] * (1 - c_new**2)
    return _from_the_memory_on(gates, c, dc_all, dh_new * np.tanh(c_new))


def _forget_gate_of_the_new_memory(gates, c, c_new, dh_new, dc_new):
    return lstm_step_backward(gates, c_new, c_new, dh_new, dc_new)


def _without_the_slopes_of_the_gates(gates, c, c_new, dh_new, dc_new):
    i, f, g, o = gates
    shown = np.tanh(c_new)
    dc_all = dc_new + dh_new * o * (1 - shown**2)
    dz = (dc_all * g, dc_all * c, dc_all * i, dh_new * shown)
    return np.concatenate(dz, axis=-1), dc_all * f


def _old_memory_without_the_forget_gate(gates, c, c_new, dh_new, dc_new):
    dz, _ = lstm_step_backward(gates, c, c_new, dh_new, dc_new)
    return dz, dc_new + dh_new * gates[3] * (1 - np.tanh(c_new) ** 2)


def _old_memory_from_the_next_step_alone(gates, c, c_new, dh_new, dc_new):
    dz, _ = lstm_step_backward(gates, c, c_new, dh_new, dc_new)
    return dz, dc_new * gates[1]


def _parts_in_another_order(gates, c, c_new, dh_new, dc_new):
    dz, dc = lstm_step_backward(gates, c, c_new, dh_new, dc_new)
    di, df, dg, do = np.split(dz, 4, axis=-1)
    return np.concatenate((di, df, do, dg), axis=-1), dc


def _candidate_as_a_sigmoid(gates, c, c_new, dh_new, dc_new):
    g = gates[2]
    dz, dc = lstm_step_backward(gates, c, c_new, dh_new, dc_new)
    di, df, dg, do = np.split(dz, 4, axis=-1)
    dg = dg / (1 - g**2) * g * (1 - g)
    return np.concatenate([di, df, dg, do], axis=-1), dc


LSTM_STEP_BACKWARD = Exercise(
    name="lstm.lstm_step_backward",
    title="An LSTM step, backwards",
    points=3,
    stars=3,
    parts=("dz", "dc"),
    reference=lstm_step_backward,
    cases=_lstm_backward_cases,
    mistakes=(
        Mistake(
            _nothing_through_the_output,
            "The memory is used twice: by the next step (dc_new) and by this step's output. You "
            "left out the second, dh_new ⊙ o ⊙ (1 - tanh² c').",
        ),
        Mistake(
            _nothing_from_the_next_step,
            "The memory is used twice: you left out dc_new, what the next step sends back.",
        ),
        Mistake(
            _without_the_slope_of_the_tanh,
            "Between the memory and the output stands a tanh; its slope 1 - tanh² c' is missing.",
        ),
        Mistake(
            _slope_of_the_memory_itself,
            "The slope of tanh(c') is 1 - tanh² c'; you took 1 - c'². Only where the tanh itself "
            "is at hand, as h' was in the plain network, is its square enough.",
        ),
        Mistake(
            _candidate_as_a_sigmoid,
            "The candidate g is a tanh, and its slope is 1 - g²; g (1 - g) is that of a sigmoid.",
        ),
        Mistake(
            _forget_gate_of_the_new_memory,
            "The forget gate was multiplied by the old memory, so df = dc ⊙ c, not dc ⊙ c'.",
        ),
        Mistake(
            _without_the_slopes_of_the_gates,
            "You stopped at the gates. dz is at the pre-activations: times i (1 - i), f (1 - f), "
            "1 - g² and o (1 - o).",
        ),
        Mistake(
            _old_memory_without_the_forget_gate,
            "What goes back to the old memory is multiplied by the forget gate: dc = dc' ⊙ f.",
        ),
        Mistake(
            _old_memory_from_the_next_step_alone,
            "What goes back to the old memory is the whole gradient at the new one, times f. You "
            "took dc_new alone, without what comes through the output.",
        ),
        Mistake(
            _parts_in_another_order,
            "The parts of dz are in the order i, f, o, g; the stacked weights have i, f, g, o.",
        ),
    ),
    hints=(
        "Begin with the whole gradient at the new memory: what the next step sends (dc_new) plus "
        "what comes through h' = o ⊙ tanh(c').",
        "Each gate's gradient is that of a product: for i ⊙ g it is dc ⊙ g at i and dc ⊙ i at g. "
        "Then times the gate's slope, s (1 - s) or 1 - g².",
        "dc_all = dc_new + dh_new * o * (1 - np.tanh(c_new)**2); dz = np.concatenate([dc_all * g "
        "* i * (1 - i), dc_all * c * f * (1 - f), dc_all * i * (1 - g**2), dh_new * "
        "np.tanh(c_new) * o * (1 - o)], axis=-1); dc = dc_all * f",
    ),
)
