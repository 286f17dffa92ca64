"""A small exercise, a catalogue that holds it, and a progress folder of the test's own."""

import numpy as np
import pytest

from bigmodel_edu import catalogue
from bigmodel_edu.labs import Case, Exercise, Mistake


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def over_the_whole_array(z):
    return np.exp(z) / np.exp(z).sum()


def without_the_maximum(z):
    return np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)


def along_the_batch(z):
    return softmax(z.T)  # and forgets to turn it back


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    """The folder of the progress file."""
    folder = tmp_path / "state"
    monkeypatch.setenv("BIGMODEL_STATE_DIR", str(folder))
    monkeypatch.delenv("BIGMODEL_CHECK_LOG", raising=False)
    return folder


@pytest.fixture
def exercise():
    return Exercise(
        name="neural_nets.softmax",
        title="Stable softmax",
        points=2,
        stars=1,
        reference=softmax,
        cases=lambda rng: [
            (first := Case((rng.normal(size=(5, 7)),))),
            first.in_batch_of(3, 0),
            Case((rng.normal(size=(2, 7)).astype(np.float32),), note="float32"),
            Case((np.array([[1e4, 0.0]]),), note="huge logits"),
        ],
        mistakes=[
            Mistake(over_the_whole_array, "You normalised over the whole array, not each row."),
            Mistake(without_the_maximum, "exp overflowed: subtract each row's maximum first."),
            Mistake(along_the_batch, "You normalised along the batch."),
        ],
        hints=("Look at the largest logit.", "Subtract it.", "keepdims=True"),
    )


@pytest.fixture
def listed(exercise, monkeypatch):
    """The exercise, listed in the catalogue."""
    monkeypatch.setattr(catalogue, "exercises", lambda: {exercise.name: exercise})
    monkeypatch.setattr(catalogue, "exercises_of", lambda chapter: {exercise.name: exercise})
    return exercise
