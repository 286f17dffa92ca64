"""RMSNorm, and what judges it from outside."""

import torch

from bigmodel_edu.components import LayerComponent, torch_module

from .layers import sequence_bench, sequences

RMS_NORM = LayerComponent(
    name="transformer.rms_norm",
    build=lambda m: m.RMSNorm(11),
    inputs=sequences(11),
    oracles={"torch.nn.RMSNorm": torch_module(lambda: torch.nn.RMSNorm(11, eps=1e-6))},
    bench=sequence_bench(lambda m: m.RMSNorm(256), lambda: torch.nn.RMSNorm(256, eps=1e-6)),
)
