"""What PyTorch needs in order to go on to the same numbers, as NumPy arrays for a checkpoint.

    arrays = torch_training_state(model, adam)
    load_torch_training_state(arrays, model, adam)

The module may hold several, as a generator and a discriminator in an `nn.ModuleDict`; any number of
optimizers may follow it, always in the same order.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bigmodel_edu.layer import Array, Params, shape_text, with_prefix, without_prefix
from bigmodel_edu.training.checkpoints import (
    CheckpointError,
    as_json,
    expect_arrays,
)


def torch_training_state(module: nn.Module, *optimizers: torch.optim.Optimizer) -> Params:
    """Return all that PyTorch needs to go on, as NumPy arrays for `checkpoints.save`.

    That is the module's parameters and buffers ("model.…"), the state of each optimizer
    ("optimizer.0.…") and of the generators that dropout draws from ("rng.…").
    """
    arrays = with_prefix("model", {k: _as_numpy(k, v) for k, v in module.state_dict().items()})
    arrays["rng.cpu"] = torch.get_rng_state().numpy().copy()
    if any(p.is_cuda for p in module.parameters()):
        arrays["rng.cuda"] = torch.cuda.get_rng_state().numpy().copy()
    for number, optimizer in enumerate(optimizers):
        arrays |= with_prefix(f"optimizer.{number}", _optimizer_arrays(optimizer))
    return arrays


def load_torch_training_state(
    arrays: Mapping[str, Array], module: nn.Module, *optimizers: torch.optim.Optimizer
) -> None:
    """Put what `torch_training_state` returned back into a module and its optimizers.

    Everything is compared before anything is changed. Sets PyTorch's random generators too.

    Raises:
        CheckpointError: a name, shape or dtype of the module differs, or an optimizer does.
    """
    wanted = {k: _as_numpy(k, v) for k, v in module.state_dict().items()}
    parameters = without_prefix("model", arrays)
    expect_arrays("The training state", parameters, wanted)
    if "rng.cpu" not in arrays:
        raise CheckpointError(
            "The training state lacks 'rng.cpu', the state of PyTorch's random generator: pass "
            "what torch_training_state returned."
        )
    states = [
        _optimizer_state(number, without_prefix(f"optimizer.{number}", arrays), optimizer)
        for number, optimizer in enumerate(optimizers)
    ]
    if optimizers and f"optimizer.{len(optimizers)}.settings" in arrays:
        raise CheckpointError(
            f"The training state holds more optimizers than the {len(optimizers)} expected: pass "
            "them all, in the same order."
        )
    for optimizer, state in zip(optimizers, states, strict=True):
        optimizer.load_state_dict(state)
    module.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in parameters.items()})
    torch.set_rng_state(torch.from_numpy(arrays["rng.cpu"].copy()))
    if "rng.cuda" in arrays and torch.cuda.is_available():
        torch.cuda.set_rng_state(torch.from_numpy(arrays["rng.cuda"].copy()))


def parameters_of(module: nn.Module) -> Params:
    """Return a copy of a module's parameters and buffers as NumPy arrays."""
    return {name: value.numpy(force=True).copy() for name, value in module.state_dict().items()}


def load_parameters(module: nn.Module, params: Params) -> None:
    """Put what `parameters_of` returned back into the module."""
    module.load_state_dict({name: torch.from_numpy(value) for name, value in params.items()})


def _optimizer_arrays(optimizer: torch.optim.Optimizer) -> Params:
    """Return an optimizer's state_dict as arrays: its settings as JSON, the rest by parameter."""
    saved = optimizer.state_dict()
    settings = {"kind": type(optimizer).__name__, "param_groups": saved["param_groups"]}
    text = json.dumps(as_json("the optimizer's settings", settings))
    arrays = {"settings": np.frombuffer(text.encode(), dtype=np.uint8)}
    for index, slots in saved["state"].items():
        for slot, value in slots.items():
            arrays[f"{index}.{slot}"] = _as_numpy(slot, value)
    return arrays


def _optimizer_state(
    number: int, arrays: Params, optimizer: torch.optim.Optimizer
) -> dict[str, Any]:
    """Return a state_dict for `optimizer`, or raise CheckpointError if it is another one's."""
    if "settings" not in arrays:
        held = "no optimizer, expected one" if number == 0 else f"no optimizer number {number}"
        raise CheckpointError(
            f"The training state holds {held}: pass every optimizer to torch_training_state as "
            "well."
        )
    settings = json.loads(arrays["settings"].tobytes())
    own = optimizer.state_dict()["param_groups"]
    theirs = [len(group["params"]) for group in settings["param_groups"]]
    ours = [len(group["params"]) for group in own]
    if settings["kind"] != type(optimizer).__name__ or theirs != ours:
        raise CheckpointError(
            f"The training state is of {settings['kind']} with {theirs} parameters in its groups, "
            f"expected {type(optimizer).__name__} with {ours}: build the same optimizer first."
        )
    for group in settings["param_groups"]:  # JSON has lists only
        group |= {k: tuple(v) for k, v in group.items() if isinstance(v, list) and k != "params"}
    return {"state": _slots(arrays, optimizer), "param_groups": settings["param_groups"]}


def _slots(arrays: Params, optimizer: torch.optim.Optimizer) -> dict[int, dict[str, Tensor]]:
    """Return what the optimizer remembers of each parameter: its averages, its count of steps."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in arrays.items():
        if name == "settings":
            continue
        index, _, slot = name.partition(".")
        shape = tuple(parameters[int(index)].shape)
        if value.shape not in ((), shape):
            raise CheckpointError(
                f"The optimizer's {slot!r} of parameter {index} has shape "
                f"{shape_text(value.shape)}, expected the parameter's own, {shape_text(shape)}."
            )
        state.setdefault(int(index), {})[slot] = torch.from_numpy(value.copy())
    return state


def _as_numpy(name: str, tensor: Tensor) -> Array:
    try:
        return tensor.detach().cpu().numpy().copy()
    except TypeError as error:
        raise CheckpointError(
            f"{name!r} is of type {tensor.dtype}, which NumPy does not have: keep the parameters "
            "in float32 and let autocast compute in lower precision."
        ) from error
