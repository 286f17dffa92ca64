"""Learning to translate dates with a small Transformer in PyTorch.

One frozen dataclass holds every number that matters. The batch of a step depends on the seed and
the step only, so that an interrupted training goes on from its last checkpoint to the same numbers,
and NumPy can be trained on the very batches that PyTorch saw.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bigmodel_edu.data import CldrDates
from bigmodel_edu.errors import HyperparameterError
from bigmodel_edu.layer import Array, expect_count, expect_positive
from bigmodel_edu.neural_nets.reference import (
    AdamW,
    CosineSchedule,
    CrossEntropy,
    Dropout,
    WarmUp,
    clip_gradients_by_norm,
)
from bigmodel_edu.training.loop import Objective, Saving, Training, seeded

from .. import reference
from ..torch_impl import Transformer
from .tokens import PADDING, Vocabulary, encode_pairs, padded


@dataclass(frozen=True)
class Configuration:
    """Everything that decides what a training does.

    `learning_rate` is the highest, reached after `warm_up` steps, from where it falls to zero along
    a cosine. `batches_sorted` is how many batches are drawn at once and sorted by length, so that
    sequences of one batch are nearly as long as each other and little of it is padding: with many,
    a batch is cheap, and so one-sided that more steps are needed. No text has more than a few dozen
    characters, so the waves of the positions are shorter than the paper's.
    """

    d_model: int = 64
    num_heads: int = 4
    num_layers: int = 1
    d_ff: int = 256
    dropout: float = 0.0
    norm_first: bool = True
    position_base: float = 30.0
    steps: int = 1500
    batch_size: int = 32
    batches_sorted: int = 4
    learning_rate: float = 6e-3
    warm_up: int = 100
    label_smoothing: float = 0.0
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    max_grad_norm: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "batches_sorted", "warm_up"):
            expect_count(name, getattr(self, name))
        for name in ("learning_rate", "max_grad_norm"):
            expect_positive(name, getattr(self, name))
        # these check their own numbers
        self.schedule, self.loss, self.optimizer, Dropout(self.dropout)

    @property
    def schedule(self) -> WarmUp:
        """The learning rate as a function of the step."""
        falling = max(self.steps - self.warm_up, 1)
        return WarmUp(CosineSchedule(self.learning_rate, falling), self.warm_up)

    @property
    def loss(self) -> CrossEntropy:
        """The loss of the reference, which leaves padding out."""
        return CrossEntropy(self.label_smoothing, ignore_index=PADDING)

    @property
    def optimizer(self) -> AdamW:
        """The optimizer of the reference."""
        return AdamW(self.learning_rate, self.betas, weight_decay=self.weight_decay)


class Batches:
    """The batch of any step: source (B, S) and target (B, T) tokens, a function of seed and step.

    Every batch is drawn anew: with all the dates of two centuries and all pairs of languages, the
    model hardly sees an example twice.
    """

    def __init__(self, configuration: Configuration, data: CldrDates) -> None:
        self.configuration, self.data = configuration, data
        self.vocabulary = Vocabulary.of(data)
        self._round, self._batches = -1, []

    def __getitem__(self, step: int) -> tuple[Array, Array]:
        number, place = divmod(step, self.configuration.batches_sorted)
        if number != self._round:
            self._round, self._batches = number, self._draw(number)
        return self._batches[place]

    def _draw(self, number: int) -> list[tuple[Array, Array]]:
        """Return some batches in random order, each of pairs of nearly the same lengths."""
        size, many = self.configuration.batch_size, self.configuration.batches_sorted
        rng = np.random.default_rng([self.configuration.seed, number])
        pairs = self.data.draw(rng, size * many)
        encoded = encode_pairs(self.vocabulary, pairs)
        encoded.sort(key=lambda pair: (len(pair[1]), len(pair[0])))
        starts = size * rng.permutation(many)
        return [tuple(map(padded, zip(*encoded[s : s + size], strict=True))) for s in starts]


def model_options(configuration: Configuration, data: CldrDates) -> dict:
    """Return the arguments of `reference.Transformer` and of its PyTorch twin."""
    size = len(Vocabulary.of(data))
    return {
        "source_vocabulary": size,
        "target_vocabulary": size,
        "d_model": configuration.d_model,
        "num_heads": configuration.num_heads,
        "num_layers": configuration.num_layers,
        "d_ff": configuration.d_ff,
        "dropout": configuration.dropout,
        "norm_first": configuration.norm_first,
        "position_base": configuration.position_base,
        "padding_idx": PADDING,
        "max_length": max(data.longest_source, data.longest_target) + 2,  # tag or start, and end
    }


@dataclass(frozen=True)
class Result:
    """The trained model, the vocabulary its tokens are of, and the loss of every step."""

    model: Transformer
    vocabulary: Vocabulary
    losses: list[float]


def train(
    configuration: Configuration,
    data: CldrDates,
    folder: str | Path | None = None,
    *,
    model: nn.Module | None = None,
    checkpoint_every: int = 250,
    on_step: Callable[[int], None] | None = None,
    progress: bool = True,
) -> Result:
    """Train a model, or go on with the training whose checkpoints are in `folder`.

    Without a folder nothing is saved. `model` is what is trained if it is not to be the standard
    one. `on_step(step)` is called after every step; what it raises interrupts the training.

    Raises:
        CheckpointError: the folder holds another training, or cannot be written.
        NonFiniteLoss: the loss is no longer a finite number; names the step.
    """
    expect_count("checkpoint_every", checkpoint_every)
    saving = None
    if folder is not None:
        saving = Saving(folder, _identity(configuration, data), every=checkpoint_every)
    with seeded(configuration.seed):
        if model is None:
            model = Transformer(**model_options(configuration, data))
        training = training_of(model, configuration, data, saving)
        training.run(on_step=on_step, progress=progress)
    return Result(model, Vocabulary.of(data), training.losses())


def training_of(
    model: nn.Module, configuration: Configuration, data: CldrDates, saving: Saving | None = None
) -> Training:
    """Return the training of a model, before its first step."""

    def loss(batch: tuple[Array, Array]) -> Tensor:
        source, target = map(torch.from_numpy, batch)
        logits = model(source, target[:, :-1])  # each token sees those before it …
        return F.cross_entropy(
            logits.flatten(0, 1),
            target[:, 1:].flatten(),  # … and is to foretell the next
            ignore_index=PADDING,
            label_smoothing=configuration.label_smoothing,
        )

    adam = torch.optim.AdamW(
        model.parameters(),
        betas=configuration.betas,
        weight_decay=configuration.weight_decay,
        fused=True,
    )
    objective = Objective(loss, adam, configuration.schedule, configuration.max_grad_norm)
    batches = Batches(configuration, data)
    return Training(model, batches, objective, steps=configuration.steps, saving=saving)


def _identity(configuration: Configuration, data: CldrDates) -> dict:
    """What a checkpoint must agree with."""
    first_days = [str(getattr(data, part)[:3]) for part in ("train", "test")]
    known = {"languages": data.languages, "source": data.source, "days": first_days}
    return asdict(configuration) | {"data": known}


def losses_of_both(
    configuration: Configuration, data: CldrDates, steps: int
) -> tuple[list[float], list[float]]:
    """Take the same steps with the NumPy reference and with PyTorch, both in float64.

    Returns the losses of NumPy and of PyTorch: the same parameters at the start, the same batches.
    The configuration has no dropout, whose random numbers the two do not share.
    """
    if configuration.dropout:
        raise HyperparameterError(
            f"dropout is {configuration.dropout}, expected 0: NumPy and PyTorch would draw "
            "different masks."
        )
    options = model_options(configuration, data)
    layer = reference.Transformer(**options)
    params = layer.init(np.random.default_rng(configuration.seed))
    with seeded(configuration.seed):
        twin = Transformer(**options).double()
        twin.load_state_dict({name: torch.tensor(value) for name, value in params.items()})
        training = training_of(twin, configuration, data)
        for _ in range(steps):
            training.take_step()

    ours, state = [], configuration.optimizer.init(params)
    for step in range(steps):
        source, target = training.batches[step]
        logits, cache = layer.forward(params, source, target[:, :-1])
        rows = logits.reshape(-1, logits.shape[-1])
        loss, loss_cache = configuration.loss.forward({}, rows, target[:, 1:].ravel())
        (d_rows, _), _ = configuration.loss.backward({}, loss_cache, np.ones_like(loss))
        _, grads = layer.backward(params, cache, d_rows.reshape(logits.shape))
        grads, _ = clip_gradients_by_norm(grads, configuration.max_grad_norm)
        lr = configuration.schedule(step)
        params, state = configuration.optimizer.update(params, grads, state, lr=lr)
        ours.append(float(loss))
    return ours, training.losses()
