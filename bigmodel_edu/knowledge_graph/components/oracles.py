"""What the judges from outside have in common: PyKEEN if it is there, and gradients by PyTorch."""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import torch

from bigmodel_edu.components import JudgeUnavailable, Results, Trial


def pykeen(name: str) -> ModuleType:
    """Return a module of PyKEEN; JudgeUnavailable says what is missing where it is not there."""
    try:
        return import_module(f"pykeen.{name}")
    except ImportError as error:
        raise JudgeUnavailable(
            f"the library pykeen cannot be imported ({error}); it is a dependency of the tests: "
            "pip install -e '.[test]'"
        ) from error


def gradients_of(compute: Callable[[dict[str, Any]], Any], trial: Trial) -> Results:
    """Return y and its gradients, computed by `compute(tensors of params and inputs)`."""
    tensors = {
        name: torch.from_numpy(value.copy()).requires_grad_(value.dtype.kind == "f")
        for name, value in (trial.params | trial.inputs).items()
    }
    y = compute(tensors)
    y.backward(torch.from_numpy(trial.upstream["y"]))
    grads = {f"grad {name}": tensors[name].grad for name in trial.params}
    grads |= {f"d{name}": tensors[name].grad for name in trial.inputs}
    found = {"y": y.detach()} | {name: grad for name, grad in grads.items() if grad is not None}
    return {name: value.numpy() for name, value in found.items()}
