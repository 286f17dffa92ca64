"""Truncated backpropagation through time: windows of a long text, the state carried over."""

import numpy as np

from bigmodel_edu.layer import Array, Params, expect_count, expect_shape
from bigmodel_edu.neural_nets.reference import CrossEntropy

from .models import LanguageModel


def truncated_bptt(
    model: LanguageModel, params: Params, tokens: Array, targets: Array, window: int
) -> tuple[Array, Params, tuple[Array, Array]]:
    """Return the mean loss, its truncated gradients, and the states at the end of the text.

    The text is read in windows of `window` steps. Each begins with the states in which the one
    before it ended, but no gradient flows back across the border (Williams and Peng 1990). So the
    memory needed is that of one window, and what happened before it is remembered but not learned
    from. With a window as long as the text this is backpropagation through time.

    Shapes: tokens and targets (B, T), integers; states (L, B, H).
    """
    expect_count("window", window)
    expect_shape("tokens", tokens, "B", "T")
    expect_shape("targets", targets, *tokens.shape)
    n_steps = tokens.shape[1]
    loss, grads, states = 0, {}, ()
    for start in range(0, n_steps, window):
        piece = slice(start, start + window)
        of_window, own, states = window_gradients(
            model, params, tokens[:, piece], targets[:, piece], states
        )
        share = tokens[:, piece].shape[1] / n_steps
        loss = loss + share * of_window
        for name, grad in own.items():
            grads[name] = grads[name] + share * grad if name in grads else share * grad
    return loss, grads, states


def window_gradients(
    model: LanguageModel,
    params: Params,
    tokens: Array,
    targets: Array,
    states: tuple[Array, ...] = (),
    *,
    training: bool = False,
    rng: np.random.Generator | None = None,
) -> tuple[Array, Params, tuple[Array, Array]]:
    """Return loss, gradients and final states of one window that begins in `states`."""
    (logits, *finals), cache = model.forward(params, tokens, *states, training=training, rng=rng)
    flat = logits.reshape(-1, logits.shape[-1])
    loss, loss_cache = CrossEntropy().forward({}, flat, targets.reshape(-1))
    (d_flat, _), _ = CrossEntropy().backward({}, loss_cache, np.ones_like(loss))
    # nothing comes back from the windows that follow: this is the truncation
    d_outputs = (d_flat.reshape(logits.shape), *(np.zeros_like(final) for final in finals))
    _, grads = model.backward(params, cache, d_outputs)
    return loss, grads, tuple(finals)
