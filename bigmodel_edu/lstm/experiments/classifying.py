"""Classifying sentences: the article's project, done with care, to be watched and resumed.

Embedding → LSTM → Dropout → LSTM → Dropout → Dense(sigmoid), in PyTorch, for two classes of
sentences. One frozen dataclass holds every number that matters; the logs are TensorBoard's; a
training that is interrupted goes on from its last checkpoint to the same numbers, bit for bit.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bigmodel_edu.data import DocumentationSentences
from bigmodel_edu.errors import LengthError
from bigmodel_edu.layer import Array, expect_count, expect_labels, expect_positive
from bigmodel_edu.neural_nets.reference import Dropout
from bigmodel_edu.training.batches import EpochBatches
from bigmodel_edu.training.logs import TensorBoardLog, Values
from bigmodel_edu.training.loop import Objective, Saving, Training, Validation, seeded

PADDING, UNKNOWN, FIRST = 0, 1, 2
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Configuration:
    """Everything that decides what a training does, and how often it is saved.

    `least_count` is how often a word must occur among the training sentences to get a vector of its
    own; `dropout` is a probability and has nothing to do with the `learning_rate`.
    """

    embedding_dim: int = 32
    hidden_size: int = 32
    dropout: float = 0.5
    learning_rate: float = 3e-3
    batch_size: int = 64
    epochs: int = 10
    max_grad_norm: float = 1.0
    vocabulary_size: int = 5000
    least_count: int = 2
    longest: int = 40
    seed: int = 0
    checkpoint_every: int = 50
    checkpoints_kept: int = 2

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if name not in ("dropout", "learning_rate", "max_grad_norm", "seed"):
                expect_count(name, value)
        Dropout(self.dropout)  # raises if it is no probability
        for name in ("learning_rate", "max_grad_norm"):
            expect_positive(name, getattr(self, name))


MAY_DIFFER = ("epochs", "checkpoint_every", "checkpoints_kept")  # when a training is resumed


# The data


@dataclass(frozen=True)
class Vocabulary:
    """Words numbered from 2; 0 is padding, 1 any other word."""

    words: tuple[str, ...]

    @classmethod
    def fit(cls, sentences: Iterable[str], size: int, least_count: int = 1) -> "Vocabulary":
        """Return the commonest words, at most `size` with padding and unknown among them."""
        counts = Counter(word for sentence in sentences for word in words_of(sentence))
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        return cls(tuple(w for w in ranked if counts[w] >= least_count)[: max(size - FIRST, 0)])

    @cached_property
    def _token_of(self) -> dict[str, int]:
        return {word: token for token, word in enumerate(self.words, start=FIRST)}

    def __len__(self) -> int:
        return len(self.words) + FIRST

    def encode(self, sentences: Sequence[str], longest: int) -> Array:
        """Return tokens (N, T), T = `longest`, padded at the end; what is longer is cut."""
        tokens = np.full((len(sentences), longest), PADDING, dtype=np.int64)
        for row, sentence in enumerate(sentences):
            words = words_of(sentence)[:longest]
            if not words:
                raise LengthError(f"sentence {row}, {sentence!r}, has no words; leave it out.")
            tokens[row, : len(words)] = [self._token_of.get(word, UNKNOWN) for word in words]
        return tokens


def words_of(sentence: str) -> list[str]:
    """Cut a sentence into words, numbers and single signs, in small letters."""
    return re.findall(r"[^\W\d_]+|\d+|[^\w\s]|_", sentence.lower())


@dataclass(frozen=True)
class Examples:
    """Tokens (N, T) and labels (N,), 0 or 1, of one part of the data."""

    tokens: Array
    labels: Array

    def __post_init__(self) -> None:
        expect_labels("labels", self.labels, 2)
        if len(self.labels) != len(self.tokens) or not len(self.labels):
            raise LengthError(
                f"there are {len(self.tokens)} sentences and {len(self.labels)} labels, expected "
                "as many of both, and at least one."
            )


@dataclass(frozen=True)
class Data:
    """The vocabulary, made from the training sentences only, and the three parts."""

    vocabulary: Vocabulary
    train: Examples
    validation: Examples
    test: Examples

    @property
    def fingerprint(self) -> str:
        """A hash of all tokens and labels: a training resumes on its own data only."""
        digest = hashlib.sha256("\n".join(self.vocabulary.words).encode())
        for name in PARTS:
            part = getattr(self, name)
            digest.update(part.tokens.tobytes())
            digest.update(part.labels.astype(np.int64).tobytes())
        return digest.hexdigest()[:16]


def prepare(sentences: DocumentationSentences, configuration: Configuration) -> Data:
    """Number the words of the sentences; words that only validation or test have are unknown."""
    words, _ = sentences.part("train")
    sizes = (configuration.vocabulary_size, configuration.least_count)
    vocabulary = Vocabulary.fit(words, *sizes)
    parts = {}
    for name in PARTS:
        texts, labels = sentences.part(name)
        parts[name] = Examples(vocabulary.encode(texts, configuration.longest), labels)
    return Data(vocabulary, **parts)


# The model


class TextClassifier(nn.Module):
    """Embedding → LSTM → Dropout → LSTM → Dropout → Dense, the layers of the article.

    Shapes: tokens (B, T), padded at the end; logits (B,). The sigmoid is in the loss, which is
    more exact there, and in `probabilities`.
    """

    def __init__(
        self, vocabulary_size: int, embedding_dim: int, hidden_size: int, dropout: float
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, embedding_dim, padding_idx=PADDING)
        self.lstm_1 = nn.LSTM(embedding_dim, hidden_size, batch_first=True)
        self.lstm_2 = nn.LSTM(hidden_size, hidden_size, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(hidden_size, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        lengths = (tokens != PADDING).sum(dim=1)
        tokens = tokens[:, : int(lengths.max())]
        y, _ = self.lstm_1(self.embedding(tokens))
        y, _ = self.lstm_2(self.dropout(y))
        # Read from left to right, the output at the last word knows nothing of the padding.
        last = y[torch.arange(len(y)), lengths - 1]
        return self.dense(self.dropout(last)).squeeze(-1)

    def probabilities(self, tokens: Array) -> Array:
        """Return P(class 1) (N,) of tokens (N, T), without dropout."""
        was_training = self.training
        self.eval()
        with torch.no_grad():
            pieces = [torch.sigmoid(self(torch.from_numpy(t))) for t in _pieces(tokens)]
        self.train(was_training)
        return torch.cat(pieces).numpy()


def _pieces(tokens: Array, size: int = 512) -> list[Array]:
    return [tokens[start : start + size] for start in range(0, len(tokens), size)]


def loss_and_accuracy(model: TextClassifier, examples: Examples) -> tuple[float, float]:
    """Return binary cross-entropy and accuracy of a part, without dropout."""
    p = model.probabilities(examples.tokens).astype(np.float64)
    right = np.where(examples.labels == 1, p, 1 - p)
    loss = -np.log(np.maximum(right, np.finfo(np.float32).tiny)).mean()
    return float(loss), float(((p > 0.5) == examples.labels).mean())


# Training


class Batches(EpochBatches):
    """The batches of the training part, in an order that each epoch draws anew."""

    def __init__(self, examples: Examples, batch_size: int, seed: int) -> None:
        self.examples, self.batch_size, self.seed = examples, batch_size, seed

    def __len__(self) -> int:
        return -(-len(self.examples.labels) // self.batch_size)

    def epoch(self, number: int) -> Iterator[Examples]:
        rng, n = np.random.default_rng(self.seed), len(self.examples.labels)
        order = [rng.permutation(n) for _ in range(number + 1)][-1]  # one generator for all epochs
        for start in range(0, n, self.batch_size):
            chosen = order[start : start + self.batch_size]
            yield Examples(self.examples.tokens[chosen], self.examples.labels[chosen])


@dataclass(frozen=True)
class History:
    """The loss of every step, and after every epoch loss and accuracy of two parts."""

    step_loss: list[float]
    train_loss: list[float]
    train_accuracy: list[float]
    validation_loss: list[float]
    validation_accuracy: list[float]

    @property
    def best_epoch(self) -> int:
        """The epoch, from zero, with the lowest validation loss."""
        return int(np.argmin(self.validation_loss))


@dataclass(frozen=True)
class Result:
    """The model of the best epoch, what training saw, and the loss and accuracy on test data."""

    model: TextClassifier
    history: History
    test_loss: float
    test_accuracy: float


def train(
    configuration: Configuration,
    data: Data,
    folder: str | Path,
    *,
    on_step: Callable[[int], None] | None = None,
    progress: bool = True,
) -> Result:
    """Train, or go on with the training whose checkpoints are in `folder`.

    The parameters of the epoch with the lowest validation loss are kept; the test part is looked
    at once, at the end. `folder` gets the checkpoints and, in `logs`, what TensorBoard shows.
    `on_step(step)` is called after every step; what it raises interrupts the training.

    Raises:
        CheckpointError: the folder holds another training, or cannot be written.
        NonFiniteLoss: the loss is no longer a finite number; names the step.
    """
    with seeded(configuration.seed):
        model = TextClassifier(
            len(data.vocabulary),
            configuration.embedding_dim,
            configuration.hidden_size,
            configuration.dropout,
        )
        training = _training_of(model, configuration, data, Path(folder))
        training.run(on_step=on_step, progress=progress)
    history = History(training.losses(), *(training.history[tag] for tag in _MEASURES))
    return Result(model, history, *loss_and_accuracy(model, data.test))


_MEASURES = ("loss/train", "accuracy/train", "loss/validation", "accuracy/validation")


def _training_of(
    model: TextClassifier, configuration: Configuration, data: Data, folder: Path
) -> Training:
    def loss(batch: Examples) -> Tensor:
        labels = torch.from_numpy(batch.labels).float()
        return F.binary_cross_entropy_with_logits(model(torch.from_numpy(batch.tokens)), labels)

    def measure() -> dict[str, float]:
        of_both = (loss_and_accuracy(model, part) for part in (data.train, data.validation))
        return dict(zip(_MEASURES, sum(of_both, ()), strict=True))

    batches = Batches(data.train, configuration.batch_size, configuration.seed)
    adam = torch.optim.Adam(model.parameters(), lr=configuration.learning_rate)
    return Training(
        model,
        batches,
        Objective(loss, adam, max_grad_norm=configuration.max_grad_norm),
        steps=configuration.epochs * len(batches),
        validation=Validation(measure, every=len(batches), best_by="loss/validation"),
        saving=Saving(
            folder,
            asdict(configuration) | {"data": data.fingerprint},
            every=configuration.checkpoint_every,
            keep=configuration.checkpoints_kept,
            may_differ=MAY_DIFFER,
        ),
        log=_log(folder),
    )


def _log(folder: str | Path) -> TensorBoardLog:
    return TensorBoardLog(Path(folder) / "logs")


def read_logs(folder: str | Path) -> Values:
    """Read back what TensorBoard shows of a training: {"loss/step": [(1, 0.69), …], …}."""
    return _log(folder).read()
