"""FlashAttention in PyTorch."""

import torch
from torch import Tensor, nn

from .attention import attend


class FlashAttention(nn.Module):
    """The same; whether it works in tiles is PyTorch's choice, and so is their size."""

    def __init__(
        self,
        causal: bool = False,
        scale: float | None = None,
        block_q: int = 64,
        block_k: int = 64,
    ) -> None:
        super().__init__()
        self.causal, self.scale = causal, scale

    def forward(self, q: Tensor, k: Tensor, v: Tensor, lengths: Tensor | None = None) -> Tensor:
        mask = None
        if lengths is not None:
            keys = torch.arange(k.shape[2], device=k.device)
            mask = (keys < lengths[:, None])[:, None, None, :]
        return attend(q, k, v, mask, causal=self.causal, scale=self.scale)
