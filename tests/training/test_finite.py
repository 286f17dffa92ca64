import subprocess
import sys

import numpy as np
import pytest

from bigmodel_edu.errors import BookError
from bigmodel_edu.training.checkpoints import save_in
from bigmodel_edu.training.finite import NonFiniteLoss, expect_finite_loss


def never():
    raise AssertionError("parameters are copied only when they are needed")


@pytest.mark.parametrize("loss", [0.0, -1e300, np.float32(3)])
def test_a_finite_loss_costs_nothing(loss):
    expect_finite_loss(loss, "of step 3", 3, never)


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), -np.float32("inf")])
def test_another_says_where_and_holds_what_was_there_before(loss):
    with pytest.raises(NonFiniteLoss, match=f"^the loss of step 3 is {loss}, expected") as caught:
        expect_finite_loss(loss, "of step 3", 3, lambda: {"w": 1}, history=[0.5])
    error = caught.value
    assert isinstance(error, BookError)
    assert (error.step, error.params, error.history) == (3, {"w": 1}, [0.5])
    assert "checkpoint" not in str(error)
    assert "\n" not in str(error)


def test_it_names_the_last_checkpoint(tmp_path):
    with pytest.raises(NonFiniteLoss, match="There is no checkpoint yet"):
        expect_finite_loss(np.nan, "of step 3", 3, dict, folder=tmp_path)
    path = save_in(tmp_path, {}, step=2, configuration={})
    with pytest.raises(NonFiniteLoss) as caught:
        expect_finite_loss(np.nan, "of step 3", 3, dict, folder=tmp_path)
    assert str(caught.value).endswith(f"The last checkpoint is {path}.")


@pytest.mark.parametrize("module", ["finite", "checkpoints"])
def test_numpy_is_all_that_it_needs(module):
    command = f"import sys, bigmodel_edu.training.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command]).returncode == 0
