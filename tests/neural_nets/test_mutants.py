"""Chapter 1 broken on purpose: each mutant must be caught, and by the judges it should be.

A mutant is judged by central differences (does backward fit forward?), by the PyTorch twin, and by
the oracle. A wrong forward with the backward that fits it passes the first and no other.
"""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from bigmodel_edu import catalogue, parity
from bigmodel_edu.components import Component
from bigmodel_edu.neural_nets import reference
from bigmodel_edu.neural_nets.reference import normalization
from bigmodel_edu.neural_nets.reference.activations import sigmoid

ORIGINAL = SimpleNamespace(**vars(reference))  # what a mutant calls must not be the mutant

GRADIENT = {"finite-differences", "torch"}  # backward is wrong: an oracle of outputs cannot see it
GRADIENT_AND_MODULE = {*GRADIENT, "oracle"}  # the same where the oracle is a torch.nn module
FUNCTION = {"torch", "oracle"}  # forward is wrong and backward fits it
EVERYTHING = {"finite-differences", "torch", "oracle"}
ORACLE = {"oracle"}  # what has no twin
BUFFERS = {"torch", "oracle"}  # no gradient flows to running statistics


def component(name: str) -> Component:
    return catalogue.component(f"neural_nets.{name}")


# Linear


class TransposedWeightGradient(reference.Linear):
    def backward(self, params, cache, dy):
        dx, grads = super().backward(params, cache, dy)
        return dx, grads | {"weight": grads["weight"].T}


class NoBiasGradient(reference.Linear):
    def backward(self, params, cache, dy):
        dx, grads = super().backward(params, cache, dy)
        return dx, {"weight": grads["weight"]}


class MisspeltBiasGradient(reference.Linear):
    def backward(self, params, cache, dy):
        dx, grads = super().backward(params, cache, dy)
        return dx, {"weight": grads["weight"], "b": grads["bias"]}


class BiasGradientAveraged(reference.Linear):
    def backward(self, params, cache, dy):
        dx, grads = super().backward(params, cache, dy)
        return dx, grads | {"bias": dy.mean(axis=0)}


class BiasForgotten(reference.Linear):
    def forward(self, params, x):
        return x @ params["weight"].T, x

    def backward(self, params, cache, dy):
        dx, grads = super().backward(params, cache, dy)
        return dx, grads | {"bias": np.zeros_like(params["bias"])}


# Activations


class SigmoidSlopeHalf(reference.Sigmoid):
    def backward(self, params, cache, dy):
        return (dy * cache,), {}


class TanhSlopeNotSquared(reference.Tanh):
    def backward(self, params, cache, dy):
        return (dy * (1 - cache),), {}


class ReLUPassesEverything(reference.ReLU):
    def backward(self, params, cache, dy):
        return (dy,), {}


class GELUWithoutDensity(reference.GELU):
    def backward(self, params, cache, dy):
        _, cdf, _ = cache
        return (dy * cdf,), {}


class GELUAlwaysTanh(reference.GELU):
    def _exact(self, x):
        return self._tanh(x)


class SoftmaxZeroGradient(reference.Softmax):
    def backward(self, params, cache, dy):
        return (np.zeros_like(dy),), {}


class SoftmaxWithoutMeanTerm(reference.Softmax):
    def backward(self, params, cache, dy):
        return (cache * dy,), {}


class SoftmaxSwappedSign(reference.Softmax):
    def backward(self, params, cache, dy):
        return (cache * (dy + (dy * cache).sum(axis=-1, keepdims=True)),), {}


class SoftmaxOverTheBatch(reference.Softmax):
    def forward(self, params, z):
        p = reference.softmax(z.T).T
        return p, p

    def backward(self, params, cache, dy):
        p = cache
        return (p * (dy - (dy * p).sum(axis=0, keepdims=True)),), {}


# Losses


class SumOfSquares(reference.MeanSquaredError):
    def forward(self, params, prediction, target):
        mean, difference = super().forward(params, prediction, target)
        return mean * difference.size, difference

    def backward(self, params, cache, dy):
        return super().backward(params, cache, dy * cache.size)


class SquaresWithoutTwo(reference.MeanSquaredError):
    def backward(self, params, cache, dy):
        return super().backward(params, cache, dy / 2)


