import json
import subprocess
import sys
from dataclasses import asdict, fields, replace

import numpy as np
import pytest
import torch

from bigmodel_edu.errors import BookError, HyperparameterError, LabelError, LengthError
from bigmodel_edu.lstm.experiments.classifying import (
    Configuration,
    Data,
    Examples,
    TextClassifier,
    Vocabulary,
    loss_and_accuracy,
    prepare,
    read_logs,
    train,
    words_of,
)
from bigmodel_edu.training import checkpoints
from bigmodel_edu.training.checkpoints import CheckpointError
from bigmodel_edu.training.finite import NonFiniteLoss
from bigmodel_edu.training.torch_state import parameters_of

SMALL = Configuration(
    embedding_dim=7,
    hidden_size=5,
    dropout=0.3,
    learning_rate=0.03,
    batch_size=16,
    epochs=4,
    checkpoint_every=3,
    longest=9,
)


def toy_data(n=45, seed=0, longest=9):
    """Is there a word 2 or a word 3 among the words? The last batch of an epoch is short."""
    rng = np.random.default_rng(seed)
    vocabulary = Vocabulary(tuple(map(str, range(10))))
    parts = []
    for _ in range(3):
        tokens = rng.integers(4, len(vocabulary), size=(n, longest))
        labels = rng.integers(0, 2, size=n)
        lengths = rng.integers(1, longest + 1, size=n)
        tokens[np.arange(n), rng.integers(0, lengths)] = 2 + labels
        tokens[np.arange(longest) >= lengths[:, None]] = 0
        parts.append(Examples(tokens, labels))
    return Data(vocabulary, *parts)


