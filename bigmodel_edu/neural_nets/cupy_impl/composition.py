"""Layers one after the other, on the GPU."""

from functools import wraps

from .. import reference
from ..reference import Sequential
from .activations import GELU, ReLU, Sigmoid, Tanh

# The activations that the reference's `mlp` may contain, and their twins.
ON_GPU = {
    reference.Sigmoid(): Sigmoid(),
    reference.Tanh(): Tanh(),
    reference.ReLU(): ReLU(),
    reference.GELU(): GELU(),
}


@wraps(reference.mlp)
def mlp(sizes: tuple[int, ...], **options: str | bool | float) -> Sequential:
    layers = reference.mlp(sizes, **options).layers
    return Sequential(tuple(ON_GPU.get(layer, layer) for layer in layers))
