import re
from itertools import chain, count, islice

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from bigmodel_edu.data import load_digits
from bigmodel_edu.errors import BookError, HyperparameterError
from bigmodel_edu.neural_nets import torch_impl
from bigmodel_edu.neural_nets.experiments.training import (
    Trainer,
    early_stopping,
    first_non_finite,
    minibatches,
    predict,
)
from bigmodel_edu.neural_nets.reference import (
    SGD,
    Adam,
    AdamW,
    BatchNorm1d,
    CosineSchedule,
    L1Penalty,
    L2Penalty,
    Linear,
    ReLU,
    Sequential,
    WarmUp,
    mlp,
)
from bigmodel_edu.training.finite import NonFiniteLoss

QUIET = {"progress": False, "batch_size": 32}


@pytest.fixture(scope="module")
def digits():
    return load_digits(seed=0)


@pytest.fixture
def clouds():
    """Three clouds of points in five dimensions, easy to tell apart; the last batch is short."""
    rng = np.random.default_rng(1)
    y = rng.integers(0, 3, size=101)
    return 3 * np.eye(5)[y] + 0.3 * rng.normal(size=(101, 5)), y


MODEL = mlp((5, 7, 3))


def fit(trainer, x, y, *, epochs=5, seed=0, params=None, **options):
    rng = np.random.default_rng(seed)
    params = trainer.model.init(rng) if params is None else params
    return trainer.fit(params, x, y, epochs=epochs, rng=rng, **(QUIET | options))


def same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


# Batches


@pytest.mark.parametrize(
    ("n", "batch_size", "last"), [(11, 4, 3), (12, 4, 4), (3, 64, 3), (5, 1, 1)]
)
def test_minibatches_visit_every_example_once(n, batch_size, last):
    batches = list(minibatches(n, batch_size, np.random.default_rng(0)))
    assert sorted(np.concatenate(batches)) == list(range(n))
    assert [len(batch) for batch in batches] == [batch_size] * (len(batches) - 1) + [last]


def test_minibatches_come_in_random_order_anew_each_time():
    rng = np.random.default_rng(0)
    first, second = (np.concatenate(list(minibatches(50, 8, rng))).tolist() for _ in range(2))
    assert first != second != sorted(second)


@pytest.mark.parametrize("batch_size", [0, -1, 2.5])
def test_a_batch_holds_at_least_one_example(batch_size):
    with pytest.raises(HyperparameterError, match=f"batch_size is {batch_size}, expected a whole"):
        next(minibatches(5, batch_size, np.random.default_rng(0)))


# Early stopping, worked out by hand


@pytest.mark.parametrize(
    ("losses", "patience", "best", "stop"),
    [
        ([], 3, 0, None),
        ([2.0], 1, 0, None),
        ([3.0, 2.0, 1.0], 1, 2, None),
        ([3.0, 2.0, 2.5, 2.4], 3, 1, None),
        ([3.0, 2.0, 2.5, 2.4, 2.3], 3, 1, 4),
        ([3.0, 2.0, 2.5, 2.4, 2.3, 0.1], 3, 1, 4),  # it never gets to see the 0.1
        ([3.0, 4.0, 2.0, 4.0, 1.0, 4.0], 2, 4, None),
        ([1.0, 1.0, 1.0], 2, 0, 2),  # equal is no improvement
        ([1.0, 2.0], 1, 0, 1),
    ],
)
def test_early_stopping(losses, patience, best, stop):
    assert early_stopping(losses, patience) == (best, stop)


def test_patience_returns_the_parameters_of_the_best_epoch(digits):
    few = digits.x_train[:80], digits.y_train[:80]
    validation = digits.x_validation, digits.y_validation
    model = mlp((64, 16, 10))
    stopping = Trainer(model, Adam(lr=0.02), patience=3)
    params, history = fit(stopping, *few, epochs=200, validation=validation)
    seen = len(history.validation_loss)
    assert history.best_epoch == np.argmin(history.validation_loss) == seen - 1 - 3
    assert seen < 200
    plain, _ = fit(
        Trainer(model, Adam(lr=0.02)), *few, epochs=history.best_epoch + 1, validation=validation
    )
    same(params, plain)


def test_without_patience_training_goes_to_the_end(clouds):
    _, history = fit(Trainer(MODEL, SGD(lr=0.1)), *clouds, validation=clouds, epochs=7)
    assert len(history.validation_loss) == 7
    assert history.best_epoch is None


# The loop


