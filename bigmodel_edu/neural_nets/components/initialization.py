"""The initialisers, and what judges them from outside."""

import numpy as np
import torch

from bigmodel_edu.components import Component, FunctionComponent, outputs


def initializer(name: str, torch_name: str) -> Component:
    """Return the component of an initialiser: deciles of 200,000 weights, against torch.nn.init's.

    The two draw from different generators, so their deciles agree to about 0.004 of a standard
    deviation (one standard error); the tolerance is several of those.
    """
    shape, deciles = (401, 499), np.linspace(0.1, 0.9, 9)

    def drawn_by_torch() -> np.ndarray:
        options = {"nonlinearity": "relu"} if torch_name.startswith("kaiming") else {}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            weight = getattr(torch.nn.init, torch_name)(torch.empty(shape), **options)
        return np.quantile(weight.double().numpy(), deciles)

    return FunctionComponent(
        name=f"neural_nets.{name}",
        call=lambda m: np.quantile(getattr(m, name)(np.random.default_rng(0), shape), deciles),
        oracles={f"torch.nn.init.{torch_name}": outputs(drawn_by_torch)},
        tolerance=2e-2,
        runs_on_cupy=False,
    )


XAVIER_UNIFORM = initializer("xavier_uniform", "xavier_uniform_")

XAVIER_NORMAL = initializer("xavier_normal", "xavier_normal_")

HE_UNIFORM = initializer("he_uniform", "kaiming_uniform_")

HE_NORMAL = initializer("he_normal", "kaiming_normal_")
