"""Learning to write: a language model of characters, trained in PyTorch over one long text.

The text is cut into as many equal streams as the batch has rows. Every step reads the next window
of each stream, beginning in the states in which the window before it ended: truncated
backpropagation through time. A training that is interrupted goes on from its last checkpoint to
the same numbers, bit for bit.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bigmodel_edu.errors import HyperparameterError, LengthError
from bigmodel_edu.layer import Array, expect_count, expect_positive, expect_shape
from bigmodel_edu.neural_nets.reference import CosineSchedule, Dropout
from bigmodel_edu.training.loop import Objective, Saving, Training, seeded
from bigmodel_edu.training.torch_state import parameters_of

from .. import reference
from ..reference import CharacterTokenizer, NGramModel
from ..torch_impl import LanguageModel


@dataclass(frozen=True)
class Configuration:
    """Everything that decides what a training does, and how often it is saved.

    The learning rate falls from `learning_rate` to zero over `steps`, along a cosine.
    """

    embedding_dim: int = 64
    hidden_size: int = 256
    num_layers: int = 1
    dropout: float = 0.0
    learning_rate: float = 5e-3
    batch_size: int = 32
    window: int = 64
    steps: int = 500
    max_grad_norm: float = 1.0
    seed: int = 0
    checkpoint_every: int = 100
    checkpoints_kept: int = 2

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if name not in ("dropout", "learning_rate", "max_grad_norm", "seed"):
                expect_count(name, value)
        Dropout(self.dropout)  # raises if it is no probability
        for name in ("learning_rate", "max_grad_norm"):
            expect_positive(name, getattr(self, name))


MAY_DIFFER = ("checkpoint_every", "checkpoints_kept")  # when a training is resumed


@dataclass(frozen=True)
class Text:
    """A text in tokens: most of it to train on, its end to judge by.

    The tokenizer knows the characters of the training part only.
    """

    tokenizer: CharacterTokenizer
    train: Array
    held_out: Array

    @classmethod
    def of(cls, text: str, held_out_fraction: float = 0.05) -> "Text":
        """Cut off the end of a text, so that no window of training overlaps with it."""
        if not 0 < held_out_fraction < 1 or round(len(text) * (1 - held_out_fraction)) < 2:
            raise HyperparameterError(
                f"held_out_fraction is {held_out_fraction} of {len(text)} characters, expected a "
                "share between 0 and 1 that leaves two characters or more to train on."
            )
        end = round(len(text) * (1 - held_out_fraction))
        tokenizer = CharacterTokenizer.fit([text[:end]])
        return cls(tokenizer, tokenizer.encode(text[:end]), tokenizer.encode(text[end:]))

    @property
    def fingerprint(self) -> str:
        """A hash of what is trained on: a training resumes on its own text only."""
        digest = hashlib.sha256("".join(self.tokenizer.characters).encode())
        digest.update(self.train.tobytes())
        return digest.hexdigest()[:16]


def streams(tokens: Array, batch_size: int) -> tuple[Array, Array]:
    """Return inputs and targets (B, M): B pieces of the text, each target one character later.

    What is left over at the end, fewer than B characters, is not used.
    """
    expect_count("batch_size", batch_size)
    length = (len(tokens) - 1) // batch_size
    if length < 1:
        raise LengthError(
            f"the text has {len(tokens)} characters, expected more than {batch_size}, the batch "
            "size: take a longer text or a smaller batch."
        )
    used = length * batch_size
    return tokens[:used].reshape(batch_size, -1), tokens[1 : used + 1].reshape(batch_size, -1)


class Window(NamedTuple):
    """A piece of every stream: inputs and targets (B, T), and whether the streams begin with it."""

    inputs: Array
    targets: Array
    is_first: bool


class Windows:
    """The window of any step; after the last one all streams begin anew."""

    def __init__(self, tokens: Array, batch_size: int, window: int) -> None:
        self.inputs, self.targets = streams(tokens, batch_size)
        self.window = window

    def __getitem__(self, step: int) -> Window:
        many = -(-self.inputs.shape[1] // self.window)
        place = step % many
        piece = slice(place * self.window, (place + 1) * self.window)
        return Window(self.inputs[:, piece], self.targets[:, piece], place == 0)


def bits_per_character(
    model: LanguageModel, tokens: Array, *, skip: int = 0, window: int = 512
) -> float:
    """Return the mean surprise -log₂ p of the characters of a text, read from its beginning.

    The first character only sets the state; `skip` more are read but not counted, which compares
    the model with an n-gram model on the same characters: skip = n - 2.
    """
    expect_shape("tokens", tokens, "N")
    was_training = model.training
    model.eval()
    nats, states = [], ()
    with torch.no_grad():
        for start in range(0, len(tokens) - 1, window):
            piece = torch.from_numpy(tokens[start : start + window + 1])
            logits, *states = model(piece[None, :-1], *states)
            nats.append(F.cross_entropy(logits[0].double(), piece[1:], reduction="none"))
    model.train(was_training)
    return float(torch.cat(nats)[skip:].mean()) / np.log(2)


def ngram_bits(text: Text, orders: range) -> dict[int, float]:
    """Return the bits per character of n-gram models of these orders on the held-out part.

    All are judged on the same characters: those that the longest context leaves.
    """
    size = text.tokenizer.vocabulary_size
    bits = {}
    for order in orders:
        p = NGramModel(order, size).fit(text.train).probabilities(text.held_out)
        bits[order] = reference.bits_per_character(p[max(orders) - order :])
    return bits


class Reader:
    """A model that reads window after window, and the states in which it stopped."""

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self.states: tuple[Tensor, ...] = ()

    def loss(self, window: Window) -> Tensor:
        """Return the mean surprise of a window, read in the states left by the one before it."""
        inputs, targets = map(torch.from_numpy, window[:2])
        # detached: the states are carried over, the gradient is not
        states = () if window.is_first else [state.detach() for state in self.states]
        logits, *self.states = self.model(inputs, *states)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())

    def state_dict(self) -> dict[str, Tensor]:
        """Return the states, which a checkpoint has to hold."""
        return {f"{i}": state for i, state in enumerate(self.states)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.states = tuple(state[f"{i}"] for i in range(len(state)))


@dataclass(frozen=True)
class Result:
    """The trained model and the loss of every step, in nats per character."""

    model: LanguageModel
    step_loss: list[float]


def train(
    configuration: Configuration,
    text: Text,
    folder: str | Path,
    *,
    on_step: Callable[[int, LanguageModel], None] | None = None,
    progress: bool = True,
) -> Result:
    """Train, or go on with the training whose checkpoints are in `folder`.

    `on_step(step, model)` is called after every step, to look at how the writing gets better; what
    it raises interrupts the training.

    Raises:
        CheckpointError: the folder holds another training, or cannot be written.
        NonFiniteLoss: the loss is no longer a finite number; names the step.
    """
    with seeded(configuration.seed):
        model = LanguageModel(
            text.tokenizer.vocabulary_size,
            configuration.embedding_dim,
            configuration.hidden_size,
            configuration.num_layers,
            configuration.dropout,
        )
        training = _training_of(model, configuration, text, folder)
        training.run(
            on_step=None if on_step is None else lambda step: on_step(step, model),
            progress=progress,
        )
    return Result(model, training.losses())


def _training_of(
    model: LanguageModel, configuration: Configuration, text: Text, folder: str | Path
) -> Training:
    reader = Reader(model)
    objective = Objective(
        reader.loss,
        torch.optim.Adam(model.parameters()),
        schedule=CosineSchedule(configuration.learning_rate, configuration.steps),
        max_grad_norm=configuration.max_grad_norm,
    )
    saving = Saving(
        folder,
        asdict(configuration) | {"text": text.fingerprint},
        every=configuration.checkpoint_every,
        keep=configuration.checkpoints_kept,
        may_differ=MAY_DIFFER,
    )
    windows = Windows(text.train, configuration.batch_size, configuration.window)
    return Training(
        model, windows, objective, steps=configuration.steps, carried=reader, saving=saving
    )


def write(
    model: LanguageModel,
    tokenizer: CharacterTokenizer,
    prompt: str,
    *,
    length: int,
    temperature: float = 1.0,
    rng: np.random.Generator,
) -> str:
    """Return what the model writes after the prompt.

    The NumPy reference does the writing: for one character at a time it is as fast as PyTorch.
    """
    lstm = model.lstm
    sizes = (lstm.input_size, lstm.hidden_size, lstm.num_layers)
    twin = reference.LanguageModel(tokenizer.vocabulary_size, *sizes)
    return reference.generate(
        twin,
        parameters_of(model),
        tokenizer,
        prompt,
        length=length,
        temperature=temperature,
        rng=rng,
    )