def test_it_learns(clouds):
    x, y = clouds
    trainer = Trainer(MODEL, Adam(lr=0.02))
    params, history = fit(trainer, x, y, epochs=20, validation=(x, y), train_accuracy=True)
    assert history.step_loss[0] > 0.5
    assert history.step_loss[-1] < 0.05
    assert history.train_accuracy[-1] == history.validation_accuracy[-1] == 1
    assert (predict(MODEL, params, x) == y).all()
    assert len(history.step_loss) == 20 * 4  # 101 examples in batches of 32
    assert len(history.train_accuracy) == 20
    assert np.isclose(history.validation_loss[-1], np.mean(history.step_loss[-4:]), atol=0.05)


def test_nobody_looks_at_what_was_not_asked_for(clouds):
    _, history = fit(Trainer(MODEL, SGD(lr=0.1)), *clouds, epochs=2)
    assert len(history.step_loss) == 2 * 4
    assert history.train_accuracy == history.validation_accuracy == history.validation_loss == []


def test_the_digits_are_learnt(digits):
    model = mlp((64, 64, 10))
    params, _ = fit(Trainer(model, Adam(lr=3e-3)), digits.x_train, digits.y_train, epochs=20)
    assert (predict(model, params, digits.x_test) == digits.y_test).mean() >= 0.95


def test_the_same_seed_gives_the_same_parameters(clouds):
    trainer = Trainer(
        mlp((5, 7, 3), batch_norm=True, dropout=0.3),
        Adam(),
        augment=lambda x, rng: x + rng.normal(size=x.shape),
    )
    first, again, other = (fit(trainer, *clouds, seed=seed)[0] for seed in (0, 0, 1))
    same(first, again)
    assert not np.allclose(first["0.weight"], other["0.weight"])


def test_what_it_is_given_stays_as_it_was(clouds):
    x, y = clouds
    trainer = Trainer(mlp((5, 7, 3), batch_norm=True), Adam(), penalty=L2Penalty(0.1))
    params = trainer.model.init(np.random.default_rng(0))
    before = {name: value.copy() for name, value in params.items()}
    for array in (x, y, *params.values()):
        array.setflags(write=False)  # whoever writes into it raises
    trained, _ = fit(trainer, x, y, params=params, validation=(x, y))
    same(params, before)
    assert not any(np.array_equal(trained[name], before[name]) for name in before)


def test_augmentation_meets_the_training_inputs_only(clouds):
    x, y = clouds
    seen = []

    def turned_over(batch, rng):
        seen.append(len(batch))
        return -batch

    trainer = Trainer(MODEL, Adam(lr=0.02), augment=turned_over)
    params, _ = fit(trainer, x, y, epochs=20, validation=clouds)
    assert sum(seen) == 20 * 101
    assert (predict(MODEL, params, -x) == y).all()
    assert (predict(MODEL, params, x) == y).mean() < 0.5


def test_a_penalty_shrinks_the_weights_and_spares_the_biases(clouds):
    params = MODEL.init(np.random.default_rng(0)) | {"0.bias": np.ones(7)}
    x, y = clouds
    rng = np.random.default_rng(0)
    _, plain, _ = Trainer(MODEL, SGD(lr=1)).gradients(params, x, y, rng)
    _, grads, _ = Trainer(MODEL, SGD(lr=1), penalty=L1Penalty(0.1)).gradients(params, x, y, rng)
    for name, weight in params.items():
        extra = 0.1 * np.sign(weight) if name.endswith("weight") else 0
        np.testing.assert_allclose(grads[name], plain[name] + extra, rtol=1e-12)


# Lying on PyTorch: the same batches, the same parameters, in float64


class TorchTraining:
    """The same steps as `Trainer.step`, as PyTorch users write them."""

    def __init__(self, sizes, params, optimizer, *, l2=0.0, clip=None, schedule=None, **options):
        self.model = torch_impl.mlp(sizes, **options).double()
        tensors = {name: torch.tensor(value) for name, value in params.items()}
        self.model.load_state_dict(tensors, strict=True)
        self.optimizer = optimizer(self.model.parameters())
        self.schedule = schedule(self.optimizer) if schedule else None
        self.l2, self.clip = l2, clip
        self.norms = []

    def step(self, x, y):
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(torch.tensor(x)), torch.tensor(y))
        for name, parameter in self.model.named_parameters():
            if name.endswith("weight"):
                loss = loss + self.l2 / 2 * parameter.square().sum()
        loss.backward()
        if self.clip:
            norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
            self.norms.append(norm.item())
        self.optimizer.step()
        if self.schedule:
            self.schedule.step()
        return loss.item()

    def params(self):
        return {name: value.numpy() for name, value in self.model.state_dict().items()}