class BinaryTargetGradientSign(reference.BinaryCrossEntropyWithLogits):
    def backward(self, params, cache, dy):
        (d_logits, d_targets), grads = super().backward(params, cache, dy)
        return (d_logits, -d_targets), grads


class BinaryWithoutTargets(reference.BinaryCrossEntropyWithLogits):
    def backward(self, params, cache, dy):
        logits, _ = cache
        (_, d_targets), grads = super().backward(params, cache, dy)
        return (dy / logits.size * sigmoid(logits), d_targets), grads


class SmoothingForgotten(reference.CrossEntropy):
    def __post_init__(self):
        object.__setattr__(self, "label_smoothing", 0.0)


class SmoothingForgottenInBackward(reference.CrossEntropy):
    def backward(self, params, cache, dy):
        log_p, q, counted = cache
        one_hot = (q == q.max(axis=1, keepdims=True)).astype(q.dtype)
        return super().backward(params, (log_p, one_hot, counted), dy)


class IgnoredLabelsCounted(reference.CrossEntropy):
    def forward(self, params, logits, targets):
        loss, cache = super().forward(params, logits, targets)
        share = (targets != self.ignore_index).mean()
        return loss * share, (cache, share)

    def backward(self, params, cache, dy):
        cache, share = cache
        return super().backward(params, cache, dy * share)


class IgnoredLabelsAreClassZero(reference.CrossEntropy):
    def forward(self, params, logits, targets):
        return super().forward(params, logits, np.maximum(targets, 0))


class CrossEntropySummed(reference.CrossEntropy):
    def backward(self, params, cache, dy):
        return super().backward(params, cache, dy * len(cache[0]))


# Normalisation


def without_along_x_hat(x_hat, inverse_std, dx_hat, axis):
    return (dx_hat - dx_hat.mean(axis=axis, keepdims=True)) * inverse_std


def without_along_constant(x_hat, inverse_std, dx_hat, axis):
    along_x_hat = (dx_hat * x_hat).mean(axis=axis, keepdims=True)
    return (dx_hat - along_x_hat * x_hat) * inverse_std


def zero_gradient(x_hat, inverse_std, dx_hat, axis):
    return np.zeros_like(dx_hat)


def normalize_with(variance_of, inverse_std_of):
    def normalize(x, axis, eps):
        mean = x.mean(axis=axis, keepdims=True)
        variance = variance_of(x, axis)
        inverse_std = inverse_std_of(variance, eps)
        return (x - mean) * inverse_std, inverse_std, mean, variance

    normalize.__name__ = f"{variance_of.__name__}_eps_{inverse_std_of.__name__}"
    return normalize


def biased(x, axis):
    return x.var(axis=axis, keepdims=True)


def unbiased(x, axis):
    return x.var(axis=axis, keepdims=True, ddof=1)


def inside(variance, eps):
    return 1 / np.sqrt(variance + eps)


def outside(variance, eps):
    return 1 / (np.sqrt(variance) + eps)


def forgotten(variance, eps):
    return 1 / np.sqrt(variance)


class BiasedRunningVariance(reference.BatchNorm1d):
    def updated_buffers(self, params, cache):
        _, variance, _ = cache[2]
        m = self.momentum
        running_var = (1 - m) * params["running_var"] + m * variance
        return super().updated_buffers(params, cache) | {"running_var": running_var}


class MomentumTheOtherWay(reference.BatchNorm1d):
    def updated_buffers(self, params, cache):
        other = ORIGINAL.BatchNorm1d(self.num_features, momentum=1 - self.momentum)
        return other.updated_buffers(params, cache)


class BatchesNotCounted(reference.BatchNorm1d):
    def updated_buffers(self, params, cache):
        buffers = super().updated_buffers(params, cache)
        return buffers | {"num_batches_tracked": params["num_batches_tracked"]}


class BatchStatisticsInInference(reference.BatchNorm1d):
    def forward(self, params, x, *, training=False, rng=None):
        return super().forward(params, x, training=True)

    def updated_buffers(self, params, cache):
        return {}


