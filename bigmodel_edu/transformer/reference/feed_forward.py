"""The feed-forward parts of a block, applied to each position alone."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from bigmodel_edu.errors import HyperparameterError
from bigmodel_edu.layer import (
    Array,
    BackwardPass,
    Cache,
    Composite,
    ForwardPass,
    Gradients,
    Layer,
    Params,
    expect_count,
    expect_floats,
    expect_shape,
)
from bigmodel_edu.neural_nets.reference import GELU, Linear, ReLU, sigmoid, xavier_uniform

Activation = Literal["relu", "gelu", "gelu_tanh"]


@dataclass(frozen=True)
class FeedForward(Composite):
    """Two linear layers with an activation between, y = f(x W₁ᵀ + b₁) W₂ᵀ + b₂.

    (Vaswani et al. 2017, eq. 2.) `activation` is "relu" as there, "gelu" as in BERT, or
    "gelu_tanh" as in GPT-2.

    Shapes: x and y (..., D), D = `d_model`, F = `d_ff`; linear1.weight (F, D), linear1.bias (F,),
    linear2.weight (D, F), linear2.bias (D,).
    """

    d_model: int
    d_ff: int
    activation: Activation = "relu"

    ReLU: ClassVar[type[Layer]] = ReLU
    GELU: ClassVar[type[Layer]] = GELU

    def __post_init__(self) -> None:
        expect_count("d_model", self.d_model)
        expect_count("d_ff", self.d_ff)
        if self.activation not in ("relu", "gelu", "gelu_tanh"):
            raise HyperparameterError(
                f'activation is {self.activation!r}, expected "relu", "gelu" or "gelu_tanh".'
            )

        super().__post_init__()

    def named_parts(self) -> dict[str, Layer]:
        gelu = "tanh" if self.activation == "gelu_tanh" else "none"
        return {
            "linear1": Linear(self.d_model, self.d_ff),
            "activation": self.ReLU() if self.activation == "relu" else self.GELU(gelu),
            "linear2": Linear(self.d_ff, self.d_model),
        }

    def init(self, rng: np.random.Generator) -> Params:
        return {
            "linear1.weight": xavier_uniform(rng, (self.d_ff, self.d_model)),
            "linear1.bias": np.zeros(self.d_ff),
            "linear2.weight": xavier_uniform(rng, (self.d_model, self.d_ff)),
            "linear2.bias": np.zeros(self.d_model),
        }

    def forward(self, params: Params, x: Array) -> tuple[Array, Cache]:
        expect_floats("x", x)
        expect_shape("x", x, "...", self.d_model)
        run = ForwardPass(self, params)
        rows = x.reshape(-1, self.d_model)  # one product of matrices, not one per sequence
        # y = f(x W₁ᵀ + b₁) W₂ᵀ + b₂
        hidden = run("linear1", rows)
        active = run("activation", hidden)
        y = run("linear2", active)
        return y.reshape(x.shape), run.cache()

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        back = BackwardPass(self, params, cache)
        (d_active,) = back("linear2", dy.reshape(-1, self.d_model))
        (d_hidden,) = back("activation", d_active)
        (dx,) = back("linear1", d_hidden)
        return (dx.reshape(dy.shape),), back.grads


@dataclass(frozen=True)
class SwiGLU(Layer):
    """The gated feed-forward layer of Llama, y = (silu(x W_gᵀ) ⊙ x W_uᵀ) W_dᵀ.

    (Shazeer 2020, eq. 6.) silu(a) = a σ(a), and its slope is σ(a) (1 + a (1 - σ(a))).

    Shapes: x and y (..., D), D = `d_model`, F = `d_ff`; gate_proj.weight and up_proj.weight (F, D),
    down_proj.weight (D, F).
    """

    d_model: int
    d_ff: int

    def __post_init__(self) -> None:
        expect_count("d_model", self.d_model)
        expect_count("d_ff", self.d_ff)

    def init(self, rng: np.random.Generator) -> Params:
        return {
            "gate_proj.weight": xavier_uniform(rng, (self.d_ff, self.d_model)),
            "up_proj.weight": xavier_uniform(rng, (self.d_ff, self.d_model)),
            "down_proj.weight": xavier_uniform(rng, (self.d_model, self.d_ff)),
        }

    def forward(self, params: Params, x: Array) -> tuple[Array, Cache]:
        expect_floats("x", x)
        expect_shape("x", x, "...", self.d_model)
        rows = x.reshape(-1, self.d_model)
        # y = (silu(x W_gᵀ) ⊙ x W_uᵀ) W_dᵀ
        gate = rows @ params["gate_proj.weight"].T
        up = rows @ params["up_proj.weight"].T
        hidden, gated_cache = self.gated(gate, up)
        y = hidden @ params["down_proj.weight"].T
        return y.reshape(x.shape), (rows, hidden, gated_cache)

    def backward(self, params: Params, cache: Cache, dy: Array) -> Gradients:
        rows, hidden, gated_cache = cache
        dy_rows = dy.reshape(-1, self.d_model)
        d_gate, d_up = self.gated_backward(gated_cache, dy_rows @ params["down_proj.weight"])
        dx = d_gate @ params["gate_proj.weight"] + d_up @ params["up_proj.weight"]
        grads = {
            "gate_proj.weight": d_gate.T @ rows,
            "up_proj.weight": d_up.T @ rows,
            "down_proj.weight": dy_rows.T @ hidden,
        }
        return (dx.reshape(dy.shape),), grads

    def gated(self, gate: Array, up: Array) -> tuple[Array, Cache]:
        """Return silu(gate) ⊙ up, all of shape (N, F), and what its backward needs."""
        # silu(a) = a σ(a)
        s = sigmoid(gate)
        return gate * s * up, (gate, up, s)

    def gated_backward(self, cache: Cache, d_hidden: Array) -> tuple[Array, Array]:
        """Return the gradients of gate and up."""
        gate, up, s = cache
        # d silu / da = σ (1 + a (1 - σ))
        slope = s * (1 + gate * (1 - s))
        return d_hidden * up * slope, d_hidden * gate * s