def train_both(digits, optimizer, torch_optimizer, *, model=None, torch_options=None, **options):
    """Take 100 steps in NumPy and in PyTorch; hold every loss and every parameter together."""
    sizes, model = (64, 32, 16, 10), model or {}
    trainer = Trainer(mlp(sizes, **model), optimizer, **options)
    rng = np.random.default_rng(3)
    params = trainer.model.init(rng)
    initial, state = params, optimizer.init(params)
    twin = TorchTraining(sizes, params, torch_optimizer, **model, **(torch_options or {}))
    losses = []
    epochs = (minibatches(len(digits.x_train), 64, rng) for _ in count())
    for step, batch in enumerate(islice(chain.from_iterable(epochs), 100)):
        x, y = digits.x_train[batch], digits.y_train[batch]
        params, state, loss = trainer.step(params, state, x, y, rng)
        assert loss == pytest.approx(twin.step(x, y), rel=0, abs=1e-9), f"step {step}"
        losses.append(loss)
    theirs = twin.params()
    assert params.keys() == theirs.keys()
    for name, value in params.items():
        np.testing.assert_allclose(value, theirs[name], rtol=0, atol=1e-9, err_msg=name)
        assert not np.array_equal(value, initial[name]), f"{name} was not trained"
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])
    return twin


def test_100_steps_of_adam_lie_on_pytorch(digits):
    train_both(digits, Adam(lr=3e-3), lambda p: torch.optim.Adam(p, lr=3e-3))


@pytest.mark.parametrize(
    ("optimizer", "torch_optimizer"),
    [
        (SGD(lr=0.1), lambda p: torch.optim.SGD(p, lr=0.1)),
        (
            SGD(lr=0.05, momentum=0.9, nesterov=True),
            lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
        ),
        (
            AdamW(lr=3e-3, weight_decay=0.1),
            lambda p: torch.optim.AdamW(p, lr=3e-3, weight_decay=0.1),
        ),
    ],
    ids=["SGD", "Nesterov", "AdamW"],
)
def test_other_optimizers_lie_on_pytorch(digits, optimizer, torch_optimizer):
    train_both(digits, optimizer, torch_optimizer)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "gelu"])
def test_batch_norm_lies_on_pytorch_running_statistics_too(digits, activation):
    train_both(
        digits,
        Adam(lr=3e-3),
        lambda p: torch.optim.Adam(p, lr=3e-3),
        model={"batch_norm": True, "activation": activation},
    )


def test_an_l2_penalty_lies_on_pytorch(digits):
    train_both(
        digits,
        Adam(lr=3e-3),
        lambda p: torch.optim.Adam(p, lr=3e-3),
        penalty=L2Penalty(1e-3),
        torch_options={"l2": 1e-3},
    )


def test_gradient_clipping_lies_on_pytorch(digits):
    twin = train_both(
        digits,
        SGD(lr=0.3),
        lambda p: torch.optim.SGD(p, lr=0.3),
        max_grad_norm=0.8,
        torch_options={"clip": 0.8},
    )
    assert min(twin.norms) < 0.8 < max(twin.norms)  # some steps are clipped, some are not


def test_a_schedule_lies_on_pytorch(digits):
    train_both(
        digits,
        Adam(lr=7.0),  # the schedule's rate takes its place
        lambda p: torch.optim.Adam(p, lr=5e-3),
        schedule=CosineSchedule(5e-3, total_steps=100),
        torch_options={
            "schedule": lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=100)
        },
    )


def test_a_schedule_counts_steps_from_zero(clouds):
    rates = []

    def schedule(step):
        rates.append(step)
        return WarmUp(CosineSchedule(0.1, total_steps=20), steps=5)(step)

    fit(Trainer(MODEL, Adam(), schedule=schedule), *clouds, epochs=2)
    assert rates == list(range(8))


# When the loss is no longer a number


def diverge(trainer, x, y, **options):
    with np.errstate(all="ignore"), pytest.raises(NonFiniteLoss) as caught:
        fit(trainer, x, y, **options)
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_huge_learning_rate_names_step_and_layer_and_keeps_the_parameters(clouds):
    model = mlp((5, 7, 7, 3))
    error = diverge(Trainer(model, SGD(lr=1e60)), *clouds)
    assert error.step >= 1
    assert f"the loss of step {error.step} is nan, expected a finite number" in str(error)
    assert "Try a smaller learning rate or clip the gradients" in str(error)
    assert all(np.isfinite(value).all() for value in error.params.values())
    # the step before it, done by hand, ends at the parameters that the error carries
    rng = np.random.default_rng(0)
    params = model.init(rng)
    state = SGD(lr=1e60).init(params)
    for batch, _ in zip(minibatches(101, 32, rng), range(error.step), strict=False):
        x, y = clouds[0][batch], clouds[1][batch]
        with np.errstate(all="ignore"):
            params, state, _ = Trainer(model, SGD(lr=1e60)).step(params, state, x, y, rng)
    same(error.params, params)
    assert len(error.history.step_loss) == error.step
    assert np.isfinite(error.history.step_loss).all()
    assert re.search(r"layer \d, \w+\(.*\), is the first whose output is not finite", str(error))