class LayerNormOverTheBatch(reference.LayerNorm):
    def forward(self, params, x):
        x_hat, inverse_std, _, _ = normalization.normalize(x, axis=0, eps=self.eps)
        return params["weight"] * x_hat + params["bias"], (x_hat, inverse_std)

    def backward(self, params, cache, dy):
        _, grads = super().backward(params, cache, dy)
        dx = normalization.normalize_backward(*cache, dy * params["weight"], axis=0)
        return (dx,), grads


class LayerNormGainForgottenInBackward(reference.LayerNorm):
    def backward(self, params, cache, dy):
        _, grads = super().backward(params, cache, dy)
        return (normalization.normalize_backward(*cache, dy, axis=-1),), grads


# Dropout and penalties


class DropoutWithoutScaling(reference.Dropout):
    def forward(self, params, x, *, training=False, rng=None, mask=None):
        scale = mask.astype(x.dtype)
        return x * scale, scale


class DropoutOnlyForward(reference.Dropout):
    def backward(self, params, cache, dy):
        return (dy,), {}


class DropoutScaledTheOtherWay(reference.Dropout):
    def forward(self, params, x, *, training=False, rng=None, mask=None):
        scale = mask.astype(x.dtype) / self.p
        return x * scale, scale


class L1GradientWithoutSign(reference.L1Penalty):
    def backward(self, params, cache, dy):
        return (dy * self.strength * np.ones_like(cache),), {}


class L2WithoutHalf(reference.L2Penalty):
    def forward(self, params, w):
        penalty, cache = super().forward(params, w)
        return 2 * penalty, cache

    def backward(self, params, cache, dy):
        return super().backward(params, cache, 2 * dy)


def clip_each_alone(grads, max_norm):
    _, norm = ORIGINAL.clip_gradients_by_norm(grads, max_norm)
    norms = {name: np.sqrt((g * g).sum()) for name, g in grads.items()}
    return {n: g * np.minimum(max_norm / (norms[n] + 1e-6), 1) for n, g in grads.items()}, norm


def clip_without_minimum(grads, max_norm):
    norm = np.sqrt(sum((g * g).sum() for g in grads.values()))
    return {name: g * (max_norm / (norm + 1e-6)) for name, g in grads.items()}, norm


# Optimizers


class Ascent(reference.SGD):
    def step(self, w, g, slots, t, lr):
        return super().step(w, g, slots, t, -lr)


class DampedMomentum(reference.SGD):
    def step(self, w, g, slots, t, lr):
        return super().step(w, (1 - self.momentum) * g, slots, t, lr)


class NesterovAsPlainMomentum(reference.SGD):
    def step(self, w, g, slots, t, lr):
        v = self.momentum * slots[0] + g
        return w - lr * v, (v,)


class MomentumForgetsItsBuffer(reference.SGD):
    def step(self, w, g, slots, t, lr):
        w, _ = super().step(w, g, slots, t, lr)
        return w, slots


class AdamWithoutBiasCorrection(reference.Adam):
    def step(self, w, g, slots, t, lr):
        _, (m, v) = super().step(w, g, slots, t, lr)
        return w - lr * m / (np.sqrt(v) + self.eps), (m, v)


class AdamEpsInsideTheRoot(reference.Adam):
    def step(self, w, g, slots, t, lr):
        _, (m, v) = super().step(w, g, slots, t, lr)
        m_hat, v_hat = (s / (1 - beta**t) for s, beta in zip((m, v), self.betas, strict=True))
        return w - lr * m_hat / np.sqrt(v_hat + self.eps), (m, v)


class AdamCountsFromTwo(reference.Adam):
    def step(self, w, g, slots, t, lr):
        return super().step(w, g, slots, t + 1, lr)


class DecayThroughTheGradient(reference.AdamW):
    """L2 in place of decoupled weight decay."""

    def step(self, w, g, slots, t, lr):
        return reference.Adam.step(self, w, g + self.weight_decay * w, slots, t, lr)


class DecayAfterTheStep(reference.AdamW):
    def step(self, w, g, slots, t, lr):
        w, slots = reference.Adam.step(self, w, g, slots, t, lr)
        return (1 - lr * self.weight_decay) * w, slots


class DecayWithoutLearningRate(reference.AdamW):
    def step(self, w, g, slots, t, lr):
        return reference.Adam.step(self, (1 - self.weight_decay) * w, g, slots, t, lr)


# What has no twin: schedules, initialisers, metrics, splitting


