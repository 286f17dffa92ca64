"""What the cells have in common on the GPU: a step is one product and one kernel."""

from typing import ClassVar

from bigmodel_edu.cuda.kernels import Kernels, blocks_for
from bigmodel_edu.layer import Array, Params, expect_shape

from ..reference.cell import States


class FusedCell:
    """What the twins of the cells share: a step that is one product and one kernel.

    The kernel takes the place of `pointwise` and of the additions before it: on its own, one of
    them would take as long as the whole kernel.
    """

    kernels: ClassVar[Kernels]

    def summands(self, params: Params, a: Array, h: Array) -> tuple[Array, Array, Array]:
        """Return a and u = h W_hhᵀ (B, G H) and b_hh (G H,), sure to have these shapes.

        A kernel sees no shapes: where the reference would refuse, it would read foreign memory.
        """
        rows = self.n_gates * self.hidden_size
        expect_shape("weight_ih", params["weight_ih"], rows, "D")
        expect_shape("weight_hh", params["weight_hh"], rows, self.hidden_size)
        expect_shape("bias_hh", params["bias_hh"], rows)
        return a, h @ params["weight_hh"].T, params["bias_hh"]

    def launch(self, kernel: str, inputs: States, outputs: States) -> None:
        """Run a kernel with one thread per element of its last output, (B, H)."""
        n = outputs[-1].size
        self.kernels.launch(kernel, blocks_for(n), inputs, outputs, n, self.hidden_size)
