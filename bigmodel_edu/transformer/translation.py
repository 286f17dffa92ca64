"""Learning to translate dates with a small Transformer in PyTorch: tokens, batches, training.

A source is read as ``<ja> Tuesday, 3 March 2026 <end>``, character by character: the tag says which
language is wanted. One frozen dataclass holds every number that matters. The batch of a step
depends on the seed and the step only, so that an interrupted training goes on from its last
checkpoint to the same numbers, and NumPy can be trained on the very batches that PyTorch saw.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from tqdm import tqdm

from bigmodel_edu.data import CldrDates, DatePairs
from bigmodel_edu.errors import HyperparameterError, LengthError, TokenError, UnknownName
from bigmodel_edu.layer import Array, expect_count
from bigmodel_edu.neural_nets.reference import (
    AdamW,
    CosineSchedule,
    CrossEntropy,
    Dropout,
    WarmUp,
    clip_gradients_by_norm,
)
from bigmodel_edu.training import torch_state
from bigmodel_edu.training.finite import expect_finite_loss
from bigmodel_edu.training.torch_state import parameters_of

from . import reference
from .torch_impl import Transformer

PADDING, START, END = 0, 1, 2


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
            if not 0 < getattr(self, name) < float("inf"):
                raise HyperparameterError(
                    f"{name} is {getattr(self, name)}, expected a positive number."
                )
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


# Texts as tokens


@dataclass(frozen=True)
class Vocabulary:
    """One token per character and one per language, after padding, start and end.

    Sources and targets share it: what a character is does not depend on where it stands.
    """

    languages: tuple[str, ...]
    characters: tuple[str, ...]

    @classmethod
    def of(cls, data: CldrDates) -> "Vocabulary":
        """Return the vocabulary of all languages and characters of the data."""
        return cls(data.languages, data.characters)

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """What each token stands for, to read."""
        tags = (f"<{language}>" for language in self.languages)
        return ("<pad>", "<start>", "<end>", *tags, *self.characters)

    @cached_property
    def _token_of(self) -> dict[str, int]:
        return {symbol: token for token, symbol in enumerate(self.symbols)}

    def __len__(self) -> int:
        return len(self.symbols)

    def encode_source(self, text: str, target_language: str) -> list[int]:
        """Return the tag of the language to translate into, the characters, and the end."""
        if target_language not in self.languages:
            raise UnknownName(
                f"Unknown target language {target_language!r}, expected one of "
                f"{', '.join(self.languages)}."
            )
        return [self._token_of[f"<{target_language}>"], *self._encode(text), END]

    def encode_target(self, text: str) -> list[int]:
        """Return the start, the characters, and the end."""
        return [START, *self._encode(text), END]

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text up to the end; padding and start are left out."""
        tokens = [int(token) for token in tokens]
        if END in tokens:
            tokens = tokens[: tokens.index(END)]
        return "".join(self.symbols[token] for token in tokens if token not in (PADDING, START))

    def _encode(self, text: str) -> list[int]:
        if not text:
            raise LengthError("the text is empty, expected at least one character; leave it out.")
        try:
            return [self._token_of[character] for character in text]
        except KeyError as error:
            raise TokenError(
                f"{text!r} holds {error.args[0]!r}, which is none of the {len(self.characters)} "
                "characters of this vocabulary; is the text in one of its languages?"
            ) from None


def padded(rows: Sequence[Sequence[int]]) -> Array:
    """Return rows of tokens as one array (B, T), T the longest, the others padded at the end."""
    tokens = np.full((len(rows), max(map(len, rows))), PADDING, dtype=np.int64)
    for row, given in zip(tokens, rows, strict=True):
        row[: len(given)] = given
    return tokens


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


def encode_pairs(vocabulary: Vocabulary, pairs: DatePairs) -> list[tuple[list[int], list[int]]]:
    """Return the tokens of each pair's source and of its target."""
    return [
        (vocabulary.encode_source(source, language), vocabulary.encode_target(target))
        for source, target, language in zip(
            pairs.sources, pairs.targets, pairs.target_languages, strict=True
        )
    ]


# Training


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


class Training:
    """All that changes while a training runs: model, optimizer, step and losses."""

    def __init__(
        self, configuration: Configuration, data: CldrDates, model: nn.Module | None = None
    ) -> None:
        self.configuration, self.data = configuration, data
        self.batches = Batches(configuration, data)
        torch.manual_seed(configuration.seed)
        self.model = Transformer(**model_options(configuration, data)) if model is None else model
        self.model.train()
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=configuration.learning_rate,
            betas=configuration.betas,
            weight_decay=configuration.weight_decay,
            fused=True,
        )
        self.step, self.losses = 0, []

    @property
    def identity(self) -> dict:
        """What a checkpoint must agree with."""
        data = {"languages": self.data.languages, "source": self.data.source}
        first_days = [str(getattr(self.data, part)[:3]) for part in ("train", "test")]
        return asdict(self.configuration) | {"data": data | {"days": first_days}}

    def take_step(self) -> float:
        """Train on the batch of this step; return its loss, from before the update."""
        source, target = map(torch.from_numpy, self.batches[self.step])
        logits = self.model(source, target[:, :-1])  # each token sees those before it …
        loss = F.cross_entropy(
            logits.flatten(0, 1),
            target[:, 1:].flatten(),  # … and is to foretell the next
            ignore_index=PADDING,
            label_smoothing=self.configuration.label_smoothing,
        )
        expect_finite_loss(
            loss.item(), f"of step {self.step}", self.step, lambda: parameters_of(self.model)
        )
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.configuration.max_grad_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = self.configuration.schedule(self.step)
        self.optimizer.step()
        self.step += 1
        self.losses.append(loss.item())
        return self.losses[-1]

    def save(self, folder: Path) -> None:
        torch_state.save_training(
            folder,
            self.model,
            self.optimizer,
            step=self.step,
            configuration=self.identity,
            extra={"losses": self.losses},
        )

    def resume(self, folder: Path) -> None:
        """Go on from the latest checkpoint in the folder, if there is one."""
        checkpoint = torch_state.resume_training(folder, self.model, self.optimizer, self.identity)
        if checkpoint is not None:
            self.step, self.losses = checkpoint.step, checkpoint.extra["losses"]


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
    folder = None if folder is None else Path(folder)
    with torch.random.fork_rng(devices=[]):  # the caller's random numbers are left as they are
        training = Training(configuration, data, model)
        if folder is not None:
            training.resume(folder)
        remaining = range(training.step, configuration.steps)
        for _ in (bar := tqdm(remaining, desc="steps", leave=False, disable=not progress)):
            loss = training.take_step()
            last = training.step == configuration.steps
            if training.step % 50 == 0:
                bar.set_postfix(loss=f"{loss:.3f}")
            if folder is not None and (last or training.step % checkpoint_every == 0):
                training.save(folder)
            if on_step is not None:
                on_step(training.step)
    return Result(training.model.eval(), training.batches.vocabulary, training.losses)


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
    twin = Transformer(**options).double()
    twin.load_state_dict({name: torch.tensor(value) for name, value in params.items()})
    training = Training(configuration, data, twin)
    theirs = [training.take_step() for _ in range(steps)]

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
    return ours, theirs
