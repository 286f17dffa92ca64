"""Training a classifier with the NumPy reference: batches, the loop, early stopping.

The loop is plain on purpose: forward, loss, backward, update. What a run of many hours needs
(checkpoints, logging) has the loop of `bigmodel_edu.training`, for the chapters that train longer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from tqdm import tqdm

from bigmodel_edu.data.validation import validate_examples
from bigmodel_edu.errors import HyperparameterError
from bigmodel_edu.layer import Array, Layer, Params, expect_count, without_prefix
from bigmodel_edu.training.finite import NonFiniteLoss

from ..reference import (
    CrossEntropy,
    L1Penalty,
    L2Penalty,
    Optimizer,
    Sequential,
    accuracy,
    clip_gradients_by_norm,
)

Augmentation = Callable[[Array, np.random.Generator], Array]


@dataclass
class History:
    """What training saw: the loss of every step, and after every epoch what `fit` was given to
    look at, the accuracy on the training examples and loss and accuracy on validation examples.

    `best_epoch` counts from zero; with early stopping the parameters returned are from there.
    """

    step_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    best_epoch: int | None = None


def minibatches(n: int, batch_size: int, rng: np.random.Generator) -> Iterator[Array]:
    """Yield index arrays that visit n examples once, in random order; the last may be shorter."""
    expect_count("batch_size", batch_size)
    order = rng.permutation(n)
    for start in range(0, n, batch_size):
        yield order[start : start + batch_size]


def early_stopping(losses: list[float], patience: int) -> tuple[int, int | None]:
    """Return the epoch with the lowest loss and the epoch at which training stops.

    Training stops after the first epoch that is `patience` epochs later than the best one up to
    then; None means that it goes on. A loss equal to the best is no improvement.
    """
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
        elif epoch - best >= patience:
            return best, epoch
    return best, None


@dataclass(frozen=True)
class Trainer:
    """Trains a classifier by minibatch gradient descent.

    `schedule` maps a step, counted from zero, to a learning rate; `penalty` is added for every
    parameter whose name ends in "weight"; `augment` changes the inputs of each batch anew;
    `max_grad_norm` clips; `patience` stops early, and needs validation data.
    """

    model: Sequential
    optimizer: Optimizer
    loss: Layer = field(default_factory=CrossEntropy)
    schedule: Callable[[int], float] | None = None
    penalty: L1Penalty | L2Penalty | None = None
    augment: Augmentation | None = None
    max_grad_norm: float | None = None
    patience: int | None = None

    def fit(
        self,
        params: Params,
        x: Array,
        y: Array,
        *,
        epochs: int,
        batch_size: int = 64,
        rng: np.random.Generator,
        validation: tuple[Array, Array] | None = None,
        train_accuracy: bool = False,
        progress: bool = True,
    ) -> tuple[Params, History]:
        """Train on x (N, D) and integer labels y (N,); return the parameters and the history.

        For a model that takes them, x may be integer tokens (N, T). `train_accuracy` asks for the
        accuracy on all of x after every epoch, at the price of one more pass over them.

        Raises NonFiniteLoss when the loss is no longer a finite number, naming the step and the
        layer whose output went bad first.
        """
        self._validate(params, x, y, validation)
        state, history, best_params = self.optimizer.init(params), History(), params
        for _ in tqdm(range(epochs), desc="epochs", leave=False, disable=not progress):
            for batch in minibatches(len(x), batch_size, rng):
                try:
                    params, state, loss = self.step(params, state, x[batch], y[batch], rng)
                except NonFiniteLoss as error:
                    error.history = history
                    raise
                history.step_loss.append(loss)
            if train_accuracy:
                history.train_accuracy.append(accuracy(y, predict(self.model, params, x)))
            if validation is None:
                continue
            self._validate_epoch(params, validation, history)
            if self.patience is None:
                continue
            history.best_epoch, stop = early_stopping(history.validation_loss, self.patience)
            if history.best_epoch == len(history.validation_loss) - 1:
                best_params = params
            if stop is not None:
                break
        return (params if self.patience is None else best_params), history

    def step(
        self, params: Params, state: dict, x: Array, y: Array, rng: np.random.Generator
    ) -> tuple[Params, dict, float]:
        """Return parameters and optimizer state after one batch, and the loss before it."""
        if self.augment is not None:
            x = self.augment(x, rng)
        before_forward = rng.bit_generator.state
        loss, grads, buffers = self.gradients(params, x, y, rng)
        if not np.isfinite(loss):
            rng.bit_generator.state = before_forward  # to look again at the same dropout masks
            raise self._non_finite_loss(params, state["step"], x, loss, rng)
        if self.max_grad_norm is not None:
            grads, _ = clip_gradients_by_norm(grads, self.max_grad_norm)
        lr = None if self.schedule is None else self.schedule(state["step"])
        params, state = self.optimizer.update(params, grads, state, lr=lr)
        return params | buffers, state, loss

    def gradients(
        self, params: Params, x: Array, y: Array, rng: np.random.Generator
    ) -> tuple[float, Params, Params]:
        """Return the loss with its penalty, its gradients, and the new running statistics."""
        logits, cache = self.model.forward(params, x, training=True, rng=rng)
        loss, loss_cache = self.loss.forward({}, logits, y)
        one = np.ones_like(loss)
        (d_logits, _), _ = self.loss.backward({}, loss_cache, one)
        _, grads = self.model.backward(params, cache, d_logits)
        if self.penalty is not None:
            for name in (name for name in grads if name.endswith("weight")):
                extra, penalty_cache = self.penalty.forward({}, params[name])
                (dw,), _ = self.penalty.backward({}, penalty_cache, one)
                loss, grads[name] = loss + extra, grads[name] + dw
        return float(loss), grads, self.model.updated_buffers(params, cache)

    def _validate(
        self, params: Params, x: Array, y: Array, validation: tuple[Array, Array] | None
    ) -> None:
        if self.patience is not None and validation is None:
            raise HyperparameterError(
                "patience needs validation data; pass validation=(x_validation, y_validation)."
            )
        for inputs, labels in filter(None, [(x, y), validation]):
            logits, _ = self.model.forward(params, inputs[:1])  # refuses what it cannot take
            tokens = inputs.dtype.kind in "iu"
            validate_examples(inputs, labels, n_classes=logits.shape[-1], tokens=tokens)

    def _validate_epoch(
        self, params: Params, validation: tuple[Array, Array], history: History
    ) -> None:
        x, y = validation
        logits = logits_of(self.model, params, x)
        loss, _ = self.loss.forward({}, logits, y)
        history.validation_loss.append(float(loss))
        history.validation_accuracy.append(accuracy(y, logits.argmax(axis=-1)))

    def _non_finite_loss(
        self, params: Params, step: int, x: Array, loss: float, rng: np.random.Generator
    ) -> NonFiniteLoss:
        culprit = first_non_finite(self.model, params, x, training=True, rng=rng)
        return NonFiniteLoss(
            f"the loss of step {step} is {loss}, expected a finite number; {culprit}. Try a "
            "smaller learning rate or clip the gradients; the parameters from before this step "
            "are in the error's `params`.",
            step,
            params,
        )


def first_non_finite(
    model: Sequential,
    params: Params,
    x: Array,
    *,
    training: bool = False,
    rng: np.random.Generator | None = None,
) -> str:
    """Say which part of the model is the first to hold a NaN or an infinity on inputs x."""
    if not np.isfinite(x).all():
        return "the inputs of this batch are not finite"
    for i, layer in enumerate(model.layers):
        own = without_prefix(str(i), params)
        mode = {"training": training, "rng": rng} if layer.mode_dependent else {}
        x, _ = layer.forward(own, x, **mode)
        if not np.isfinite(x).all():
            bad = [f"{i}.{name}" for name, value in own.items() if not np.isfinite(value).all()]
            cause = f", since its parameter {bad[0]} is" if bad else ""
            return f"layer {i}, {layer}, is the first whose output is not finite{cause}"
    return "every layer's output is finite, so it is the loss itself that overflowed"


def predict(model: Layer, params: Params, x: Array) -> Array:
    """Return the most probable class (N,) of each input x (N, D)."""
    return logits_of(model, params, x).argmax(axis=-1)


def logits_of(model: Layer, params: Params, x: Array, piece: int = 2048) -> Array:
    """Return the logits (N, C) of x (N, D), a piece at a time: a cache of all would be large."""
    starts = range(0, max(len(x), 1), piece)  # a model refuses an empty x in its own words
    return np.concatenate([model.forward(params, x[i : i + piece])[0] for i in starts])
