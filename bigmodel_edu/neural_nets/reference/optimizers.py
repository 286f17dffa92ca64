"""Optimizers: stateless, like the layers.

    state = optimizer.init(params)
    params, state = optimizer.update(params, grads, state)

`update` returns new dicts and changes neither arrays nor dicts it was given. Parameters without a
gradient (running statistics) pass through. `lr=` in `update` overrides the learning rate for this
step, which is how a schedule acts.
"""

from dataclasses import dataclass

import numpy as np

from bigmodel_edu.errors import HyperparameterError, ShapeError
from bigmodel_edu.layer import Array, Params, expect_not_negative, shape_text

State = dict[str, Array | int]


@dataclass(frozen=True)
class Optimizer:
    """Base class: checks the gradients and hands each parameter to `step`."""

    lr: float

    def __post_init__(self) -> None:
        expect_not_negative("lr", self.lr)

    def init(self, params: Params) -> State:
        """Return the state before the first step: a step count and one array per slot and name."""
        state: State = {"step": 0}
        for slot in self.slots():
            state |= {f"{slot}.{name}": np.zeros_like(value) for name, value in params.items()}
        return state

    def update(
        self, params: Params, grads: Params, state: State, *, lr: float | None = None
    ) -> tuple[Params, State]:
        """Return the parameters and the state after one step."""
        lr = self.lr if lr is None else lr
        expect_not_negative("lr", lr)
        t = state["step"] + 1
        params, state = dict(params), dict(state) | {"step": t}
        for name, grad in grads.items():
            _expect_gradient_of(name, grad, params)
            slots = tuple(state[f"{slot}.{name}"] for slot in self.slots())
            params[name], slots = self.step(params[name], grad, slots, t, lr)
            state |= {f"{s}.{name}": value for s, value in zip(self.slots(), slots, strict=True)}
        return params, state

    def slots(self) -> tuple[str, ...]:
        """Return the names of the arrays kept for each parameter."""
        return ()

    def step(
        self, w: Array, g: Array, slots: tuple[Array, ...], t: int, lr: float
    ) -> tuple[Array, tuple[Array, ...]]:
        """Return the parameter w and its slots after step t = 1, 2, …, given its gradient g."""
        raise NotImplementedError


def _expect_gradient_of(name: str, grad: Array, params: Params) -> None:
    if name not in params:
        raise ShapeError(
            f"there is a gradient for {name!r} but no such parameter; the parameters are "
            f"{', '.join(params)}."
        )
    if grad.shape != params[name].shape:
        raise ShapeError(
            f"the gradient of {name!r} has shape {shape_text(grad.shape)}, expected the "
            f"parameter's own, {shape_text(params[name].shape)}; look at its backward."
        )


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent, with momentum μ if asked for, as PyTorch writes it.

    v ← μ v + g, with v = g in the first step; w ← w - η v, or, with `nesterov`,
    w ← w - η (g + μ v) (Sutskever et al. 2013, rearranged: w is where the gradient is taken).
    """

    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.momentum < 1:
            raise HyperparameterError(f"momentum is {self.momentum}, expected 0 ≤ momentum < 1.")
        if self.nesterov and self.momentum == 0:
            raise HyperparameterError(
                "nesterov needs a momentum above zero; pass momentum=0.9, say."
            )

    def slots(self) -> tuple[str, ...]:
        return ("momentum_buffer",) if self.momentum else ()

    def step(
        self, w: Array, g: Array, slots: tuple[Array, ...], t: int, lr: float
    ) -> tuple[Array, tuple[Array, ...]]:
        if not self.momentum:
            return w - lr * g, ()
        (v,) = slots
        # v ← μ v + g
        v = self.momentum * v + g
        # w ← w - η v, or w ← w - η (g + μ v)
        direction = g + self.momentum * v if self.nesterov else v
        return w - lr * direction, (v,)


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, algorithm 1).

    m ← β₁ m + (1 - β₁) g,  v ← β₂ v + (1 - β₂) g²,
    w ← w - η m̂ / (√v̂ + ε),  m̂ = m / (1 - β₁ᵗ),  v̂ = v / (1 - β₂ᵗ).

    Every line makes new arrays, which costs a large parameter more time than the arithmetic; the
    CUDA kernel does the whole step in one pass.
    """

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise HyperparameterError(f"betas is {self.betas}, expected two numbers in [0, 1).")
        expect_not_negative("eps", self.eps)

    def slots(self) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq")

    def step(
        self, w: Array, g: Array, slots: tuple[Array, ...], t: int, lr: float
    ) -> tuple[Array, tuple[Array, ...]]:
        (m, v), (beta1, beta2) = slots, self.betas
        # m ← β₁ m + (1 - β₁) g,  v ← β₂ v + (1 - β₂) g²
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        # m̂ = m / (1 - β₁ᵗ),  v̂ = v / (1 - β₂ᵗ)
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        # w ← w - η m̂ / (√v̂ + ε)
        return w - lr * m_hat / (np.sqrt(v_hat) + self.eps), (m, v)


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay λ (Loshchilov and Hutter 2019), as PyTorch has it.

    w ← w - η λ w before Adam's own step; λ never meets √v̂, which is what sets it apart from an
    L2 penalty. (In the paper's algorithm 2 a schedule scales the decay, the base rate does not.)
    """

    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_not_negative("weight_decay", self.weight_decay)

    def step(
        self, w: Array, g: Array, slots: tuple[Array, ...], t: int, lr: float
    ) -> tuple[Array, tuple[Array, ...]]:
        # w ← (1 - η λ) w
        w = (1 - lr * self.weight_decay) * w
        return super().step(w, g, slots, t, lr)