@pytest.mark.parametrize(("name", "layer"), [("0.bias", 0), ("2.weight", 2), ("4.weight", 4)])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_bad_parameter_is_named(clouds, name, layer, value):
    model = mlp((5, 7, 7, 3))
    params = model.init(np.random.default_rng(0))
    params[name].flat[1] = value
    error = diverge(Trainer(model, Adam()), *clouds, params=params)
    assert "the loss of step 0 is nan" in str(error)
    says = f"layer {layer}, {model.layers[layer]}, is the first whose output is not finite, since"
    assert f"{says} its parameter {name} is" in str(error)
    same(error.params, params)


def test_the_layer_is_found_as_it_was_in_training(clouds):
    """With ε = 0 a feature without spread is 0/0 in training; inference never notices."""
    x, y = clouds
    x = x.copy()
    x[:, 2] = 0.5
    model = Sequential((BatchNorm1d(5, eps=0), Linear(5, 7), ReLU(), Linear(7, 3)))
    params = model.init(np.random.default_rng(0))
    assert np.isfinite(model.forward(params, x)[0]).all()
    error = diverge(Trainer(model, Adam()), x, y)
    assert f"layer 0, {model.layers[0]}, is the first whose output is not finite." in str(error)


def test_the_layer_is_found_with_the_dropout_masks_of_that_step():
    """The huge unit overflows when dropout keeps, and doubles, it; else all is finite."""
    x, y = np.ones((1, 5)), np.array([0])
    model = mlp((5, 1, 3), dropout=0.5)
    params = {
        "0.weight": np.full((1, 5), 2e307),
        "0.bias": np.zeros(1),
        "3.weight": np.ones((3, 1)),
        "3.bias": np.zeros(3),
    }
    trainer = Trainer(model, Adam(), augment=lambda x, rng: x + 0 * rng.normal(size=x.shape))
    messages = []
    for seed in range(20):
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                trainer.step(params, Adam().init(params), x, y, np.random.default_rng(seed))
        except NonFiniteLoss as error:
            messages.append(str(error))
    assert 5 < len(messages) < 15
    assert all(f"layer 2, {model.layers[2]}, is the first" in message for message in messages)


def test_inputs_that_augmentation_spoilt_are_named(clouds):
    trainer = Trainer(MODEL, Adam(), augment=lambda x, rng: x / 0)
    assert "the inputs of this batch are not finite" in str(diverge(trainer, *clouds))


def test_a_loss_that_overflows_by_itself_is_named(clouds):
    trainer = Trainer(MODEL, Adam(), penalty=L2Penalty(1e308))
    says = "every layer's output is finite, so it is the loss itself that overflowed"
    assert says in str(diverge(trainer, *clouds))


def test_a_model_in_order_has_nothing_to_name(clouds):
    params = MODEL.init(np.random.default_rng(0))
    assert "every layer's output is finite" in first_non_finite(MODEL, params, clouds[0])


# What cannot be trained on


def with_nan(x, y):
    return np.where(np.arange(x.size).reshape(x.shape) == 13, np.nan, x), y


REFUSED = [
    (with_nan, "row 2, column 3 of x is nan"),
    (lambda x, y: (x, np.where(np.arange(len(y)) == 4, 3, y)), r"y\[4\] is 3, expected .* 0 to 2"),
    (lambda x, y: (x, y - 1), r"is -1, expected a class from 0 to 2"),
    (lambda x, y: (x[:0], y[:0]), "x is empty"),
    (lambda x, y: (x, y[:-1]), "one label for each row"),
    (lambda x, y: (x, y.astype(float)), "y is of type float64, expected integer class labels"),
    (lambda x, y: (x.astype(int), y), "x is of type int64, expected floating-point numbers"),
    (lambda x, y: (x[:, :4], y), r"x has shape \(1, 4\), expected"),
]


@pytest.mark.parametrize("part", ["training", "validation"])
@pytest.mark.parametrize(("spoil", "says"), REFUSED)
def test_data_is_refused_in_one_sentence_before_the_first_step(clouds, spoil, says, part):
    given = {"training": clouds, "validation": clouds} | {part: spoil(*clouds)}
    steps = []
    trainer = Trainer(MODEL, Adam(), schedule=lambda step: steps.append(step) or 0.1)
    with pytest.raises(BookError, match=says) as caught:
        fit(trainer, *given["training"], validation=given["validation"])
    assert "\n" not in str(caught.value)
    assert not steps


def test_patience_needs_validation_data(clouds):
    with pytest.raises(
        HyperparameterError, match="patience needs validation data; pass validation"
    ):
        fit(Trainer(MODEL, Adam(), patience=3), *clouds)
