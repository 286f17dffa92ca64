"""Dropout, with a mask that is given."""

import numpy as np

from bigmodel_edu.components import LayerComponent

DROPOUT = LayerComponent(
    name="neural_nets.dropout",
    build=lambda m: m.Dropout(0.3),
    inputs=lambda rng, batch: {"x": rng.normal(size=(5, 7))},
    mode=lambda inputs: {
        "training": True,
        "mask": np.random.default_rng(1).random((5, 7)) >= 0.3,
    },
)