DATA = toy_data()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A training without interruption, and its folder."""
    folder = tmp_path_factory.mktemp("whole")
    return train(SMALL, DATA, folder, progress=False), folder


def same_result(one, other):
    assert asdict(one.history) == asdict(other.history)
    assert (one.test_loss, one.test_accuracy) == (other.test_loss, other.test_accuracy)
    for name, value in parameters_of(one.model).items():
        np.testing.assert_array_equal(value, parameters_of(other.model)[name], err_msg=name)


class PowerFailure(Exception):
    pass


def failing_at(last):
    def on_step(step):
        if step == last:
            raise PowerFailure

    return on_step


# Words


def test_words_numbers_and_signs_are_told_apart():
    assert " ".join(words_of("The p-value (x_1 ≤ 0.05), Schrödinger!")) == (
        "the p - value ( x _ 1 ≤ 0 . 05 ) , schrödinger !"
    )


def test_the_commonest_words_get_the_first_numbers():
    vocabulary = Vocabulary.fit(["b a b", "a b c"], size=10)
    assert vocabulary.words == ("b", "a", "c")
    assert Vocabulary.fit(["b a b", "a b c"], size=4).words == ("b", "a")
    assert Vocabulary.fit(["b a b", "a b c"], size=10, least_count=3).words == ("b",)
    assert vocabulary.encode(["c a", "B ? a a a"], longest=4).tolist() == [
        [4, 3, 0, 0],
        [2, 1, 3, 3],
    ]
    assert len(vocabulary) == 5


def test_a_sentence_without_words_is_refused():
    with pytest.raises(LengthError, match="sentence 1, ' ', has no words"):
        Vocabulary(("a",)).encode(["a", " "], 3)


# Configuration and data


def test_the_standard_configuration_is_sound_and_all_its_fields_are_json():
    assert Configuration(**json.loads(json.dumps(asdict(Configuration())))) == Configuration()


@pytest.mark.parametrize(
    ("field", "value"),
    [(f.name, 0) for f in fields(Configuration) if f.name not in ("dropout", "seed")]
    + [("dropout", 1.0), ("dropout", -0.1), ("learning_rate", float("nan"))]
    + [("learning_rate", float("inf")), ("epochs", 2.5)],
)
def test_a_field_without_a_meaning_is_refused_by_its_name(field, value):
    says = f"{'p' if field == 'dropout' else field} is {value}"
    with pytest.raises(HyperparameterError, match=says):
        replace(Configuration(), **{field: value})


def test_labels_other_than_zero_and_one_and_missing_ones_are_refused():
    with pytest.raises(LabelError, match=r"labels\[1\] is 2, expected a class from 0 to 1"):
        Examples(DATA.train.tokens[:2], np.array([0, 2]))
    with pytest.raises(LengthError, match="there are 2 sentences and 1 labels"):
        Examples(DATA.train.tokens[:2], np.array([0]))


class Sentences:
    """Three sentences in each part."""

    def part(self, name):
        own = {"train": "alpha", "validation": "beta", "test": "gamma"}[name]
        return [f"a {own}", f"the {own} mean", "a mean"], np.array([0, 1, 1])


def test_the_vocabulary_is_made_from_the_training_part_only():
    data = prepare(Sentences(), replace(SMALL, least_count=1))
    assert data.vocabulary.words == ("a", "alpha", "mean", "the")
    assert data.test.tokens[:, :3].tolist() == [[2, 1, 0], [5, 1, 4], [2, 4, 0]]
    assert data.fingerprint != DATA.fingerprint


# The model


def test_padding_changes_nothing():
    torch.manual_seed(0)
    model = TextClassifier(12, 7, 5, 0.5).eval()
    long = torch.from_numpy(DATA.train.tokens)
    for row in long:
        alone = row[row != 0][None]
        torch.testing.assert_close(model(long)[(long == row).all(dim=1)][:1], model(alone))


def test_dropout_acts_in_training_only_and_probabilities_leave_the_mode_alone():
    model = TextClassifier(12, 7, 5, 0.5)
    tokens = torch.from_numpy(DATA.train.tokens)
    assert not torch.equal(model(tokens), model(tokens))
    p = model.probabilities(DATA.train.tokens)
    assert model.training
    np.testing.assert_array_equal(p, model.probabilities(DATA.train.tokens))
    np.testing.assert_allclose(p, torch.sigmoid(model.eval()(tokens)).detach(), rtol=1e-5)


def test_loss_and_accuracy_by_hand(monkeypatch):
    model = TextClassifier(12, 7, 5, 0.5)
    p = np.array([0.25, 0.5, 1.0], dtype=np.float32)
    monkeypatch.setattr(model, "probabilities", lambda tokens: p)
    loss, accuracy = loss_and_accuracy(model, Examples(DATA.train.tokens[:3], np.array([0, 1, 1])))
    assert loss == pytest.approx(-(np.log(0.75) + np.log(0.5) + np.log(1.0)) / 3)
    assert accuracy == pytest.approx(2 / 3)


# Training


def test_it_learns_and_keeps_the_epoch_of_the_lowest_validation_loss(whole, tmp_path):
    result, _ = whole
    assert len(result.history.step_loss) == 12
    assert result.history.train_loss[-1] < result.history.train_loss[0]
    longer = train(replace(SMALL, epochs=25), DATA, tmp_path, progress=False)
    assert longer.test_accuracy > 0.9
    loss, _ = loss_and_accuracy(longer.model, DATA.validation)
    assert loss == min(longer.history.validation_loss)


def test_training_leaves_the_callers_random_numbers_alone(tmp_path):
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    train(replace(SMALL, epochs=1), DATA, tmp_path, progress=False)
    assert torch.equal(torch.rand(3), expected)


def test_the_seed_decides_everything(whole, tmp_path):
    same_result(train(SMALL, DATA, tmp_path / "a", progress=False), whole[0])
    other = train(replace(SMALL, seed=1), DATA, tmp_path / "b", progress=False)
    assert other.history.step_loss != whole[0].history.step_loss


def test_the_logs_say_what_the_history_says(whole):
    result, folder = whole
    logs = read_logs(folder)
    history = result.history
    steps = list(range(1, 13))
    for tag, at, values in [
        ("loss/step", steps, history.step_loss),
        ("loss/train", [3, 6, 9, 12], history.train_loss),
        ("loss/validation", [3, 6, 9, 12], history.validation_loss),
        ("accuracy/train", [3, 6, 9, 12], history.train_accuracy),
        ("accuracy/validation", [3, 6, 9, 12], history.validation_accuracy),
    ]:
        assert [step for step, _ in logs[tag]] == at
        np.testing.assert_allclose([value for _, value in logs[tag]], values, rtol=1e-6)
    assert [step for step, _ in logs["gradient_norm"]] == steps


# Interrupted and resumed


@pytest.mark.parametrize("last", [1, 3, 5, 8, 11])
def test_an_interrupted_training_resumes_to_the_same_numbers(whole, tmp_path, last):
    with pytest.raises(PowerFailure):
        train(SMALL, DATA, tmp_path, on_step=failing_at(last), progress=False)
    saved = checkpoints.latest(tmp_path)
    at = checkpoints.load(saved).step if saved else 0
    assert last - at < SMALL.checkpoint_every
    seen = []
    resumed = train(SMALL, DATA, tmp_path, on_step=seen.append, progress=False)
    assert seen == list(range(at + 1, 13))
    same_result(resumed, whole[0])
    assert read_logs(tmp_path) == read_logs(whole[1])


def test_interrupted_again_and_again(whole, tmp_path):
    for last in (4, 7, 10):
        with pytest.raises(PowerFailure):
            train(SMALL, DATA, tmp_path, on_step=failing_at(last), progress=False)
    same_result(train(SMALL, DATA, tmp_path, progress=False), whole[0])
    assert read_logs(tmp_path) == read_logs(whole[1])
    assert len(checkpoints.all_in(tmp_path)) == SMALL.checkpoints_kept


def test_a_finished_training_is_only_read(whole, tmp_path):
    train(SMALL, DATA, tmp_path, progress=False)
    again = train(SMALL, DATA, tmp_path, on_step=failing_at(13), progress=False)
    same_result(again, whole[0])


def test_it_can_go_on_for_longer(tmp_path):
    longer = replace(SMALL, epochs=6)
    train(SMALL, DATA, tmp_path / "a", progress=False)
    result = train(longer, DATA, tmp_path / "a", progress=False)
    same_result(result, train(longer, DATA, tmp_path / "b", progress=False))


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from test_classifying import DATA, SMALL, train
train(SMALL, DATA, sys.argv[1], progress=False, on_step=lambda step: step == 8 and os.kill(
    os.getpid(), signal.SIGKILL))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_process_loses_at_most_the_steps_since_its_last_checkpoint(whole, tmp_path):
    from pathlib import Path

    command = [sys.executable, "-c", KILLED, str(tmp_path), str(Path(__file__).parent)]
    assert subprocess.run(command).returncode == -9
    assert checkpoints.load(checkpoints.latest(tmp_path)).step == 6
    same_result(train(SMALL, DATA, tmp_path, progress=False), whole[0])
    assert read_logs(tmp_path) == read_logs(whole[1])


# What cannot go on


@pytest.mark.parametrize(
    ("configuration", "data", "says"),
    [
        (replace(SMALL, hidden_size=6), DATA, "hidden_size is 5 in the checkpoint, 6 here"),
        (replace(SMALL, dropout=0.5), DATA, "dropout is 0.3 in the checkpoint, 0.5 here"),
        (SMALL, toy_data(seed=1), "data is .* in the checkpoint"),
    ],
)
def test_another_training_in_the_folder_is_refused(whole, configuration, data, says):
    with pytest.raises(CheckpointError, match=says):
        train(configuration, data, whole[1], progress=False)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    train(replace(SMALL, epochs=1), DATA, tmp_path, progress=False)
    path = checkpoints.latest(tmp_path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match="is damaged or cut short"):
        train(SMALL, DATA, tmp_path, progress=False)


def test_a_loss_that_is_no_number_names_the_step_and_the_last_checkpoint(tmp_path, monkeypatch):
    def spoil(step):
        if step == 4:
            with torch.no_grad():
                models[0].dense.bias.fill_(float("nan"))

    models = []
    forward = TextClassifier.forward
    monkeypatch.setattr(
        TextClassifier, "forward", lambda self, t: models.append(self) or forward(self, t)
    )
    with pytest.raises(NonFiniteLoss, match="the loss of step 4 is nan, expected a fin") as caught:
        train(SMALL, DATA, tmp_path, on_step=spoil, progress=False)
    assert isinstance(caught.value, BookError)
    assert f"The last checkpoint is {tmp_path / 'step-00000003.npz'}." in str(caught.value)
    assert caught.value.step == 4
