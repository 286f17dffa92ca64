"""The paper's learning rate."""

import numpy as np
import pytest

from bigmodel_edu.errors import HyperparameterError
from bigmodel_edu.transformer.reference import InverseSquareRootWarmUp


def test_the_base_model_of_the_paper_peaks_at_7e_4():
    schedule = InverseSquareRootWarmUp(512, 4000)
    rates = [schedule(step) for step in range(20_000)]
    assert np.argmax(rates) == 3999
    np.testing.assert_allclose(rates[3999], (512 * 4000) ** -0.5)
    np.testing.assert_allclose(rates[3999], 7e-4, rtol=2e-3)


def test_it_grows_in_a_line_and_falls_with_the_root():
    schedule = InverseSquareRootWarmUp(64, 10)
    np.testing.assert_allclose(schedule(4), schedule(0) * 5)
    np.testing.assert_allclose(schedule(399), schedule(99) / 2)
    assert schedule(0) > 0


@pytest.mark.parametrize(
    ("arguments", "name"), [((0, 5), "d_model is 0"), ((5, 0), "warm_up is 0")]
)
def test_hyperparameters(arguments, name):
    with pytest.raises(HyperparameterError, match=name):
        InverseSquareRootWarmUp(*arguments)
