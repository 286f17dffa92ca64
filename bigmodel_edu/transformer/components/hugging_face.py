"""Blocks of the library `transformers`, randomly initialised, with our weights in them."""

import os
from collections.abc import Callable
from typing import Any

import torch

from bigmodel_edu.components import JudgeUnavailable, Oracle, Results, Trial, run_torch_module


def hugging_face(block: Callable[[], torch.nn.Module], state: Callable[..., dict]) -> Oracle:
    """Return an oracle that runs a block of `transformers` on our parameters.

    `block()` makes the block, `state(params)` writes its parameters in terms of ours, so that its
    gradients come back as gradients of ours.
    """

    def oracle(trial: Trial) -> Results:
        module = Translated(hugging_face_block(block), state, trial.params)
        return run_torch_module(module, trial)

    return oracle


def hugging_face_block(block: Callable[[], torch.nn.Module]) -> torch.nn.Module:
    """Return the block; JudgeUnavailable says what is missing where it cannot be made."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing is downloaded
    try:
        return block()
    except ImportError as error:
        raise JudgeUnavailable(
            f"the library transformers cannot be imported ({error}); it is a dependency of the "
            "tests: pip install -e '.[test]'"
        ) from error


class Translated(torch.nn.Module):
    """A block that computes with parameters written in terms of ours, which carry our names."""

    def __init__(self, block: torch.nn.Module, state: Callable[..., dict], params: dict) -> None:
        super().__init__()
        self.blocks = (block.eval(),)  # in a tuple, so that its parameters are not ours
        self.state = state
        for name, value in params.items():
            holder: torch.nn.Module = self
            *path, last = name.split(".")
            for part in path:
                if not hasattr(holder, part):
                    holder.add_module(part, torch.nn.Module())
                holder = getattr(holder, part)
            holder.register_parameter(last, torch.nn.Parameter(torch.empty(value.shape)))

    def forward(self, x: Any) -> Any:
        (block,) = self.blocks
        block.to(x.dtype)
        buffers = dict(block.named_buffers())
        theirs = self.state(dict(self.named_parameters())) | buffers
        options = block.options(x) if hasattr(block, "options") else {}
        y = torch.func.functional_call(block, theirs, (x,), options, strict=True)
        return y[0] if isinstance(y, tuple) else y
