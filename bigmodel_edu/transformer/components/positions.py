"""Positions, and what judges them from outside."""

from itertools import product

import numpy as np

from bigmodel_edu.components import BenchSize, LayerComponent, Results, Trial

from .layers import sequences


def pairs_as_complex_numbers(trial: Trial) -> Results:
    """Return the rotation as a product of complex numbers (Su et al. 2021, section 3.2.1)."""
    x = trial.inputs["x"].astype(np.complex128)
    half = x.shape[-1] // 2
    theta = 10000.0 ** (-2 * np.arange(half) / x.shape[-1])
    turned = (x[..., :half] + 1j * x[..., half:]) * np.exp(
        1j * (4 + np.arange(x.shape[-2]))[:, None] * theta
    )
    return {"y": np.concatenate([turned.real, turned.imag], axis=-1)}


def sinusoids_one_by_one(trial: Trial) -> Results:
    """Return x plus the paper's formula, feature by feature."""
    x = trial.inputs["x"].astype(np.float64)
    _, length, d = x.shape
    for t, i in product(range(length), range(d // 2)):
        x[:, t, 2 * i] += np.sin((t + 4) / 10000 ** (2 * i / d))
        x[:, t, 2 * i + 1] += np.cos((t + 4) / 10000 ** (2 * i / d))
    return {"y": x}


SINUSOIDAL_POSITIONS = LayerComponent(
    name="transformer.sinusoidal_positions",
    build=lambda m: m.SinusoidalPositions(6),
    inputs=sequences(6),
    mode=lambda inputs: {"offset": 4},
    derived_sizes=(6,),
    oracles={"one by one": sinusoids_one_by_one},
)

LEARNED_POSITIONS = LayerComponent(
    name="transformer.learned_positions",
    build=lambda m: m.LearnedPositions(13, 3),
    inputs=sequences(3),
    mode=lambda inputs: {"offset": 4},
    oracles={"a slice": lambda t: {"y": t.inputs["x"] + t.params["weight"][4:11]}},
)

ROTARY_POSITIONS = LayerComponent(
    name="transformer.rotary_positions",
    build=lambda m: m.RotaryPositions(6),
    inputs=lambda rng, batch: {"x": rng.normal(size=(batch, 3, 7, 6))},
    mode=lambda inputs: {"offset": 4},
    derived_sizes=(6,),
    oracles={"complex numbers": pairs_as_complex_numbers},
    bench=BenchSize(
        shape="(4, 8, 256, 64)",
        build=lambda m: m.RotaryPositions(64),
        inputs=lambda rng: {"x": rng.normal(size=(4, 8, 256, 64))},
    ),
)
