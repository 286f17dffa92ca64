"""The exercises of chapter 2: their cases, and the mistakes that readers really make."""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from bigmodel_edu.data import load_cldr_names
from bigmodel_edu.labs import Case, Exercise, Mistake
from bigmodel_edu.layer import Array
from bigmodel_edu.neural_nets.reference import sigmoid, softmax

from .reference import GRUCell, LSTMCell, NGramModel, RNNCell, orthogonal_from

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

# --- a random orthogonal matrix ------------------------------------------------------------------


def orthogonal_matrix(a: Array) -> Array:
    """Return Q (m, n) of a = Q R, with the signs for which R has a positive diagonal."""
    return orthogonal_from(a)


def _with_both_signs(rng: np.random.Generator, m: int, n: int) -> Array:
    """Return a matrix (m, n) for which NumPy's R has negative and positive diagonal elements.

    Turning the sign of a column turns that of its diagonal element and of no other.
    """
    a, signs = rng.normal(size=(m, n)), np.where(rng.permutation(n) < (n + 1) // 2, -1, 1)
    return a * signs * np.sign(np.diag(np.linalg.qr(a)[1]))


def _signs_on_the_rows(a: Array) -> Array:
    q, r = np.linalg.qr(a)
    return q * np.sign(np.diag(r))[:, None]


ORTHOGONAL_MATRIX = Exercise(
    name="lstm.orthogonal_matrix",
    title="A random orthogonal matrix",
    points=2,
    stars=2,
    reference=orthogonal_matrix,
    cases=lambda rng: [
        Case((_with_both_signs(rng, m, n),)) for m, n in ((5, 5), (7, 3), (2, 2), (3, 3))
    ],
    mistakes=(
        Mistake(
            lambda a: -orthogonal_matrix(a),
            "Every sign is the wrong way round: column j of Q is multiplied by the sign of R_jj, "
            "after which R_jj is positive.",
        ),
        Mistake(
            lambda a: np.linalg.qr(a)[0],
            "The columns are right but for their signs: multiply column j of Q by the sign of R_jj "
            "(np.sign(np.diag(R))).",
        ),
        Mistake(
            _signs_on_the_rows,
            "You multiplied row j of Q by the sign of R_jj. It belongs to column j: a vector of "
            "shape (n,) is broadcast over the rows by itself.",
        ),
        Mistake(
            lambda a: a / np.linalg.norm(a, axis=0),
            "Your columns have length 1, but they are not perpendicular to each other: Qᵀ Q must "
            "be the unit matrix.",
        ),
        Mistake(
            lambda a: _polar(a),
            "This matrix has orthonormal columns too, but it is U Vᵀ of the singular value "
            "decomposition, not the Q of a = Q R.",
        ),
        Mistake(
            lambda a: orthogonal_matrix(a) * np.abs(np.diag(np.linalg.qr(a)[1])),
            "You multiplied the columns by R_jj itself; only its sign is wanted, or the columns no "
            "longer have length 1.",
        ),
    ),
    hints=(
        "`q, r = np.linalg.qr(a)` gives both; only the signs are left to do.",
        "np.diag(r) is the diagonal, np.sign its signs; multiplying by a vector of shape (n,) "
        "scales the columns.",
        "q, r = np.linalg.qr(a); return q * np.sign(np.diag(r))",
    ),
)


def _polar(a: Array) -> Array:
    u, _, vt = np.linalg.svd(a, full_matrices=False)
    return u @ vt


# --- clipping ------------------------------------------------------------------------------------


def clip_by_global_norm(gradients: list[Array], max_norm: float) -> tuple[list[Array], float]:
    """Return the gradients scaled together to a norm of at most `max_norm`, and the old norm."""
    norm = float(np.sqrt(sum((g**2).sum() for g in gradients)))
    scale = 1.0 if norm <= max_norm else max_norm / norm
    return [g * scale for g in gradients], norm


def _clip_cases(rng: np.random.Generator) -> list[Case]:
    def drawn(scale: float, *shapes: tuple[int, ...]) -> list[Array]:
        return [scale * rng.normal(size=shape) for shape in shapes]

    return [
        Case((drawn(2.0, (3, 5), (7,), (2, 3)), 1.5), note="too long"),
        Case((drawn(0.01, (4, 3), (5,)), 1.0), note="short enough"),
        Case(([np.zeros((2, 3)), np.zeros(4)], 1.0), note="all zeros"),
        Case((drawn(30.0, (11,), (1, 1)), 5.0), note="far too long"),
    ]


def _clip_each(gradients: list[Array], max_norm: float) -> tuple[list[Array], float]:
    clipped = [clip_by_global_norm([g], max_norm)[0][0] for g in gradients]
    return clipped, clip_by_global_norm(gradients, max_norm)[1]


def _clip_always(gradients: list[Array], max_norm: float) -> tuple[list[Array], float]:
    norm = clip_by_global_norm(gradients, max_norm)[1]
    return [g * (max_norm / max(norm, 1e-300)) for g in gradients], norm


def _clip_always_and_divide_by_zero(
    gradients: list[Array], max_norm: float
) -> tuple[list[Array], float]:
    norm = np.sqrt(sum((g**2).sum() for g in gradients))
    with np.errstate(all="ignore"):
        return [g * (max_norm / norm) for g in gradients], float(norm)


def _clip_without_the_root(gradients: list[Array], max_norm: float) -> tuple[list[Array], float]:
    norm = float(sum((g**2).sum() for g in gradients))
    scale = 1.0 if norm <= max_norm else max_norm / norm
    return [g * scale for g in gradients], norm


_ONLY_SHORTENS = "You scaled short gradients up. Clipping only shortens: the factor is at most 1."

CLIP_BY_GLOBAL_NORM = Exercise(
    name="lstm.clip_by_global_norm",
    title="Clipping by the global norm",
    points=2,
    stars=2,
    parts=("the clipped gradients", "the norm"),
    reference=clip_by_global_norm,
    cases=_clip_cases,
    tolerance=1e-5,  # PyTorch adds 10⁻⁶ to the norm it divides by; that is no mistake
    mistakes=(
        Mistake(
            _clip_each,
            "You clipped each array by its own norm, which changes the direction of the whole "
            "gradient. Compute one norm over all arrays, and scale all by the same number.",
        ),
        Mistake(_clip_always, _ONLY_SHORTENS),
        Mistake(_clip_always_and_divide_by_zero, _ONLY_SHORTENS),
        Mistake(
            _clip_without_the_root,
            "Your norm is the sum of the squares; the norm is its root.",
        ),
        Mistake(
            lambda gradients, max_norm: (
                [np.clip(g, -max_norm, max_norm) for g in gradients],
                clip_by_global_norm(gradients, max_norm)[1],
            ),
            "You clipped every element by itself, which changes the direction of the gradient.",
        ),
        Mistake(
            lambda gradients, max_norm: (
                clip_by_global_norm(gradients, max_norm)[0],
                sum(float(np.sqrt((g**2).sum())) for g in gradients),
            ),
            "The norm of all arrays together is not the sum of their norms: add up the squares of "
            "all elements, then take one root.",
        ),
        Mistake(
            lambda gradients, max_norm: (
                clip_by_global_norm(gradients, max_norm)[0],
                min(clip_by_global_norm(gradients, max_norm)[1], max_norm),
            ),
            "Return the norm from before the clipping: it is what one watches during training.",
        ),
        Mistake(
            lambda gradients, max_norm: (
                clip_by_global_norm(gradients, max_norm)[0],
                clip_by_global_norm(gradients, max_norm)[1] ** 2,
            ),
            "You returned the sum of the squares; the norm is its root.",
        ),
    ),
    hints=(
        "One norm for everything: the root of the sum of the squares of all elements of all "
        "arrays.",
        "If the norm is larger than max_norm, multiply every array by max_norm / norm.",
        "norm = np.sqrt(sum((g**2).sum() for g in gradients)); "
        "scale = 1.0 if norm <= max_norm else max_norm / norm",
    ),
)

# --- one step of an LSTM -------------------------------------------------------------------------


def lstm_step(
    x: Array, h: Array, c: Array, W_x: Array, W_h: Array, b: Array
) -> tuple[Array, Array]:
    """Return (h', c') of an LSTM whose stacked gates stand in the order i, f, g, o."""
    params = {"weight_ih": W_x, "weight_hh": W_h, "bias_ih": b, "bias_hh": np.zeros_like(b)}
    outputs, _ = LSTMCell(W_x.shape[1], W_h.shape[1]).forward(params, x, h, c)
    return outputs


def _lstm_variant(
    order: str = "ifgo",
    candidate=np.tanh,
    shown=np.tanh,
    keep=lambda f, i: f,
    output_of: str = "new",
):
    """Return an LSTM step with something changed."""

    def step(x, h, c, W_x, W_h, b):
        z = dict(zip(order, np.split(x @ W_x.T + h @ W_h.T + b, 4, axis=-1), strict=True))
        i, f, o = (sigmoid(z[gate]) for gate in "ifo")
        c_new = keep(f, i) * c + i * candidate(z["g"])
        return o * shown(c_new if output_of == "new" else c), c_new

    return step


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
            _lstm_variant(candidate=sigmoid),
            "Your candidate g is a sigmoid, as in the article; it is a tanh, so that it can lower "
            "the memory as well as raise it.",
        ),
        Mistake(
            _lstm_variant(order="ifog"),
            "Your gates are in the order i, f, o, g; the stacked weights have i, f, g, o.",
        ),
        Mistake(
            _lstm_variant(order="figo"),
            "You swapped the input and the forget gate: the order is i, f, g, o.",
        ),
        Mistake(
            _lstm_variant(shown=lambda c: c),
            "The output shows the tanh of the memory: h' = o ⊙ tanh(c').",
        ),
        Mistake(
            _lstm_variant(shown=sigmoid),
            "The output shows the tanh of the memory, not its sigmoid: h' = o ⊙ tanh(c').",
        ),
        Mistake(
            _lstm_variant(output_of="old"),
            "The output shows the new memory: h' = o ⊙ tanh(c'), you took the old c.",
        ),
        Mistake(
            _lstm_variant(keep=lambda f, i: 1 - i),
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


def _lstm_backward_variant(
    from_h: bool = True,
    from_c: bool = True,
    slope: bool = True,
    memory: str = "old",
    gate_slopes: bool = True,
    dc_with_f: bool = True,
    dc_all_back: bool = True,
    order: tuple[int, ...] = (0, 1, 2, 3),
):
    """Return an LSTM's backward step with something left out or swapped."""

    def backward(gates, c, c_new, dh_new, dc_new):
        i, f, g, o = gates
        shown = np.tanh(c_new)
        dc_all = from_c * dc_new + from_h * dh_new * o * ((1 - shown**2) if slope else 1)
        remembered = c if memory == "old" else c_new
        slopes = (i * (1 - i), f * (1 - f), 1 - g**2, o * (1 - o)) if gate_slopes else (1,) * 4
        dz = [
            d * s
            for d, s in zip(
                (dc_all * g, dc_all * remembered, dc_all * i, dh_new * shown), slopes, strict=True
            )
        ]
        back = dc_all if dc_all_back else dc_new
        return np.concatenate([dz[k] for k in order], axis=-1), back * (f if dc_with_f else 1)

    return backward


def _slope_of_the_memory_itself(gates, c, c_new, dh_new, dc_new):
    i, f, g, o = gates
    dc_all = dc_new + dh_new * o * (1 - c_new**2)
    dz = (
        dc_all * g * i * (1 - i),
        dc_all * c * f * (1 - f),
        dc_all * i * (1 - g**2),
        dh_new * np.tanh(c_new) * o * (1 - o),
    )
    return np.concatenate(dz, axis=-1), dc_all * f


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
            _lstm_backward_variant(from_h=False),
            "The memory is used twice: by the next step (dc_new) and by this step's output. You "
            "left out the second, dh_new ⊙ o ⊙ (1 - tanh² c').",
        ),
        Mistake(
            _lstm_backward_variant(from_c=False),
            "The memory is used twice: you left out dc_new, what the next step sends back.",
        ),
        Mistake(
            _lstm_backward_variant(slope=False),
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
            _lstm_backward_variant(memory="new"),
            "The forget gate was multiplied by the old memory, so df = dc ⊙ c, not dc ⊙ c'.",
        ),
        Mistake(
            _lstm_backward_variant(gate_slopes=False),
            "You stopped at the gates. dz is at the pre-activations: times i (1 - i), f (1 - f), "
            "1 - g² and o (1 - o).",
        ),
        Mistake(
            _lstm_backward_variant(dc_with_f=False),
            "What goes back to the old memory is multiplied by the forget gate: dc = dc' ⊙ f.",
        ),
        Mistake(
            _lstm_backward_variant(dc_all_back=False),
            "What goes back to the old memory is the whole gradient at the new one, times f. You "
            "took dc_new alone, without what comes through the output.",
        ),
        Mistake(
            _lstm_backward_variant(order=(0, 1, 3, 2)),
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

# --- the reset gate of a GRU ---------------------------------------------------------------------


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

# --- padded sequences ----------------------------------------------------------------------------


def masked_mean_loss(losses: Array, lengths: Array) -> float:
    """Return the mean of losses (B, T) over the first `lengths` (B,) steps of each row."""
    is_real = np.arange(losses.shape[1]) < lengths[:, None]
    return float(losses[is_real].sum() / is_real.sum())


def _masked(losses: Array, lengths: Array, shift: int = 0) -> Array:
    return np.arange(losses.shape[1]) < lengths[:, None] + shift


_ONE_STEP_TOO_MANY = (
    "You took one step too many: steps are counted from 0, so step t is real if t < length."
)

MASKED_MEAN_LOSS = Exercise(
    name="lstm.masked_mean_loss",
    title="The loss of padded sequences",
    points=2,
    stars=2,
    reference=masked_mean_loss,
    cases=lambda rng: [
        Case((rng.gamma(2.0, size=(n, t)), np.array(lengths)), note=note)
        for n, t, lengths, note in (
            (3, 7, [7, 2, 4], "three lengths"),
            (1, 5, [1], "one real step"),
            (5, 11, [11, 3, 8, 1, 5], "five lengths"),
            (2, 3, [3, 2], "nearly no padding"),
        )
    ],
    mistakes=(
        Mistake(
            lambda losses, lengths: float(losses.mean()),
            "You averaged over the padded steps too.",
        ),
        Mistake(
            lambda losses, lengths: float(np.where(_masked(losses, lengths), losses, 0).mean()),
            "The padded losses are out of the sum, but their number still divides it: divide by "
            "the number of real steps, lengths.sum().",
        ),
        Mistake(
            lambda losses, lengths: float(
                (np.where(_masked(losses, lengths), losses, 0).sum(axis=1) / lengths).mean()
            ),
            "You averaged each sequence, then the sequences, so that a step of a short sequence "
            "weighs more. Every real step is to count the same.",
        ),
        Mistake(
            lambda losses, lengths: float(
                np.where(_masked(losses, lengths, shift=1), losses, 0).sum()
                / np.minimum(lengths + 1, losses.shape[1]).sum()
            ),
            _ONE_STEP_TOO_MANY,
        ),
        Mistake(
            lambda losses, lengths: float(
                np.where(_masked(losses, lengths, shift=1), losses, 0).sum() / lengths.sum()
            ),
            _ONE_STEP_TOO_MANY,
        ),
        Mistake(
            lambda losses, lengths: float(np.where(_masked(losses, lengths), losses, 0).sum()),
            "This is the sum over the real steps; the mean divides it by their number.",
        ),
    ),
    hints=(
        "Make an array of booleans of shape (B, T): True where a step is real.",
        "np.arange(T) < lengths[:, None] compares each step with each length.",
        "is_real = np.arange(losses.shape[1]) < lengths[:, None]; "
        "return losses[is_real].sum() / is_real.sum()",
    ),
)

# --- bits per character --------------------------------------------------------------------------


def bits_per_character(probabilities: Array) -> float:
    """Return the mean of -log₂ p over the characters that came, p (N,)."""
    return float(-np.log2(probabilities).mean())


_AS_IN_AN_ENTROPY = (
    "You weighted each surprise by its own probability, as in an entropy. Here each character that "
    "came counts once."
)

BITS_PER_CHARACTER = Exercise(
    name="lstm.bits_per_character",
    title="Bits per character",
    points=1,
    stars=1,
    reference=bits_per_character,
    cases=lambda rng: [
        Case((np.array([0.5, 0.25, 0.125]),), note="2 bits on average"),
        Case((rng.uniform(0.01, 1, size=7),)),
        Case((rng.uniform(1e-12, 1e-3, size=101),), note="improbable characters"),
    ],
    mistakes=(
        Mistake(
            lambda probabilities: float(-np.log(probabilities).mean()),
            "These are nats: you took the natural logarithm. Bits come from log₂.",
        ),
        Mistake(
            lambda probabilities: float(-np.log2(probabilities).sum()),
            "You added the bits up; per character means the mean.",
        ),
        Mistake(
            lambda probabilities: float(-np.log2(probabilities.mean())),
            "You took the logarithm of the mean; it is the mean of the logarithms.",
        ),
        Mistake(
            lambda probabilities: float(np.log2(probabilities).mean()),
            "The sign is missing: the logarithm of a probability is negative, a surprise is not.",
        ),
        Mistake(
            lambda probabilities: float(-(probabilities * np.log2(probabilities)).mean()),
            _AS_IN_AN_ENTROPY,
        ),
        Mistake(
            lambda probabilities: float(-(probabilities * np.log2(probabilities)).sum()),
            _AS_IN_AN_ENTROPY,
        ),
    ),
    hints=(
        "The surprise at one character is -log₂ of the probability that it was given.",
        "np.log2 works on the whole array; then the mean.",
        "return -np.log2(probabilities).mean()",
    ),
)

# --- a bigram model ------------------------------------------------------------------------------


def bigram_bits(train: Array, test: Array, n_characters: int, alpha: float) -> float:
    """Return the bits per character of test[1:] under bigrams counted in train, plus alpha each."""
    counts = np.full((n_characters, n_characters), float(alpha))
    np.add.at(counts, (train[:-1], train[1:]), 1)
    p = counts / counts.sum(axis=1, keepdims=True)
    return bits_per_character(p[test[:-1], test[1:]])


def _bigram_counts(train: Array, n_characters: int, start: float) -> Array:
    counts = np.full((n_characters, n_characters), start)
    np.add.at(counts, (train[:-1], train[1:]), 1)
    return counts


def _bigram_variant(axis: int | None = 1, add: bool = True, twist=lambda p, test: (p, test)):
    def bits(train, test, n_characters, alpha):
        if add:
            counts = _bigram_counts(train, n_characters, float(alpha))
        else:
            counts = np.full((n_characters, n_characters), float(alpha))
            counts[train[:-1], train[1:]] += 1
        p, read = twist(counts / counts.sum(axis=axis, keepdims=True), test)
        return bits_per_character(p[read[:-1], read[1:]])

    return bits


def _bigram_half_smoothed(train, test, n_characters, alpha):
    counts = _bigram_counts(train, n_characters, 0.0)
    p = (counts + alpha) / (counts.sum(axis=1, keepdims=True) + alpha)
    return bits_per_character(p[test[:-1], test[1:]])


def _bigram_nats(train, test, n_characters, alpha):
    return bigram_bits(train, test, n_characters, alpha) * float(np.log(2))


def _bigram_of_the_whole_text(train, test, n_characters, alpha):
    occurrences = np.bincount(train, minlength=n_characters) + alpha * n_characters
    p = _bigram_counts(train, n_characters, float(alpha)) / occurrences[:, None]
    return bits_per_character(p[test[:-1], test[1:]])


def _bigram_without_keepdims(train, test, n_characters, alpha):
    counts = _bigram_counts(train, n_characters, float(alpha))
    p = counts / counts.sum(axis=1)
    return bits_per_character(p[test[:-1], test[1:]])


def _bigram_per_character_of_test(train, test, n_characters, alpha):
    return bigram_bits(train, test, n_characters, alpha) * (len(test) - 1) / len(test)


def _bigram_cases(rng: np.random.Generator) -> list[Case]:
    def case(n_train: int, n_test: int, n_characters: int, alpha: float) -> Case:
        shares = rng.dirichlet(np.full(n_characters, 0.5))
        train, test = (rng.choice(n_characters, size=n, p=shares) for n in (n_train, n_test))
        # Every character but the ends comes before one and after one: were the ends of both texts
        # alike, it would make no difference which way the counts are normalised.
        test[0], test[-1] = shares.argmax(), shares.argmin()
        train[0], train[-1] = shares.argmax(), shares.argmin()
        # The last character of train once had no successor: let test ask what follows it.
        test[n_test // 2] = train[-1]
        return Case((train, test, n_characters, alpha))

    return [case(200, 50, 5, 1.0), case(31, 17, 7, 0.1), case(1000, 101, 11, 0.5)]


BIGRAM_BITS = Exercise(
    name="lstm.bigram_bits",
    title="A bigram model",
    points=2,
    stars=2,
    reference=bigram_bits,
    cases=_bigram_cases,
    mistakes=(
        Mistake(
            _bigram_variant(axis=0),
            "You normalised over the characters before; p(next | before) sums to one over the next "
            "ones: each row of the counts, one row per character before.",
        ),
        Mistake(
            _bigram_variant(axis=None),
            "You divided by the total: that is the probability of the pair. Given the character "
            "before, the next ones sum to one, so normalise each row.",
        ),
        Mistake(
            _bigram_variant(add=False),
            "Each pair was counted once, however often it came: `counts[a, b] += 1` keeps only one "
            "of several equal pairs. Use np.add.at.",
        ),
        Mistake(
            _bigram_half_smoothed,
            "Your probabilities do not sum to one: when alpha is added to each of the counts, the "
            "sum of a row grows by alpha times the number of characters.",
        ),
        Mistake(
            _bigram_variant(twist=lambda p, test: (p, test[::-1])),
            "You read the pairs the wrong way round: p[before, next].",
        ),
        Mistake(_bigram_nats, "These are nats; bits come from log₂."),
        Mistake(
            _bigram_of_the_whole_text,
            "You divided by how often the character before occurs in all of train. Its last "
            "character has no successor and is no pair: count over train[:-1], or take the sum "
            "of the row.",
        ),
        Mistake(
            _bigram_without_keepdims,
            "counts.sum(axis=1) has shape (V,), so that NumPy divides column j by the sum of row "
            "j. With keepdims=True it keeps the shape (V, 1), one number for each row.",
        ),
        Mistake(
            _bigram_per_character_of_test,
            "You divided by len(test). The first character is not predicted, since nothing comes "
            "before it: the mean is over len(test) - 1 pairs.",
        ),
    ),
    hints=(
        "Count the pairs of train in a matrix whose row is the character before and whose column "
        "is the next one, starting from alpha everywhere.",
        "np.add.at(counts, (train[:-1], train[1:]), 1) counts; then divide each row by its sum.",
        "p = counts / counts.sum(axis=1, keepdims=True); "
        "return -np.log2(p[test[:-1], test[1:]]).mean()",
    ),
)

# --- temperature ---------------------------------------------------------------------------------


def temperature_probabilities(logits: Array, temperature: float) -> Array:
    """Return softmax(logits / temperature) along the last axis."""
    return softmax(logits / temperature)


def _naive_temperature(logits: Array, temperature: float) -> Array:
    with np.errstate(all="ignore"):
        powers = np.exp(logits / temperature)
        return powers / powers.sum(axis=-1, keepdims=True)


def _one_maximum_for_all(logits: Array, temperature: float) -> Array:
    return _naive_temperature(logits - logits.max(), temperature)


def _one_total_for_all(logits: Array, temperature: float) -> Array:
    powers = np.exp(logits / temperature - (logits / temperature).max(axis=-1, keepdims=True))
    return powers / powers.sum()


def _total_without_keepdims(logits: Array, temperature: float) -> Array:
    powers = np.exp(logits / temperature - (logits / temperature).max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1)


def _maximum_without_keepdims(logits: Array, temperature: float) -> Array:
    with np.errstate(all="ignore"):
        powers = np.exp(logits / temperature - (logits / temperature).max(axis=-1))
        return powers / powers.sum(axis=-1)


_OVER_THE_WHOLE_ARRAY = "You normalised over the whole array, not over each row."
_LOST_AXIS = (
    "A maximum or a sum over the last axis loses that axis, and NumPy lines its numbers up with "
    "the columns. keepdims=True keeps one number for each row, in its place."
)

TEMPERATURE_PROBABILITIES = Exercise(
    name="lstm.temperature_probabilities",
    title="Sampling at a temperature",
    points=1,
    stars=1,
    reference=temperature_probabilities,
    cases=lambda rng: [
        Case((rng.normal(size=7), 0.5), note="colder"),
        Case((2 * rng.normal(size=(3, 5)), 2.0), note="hotter, three rows"),
        Case((np.array([[100.0, 99.0, -50.0]]) + rng.normal(), 0.05), note="large logits, cold"),
        Case((np.concatenate([[1200.0], rng.normal(size=2)]), 1.0), note="a huge logit"),
        Case(
            (np.array([[1500.0, 1499.0], [1.0, 0.0]]) + rng.normal(size=(2, 2)), 1.0),
            note="one row far above the other",
        ),
    ],
    mistakes=(
        Mistake(
            lambda logits, temperature: softmax(logits * temperature),
            "You multiplied by the temperature. Dividing is right: a low temperature makes the "
            "differences of the logits larger, and the choice surer.",
        ),
        Mistake(
            lambda logits, temperature: softmax(logits) / temperature,
            "You divided the probabilities; they no longer sum to one. Divide the logits, then "
            "take the softmax.",
        ),
        Mistake(
            _naive_temperature,
            "e to the power of a large number overflowed. Subtract the row's maximum first, as in "
            "chapter 1.",
        ),
        Mistake(
            _one_maximum_for_all,
            "You subtracted the maximum of the whole array. A row that lies far below it becomes "
            "all zeros, and then 0 / 0: each row needs its own.",
        ),
        Mistake(
            lambda logits, temperature: softmax((logits / temperature).ravel()).reshape(
                logits.shape
            ),
            _OVER_THE_WHOLE_ARRAY,
        ),
        Mistake(_one_total_for_all, _OVER_THE_WHOLE_ARRAY),
        Mistake(_total_without_keepdims, _LOST_AXIS),
        Mistake(_maximum_without_keepdims, _LOST_AXIS),
        Mistake(
            lambda logits, temperature: softmax(logits),
            "The temperature is not used.",
        ),
    ),
    hints=(
        "Divide the logits by the temperature, then take chapter 1's safe softmax.",
        "Subtract the maximum along the last axis (keepdims=True) before np.exp.",
        "z = logits / temperature; e = np.exp(z - z.max(axis=-1, keepdims=True)); "
        "return e / e.sum(axis=-1, keepdims=True)",
    ),
)

# --- a project: beat the n-grams -----------------------------------------------------------------

Predictor = Callable[[Array], Array]

LATIN = ("en", "de", "fr", "es", "it", "pl", "tr", "fi")
ORDERS = range(1, 7)
REQUIRED_GAIN = 0.06
"""Bits per character, below the average of n-grams of these orders.

Over forty splits the reference gained 0.13 ± 0.01, the best average of other orders 0.03 ± 0.01.
"""


@functools.lru_cache(maxsize=4)
def _names_as_text(seed: int) -> tuple[Array, Array, int]:
    """Return two texts of names, a line each, as whole numbers, and how many characters there are.

    The second is as long as the first: the longer it is, the less of a lottery are its bits.
    """
    names = load_cldr_names(LATIN, seed=seed, test_fraction=0.5, validation_fraction=0)
    train, new = ("\n".join([*names.part(part)[0], ""]) for part in ("train", "test"))
    characters, numbers = np.unique(list(train + new), return_inverse=True)
    return numbers[: len(train)], numbers[len(train) :], len(characters)


def beat_the_ngrams(train: Array, n_characters: int, seed: int) -> Predictor:
    """Return a function from a text to the probabilities of its characters but the first.

    A six-gram model and an LSTM, which decide together.
    """
    by_counting = _average_of_ngrams(train, n_characters, (6,))
    by_reading = _train_reader(train, n_characters, seed)
    return lambda text: (by_counting(text) + by_reading(text)) / 2


def _average_of_ngrams(train: Array, n_characters: int, orders: Sequence[int]) -> Predictor:
    models = [NGramModel(order, n_characters).fit(train) for order in orders]
    before = train[-max(orders) :]  # so that every model has a context for the first characters

    def probabilities(text: Array) -> Array:
        read_on = np.append(before, text)
        return np.mean([m.probabilities(read_on)[1 - len(text) :] for m in models], axis=0)

    return probabilities


def _train_reader(
    train: Array, n_characters: int, seed: int, *, epochs: int = 6, rows: int = 16, window: int = 16
) -> Predictor:
    import torch

    from .experiments.writing import streams
    from .torch_impl import LanguageModel

    inputs, targets = map(torch.from_numpy, streams(train, rows))
    starts = range(0, inputs.shape[1], window)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LanguageModel(n_characters, 32, 64, dropout=0.2)
        optimizer = torch.optim.Adam(model.parameters())
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, 2e-2, total_steps=max(epochs * len(starts), 1)
        )
        for _ in range(epochs):
            states = ()
            for start in starts:
                piece = slice(start, start + window)
                logits, *states = model(inputs[:, piece], *(s.detach() for s in states))
                loss = torch.nn.functional.cross_entropy(
                    logits.flatten(0, 1), targets[:, piece].flatten()
                )
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
    model.eval()

    def probabilities(text: Array) -> Array:
        with torch.no_grad():
            logits, *_ = model(torch.from_numpy(text)[None, :-1])
            p = logits[0].double().softmax(dim=-1).numpy()
        return p[np.arange(len(p)), text[1:]]

    return probabilities


def _plain_ngrams(train: Array, n_characters: int, seed: int) -> Predictor:
    return _average_of_ngrams(train, n_characters, ORDERS)


@functools.lru_cache(maxsize=4)
def _bits_of_ngrams(seed: int) -> float:
    train, new, n_characters = _names_as_text(seed)
    return bits_per_character(_plain_ngrams(train, n_characters, seed)(new))


def _project_cases(rng: np.random.Generator) -> list[Case]:
    seed = int(rng.integers(10_000))
    train, _, n_characters = _names_as_text(seed)
    return [Case((train, n_characters, seed), note=f"names, split with seed {seed}")]


def judge_predictor(case: Case, answer: Predictor) -> str | None:
    """Say what is wrong with the predictor of a text that it has not seen, None when it is fine."""
    if not callable(answer):
        return (
            "Return a function that takes a text and returns the probabilities of its characters "
            "but the first."
        )
    train, n_characters, seed = case.args
    new = _names_as_text(seed)[1]
    p = np.asarray(answer(new.copy()))
    if p.shape != (len(new) - 1,) or p.dtype.kind != "f":
        return (
            f"The function was given a text of {len(new)} characters and must return "
            f"{len(new) - 1} probabilities, got shape {p.shape} and dtype {p.dtype}."
        )
    if problem := _problem_of_probabilities(answer, new, p, n_characters):
        return problem
    reached, bar = bits_per_character(p), _bits_of_ngrams(seed)
    if reached <= bar - REQUIRED_GAIN:
        return None
    known = bits_per_character(np.asarray(answer(train.copy())))
    return (
        f"It needs {reached:.3f} bits per character for {len(p):,} new ones. N-grams need "
        f"{bar:.3f} there, and {REQUIRED_GAIN} less are asked for: {bar - REQUIRED_GAIN:.3f}. For "
        f"the text that it was trained on it needs {known:.3f}."
    )


def _problem_of_probabilities(
    answer: Predictor, text: Array, p: Array, n_characters: int, length: int = 24
) -> str | None:
    """Say why these are no probabilities of each character given those before it."""
    if not (p.min() > 0 and p.max() <= 1):
        return (
            f"The smallest number is {p.min():.3g}, the largest {p.max():.3g}. Probabilities are "
            "at most 1, and above 0 for whatever can come."
        )
    beginning = text[:length]
    read, again = answer(beginning.copy()), answer(beginning.copy())
    if not np.allclose(read, again, rtol=1e-3, atol=0):
        return (
            "The same text has other probabilities the second time. Is dropout still at work? "
            "model.eval() switches it off."
        )
    options = np.array([answer(np.append(beginning, k)) for k in range(n_characters)])
    if not np.allclose(options[:, :-1], options[0, :-1], rtol=1e-3, atol=0):
        return (
            "The probabilities change with a character that comes later. One that writes cannot "
            "look ahead: is the network bidirectional?"
        )
    if not np.allclose(read, p[: length - 1], rtol=1e-3, atol=0):
        return (
            f"The first {length} characters have other probabilities when the text ends there. A "
            "probability may depend only on the characters before."
        )
    total = options[:, -1].sum()
    if not np.isclose(total, 1, rtol=0, atol=1e-3):
        return (
            f"After the first {length} characters the probabilities of the {n_characters} that can "
            f"come next sum to {total:.4g}, not to 1."
        )
    return None


def _uniform(train: Array, n_characters: int, seed: int) -> Predictor:
    return lambda text: np.full(len(text) - 1, 1 / n_characters)


def _untrained_reader(train: Array, n_characters: int, seed: int) -> Predictor:
    return _train_reader(train, n_characters, seed, epochs=0)


def _of_the_character_before(train: Array, n_characters: int, seed: int) -> Predictor:
    by_counting = _plain_ngrams(train, n_characters, seed)
    return lambda text: by_counting(np.append(train[-1], text))[:-1]


BEAT_THE_NGRAMS = Exercise(
    name="lstm.beat_the_ngrams",
    title="Project: beat the n-grams",
    points=5,
    gradable=False,
    stars=3,
    reference=beat_the_ngrams,
    cases=_project_cases,
    mistakes=(
        Mistake(
            _uniform,
            "Every character has the same probability here: the humblest baseline.",
        ),
        Mistake(
            _untrained_reader,
            "This network is as it was drawn: no step of the optimiser has changed it. Does "
            "`optimizer.step()` run, on the parameters of the model that you return?",
        ),
        Mistake(
            _plain_ngrams,
            "These are the n-grams themselves, orders 1 to 6 averaged; they are to be beaten. What "
            "do they not see? All that lies more than five characters back.",
        ),
        Mistake(
            _of_the_character_before,
            "You are one character late: the first number must be the probability of text[1], "
            "yours is that of text[0].",
        ),
    ),
    hints=(
        "Keep the last fifth of train aside and measure there: n-grams of several orders, a "
        "network, and both together.",
        "Two models that err at different places are better together. Average their "
        "probabilities, not their bits: an average of distributions sums to one again, and where "
        "one of them is surprised, the other limits the loss.",
        "For the network: LanguageModel(n_characters, 32, 64, dropout=0.2), sixteen streams, "
        "windows of 16, six times through the text with Adam at 2e-2, falling to zero "
        "(OneCycleLR), is trained in a few seconds. Call model.eval() at the end.",
        "An n-gram model leaves out the first order - 1 characters: let it read the end of train "
        "first, np.append(train[-6:], text), and take the last len(text) - 1 numbers. The network "
        "knows what is usual after one or two letters; beside it, one model of order 5 or 6, which "
        "knows whole pieces of words, is worth more than the average of all.",
    ),
    judge=judge_predictor,
)

EXERCISES: tuple[Exercise, ...] = (
    RNN_STEP,
    RNN_STEP_BACKWARD,
    ORTHOGONAL_MATRIX,
    CLIP_BY_GLOBAL_NORM,
    LSTM_STEP,
    LSTM_STEP_BACKWARD,
    GRU_STEP,
    MASKED_MEAN_LOSS,
    BITS_PER_CHARACTER,
    BIGRAM_BITS,
    TEMPERATURE_PROBABILITIES,
    BEAT_THE_NGRAMS,
)
