"""The simple recurrent network, in numbers worked by hand."""

import numpy as np

from bigmodel_edu.lstm.reference import RNNCell


def test_a_pulse_fades_in_a_tanh_network():
    params = {
        "weight_ih": np.array([[0.5]]),
        "weight_hh": np.array([[0.8]]),
        "bias_ih": np.zeros(1),
        "bias_hh": np.zeros(1),
    }
    h, seen = np.zeros((1, 1)), []
    for x in (1.0, 0.0, 0.0, 0.0):
        h, _ = RNNCell(1, 1).forward(params, np.array([[x]]), h)
        seen.append(h.item())
    np.testing.assert_allclose(seen, [0.462, 0.354, 0.276, 0.217], atol=5e-4)
