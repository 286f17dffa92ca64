"""The embedding, and what judges it from outside."""

import torch

from bigmodel_edu.components import BenchSize, LayerComponent, torch_module

from .sizes import STEPS, B, D, T, V

EMBEDDING = LayerComponent(
    name="lstm.embedding",
    build=lambda m: m.Embedding(13, 7),
    inputs=lambda rng, batch: {"tokens": rng.integers(0, 4, size=(batch, STEPS))},
    oracles={"torch.nn.Embedding": torch_module(lambda: torch.nn.Embedding(13, 7))},
    bench=BenchSize(
        shape=f"({B}, {T}, {V}→{D})",
        build=lambda m: m.Embedding(V, D),
        inputs=lambda rng: {"tokens": rng.integers(0, V, size=(B, T))},
        builtin=lambda: torch.nn.Embedding(V, D),
    ),
)
