"""Learning to write: a language model of characters, trained in PyTorch over one long text.

The text is cut into as many equal streams as the batch has rows. Every step reads the next window
of each stream, beginning in the states in which the window before it ended: truncated
backpropagation through time. A training that is interrupted goes on from its last checkpoint to
the same numbers, bit for bit.
"""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from bigmodel_edu.errors import HyperparameterError, LengthError
from bigmodel_edu.layer import Array, expect_count, expect_shape
from bigmodel_edu.neural_nets.reference import CosineSchedule, Dropout
from bigmodel_edu.training import torch_state
from bigmodel_edu.training.finite import expect_finite_loss
from bigmodel_edu.training.torch_state import parameters_of

from . import reference
from .reference import CharacterTokenizer, NGramModel
from .torch_impl import LanguageModel


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
            if not 0 < getattr(self, name) < float("inf"):
                raise HyperparameterError(
                    f"{name} is {getattr(self, name)}, expected a positive number."
                )


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
    with torch.random.fork_rng(devices=[]):  # the caller's random numbers are left as they are
        training = _Training(configuration, text, Path(folder))
        training.resume()
        remaining = range(training.step, configuration.steps)
        for _ in tqdm(remaining, desc="steps", leave=False, disable=not progress):
            training.take_step()
            step = training.step
            if step % configuration.checkpoint_every == 0 or step == configuration.steps:
                training.save()
            if on_step is not None:
                on_step(step, training.model)
    return Result(training.model.eval(), training.step_loss)


class _Training:
    """All that changes while a training runs: what a checkpoint has to hold."""

    def __init__(self, configuration: Configuration, text: Text, folder: Path) -> None:
        self.configuration, self.text, self.folder = configuration, text, folder
        self.inputs, self.targets = streams(text.train, configuration.batch_size)
        self.step, self.step_loss = 0, []
        self.states: tuple[Tensor, ...] = ()
        self.schedule = CosineSchedule(configuration.learning_rate, configuration.steps)
        torch.manual_seed(configuration.seed)
        self.model = LanguageModel(
            text.tokenizer.vocabulary_size,
            configuration.embedding_dim,
            configuration.hidden_size,
            configuration.num_layers,
            configuration.dropout,
        )
        self.optimizer = torch.optim.Adam(self.model.parameters())

    @property
    def identity(self) -> dict:
        """What a checkpoint must agree with."""
        digest = hashlib.sha256("".join(self.text.tokenizer.characters).encode())
        digest.update(self.text.train.tobytes())
        return asdict(self.configuration) | {"text": digest.hexdigest()[:16]}

    def take_step(self) -> None:
        """Read the next window of every stream; at its end all begin anew, in zero states."""
        window = self.configuration.window
        windows = -(-self.inputs.shape[1] // window)
        position = self.step % windows
        piece = slice(position * window, (position + 1) * window)
        # detached: the states are carried over, the gradient is not
        states = tuple(state.detach() for state in self.states) if position else ()
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule(self.step)
        self.model.train()
        logits, *self.states = self.model(torch.from_numpy(self.inputs[:, piece]), *states)
        targets = torch.from_numpy(self.targets[:, piece])
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        expect_finite_loss(
            loss.item(),
            f"of step {self.step}",
            self.step,
            lambda: parameters_of(self.model),
            folder=self.folder,
        )
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.configuration.max_grad_norm)
        self.optimizer.step()
        self.step += 1
        self.step_loss.append(loss.item())

    def save(self) -> None:
        states = {
            f"states.{i}": state.numpy(force=True).copy() for i, state in enumerate(self.states)
        }
        torch_state.save_training(
            self.folder,
            self.model,
            self.optimizer,
            step=self.step,
            configuration=self.identity,
            arrays=states,
            extra={"step_loss": self.step_loss},
            keep=self.configuration.checkpoints_kept,
        )

    def resume(self) -> None:
        """Go to where the latest checkpoint was made, if there is one."""
        checkpoint = torch_state.resume_training(
            self.folder, self.model, self.optimizer, self.identity, may_differ=MAY_DIFFER
        )
        if checkpoint is None:
            return
        self.step, self.step_loss = checkpoint.step, checkpoint.extra["step_loss"]
        self.states = tuple(torch.from_numpy(checkpoint.arrays[f"states.{i}"]) for i in range(2))


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
