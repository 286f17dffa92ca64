"""Truncated backpropagation through time, and what judges it from outside."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from bigmodel_edu.components import FunctionComponent, Results, Trial, torch_tensors

from .models import LanguageModule
from .sizes import HIDDEN, INPUT, STEPS

TEXT = {"tokens": (3, STEPS), "targets": (3, STEPS)}
WRITER = (13, INPUT, HIDDEN)  # vocabulary, embedding, hidden


def writer_inputs(rng: np.random.Generator, batch: int) -> dict:
    """Return a text, its next tokens, and the parameters of the language model that reads it."""
    from ..reference import LanguageModel

    text = {name: rng.integers(0, 13, size=shape) for name, shape in TEXT.items()}
    return text | {f"params {k}": v for k, v in LanguageModel(*WRITER).init(rng).items()}


def truncated(window: int) -> Callable[..., dict]:
    """Return a call of truncated_bptt that names what comes back, on arrays or on tensors."""

    def call(module: Any, tokens: Any, targets: Any, **named: Any) -> dict:
        params = {name.removeprefix("params "): value for name, value in named.items()}
        model = module.LanguageModel(*WRITER)
        if isinstance(model, torch.nn.Module):
            model = model.to(next(iter(params.values())))
            model.load_state_dict(params)
            loss, states = module.truncated_bptt(model, tokens, targets, window)
            grads = {name: parameter.grad for name, parameter in model.named_parameters()}
        else:
            loss, grads, states = module.truncated_bptt(model, params, tokens, targets, window)
        return {"loss": loss, "h_n": states[0], "c_n": states[1], **grads}

    return call


def full_bptt_by_autograd(trial: Trial) -> Results:
    """Return the gradients of the whole text by PyTorch: what one long window has to give."""
    tensors = torch_tensors(trial.inputs, "contiguous", "cpu")
    tokens, targets = tensors.pop("tokens"), tensors.pop("targets")
    params = {name.removeprefix("params "): value for name, value in tensors.items()}
    model = LanguageModule()
    model.lstm = torch.nn.LSTM(INPUT, HIDDEN, batch_first=True)
    model = model.to(next(iter(params.values())))
    model.load_state_dict(params)
    zeros = torch.zeros(1, 3, HIDDEN).to(tensors[next(iter(tensors))])
    logits, h_n, c_n = model(tokens, zeros, zeros)
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    loss.backward()
    found = {"loss": loss, "h_n": h_n, "c_n": c_n}
    found |= {name: parameter.grad for name, parameter in model.named_parameters()}
    return {name: value.detach().numpy() for name, value in found.items()}


TRUNCATED_BPTT = FunctionComponent(
    name="lstm.truncated_bptt",
    inputs=writer_inputs,
    call=truncated(5),
    has_torch_twin=True,
)

TRUNCATED_BPTT_WHOLE = FunctionComponent(
    name="lstm.truncated_bptt_whole",
    inputs=writer_inputs,
    call=truncated(STEPS),
    has_torch_twin=True,
    oracles={"torch autograd": full_bptt_by_autograd},
)
