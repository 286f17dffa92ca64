"""Truncated backpropagation through time in PyTorch."""

import torch.nn.functional as F
from torch import Tensor

from .models import LanguageModel


def truncated_bptt(
    model: LanguageModel, tokens: Tensor, targets: Tensor, window: int
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Add truncated gradients to the parameters' `grad`; return the mean loss and final states."""
    n_steps, states, total = tokens.shape[1], (), 0
    for start in range(0, n_steps, window):
        piece = slice(start, start + window)
        logits, *states = model(tokens[:, piece], *(state.detach() for state in states))
        share = tokens[:, piece].shape[1] / n_steps
        loss = share * F.cross_entropy(logits.flatten(0, 1), targets[:, piece].flatten())
        loss.backward()
        total = total + loss.detach()
    return total, tuple(state.detach() for state in states)
