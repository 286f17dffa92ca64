"""The loop with toy models: by hand, interrupted, with several objectives, stopped early."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bigmodel_edu.errors import HyperparameterError
from bigmodel_edu.training import checkpoints, loop
from bigmodel_edu.training.checkpoints import CheckpointError
from bigmodel_edu.training.finite import NonFiniteLoss
from bigmodel_edu.training.logs import TensorBoardLog, TextLog
from bigmodel_edu.training.loop import Objective, Saving, Training, Validation, seeded
from bigmodel_edu.training.torch_state import parameters_of


class Lines:
    """Points near a plane, drawn anew for every step."""

    def __init__(self, size=11, dtype=torch.float32):
        self.size, self.dtype, self.asked = size, dtype, []

    def __getitem__(self, step):
        self.asked.append(step)
        rng = np.random.default_rng([5, step])
        x = rng.normal(size=(self.size, 3))
        y = x @ [[1.0], [-2.0], [0.5]] + 0.1 * rng.normal(size=(self.size, 1))
        return torch.from_numpy(x).to(self.dtype), torch.from_numpy(y).to(self.dtype)


def network(width=7, p=0.3):
    return nn.Sequential(
        nn.Linear(3, width), nn.BatchNorm1d(width), nn.Dropout(p), nn.Linear(width, 1)
    )


def falling(step):
    return 0.05 * 0.9**step


def plain(folder=None, steps=12, saving=None, **options):
    """One objective, with dropout, running statistics, clipping and a schedule."""
    model = network()
    adam = torch.optim.Adam(model.parameters())

    def loss(batch):
        x, y = batch
        return F.mse_loss(model(x), y)

    objective = Objective(loss, adam, falling, max_grad_norm=1.0)
    if folder is not None:
        saving = Saving(folder, {"steps": steps, "options": sorted(options)}, every=5)
    return Training(model, Lines(), objective, steps=steps, saving=saving, **options)


def accumulating(folder=None):
    return plain(folder, accumulate=3)


def adversarial(folder=None):
    """A generator of numbers, and a discriminator that tells them from those of the data."""
    models = nn.ModuleDict({"generator": nn.Linear(2, 3), "discriminator": network()})
    generator, discriminator = models["generator"], models["discriminator"]

    def made(x):
        return generator(torch.randn(len(x), 2))  # noise from PyTorch's own generator

    def is_real(x, answer):
        logits = discriminator(x)
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, answer))

    def tell_apart(batch):
        x, _ = batch
        return is_real(x, 1.0) + is_real(made(x).detach(), 0.0)

    def deceive(batch):
        x, _ = batch
        return is_real(made(x), 1.0)

    adam = torch.optim.Adam(discriminator.parameters(), lr=0.02)
    sgd = torch.optim.SGD(generator.parameters(), lr=0.1, momentum=0.9)
    return Training(
        models,
        Lines(),
        Objective(tell_apart, adam, name="discriminator"),
        Objective(deceive, sgd, max_grad_norm=0.5, name="generator"),
        steps=12,
        saving=None if folder is None else Saving(folder, {"kind": "GAN"}, every=5),
    )


class Reader:
    """A model with a memory, which goes from step to step."""

    def __init__(self):
        self.model, self.memory = nn.GRU(3, 4, batch_first=True), None

    def loss(self, batch):
        x, y = batch
        memory = None if self.memory is None else self.memory.detach()
        found, self.memory = self.model(x[None], memory)
        return F.mse_loss(found.sum(dim=-1), y.T)

    def state_dict(self):
        return {"memory": self.memory}

    def load_state_dict(self, state):
        self.memory = state["memory"]


def reading(folder=None):
    reader = Reader()
    objective = Objective(reader.loss, torch.optim.Adam(reader.model.parameters(), lr=0.01))
    saving = None if folder is None else Saving(folder, {}, every=5)
    model = reader.model
    return Training(model, Lines(), objective, steps=12, carried=reader, saving=saving)


def validated(folder=None, **options):
    training = plain(folder, validation=Validation(lambda: {}, every=1))
    validation = Validation(
        lambda: measures(training.model), every=2, best_by="loss/validation", **options
    )
    training.validation = validation
    return training


def measures(model):
    x, y = Lines(size=50)[10_000]
    model.eval()
    with torch.no_grad():
        loss = F.mse_loss(model(x), y).item()
    return {"loss/validation": loss, "sum": float(x.sum())}


KINDS = {
    "plain": plain,
    "accumulating": accumulating,
    "adversarial": adversarial,
    "with a memory": reading,
    "validated": validated,
    "one less often": lambda folder=None: rarely(folder),
}


def trained(make, *args, on_step=None, **options):
    with seeded(3):
        training = make(*args, **options)
        training.run(on_step=on_step, progress=False)
    return training


def same(one, other):
    assert one.history == other.history
    assert one.step == other.step
    theirs = parameters_of(other.model)
    for name, value in parameters_of(one.model).items():
        np.testing.assert_array_equal(value, theirs[name], err_msg=name)


# Steps


def test_the_example_of_the_module_runs(tmp_path):
    example = loop.__doc__.split("\n\n", 1)[1].split("What is guaranteed")[0]
    names = vars(loop) | {"F": F, "batches": Lines(), "folder": tmp_path}
    names["configuration"] = type("Configuration", (), {"seed": 0})
    code = textwrap.dedent(example).replace("configuration, every", "{}, every")
    exec(code.replace("run()", "run(progress=False)"), names)
    assert names["training"].losses()[-1] < 0.1 < names["training"].losses()[0]
    assert len(checkpoints.all_in(tmp_path)) == 2


def test_the_steps_by_hand():
    training = trained(plain)
    with seeded(3):
        model = network()
        adam = torch.optim.Adam(model.parameters())
        losses, norms = [], []
        for step in range(12):
            x, y = Lines()[step]
            loss = F.mse_loss(model(x), y)
            adam.zero_grad()
            loss.backward()
            norms.append(nn.utils.clip_grad_norm_(model.parameters(), 1.0).item())
            adam.param_groups[0]["lr"] = falling(step)
            adam.step()
            losses.append(loss.item())
    assert training.losses() == losses == training.history["loss/step"]
    assert training.history["gradient_norm"] == norms
    theirs = parameters_of(model)
    for name, value in parameters_of(training.model).items():
        np.testing.assert_array_equal(value, theirs[name], err_msg=name)
    assert not training.model.training


def test_both_steps_of_a_gan_by_hand():
    training = trained(adversarial)
    with seeded(3):
        hand = adversarial()
        generator, discriminator = hand.model["generator"], hand.model["discriminator"]
        tell_apart, deceive = hand.objectives
        found = {"discriminator": [], "generator": []}
        for step in range(12):
            batch = Lines()[step]
            before = parameters_of(generator)
            loss = tell_apart.loss(batch)
            gradients = torch.autograd.grad(loss, list(discriminator.parameters()))
            for p, gradient in zip(discriminator.parameters(), gradients, strict=True):
                p.grad = gradient
            tell_apart.optimizer.step()
            found["discriminator"].append(loss.item())
            for name, value in parameters_of(generator).items():
                np.testing.assert_array_equal(value, before[name])
            loss = deceive.loss(batch)
            gradients = torch.autograd.grad(loss, list(generator.parameters()))
            for p, gradient in zip(generator.parameters(), gradients, strict=True):
                p.grad = gradient
            nn.utils.clip_grad_norm_(generator.parameters(), 0.5)
            deceive.optimizer.step()
            found["generator"].append(loss.item())
    assert {name: training.losses(name) for name in found} == found
    assert set(training.history) == {
        "discriminator/step",
        "generator/step",
        "generator/gradient_norm",
    }
    theirs = parameters_of(hand.model)
    for name, value in parameters_of(training.model).items():
        np.testing.assert_array_equal(value, theirs[name], err_msg=name)


def test_accumulated_gradients_are_those_of_the_large_batch():
    def run(batches, **options):
        with seeded(0):
            model = nn.Linear(3, 1).double()
            adam = torch.optim.Adam(model.parameters(), lr=0.1)
            objective = Objective(
                lambda batch: F.mse_loss(model(batch[0]), batch[1]), adam, max_grad_norm=0.5
            )
            training = Training(model, batches, objective, steps=7, **options)
            training.run(progress=False)
        return training

    small = Lines(dtype=torch.float64)

    class Large:
        def __getitem__(self, step):
            three = [Lines(dtype=torch.float64)[3 * step + i] for i in range(3)]
            return tuple(map(torch.cat, zip(*three, strict=True)))

    one, other = run(small, accumulate=3), run(Large())
    assert small.asked == list(range(21))
    np.testing.assert_allclose(one.losses(), other.losses(), rtol=1e-12)
    torch.testing.assert_close(one.model.weight, other.model.weight, rtol=1e-12, atol=0)


def rarely(folder=None):
    """The generator has its turn in every third step only."""
    training = adversarial(folder)
    discriminator, generator = training.objectives
    training.objectives = discriminator, replace(generator, every=3)
    return training


def test_an_objective_may_have_its_turn_less_often(tmp_path):
    changed = []

    def look(step):
        now = parameters_of(training.model["generator"])["weight"]
        changed.append(not np.array_equal(now, before[-1]))
        before.append(now)

    with seeded(3):
        training = rarely()
        before = [parameters_of(training.model["generator"])["weight"]]
        training.run(on_step=look, progress=False)
    assert changed == [False, False, True] * 4
    assert len(training.losses("discriminator")) == 12
    assert len(training.losses("generator")) == 4
    with seeded(3):
        log = TextLog(tmp_path / "log.csv")
        training = rarely()
        training.log = log
        training.run(progress=False)
    assert [step for step, _ in log.read()["generator/step"]] == [3, 6, 9, 12]


@pytest.mark.parametrize("kind", KINDS)
def test_the_callers_random_numbers_are_left_alone(kind, tmp_path):
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    trained(KINDS[kind], tmp_path)
    assert torch.equal(torch.rand(3), expected)
    with seeded(0):
        training = KINDS[kind]()
    torch.manual_seed(3)
    training.run(progress=False)
    assert torch.equal(torch.rand(3), expected)


def test_an_error_leaves_them_alone_too():
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    with pytest.raises(PowerFailure):
        trained(plain, on_step=failing_at(2))
    assert torch.equal(torch.rand(3), expected)


def test_the_bar_shows_the_losses(capsys):
    with seeded(0):  # the bar is drawn anew ten times a second at most
        adversarial().run(on_step=lambda step: time.sleep(0.05))
    assert "discriminator=" in capsys.readouterr().err
    with seeded(0):
        plain().run(progress=False)
    assert capsys.readouterr().err == ""


# Interrupted and resumed


class PowerFailure(Exception):
    pass


def failing_at(last):
    def on_step(step):
        if step == last:
            raise PowerFailure

    return on_step


@pytest.mark.parametrize("last", [3, 7, 11])
@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupted_training_resumes_to_the_same_numbers(kind, tmp_path, last):
    whole = trained(KINDS[kind])
    with pytest.raises(PowerFailure):
        trained(KINDS[kind], tmp_path, on_step=failing_at(last))
    saved = checkpoints.latest(tmp_path)
    at = checkpoints.load(saved).step if saved else 0
    assert last - at < 5
    seen = []
    same(trained(KINDS[kind], tmp_path, on_step=seen.append), whole)
    assert seen == list(range(at + 1, 13))
    again = trained(KINDS[kind], tmp_path, on_step=failing_at(12))  # nothing is left to do
    same(again, whole)
    assert len(checkpoints.all_in(tmp_path)) == 2


def logged(folder):
    training = adversarial(folder)
    training.log = TextLog(Path(folder) / "log.csv")
    return training


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
import test_loop
test_loop.trained(test_loop.logged, sys.argv[1], on_step=lambda step: step == 8 and os.kill(
    os.getpid(), signal.SIGKILL))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_process_loses_at_most_the_steps_since_its_last_checkpoint(tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(Path(__file__).parent)]
    environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    assert subprocess.run(command, env=environment).returncode == -signal.SIGKILL
    assert checkpoints.load(checkpoints.latest(tmp_path)).step == 5
    resumed, whole = trained(logged, tmp_path), trained(logged, tmp_path / "whole")
    same(resumed, whole)
    assert resumed.log.read() == whole.log.read()


def test_another_training_in_the_folder_is_refused(tmp_path):
    trained(plain, tmp_path)
    with pytest.raises(CheckpointError, match="steps is 12 in the checkpoint, 20 here"):
        trained(plain, tmp_path, steps=20)
    with pytest.raises(CheckpointError, match="kind is missing in the checkpoint"):
        trained(adversarial, tmp_path)


def test_a_field_that_may_differ_lets_a_training_go_on_for_longer(tmp_path):
    def run(folder, steps):
        saving = Saving(folder, {"steps": steps}, every=5, may_differ=("steps",))
        return trained(plain, steps=steps, saving=saving)

    run(tmp_path / "a", 12)
    same(run(tmp_path / "a", 20), run(tmp_path / "b", 20))


# Validation


def test_the_best_parameters_are_kept_though_the_training_goes_on():
    training = trained(validated)
    values = training.history["loss/validation"]
    assert len(values) == 6
    assert measures(training.model)["loss/validation"] == min(values)
    assert training.step == 12


def scripted(values, every=1, steps=8, **options):
    """A training whose measurements are known beforehand."""
    values = iter(values)
    seen = []

    def measure():
        seen.append(parameters_of(training.model))
        return {"score": next(values)}

    validation = Validation(measure, every, **{"best_by": "score"} | options)
    with seeded(3):
        training = plain(steps=steps, validation=validation)
        training.run(progress=False)
    return training, seen


@pytest.mark.parametrize(
    ("values", "options", "steps", "best"),
    [
        ([3, 2, 2, 5, 4, 3, 1, 0], {"patience": 3}, 5, 1),  # an equal one is no improvement
        ([3, 2, 2, 5, 4, 3, 1, 0], {"patience": 5}, 8, 7),
        ([3, 2, 2, 5, 4, 3, 1, 0], {}, 8, 7),
        ([3, 2, 2, 5, 4, 3, 1, 0], {"largest": True}, 8, 3),
        ([3, 2, 2, 5, 4, 3, 1, 0], {"largest": True, "patience": 2}, 3, 0),
        ([3, 2, 1, 5], {"every": 2, "patience": 1}, 8, 2),
        ([3, float("nan"), 2, float("nan"), 9, 9, 9, 9], {"patience": 2}, 5, 2),
        ([float("nan"), 3, 2, 4, 5, 6, 7, 8], {"patience": 2}, 5, 2),
        ([float("nan")] * 8, {"patience": 3}, 3, 2),  # none is best: the last ones stay
    ],
)
def test_patience_and_the_best(values, options, steps, best):
    training, seen = scripted(values, **options)
    assert training.step == steps
    for name, value in parameters_of(training.model).items():
        np.testing.assert_array_equal(value, seen[best][name])


def test_without_a_measure_to_go_by_the_last_parameters_stay():
    training, seen = None, []

    def measure():
        seen.append(parameters_of(training.model))
        return {"loss/validation": 0.0}

    with seeded(3):
        training = plain(validation=Validation(measure, every=4))
        training.run(progress=False)
    assert training.history["loss/validation"] == [0.0] * 3
    for name, value in parameters_of(training.model).items():
        np.testing.assert_array_equal(value, seen[-1][name])


def test_a_training_that_stopped_early_stays_stopped(tmp_path):
    def make(folder):
        training = validated(folder, patience=1)
        script = iter([3.0, 1.0, 2.0, 0.0, 0.0, 0.0])
        object.__setattr__(
            training.validation, "measure", lambda: {"loss/validation": next(script)}
        )
        return training

    first = trained(make, tmp_path)
    assert first.step == 6
    assert checkpoints.load(checkpoints.latest(tmp_path)).step == 6
    again = trained(make, tmp_path, on_step=failing_at(7))
    same(again, first)


# Logs


@pytest.mark.parametrize("kind", [TextLog, TensorBoardLog])
def test_the_log_says_what_the_history_says_after_an_interruption_too(kind, tmp_path):
    def run(name, on_step=None):
        def make():
            training = validated(tmp_path / name)
            training.log = kind(tmp_path / name / "log")
            return training

        return trained(make, on_step=on_step)

    whole = run("a")
    values = whole.log.read()
    assert set(values) == set(whole.history)
    for tag, history in whole.history.items():
        each = 12 // len(history)
        assert [step for step, _ in values[tag]] == list(range(each, 13, each))
        np.testing.assert_allclose([value for _, value in values[tag]], history, rtol=1e-6)
    for last in (4, 8):
        with pytest.raises(PowerFailure):
            run("b", on_step=failing_at(last))
    assert run("b").log.read() == values


# What cannot go on


def test_a_loss_that_is_no_number_names_the_step_and_the_last_checkpoint(tmp_path):
    def spoil(step):
        if step == 7:
            with torch.no_grad():
                training.model[3].bias.fill_(float("nan"))

    with seeded(3):
        training = plain(tmp_path)
        with pytest.raises(NonFiniteLoss, match="the loss of step 7 is nan, expected") as caught:
            training.run(on_step=spoil, progress=False)
    error = caught.value
    assert f"The last checkpoint is {tmp_path / 'step-00000005.npz'}." in str(error)
    assert error.step == 7
    assert len(error.history["loss/step"]) == 7
    assert np.isfinite(error.params["0.weight"]).all()
    assert training.step == 7


def test_it_names_the_objective_if_there_are_several():
    with seeded(3):
        training = adversarial()
        with torch.no_grad():
            training.model["generator"].bias.fill_(float("inf"))
        says = "the loss 'discriminator' of step 0 is nan"
        with pytest.raises(NonFiniteLoss, match=says) as caught:
            training.run(progress=False)
    assert np.isfinite(caught.value.params["discriminator.0.weight"]).all()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: plain(steps=0), "steps is 0, expected a whole number of 1 or more"),
        (lambda: plain(accumulate=0), "accumulate is 0, expected a whole"),
        (lambda: Saving(".", {}, every=0), "every is 0, expected a whole"),
        (lambda: replace(plain().objectives[0], every=0), "every is 0, expected a whole"),
        (lambda: Saving(".", {}, keep=0), "keep is 0, expected a whole"),
        (lambda: Validation(dict, every=0), "every is 0, expected a whole"),
        (lambda: Validation(dict, 1, "loss", patience=0), "patience is 0, expected a whole"),
        (lambda: Validation(dict, 1, patience=3), "patience needs best_by, the measure"),
        (lambda: plain(validation=Validation(dict, 13)), "every is 13, expected at most the 12"),
        (lambda: Training(network(), [], steps=1), r"the objectives are named \[\], expected at"),
        (
            lambda: Training(network(), [], *plain().objectives * 2, steps=1),
            r"are named \['loss', 'loss'\], expected at least one, each with a name of its own",
        ),
        (
            lambda: scripted([1], best_by="loss"),
            "best_by is 'loss', expected one of the measures: score",
        ),
    ],
)
def test_what_cannot_be_trained(make, says):
    with pytest.raises(HyperparameterError, match=says) as caught:
        make()
    assert "\n" not in str(caught.value)
