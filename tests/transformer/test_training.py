"""Batches, training with PyTorch and with NumPy, interruption, and what cannot be trained."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bigmodel_edu.data import load_cldr_dates
from bigmodel_edu.errors import BookError, HyperparameterError
from bigmodel_edu.training.checkpoints import CheckpointError, latest
from bigmodel_edu.training.finite import NonFiniteLoss
from bigmodel_edu.transformer.experiments.tokens import END, PADDING, START, Vocabulary
from bigmodel_edu.transformer.experiments.training import (
    Batches,
    Configuration,
    losses_of_both,
    model_options,
    train,
)
from bigmodel_edu.transformer.torch_impl import Transformer

# Batches


def test_a_batch_depends_on_seed_and_step_only(tiny, data):
    batches = Batches(tiny, data)
    forwards = [batches[step] for step in range(12)]
    backwards = [Batches(tiny, data)[step] for step in reversed(range(12))][::-1]
    for one, other in zip(forwards, backwards, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)
    other = Batches(replace(tiny, seed=1), data)[0]
    assert not np.array_equal(forwards[0][1], other[1])


def test_a_batch_holds_pairs_of_the_training_dates(tiny):
    data = load_cldr_dates(("en", "de", "ja", "bn"), test_fraction=0.99, validation_fraction=0)
    vocabulary = Vocabulary.of(data)
    of_training = {
        data.write(date, language, style)
        for date in data.train.tolist()
        for language in data.languages
        for style in ("full", "long")
    }
    source, target = Batches(tiny, data)[3]
    assert len(source) == len(target) == tiny.batch_size
    for read, written in zip(source, target, strict=True):
        assert vocabulary.symbols[read[0]] in {f"<{language}>" for language in data.languages}
        assert written[0] == START
        assert (written == END).sum() == (read == END).sum() == 1
        assert vocabulary.decode(written) in of_training


def test_sorting_saves_padding(tiny, data):
    def share_of_padding(many):
        batches = Batches(replace(tiny, batches_sorted=many), data)
        flat = np.concatenate([side.ravel() for step in range(100) for side in batches[step]])
        return (flat == PADDING).mean()

    assert share_of_padding(100) < 0.6 * share_of_padding(1)


# Training


def test_numpy_and_pytorch_take_the_same_steps(tiny, data):
    ours, theirs = losses_of_both(tiny, data, steps=12)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
    assert ours[-1] < ours[0] - 0.3


def test_both_would_draw_other_dropout_masks(tiny, data):
    with pytest.raises(HyperparameterError, match=r"dropout is 0\.1, expected 0"):
        losses_of_both(replace(tiny, dropout=0.1), data, steps=1)


def test_it_learns_to_write_one_language():
    """From digits to digits: Chinese into Japanese, without weekdays the same characters."""
    data = load_cldr_dates(("zh", "ja"))
    configuration = Configuration(
        d_model=32, num_heads=2, num_layers=1, d_ff=32, steps=150, warm_up=15, learning_rate=0.01
    )
    losses = train(configuration, data, progress=False).losses
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:10])


def test_the_same_seed_gives_the_same_numbers_and_leaves_the_callers_alone(tiny, data, result):
    torch.manual_seed(123)
    expected = torch.rand(3)
    torch.manual_seed(123)
    again = train(tiny, data, progress=False)
    assert torch.equal(torch.rand(3), expected)
    assert again.losses == result.losses
    same(again.model, result.model)
    assert train(replace(tiny, seed=1), data, progress=False).losses != result.losses


def test_a_model_of_the_readers_own_is_trained(tiny, data):
    model = Transformer(**model_options(tiny, data))
    before = model.target_embedding.weight.detach().clone()
    trained = train(tiny, data, model=model, progress=False).model
    assert trained is model
    assert not torch.equal(model.target_embedding.weight, before)


class Stop(Exception):
    """The power cut."""


def stop_at(step):
    def on_step(done):
        if done == step:
            raise Stop

    return on_step


def same(one, other):
    theirs = other.state_dict()
    for name, value in one.state_dict().items():
        assert torch.equal(value, theirs[name]), name


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_an_interrupted_training_resumes_to_the_same_numbers(tiny, data, tmp_path, dropout):
    configuration = replace(tiny, dropout=dropout)
    whole = train(configuration, data, progress=False)
    with pytest.raises(Stop):
        train(
            configuration,
            data,
            tmp_path,
            checkpoint_every=4,
            on_step=stop_at(11),
            progress=False,
        )
    assert latest(tmp_path).name == "step-00000008.npz"  # so steps 9 to 11 are lost
    steps = []
    resumed = train(
        configuration, data, tmp_path, checkpoint_every=4, on_step=steps.append, progress=False
    )
    assert steps == [9, 10, 11, 12]
    assert resumed.losses == whole.losses
    same(resumed.model, whole.model)
    finished = train(configuration, data, tmp_path, progress=False)  # nothing is left to do
    assert finished.losses == whole.losses
    same(finished.model, whole.model)


@pytest.mark.parametrize(
    ("changed", "says"),
    [({"learning_rate": 0.1}, "learning_rate is 0.006"), ({"d_model": 32}, "d_model is 16")],
)
def test_a_folder_holds_one_training(tiny, data, tmp_path, changed, says):
    train(tiny, data, tmp_path, progress=False)
    with pytest.raises(CheckpointError, match=says):
        train(replace(tiny, **changed), data, tmp_path, progress=False)


def test_a_training_resumes_on_its_own_data_only(tiny, data, tmp_path):
    train(tiny, data, tmp_path, progress=False)
    with pytest.raises(CheckpointError, match=r"data\.days"):
        train(tiny, load_cldr_dates(data.languages, seed=1), tmp_path, progress=False)


def test_a_checkpoint_cut_short_is_refused(tiny, data, tmp_path):
    train(tiny, data, tmp_path, progress=False)
    path = latest(tmp_path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(CheckpointError):
        train(tiny, data, tmp_path, progress=False)


def test_a_loss_that_is_no_number_names_the_step(tiny, data):
    model = Transformer(**model_options(tiny, data))
    with torch.no_grad():
        model.source_embedding.weight[:] = torch.nan
    with pytest.raises(NonFiniteLoss, match="the loss of step 0 is nan") as caught:
        train(tiny, data, model=model, progress=False)
    assert caught.value.step == 0
    assert np.isfinite(caught.value.params["target_embedding.weight"]).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"batch_size": 0},
        {"warm_up": 0},
        {"learning_rate": -1.0},
        {"label_smoothing": 1.5},
        {"betas": (0.9, 1.0)},
        {"max_grad_norm": 0.0},
    ],
)
def test_numbers_that_cannot_be_trained_with(wrong):
    with pytest.raises(BookError, match=f"{next(iter(wrong))} "):
        Configuration(**wrong)


def test_dropout_is_a_probability():
    with pytest.raises(HyperparameterError, match=r"p is 1\.0, expected a probability"):
        Configuration(dropout=1.0)


def test_the_learning_rate_rises_and_falls():
    configuration = Configuration(steps=100, warm_up=10, learning_rate=0.01)
    rates = [configuration.schedule(step) for step in range(100)]
    assert np.argmax(rates) == 10
    assert rates[10] == 0.01
    assert rates[0] < 0.001
    assert rates[-1] < 1e-5
