"""Probabilities at a temperature, and what judges them from outside."""

import scipy.special

from bigmodel_edu.components import FunctionComponent, outputs

TEMPERATURE_PROBABILITIES = FunctionComponent(
    name="lstm.temperature_probabilities",
    inputs=lambda rng, batch: {"logits": 3 * rng.normal(size=(batch, 7))},
    call=lambda m, logits: m.temperature_probabilities(logits, 0.7),
    oracles={"scipy.special.softmax": outputs(lambda z: scipy.special.softmax(z / 0.7, axis=-1))},
)