class WarmUpFromZero(reference.WarmUp):
    def __call__(self, step):
        return self.then(0) * step / self.steps if step < self.steps else super().__call__(step)


class WarmUpThenSkips(reference.WarmUp):
    def __call__(self, step):
        return self.then(step) if step >= self.steps else super().__call__(step)


class CosineRestarts(reference.CosineSchedule):
    def __call__(self, step):
        return super().__call__(step % self.total_steps)


class StepOneLate(reference.StepSchedule):
    def __call__(self, step):
        return self.lr * self.gamma ** ((step - 1) // self.step_size)


def he_normal_of_fan_out(rng, shape):
    return ORIGINAL.he_normal(rng, shape[::-1]).T


def xavier_normal_with_half_the_variance(rng, shape):
    return ORIGINAL.xavier_normal(rng, shape) / np.sqrt(2)


def macro_weighted_by_support(y_true, y_pred, *, average="binary", n_classes=2):
    if average != "macro":
        return ORIGINAL.f1_score(y_true, y_pred, average=average, n_classes=n_classes)
    of_class = [ORIGINAL.f1_score(1 * (y_true == c), 1 * (y_pred == c)) for c in range(n_classes)]
    return np.average(of_class, weights=np.bincount(y_true, minlength=n_classes))


def columns_are_the_truth(y_true, y_pred, n_classes):
    return ORIGINAL.confusion_matrix(y_true, y_pred, n_classes).T


def ties_in_order_of_appearance(y_true, scores):
    order = np.argsort(scores, kind="stable")
    untied = np.empty(len(scores))
    untied[order] = np.arange(len(scores))
    return ORIGINAL.roc_auc(y_true, untied)


def training_with_everything(n, k, *, rng=None):
    return ((np.arange(n), validation) for _, validation in ORIGINAL.k_fold(n, k, rng=rng))


def swapped(one):
    return getattr(ORIGINAL, {"precision": "recall", "recall": "precision"}[one])


MUTANTS = [
    ("linear", "Linear", TransposedWeightGradient, EVERYTHING),
    ("linear", "Linear", NoBiasGradient, {"torch", "oracle"}),
    ("linear", "Linear", MisspeltBiasGradient, {"torch", "oracle"}),
    ("linear", "Linear", BiasGradientAveraged, EVERYTHING),
    ("linear", "Linear", BiasForgotten, FUNCTION),
    ("sigmoid", "Sigmoid", SigmoidSlopeHalf, GRADIENT),
    ("tanh", "Tanh", TanhSlopeNotSquared, GRADIENT),
    ("relu", "ReLU", ReLUPassesEverything, GRADIENT),
    ("gelu", "GELU", GELUWithoutDensity, GRADIENT),
    ("gelu_tanh", "GELU", GELUWithoutDensity, GRADIENT_AND_MODULE),
    ("gelu", "GELU", GELUAlwaysTanh, FUNCTION),
    ("softmax", "Softmax", SoftmaxZeroGradient, GRADIENT),
    ("softmax", "Softmax", SoftmaxWithoutMeanTerm, GRADIENT),
    ("softmax", "Softmax", SoftmaxSwappedSign, GRADIENT),
    ("softmax", "Softmax", SoftmaxOverTheBatch, FUNCTION),
    ("mean_squared_error", "MeanSquaredError", SumOfSquares, FUNCTION),
    ("mean_squared_error", "MeanSquaredError", SquaresWithoutTwo, GRADIENT),
    (
        "binary_cross_entropy_with_logits",
        "BinaryCrossEntropyWithLogits",
        BinaryTargetGradientSign,
        GRADIENT,
    ),
    (
        "binary_cross_entropy_with_logits",
        "BinaryCrossEntropyWithLogits",
        BinaryWithoutTargets,
        GRADIENT,
    ),
    ("cross_entropy_smoothed", "CrossEntropy", SmoothingForgotten, FUNCTION),
    ("cross_entropy_smoothed", "CrossEntropy", SmoothingForgottenInBackward, GRADIENT),
    ("cross_entropy_smoothed", "CrossEntropy", IgnoredLabelsCounted, FUNCTION),
    ("cross_entropy_smoothed", "CrossEntropy", IgnoredLabelsAreClassZero, FUNCTION),
    ("cross_entropy", "CrossEntropy", CrossEntropySummed, GRADIENT),
    ("batch_norm", "normalize_backward", without_along_x_hat, GRADIENT_AND_MODULE),
    ("layer_norm", "normalize_backward", without_along_x_hat, GRADIENT_AND_MODULE),
    ("batch_norm", "normalize_backward", without_along_constant, GRADIENT_AND_MODULE),
    ("layer_norm", "normalize_backward", without_along_constant, GRADIENT_AND_MODULE),
    ("layer_norm", "normalize_backward", zero_gradient, GRADIENT_AND_MODULE),
    ("batch_norm", "normalize", normalize_with(unbiased, inside), EVERYTHING),
    ("layer_norm", "normalize", normalize_with(unbiased, inside), EVERYTHING),
    ("layer_norm", "normalize", normalize_with(biased, outside), EVERYTHING),
    ("layer_norm", "normalize", normalize_with(biased, forgotten), FUNCTION),
    ("batch_norm", "BatchNorm1d", BiasedRunningVariance, BUFFERS),
    ("batch_norm", "BatchNorm1d", MomentumTheOtherWay, BUFFERS),
    ("batch_norm", "BatchNorm1d", BatchesNotCounted, BUFFERS),
    ("batch_norm_inference", "BatchNorm1d", BatchStatisticsInInference, FUNCTION),
    ("layer_norm", "LayerNorm", LayerNormOverTheBatch, FUNCTION),
    ("layer_norm", "LayerNorm", LayerNormGainForgottenInBackward, GRADIENT_AND_MODULE),
    ("dropout", "Dropout", DropoutWithoutScaling, {"torch"}),
    ("dropout", "Dropout", DropoutScaledTheOtherWay, {"torch"}),
    ("dropout", "Dropout", DropoutOnlyForward, GRADIENT),
    ("l1_penalty", "L1Penalty", L1GradientWithoutSign, GRADIENT),
    ("l2_penalty", "L2Penalty", L2WithoutHalf, FUNCTION),
    ("clip_gradients_by_norm", "clip_gradients_by_norm", clip_each_alone, FUNCTION),
    ("clip_gradients_by_norm_unneeded", "clip_gradients_by_norm", clip_without_minimum, FUNCTION),
    ("sgd", "SGD", Ascent, FUNCTION),
    ("momentum", "SGD", DampedMomentum, FUNCTION),
    ("nesterov", "SGD", NesterovAsPlainMomentum, FUNCTION),
    ("momentum", "SGD", MomentumForgetsItsBuffer, FUNCTION),
    ("adam", "Adam", AdamWithoutBiasCorrection, FUNCTION),
    ("adam", "Adam", AdamEpsInsideTheRoot, FUNCTION),
    ("adam", "Adam", AdamCountsFromTwo, FUNCTION),
    ("adamw", "AdamW", DecayThroughTheGradient, FUNCTION),
    ("adamw", "AdamW", DecayAfterTheStep, FUNCTION),
    ("adamw", "AdamW", DecayWithoutLearningRate, FUNCTION),
    ("warm_up", "WarmUp", WarmUpFromZero, ORACLE),
    ("warm_up", "WarmUp", WarmUpThenSkips, ORACLE),
    ("cosine_schedule", "CosineSchedule", CosineRestarts, ORACLE),
    ("step_schedule", "StepSchedule", StepOneLate, ORACLE),
    ("he_normal", "he_normal", he_normal_of_fan_out, ORACLE),
    ("xavier_normal", "xavier_normal", xavier_normal_with_half_the_variance, ORACLE),
    ("f1_score", "f1_score", macro_weighted_by_support, ORACLE),
    ("precision", "precision", swapped("precision"), ORACLE),
    ("recall", "recall", swapped("recall"), ORACLE),
    ("confusion_matrix", "confusion_matrix", columns_are_the_truth, ORACLE),
    ("roc_auc", "roc_auc", ties_in_order_of_appearance, ORACLE),
    ("k_fold", "k_fold", training_with_everything, ORACLE),
]


@pytest.mark.parametrize(
    ("name", "attribute", "mutant", "catchers"),
    MUTANTS,
    ids=[f"{name}-{mutant.__name__}" for name, _, mutant, _ in MUTANTS],
)
def test_mutant_is_caught(name, attribute, mutant, catchers, caught_by, monkeypatch):
    package = reference if hasattr(reference, attribute) else normalization
    monkeypatch.setattr(package, attribute, mutant)
    assert caught_by(component(name)) == catchers


def test_nothing_is_caught_without_a_mutant(caught_by):
    names = {name for name, *_ in MUTANTS}
    assert not {name for name in names if caught_by(component(name))}


@pytest.mark.parametrize(
    ("name", "attribute", "mutant"),
    [
        ("softmax", "Softmax", SoftmaxZeroGradient),
        ("layer_norm_without_gain", "normalize_backward", zero_gradient),
    ],
)
def test_an_upstream_of_ones_would_miss_it(name, attribute, mutant, monkeypatch):
    """Why the harness draws its upstream gradient: ones lie where both gradients vanish."""
    monkeypatch.setattr(
        reference if hasattr(reference, attribute) else normalization, attribute, mutant
    )
    of = component(name.removesuffix("_without_gain"))
    trial = of.draw(np.random.default_rng(0))
    if name.endswith("_without_gain"):  # a gain of ones, as a test by hand would use
        trial = replace(trial, params={"weight": np.ones(7), "bias": np.zeros(7)})
    judges = parity.judges_of(of)
    ones = replace(trial, upstream={"y": np.ones_like(trial.upstream["y"])})
    for judge in ("finite-differences", "torch"):
        assert judges[judge](ones) < 1e-6
        with pytest.raises(parity.ParityError, match=r"'d[xz]' is off"):
            judges[judge](trial)


# One line of a source file changed, as a hand might slip

LINES = [
    (
        "reference/activations.py",
        "return 0.5 * (1 + np.tanh(0.5 * x))",
        "return 0.5 * (1 + np.tanh(x))",
        "sigmoid",
    ),
    (
        "reference/activations.py",
        "exponentials.sum(axis=-1, keepdims=True)",
        "exponentials.sum(axis=0, keepdims=True)",
        "softmax",
    ),
    ("reference/activations.py", "shifted - np.log(", "shifted + np.log(", "cross_entropy"),
    (
        "reference/activations.py",
        "return (dy * (1 - y * y),), {}",
        "return (dy * (1 + y * y),), {}",
        "tanh",
    ),
    (
        "reference/activations.py",
        "np.exp(-0.5 * x * x) * (0.5 *",
        "np.exp(-0.5 * x * x) * (",
        "gelu",
    ),
    ("reference/activations.py", "CUBIC = 0.044715", "CUBIC = 0.044751", "gelu_tanh"),
    (
        "reference/activations.py",
        "(1 + 3 * CUBIC * x_squared)",
        "(1 + CUBIC * x_squared)",
        "gelu_tanh",
    ),
    ("reference/linear.py", "dx = dy @ params", "dx = -dy @ params", "linear"),
    ("reference/losses.py", "(2 / difference.size)", "(1 / difference.size)", "mean_squared_error"),
    (
        "reference/losses.py",
        "sigmoid(logits) - targets",
        "sigmoid(logits) + targets",
        "binary_cross_entropy_with_logits",
    ),
    (
        "reference/losses.py",
        "self.label_smoothing / n_classes)",
        "self.label_smoothing)",
        "cross_entropy_smoothed",
    ),
    (
        "reference/losses.py",
        "t] += 1 - self.label_smoothing",
        "t] += 1",
        "cross_entropy_smoothed",
    ),
    (
        "reference/losses.py",
        "log_p[possible]).sum() / n",
        "log_p[possible]).sum() / len(targets)",
        "cross_entropy_smoothed",
    ),
    (
        "reference/losses.py",
        "dy * (p - q) / n",
        "dy * (p - q) / len(counted)",
        "cross_entropy_smoothed",
    ),
    ("reference/losses.py", "dy * (p - q) / n", "dy * (log_p - q) / n", "cross_entropy"),
    (
        "reference/normalization.py",
        "1 / np.sqrt(variance + eps)",
        "1 / (np.sqrt(variance) + eps)",
        "layer_norm",
    ),
    ("reference/normalization.py", "dx -= along_x_hat * x_hat", "dx -= along_x_hat", "batch_norm"),
    ("reference/normalization.py", "m * variance * (n / (n - 1))", "m * variance", "batch_norm"),
    (
        "reference/composition.py",
        "for name in reversed(self.parts)",
        "for name in self.parts",
        "sequential",
    ),
    ("reference/dropout.py", "* (1 / (1 - self.p))", "* (1 / self.p)", "dropout"),
    ("reference/optimizers.py", "(1 - beta2) * g**2", "(1 - beta2) * g", "adam"),
    ("reference/optimizers.py", "m_hat = m / (1 - beta1**t)", "m_hat = m", "adam"),
    ("reference/optimizers.py", "v_hat = v / (1 - beta2**t)", "v_hat = v", "adam"),
    ("reference/optimizers.py", "(np.sqrt(v_hat) + self.eps)", "np.sqrt(v_hat + self.eps)", "adam"),
    ("reference/optimizers.py", "w - lr * m_hat / (", "w - m_hat / (", "adam"),
    (
        "reference/optimizers.py",
        "(1 - lr * self.weight_decay) * w",
        "(1 - self.weight_decay) * w",
        "adamw",
    ),
    ("reference/optimizers.py", "g + self.momentum * v if", "g + v if", "nesterov"),
    (
        "reference/regularization.py",
        "np.minimum(max_norm / (norm + 1e-6), 1)",
        "max_norm / (norm + 1e-6)",
        "clip_gradients_by_norm_unneeded",
    ),
    ("reference/schedules.py", "(step + 1) / (self.steps + 1)", "step / self.steps", "warm_up"),
    (
        "reference/initialization.py",
        "rng.normal(0, np.sqrt(2 / fan_in)",
        "rng.normal(0, np.sqrt(1 / fan_in)",
        "he_normal",
    ),
    (
        "reference/metrics.py",
        "tp.sum(keepdims=True), fp.sum",
        "tp.sum(keepdims=True), fn.max",
        "precision",
    ),
    ("reference/metrics.py", "(last - counts + 1 + last) / 2", "last", "roc_auc"),
    (
        "reference/splitting.py",
        "is_training[validation] = False",
        "is_training[validation] = True",
        "k_fold",
    ),
    (
        "torch_impl/activations.py",
        "return F.gelu(x, approximate=self.approximate)",
        "return F.gelu(x)",
        "gelu_tanh",
    ),
    (
        "torch_impl/activations.py",
        "return F.softmax(z, dim=-1)",
        "return F.softmax(z, dim=0)",
        "softmax",
    ),
    (
        "torch_impl/linear.py",
        "F.linear(x, self.weight, self.bias)",
        "F.linear(x, self.weight)",
        "linear",
    ),
    (
        "torch_impl/losses.py",
        "            label_smoothing=self.label_smoothing,\n",
        "",
        "cross_entropy_smoothed",
    ),
    ("torch_impl/dropout.py", "return x * mask / (1 - self.p)", "return x * mask", "dropout"),
    (
        "torch_impl/normalization.py",
        "    self.momentum,\n",
        "    1 - self.momentum,\n",
        "batch_norm",
    ),
    (
        "torch_impl/normalization.py",
        "self.weight, self.bias, self.eps)",
        "self.weight, self.bias, 1e-6)",
        "layer_norm",
    ),
    (
        "torch_impl/regularization.py",
        "return 0.5 * self.strength * w.square()",
        "return self.strength * w.square()",
        "l2_penalty",
    ),
    (
        "torch_impl/regularization.py",
        "(max_norm / (norm + 1e-6)).clamp(max=1)",
        "max_norm / (norm + 1e-6)",
        "clip_gradients_by_norm_unneeded",
    ),
    ("torch_impl/optimizers.py", "nesterov=self.nesterov\n", "nesterov=False\n", "nesterov"),
    ("torch_impl/optimizers.py", "torch.optim.Adam(", "torch.optim.AdamW(", "adam"),
    ("torch_impl/optimizers.py", "            weight_decay=self.weight_decay,\n", "", "adamw"),
]


@pytest.mark.parametrize(("file", "line", "slip", "name"), LINES)
def test_a_slip_in_one_line_is_caught(file, line, slip, name, break_line, caught_by):
    break_line("neural_nets", file, line, slip)
    with np.errstate(all="ignore"):
        assert caught_by(component(name))
