import os
import signal
import subprocess
import sys
from dataclasses import asdict, fields, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from bigmodel_edu.errors import HyperparameterError, LengthError
from bigmodel_edu.lstm import reference
from bigmodel_edu.lstm.experiments.writing import (
    Configuration,
    Text,
    bits_per_character,
    ngram_bits,
    streams,
    train,
    write,
)
from bigmodel_edu.lstm.torch_impl import LanguageModel
from bigmodel_edu.neural_nets.reference import softmax
from bigmodel_edu.training import checkpoints
from bigmodel_edu.training.checkpoints import CheckpointError
from bigmodel_edu.training.finite import NonFiniteLoss
from bigmodel_edu.training.torch_state import parameters_of

SMALL = Configuration(
    embedding_dim=5,
    hidden_size=7,
    dropout=0.2,
    learning_rate=0.02,
    batch_size=3,
    window=10,
    steps=12,
    checkpoint_every=5,
)
TEXT = Text.of("the cat sat on the mat, and that was that. " * 5, held_out_fraction=0.2)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A training without interruption, and its folder; it reads its streams more than once."""
    folder = tmp_path_factory.mktemp("whole")
    return train(SMALL, TEXT, folder, progress=False), folder


def same_result(one, other):
    assert one.step_loss == other.step_loss
    for name, value in parameters_of(one.model).items():
        np.testing.assert_array_equal(value, parameters_of(other.model)[name], err_msg=name)


class PowerFailure(Exception):
    pass


def failing_at(last):
    def on_step(step, model):
        if step == last:
            raise PowerFailure

    return on_step


# The text


def test_the_end_of_the_text_is_held_out_and_its_own_characters_are_unknown():
    text = Text.of("abcabcabxy", held_out_fraction=0.2)
    assert text.tokenizer.characters == ("a", "b", "c")
    assert text.train.tolist() == [2, 3, 4, 2, 3, 4, 2, 3]
    assert text.held_out.tolist() == [1, 1]


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 0.99, float("nan")])
def test_there_must_be_something_to_train_on_and_something_held_out(fraction):
    with pytest.raises(HyperparameterError, match=f"held_out_fraction is {fraction} of 20 char"):
        Text.of("abcdefghij" * 2, fraction)


def test_streams_by_hand():
    inputs, targets = streams(np.arange(12), 3)
    assert inputs.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert targets.tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


def test_a_text_shorter_than_the_batch_is_refused():
    with pytest.raises(LengthError, match="the text has 3 characters, expected more than 3"):
        streams(np.arange(3), 3)


@pytest.mark.parametrize(
    ("field", "value"),
    [(f.name, 0) for f in fields(Configuration) if f.name not in ("dropout", "seed")]
    + [("dropout", 1.0), ("learning_rate", float("nan")), ("steps", 2.5)],
)
def test_a_field_without_a_meaning_is_refused_by_its_name(field, value):
    says = f"{'p' if field == 'dropout' else field} is {value}"
    with pytest.raises(HyperparameterError, match=says):
        replace(Configuration(), **{field: value})


# Bits per character


def test_bits_are_those_of_the_reference_and_the_window_does_not_matter():
    torch.manual_seed(0)
    model = LanguageModel(TEXT.tokenizer.vocabulary_size, 5, 7, dropout=0.5)
    tokens = TEXT.held_out
    twin = reference.LanguageModel(TEXT.tokenizer.vocabulary_size, 5, 7)
    (logits, _, _), _ = twin.forward(parameters_of(model), tokens[None, :-1])
    p = softmax(logits[0])[np.arange(len(tokens) - 1), tokens[1:]]
    for skip in (0, 4):
        expected = reference.bits_per_character(p[skip:])
        for window in (1, 7, 1000):
            found = bits_per_character(model, tokens, skip=skip, window=window)
            assert found == pytest.approx(expected, rel=1e-5)
    assert model.training


def test_ngrams_of_every_order_are_judged_on_the_same_characters(monkeypatch):
    counted = []
    own = reference.bits_per_character
    monkeypatch.setattr(reference, "bits_per_character", lambda p: counted.append(len(p)) or own(p))
    bits = ngram_bits(TEXT, range(1, 5))
    assert counted == [len(TEXT.held_out) - 3] * 4
    assert all(one > other for one, other in pairwise(bits.values()))


# Training


def test_the_first_windows_by_hand(tmp_path):
    """The states are carried on, the gradient is not, and the streams begin anew at their end."""
    configuration = replace(SMALL, dropout=0.0, window=30)  # windows of 30 and 27 steps
    result = train(replace(configuration, steps=3), TEXT, tmp_path, progress=False)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LanguageModel(TEXT.tokenizer.vocabulary_size, 5, 7)
    inputs, targets = map(torch.from_numpy, streams(TEXT.train, 3))
    assert inputs.shape == (3, 57)
    optimizer = torch.optim.Adam(model.parameters())
    states, losses = (), []
    for step, (start, end) in enumerate([(0, 30), (30, 57), (0, 30)]):
        optimizer.param_groups[0]["lr"] = 0.02 * (1 + np.cos(np.pi * step / 3)) / 2
        states = [] if start == 0 else [state.detach() for state in states]
        logits, *states = model(inputs[:, start:end], *states)
        loss = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), targets[:, start:end].flatten()
        )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    np.testing.assert_allclose(result.step_loss, losses, rtol=1e-6)


def test_it_learns_to_write_what_it_read(tmp_path):
    configuration = Configuration(
        embedding_dim=8, hidden_size=32, learning_rate=0.02, batch_size=4, window=20, steps=150
    )
    result = train(configuration, TEXT, tmp_path, progress=False)
    assert bits_per_character(result.model, TEXT.held_out) < 0.5
    rng = np.random.default_rng(0)
    written = write(result.model, TEXT.tokenizer, "the cat", length=20, temperature=0.1, rng=rng)
    assert written == " sat on the mat, and"


def test_training_leaves_the_callers_random_numbers_alone(tmp_path):
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    train(replace(SMALL, steps=2), TEXT, tmp_path, progress=False)
    assert torch.equal(torch.rand(3), expected)


def test_looking_at_the_model_on_the_way_changes_nothing(whole, tmp_path):
    def look(step, model):
        bits_per_character(model, TEXT.held_out)
        write(model, TEXT.tokenizer, "the", length=3, rng=np.random.default_rng(0))

    same_result(train(SMALL, TEXT, tmp_path, on_step=look, progress=False), whole[0])


# Interrupted and resumed


@pytest.mark.parametrize("last", [3, 5, 7, 11])
def test_an_interrupted_training_resumes_to_the_same_numbers(whole, tmp_path, last):
    with pytest.raises(PowerFailure):
        train(SMALL, TEXT, tmp_path, on_step=failing_at(last), progress=False)
    saved = checkpoints.latest(tmp_path)
    at = checkpoints.load(saved).step if saved else 0
    assert last - at < SMALL.checkpoint_every
    seen = []
    resumed = train(
        SMALL, TEXT, tmp_path, on_step=lambda step, _: seen.append(step), progress=False
    )
    assert seen == list(range(at + 1, 13))
    same_result(resumed, whole[0])


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from test_writing import SMALL, TEXT, train
train(SMALL, TEXT, sys.argv[1], progress=False, on_step=lambda step, model: step == 8 and os.kill(
    os.getpid(), signal.SIGKILL))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_process_loses_at_most_the_steps_since_its_last_checkpoint(whole, tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(Path(__file__).parent)]
    environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    assert subprocess.run(command, env=environment).returncode == -signal.SIGKILL
    assert checkpoints.load(checkpoints.latest(tmp_path)).step == 5
    same_result(train(SMALL, TEXT, tmp_path, progress=False), whole[0])


@pytest.mark.parametrize(
    ("configuration", "text", "says"),
    [
        (replace(SMALL, hidden_size=6), TEXT, "hidden_size is 7 in the checkpoint, 6 here"),
        (replace(SMALL, steps=20), TEXT, "steps is 12 in the checkpoint, 20 here"),
        (SMALL, Text.of("Another text. " * 20), "text is .* in the checkpoint"),
    ],
)
def test_another_training_in_the_folder_is_refused(whole, configuration, text, says):
    with pytest.raises(CheckpointError, match=says):
        train(configuration, text, whole[1], progress=False)


def test_a_loss_that_is_no_number_names_the_step_and_the_last_checkpoint(tmp_path):
    def spoil(step, model):
        if step == 7:
            with torch.no_grad():
                model.output.bias.fill_(float("nan"))

    with pytest.raises(NonFiniteLoss, match="the loss of step 7 is nan, expected") as caught:
        train(SMALL, TEXT, tmp_path, on_step=spoil, progress=False)
    assert f"The last checkpoint is {tmp_path / 'step-00000005.npz'}." in str(caught.value)


def test_the_standard_configuration_is_sound():
    assert Configuration(**asdict(Configuration())) == Configuration()
