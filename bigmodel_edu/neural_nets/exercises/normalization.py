"""An exercise: batch normalisation, backwards."""

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array

from ..reference import BatchNorm1d


def batch_norm_backward(x: Array, weight: Array, dy: Array, eps: float = 1e-5) -> tuple:
    """Return the gradients of batch normalisation in training, by x, weight and bias."""
    layer = BatchNorm1d(x.shape[1], eps=eps)
    params = {"weight": weight, "bias": np.zeros_like(weight)}
    _, cache = layer.forward(params, x, training=True)
    (dx,), grads = layer.backward(params, cache, dy)
    return dx, grads["weight"], grads["bias"]


def _normalized(x: Array, eps: float) -> tuple[Array, Array]:
    inverse_std = 1 / np.sqrt(x.var(axis=0) + eps)
    return (x - x.mean(axis=0)) * inverse_std, inverse_std


def _statistics_as_constants(x: Array, weight: Array, dy: Array, eps: float = 1e-5) -> tuple:
    x_hat, inverse_std = _normalized(x, eps)
    return dy * weight * inverse_std, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


def _without_stretch(x: Array, weight: Array, dy: Array, eps: float = 1e-5) -> tuple:
    x_hat, inverse_std = _normalized(x, eps)
    dx_hat = dy * weight
    dx = inverse_std * (dx_hat - dx_hat.mean(axis=0))
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


def _without_weight(x: Array, weight: Array, dy: Array, eps: float = 1e-5) -> tuple:
    return (
        batch_norm_backward(x, np.ones_like(weight), dy, eps)[0],
        *batch_norm_backward(x, weight, dy, eps)[1:],
    )


def _over_features(x: Array, weight: Array, dy: Array, eps: float = 1e-5) -> tuple:
    x_hat, inverse_std = (a.T for a in _normalized(x.T, eps))
    inverse_std, dx_hat = inverse_std[:, None], dy * weight
    along_constant = dx_hat.mean(axis=1, keepdims=True)
    along_x_hat = (dx_hat * x_hat).mean(axis=1, keepdims=True)
    dx = inverse_std * (dx_hat - along_constant - x_hat * along_x_hat)
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


def _sums_for_means(x: Array, weight: Array, dy: Array, eps: float = 1e-5) -> tuple:
    x_hat, inverse_std = _normalized(x, eps)
    dx_hat = dy * weight
    dx = inverse_std * (dx_hat - dx_hat.sum(axis=0) - x_hat * (dx_hat * x_hat).sum(axis=0))
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


def _eps_outside_the_root(x: Array, weight: Array, dy: Array, eps: float = 1e-5) -> tuple:
    s = x.std(axis=0) + eps
    x_hat, dx_hat = (x - x.mean(axis=0)) / s, dy * weight
    dx = (dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0)) / s
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


def _scaled_sums(x: Array, weight: Array, dy: Array, eps: float) -> tuple:
    dx, dweight, dbias = batch_norm_backward(x, weight, dy, eps)
    return dx, dweight / len(x), dbias / len(x)


def _unbiased(x: Array, weight: Array, dy: Array, eps: float = 1e-5) -> tuple:
    inverse_std = 1 / np.sqrt(x.var(axis=0, ddof=1) + eps)
    x_hat = (x - x.mean(axis=0)) * inverse_std
    dx_hat = dy * weight
    dx = inverse_std * (dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0))
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


def _batch_norm_cases(rng: np.random.Generator) -> list[Case]:
    def arrays(n: int, d: int, std: float = 2.0) -> tuple[Array, Array, Array]:
        x = std * (1.5 + rng.normal(size=(n, d)))
        return x, rng.normal(size=d), rng.normal(size=(n, d))

    return [
        Case((*arrays(5, 7), 1e-5)),
        Case((*arrays(2, 3), 1e-5)),
        Case((*arrays(11, 1), 0.1), note="another eps"),
        Case(arrays(7, 2, std=3e-3), note="eps is not given, and the variance as small"),
    ]


BATCH_NORM_BACKWARD = Exercise(
    name="neural_nets.batch_norm_backward",
    title="Batch normalisation, backwards",
    points=3,
    stars=3,
    parts=("dx", "dweight", "dbias"),
    reference=batch_norm_backward,
    cases=_batch_norm_cases,
    mistakes=(
        Mistake(
            _statistics_as_constants,
            "You treated mean and variance as constants. They depend on every x of the batch, and "
            "that gives two more terms.",
        ),
        Mistake(
            _without_stretch,
            "The mean's term is there, the variance's is missing: x̂ · mean(dx̂ · x̂) must be taken "
            "off too.",
        ),
        Mistake(
            lambda x, weight, dy, eps=1e-5: _scaled_sums(x, weight, dy, eps),
            "You averaged dweight and dbias over the batch; γ and β act on every row, so their "
            "gradients are sums.",
        ),
        Mistake(
            _unbiased,
            "You divided the variance by N - 1 (ddof=1). Batch normalisation uses the biased "
            "variance of the batch, divided by N.",
        ),
        Mistake(
            _over_features,
            "You took mean and variance over the features of each example, which is layer "
            "normalisation; batch normalisation takes them over the batch, axis 0.",
        ),
        Mistake(
            _sums_for_means,
            "You took off sums where means belong: both sums in dx are divided by N.",
        ),
        Mistake(
            _eps_outside_the_root,
            "ε stands under the root, added to the variance: s = √(v + ε).",
        ),
        Mistake(
            lambda x, weight, dy, eps=1e-5: (
                batch_norm_backward(x, weight, dy, eps)[0],
                (dy * x).sum(axis=0),
                dy.sum(axis=0),
            ),
            "γ is multiplied by x̂, not by x: its gradient is the sum of dy · x̂.",
        ),
        Mistake(
            _without_weight,
            "dx lacks the weight γ: the gradient reaches x̂ as dx̂ = γ · dy.",
        ),
    ),
    hints=(
        "Go in two steps: dx̂ = dy · γ first, then from x̂ = (x - μ) / √(v + ε) back to x.",
        "μ and v depend on all rows. Write dv and dμ first, or use the text's result: take off "
        "the part along the constant and the part along x̂.",
        "dx = inverse_std * (dx_hat - dx_hat.mean(0) - x_hat * (dx_hat * x_hat).mean(0))",
    ),
)
