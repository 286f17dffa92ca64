"""The residual connection around a sublayer, with its norm before or after."""

from dataclasses import dataclass
from typing import Any

from bigmodel_edu.layer import Array, BackwardPass, ForwardPass


@dataclass(frozen=True)
class Residual:
    """A sublayer f with dropout, a residual connection and a norm.

    Post-norm (Vaswani et al. 2017, sections 3.1 and 5.4): y = norm(x + dropout(f(x))).
    Pre-norm (Xiong et al. 2020, table 1): y = x + dropout(f(norm(x))).

    Sublayer and norm are parts of a composite, called by their names; so is its part `dropout`.
    Shapes: x and y (B, T, D).
    """

    norm_first: bool

    def forward(
        self, run: ForwardPass, sublayer: str, norm: str, x: Array, *others: Array, **options: Any
    ) -> Array:
        """Return y for x; the sublayer gets its other inputs and the options as well."""
        h = run(norm, x) if self.norm_first else x
        h = run("dropout", run(sublayer, h, *others, **options))
        return x + h if self.norm_first else run(norm, x + h)

    def backward(
        self, back: BackwardPass, sublayer: str, norm: str, dy: Array
    ) -> tuple[Array | None, ...]:
        """Return the gradients of x and of the sublayer's other inputs."""
        if not self.norm_first:
            (dy,) = back(norm, dy)
        (dh,) = back("dropout", dy)
        dh, *others = back(sublayer, dh)
        if self.norm_first:
            (dh,) = back(norm, dh)
        return (dy + dh, *others)  # the residual adds both ways
