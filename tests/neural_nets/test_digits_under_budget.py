"""The project of the chapter: what its check lets through, and what it says of the rest."""

import numpy as np
import pytest

from bigmodel_edu.data import load_digits
from bigmodel_edu.labs import CheckFailed, check
from bigmodel_edu.neural_nets.exercises.digits_under_budget import (
    DIGITS_UNDER_BUDGET,
    _in_view,
    _split,
)
from bigmodel_edu.neural_nets.experiments.training import Trainer
from bigmodel_edu.neural_nets.reference import Adam, mlp


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("BIGMODEL_STATE_DIR", str(tmp_path))


def rejection(function) -> str:
    with pytest.raises(CheckFailed) as caught:
        check(DIGITS_UNDER_BUDGET, function, seed=0)
    return caught.value.result.message


def plain(x_train, y_train, seed, epochs=80):
    """The chapter's training, without any remedy."""
    model, rng = mlp((64, 66, 10)), np.random.default_rng(seed)
    params, _ = Trainer(model, Adam(3e-3)).fit(
        model.init(rng), x_train, y_train, epochs=epochs, rng=rng, progress=False
    )
    return model, params


def on_the_digits_of_the_chapter(x_train, y_train, seed):
    digits = load_digits(seed=0)
    return plain(digits.x_train, digits.y_train, seed, epochs=10)


def too_large(x_train, y_train, seed):
    model = mlp((64, 67, 10))
    return model, model.init(np.random.default_rng(seed))


def test_plain_training_is_not_enough():
    message = rejection(plain)
    assert message.startswith("The accuracy on unseen images is 9")
    assert "on average over 4 splits" in message
    assert message.endswith("at least 96.5% is asked for.")


def test_a_model_that_knows_other_images_is_told_so():
    assert "train on the arrays that your function is given" in rejection(
        on_the_digits_of_the_chapter
    )


def test_the_budget():
    assert rejection(too_large) == "The model has 5,035 parameters; the budget is 5,000."


@pytest.mark.parametrize("answer", [3, (mlp((64, 10)),), (mlp((64, 10)), [1])])
def test_an_answer_of_another_form(answer):
    assert rejection(lambda x_train, y_train, seed: answer).startswith("Return two things")


def test_every_view_is_another_and_none_is_upright():
    image = np.arange(64.0)[None]
    views = [_in_view(view, image) for view in range(8)]
    np.testing.assert_array_equal(views[0], image)
    assert len({view.tobytes() for view in views}) == 8
    assert all(sorted(view[0]) == list(range(64)) for view in views)
    upright = load_digits(0, test_fraction=0.8, validation_fraction=0)
    for seed in range(7):
        assert not np.array_equal(_split(seed).x_train, upright.x_train)


def test_each_split_is_learnt_and_tested_in_its_own_view():
    for seed in (3, 4):
        upright, turned = _split(seed, view=0), _split(seed)
        for part in ("x_train", "x_test"):
            expected = _in_view(1 + seed % 7, getattr(upright, part))
            np.testing.assert_array_equal(getattr(turned, part), expected)
        np.testing.assert_array_equal(turned.y_test, upright.y_test)
