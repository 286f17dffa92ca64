"""One training loop in PyTorch for all chapters: batches and a loss come from the chapter.

    with seeded(configuration.seed):
        model = nn.Linear(3, 1)

        def loss(batch):
            x, y = batch
            return F.mse_loss(model(x), y)

        adam = torch.optim.Adam(model.parameters(), lr=0.01)
        saving = Saving(folder, configuration, every=100)
        training = Training(model, batches, Objective(loss, adam), steps=500, saving=saving)
        training.run()

What is guaranteed:

- **Resuming.** `batches[step]` is to be a function of a seed and the step. An interrupted training
  then goes on from its last checkpoint to the same numbers, bit for bit: parameters, averages of
  the optimizers, random generators, and the history of the losses.
- **Order.** A step is forward, backward, clipping, update; each objective does all of it before the
  next one begins, as the discriminator and the generator of a GAN do.
- **Random numbers.** Whoever calls finds PyTorch's generators as they were before.
- **Losses.** The first that is no finite number ends the training, before it spoils a parameter.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from tqdm import tqdm

from bigmodel_edu.errors import HyperparameterError
from bigmodel_edu.layer import Params, expect_count, with_prefix, without_prefix
from bigmodel_edu.training import checkpoints
from bigmodel_edu.training.finite import expect_finite_loss
from bigmodel_edu.training.logs import Log, NoLog
from bigmodel_edu.training.torch_state import (
    load_parameters,
    load_torch_training_state,
    parameters_of,
    torch_training_state,
)


class Batches(Protocol):
    """Anything that has a batch for every step, a function of a seed and the step."""

    def __getitem__(self, step: int) -> Any: ...


class Carried(Protocol):
    """What goes from step to step beside the parameters, in PyTorch's own terms.

    As the states in which an LSTM stopped reading. A checkpoint holds it.
    """

    def state_dict(self) -> Mapping[str, Tensor]: ...

    def load_state_dict(self, state: Mapping[str, Tensor]) -> Any: ...


@dataclass(frozen=True)
class Objective:
    """A loss, and the optimizer whose parameters are to make it smaller.

    `loss(batch)` returns a scalar; `schedule(step)` is the learning rate of a step, counted from
    zero; `max_grad_norm` clips. With several objectives in a training, `name` tells them apart, and
    one may have its turn in every so many steps only: `every=5` in steps 5, 10, 15, …
    """

    loss: Callable[[Any], Tensor]
    optimizer: torch.optim.Optimizer
    schedule: Callable[[int], float] | None = None
    max_grad_norm: float | None = None
    name: str = "loss"
    every: int = 1

    def __post_init__(self) -> None:
        expect_count("every", self.every)

    @property
    def parameters(self) -> list[Tensor]:
        """What the optimizer changes."""
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def update(self, step: int) -> float | None:
        """Clip the gradients and change the parameters; return the norm if there is a limit."""
        norm = None
        if self.max_grad_norm is not None:
            norm = nn.utils.clip_grad_norm_(self.parameters, self.max_grad_norm).item()
        if self.schedule is not None:
            for group in self.optimizer.param_groups:
                group["lr"] = self.schedule(step)
        self.optimizer.step()
        return norm


@dataclass(frozen=True)
class Saving:
    """Where checkpoints go, how often they are written, and how many of the last ones are kept.

    A checkpoint is read only by a training with an equal `configuration` (a dataclass, or a dict
    that says what the data are as well), but for the fields in `may_differ`.
    """

    folder: str | Path
    configuration: Any
    every: int = 100
    keep: int = 2
    may_differ: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in ("every", "keep"):
            expect_count(name, getattr(self, name))


@dataclass(frozen=True)
class Validation:
    """Measures of the model, `measure()`, after every so many steps: {"loss/validation": 0.3, …}.

    With `best_by`, the name of one of them, the parameters are kept where it was smallest (or
    `largest`), the first time if there are several. With `patience` the training stops as soon as
    so many measurements in a row have not been better than the best.
    """

    measure: Callable[[], Mapping[str, float]]
    every: int
    best_by: str | None = None
    largest: bool = False
    patience: int | None = None

    def __post_init__(self) -> None:
        expect_count("every", self.every)
        if self.patience is not None:
            expect_count("patience", self.patience)
            if self.best_by is None:
                raise HyperparameterError("patience needs best_by, the measure that is to improve.")

    def best(self, values: Sequence[float]) -> int | None:
        """Return the place of the best value, the first of equals; None if no value is a number."""
        numbers = [place for place, value in enumerate(values) if not isnan(value)]
        choose = max if self.largest else min
        return choose(numbers, key=values.__getitem__, default=None)

    def is_over(self, values: Sequence[float]) -> bool:
        """Return whether patience has run out."""
        if self.patience is None:
            return False
        best = self.best(values)
        return len(values) - (0 if best is None else best + 1) >= self.patience


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw PyTorch's random numbers from a seed inside, and leave the caller's as they were."""
    with _callers_random_numbers_kept():
        torch.manual_seed(seed)
        yield


def _callers_random_numbers_kept():
    used = torch.cuda.is_available() and torch.cuda.is_initialized()
    return torch.random.fork_rng(devices=range(torch.cuda.device_count()) if used else [])


class Training:
    """A training from its first step to its last; see the beginning of this module.

    `model` is the module whose parameters a checkpoint holds (an `nn.ModuleDict` if there are
    several). A step takes one batch or, where a large one does not fit into memory, adds up the
    gradients of as many as `accumulate` says: `batches[accumulate * step]` and those that follow.
    Their mean is the loss, so that they should be equally large.

    `step` counts the steps taken; `history` holds, by tag, every number that was measured:
    "loss/step" for the objective named loss, "gradient_norm", and the measures of the validation.
    """

    def __init__(
        self,
        model: nn.Module,
        batches: Batches,
        *objectives: Objective,
        steps: int,
        accumulate: int = 1,
        carried: Carried | None = None,
        validation: Validation | None = None,
        saving: Saving | None = None,
        log: Log | None = None,
    ) -> None:
        self.model, self.batches, self.objectives = model, batches, objectives
        self.steps, self.accumulate, self.carried = steps, accumulate, carried
        self.validation, self.saving, self.log = validation, saving, log or NoLog()
        self.step = 0
        self.history: dict[str, list[float]] = {}
        self.best: Params = {}
        self._expect_sound()

    def run(self, *, on_step: Callable[[int], None] | None = None, progress: bool = True) -> None:
        """Take the steps that are left, after those of the last checkpoint if there is one.

        `on_step(step)` is called after every step; what it raises interrupts the training. At the
        end the model holds the best parameters if the validation has a `best_by`, and is in
        evaluation mode.

        Raises:
            CheckpointError: the folder holds another training, or cannot be written.
            NonFiniteLoss: the loss is no longer a finite number; names the step.
        """
        with _callers_random_numbers_kept():
            self.resume()
            self.log.open(self.step)
            try:
                self._take_steps(on_step, progress)
            finally:
                self.log.close()
        if self.best:
            load_parameters(self.model, self.best)
        self.model.eval()

    def losses(self, name: str = "loss") -> list[float]:
        """Return the loss of every step that the objective took, from before its update."""
        return self.history.get(f"{name}/step", [])

    @property
    def is_over(self) -> bool:
        """Whether all steps are taken, or patience has run out."""
        stopped = self.validation is not None and self.validation.is_over(self._values)
        return stopped or self.step >= self.steps

    def _take_steps(self, on_step: Callable[[int], None] | None, progress: bool) -> None:
        bar = tqdm(
            desc="steps", initial=self.step, total=self.steps, leave=False, disable=not progress
        )
        with bar:
            while not self.is_over:
                self.take_step()
                bar.set_postfix_str(self._latest_losses(), refresh=False)
                bar.update()
                if self.saving and (self.step % self.saving.every == 0 or self.is_over):
                    self.log.flush()
                    self.save()
                if on_step is not None:
                    on_step(self.step)

    # One step

    def take_step(self) -> None:
        """Make the loss of each objective smaller, on the batches of this step."""
        self.model.train()
        first = self.accumulate * self.step
        batches = [self.batches[i] for i in range(first, first + self.accumulate)]
        found: dict[str, float] = {}
        for objective in self.objectives:
            if (self.step + 1) % objective.every == 0:
                found |= self._minimize(objective, batches)
        self.step += 1
        self._note(found)
        if self.validation is not None and self.step % self.validation.every == 0:
            self._validate()

    def _minimize(self, objective: Objective, batches: Sequence[Any]) -> dict[str, float]:
        """Take a step of one objective; return its loss and the norm of the gradients, by tag."""
        objective.optimizer.zero_grad()  # the loss of another objective may have left some
        mean = 0.0
        for batch in batches:
            loss = objective.loss(batch) / len(batches)
            value = loss.item()
            self._expect_finite(objective, value)
            loss.backward()
            mean += value
        norm = objective.update(self.step)
        alone = objective.name == "loss"
        tag = "gradient_norm" if alone else f"{objective.name}/gradient_norm"
        return {f"{objective.name}/step": mean} | ({} if norm is None else {tag: norm})

    def _expect_finite(self, objective: Objective, loss: float) -> None:
        named = "" if objective.name == "loss" else f"{objective.name!r} "
        expect_finite_loss(
            loss,
            f"{named}of step {self.step}",
            self.step,
            lambda: parameters_of(self.model),
            folder=None if self.saving is None else self.saving.folder,
            history=self.history,
        )

    def _validate(self) -> None:
        found, best_by = self.validation.measure(), self.validation.best_by
        self._note(found)
        if best_by is None:
            return
        if best_by not in found:
            raise HyperparameterError(
                f"best_by is {best_by!r}, expected one of the measures: {', '.join(found)}."
            )
        if self.validation.best(self._values) == len(self._values) - 1:
            self.best = parameters_of(self.model)

    def _note(self, found: Mapping[str, float]) -> None:
        for tag, value in found.items():
            self.history.setdefault(tag, []).append(float(value))
            self.log.write(tag, value, self.step)

    @property
    def _values(self) -> list[float]:
        """The measurements that decide which parameters are best."""
        return self.history.get(self.validation.best_by, [])

    def _latest_losses(self) -> str:
        latest = {o.name: self.losses(o.name)[-1:] for o in self.objectives}
        return ", ".join(f"{name}={loss[0]:.3f}" for name, loss in latest.items() if loss)

    # Checkpoints

    @property
    def _optimizers(self) -> list[torch.optim.Optimizer]:
        """Each once, though two objectives may share one."""
        return list(dict.fromkeys(objective.optimizer for objective in self.objectives))

    def save(self) -> None:
        """Write a checkpoint: all that changes while a training runs."""
        arrays = torch_training_state(self.model, *self._optimizers)
        arrays |= with_prefix("best", self.best)
        if self.carried is not None:
            state = self.carried.state_dict()
            arrays |= with_prefix("carried", {k: v.numpy(force=True) for k, v in state.items()})
        checkpoints.save_in(
            self.saving.folder,
            arrays,
            step=self.step,
            configuration=self.saving.configuration,
            extra={"history": self.history},
            keep=self.saving.keep,
        )

    def resume(self) -> None:
        """Go to where the last checkpoint was made, if there is one."""
        path = None if self.saving is None else checkpoints.latest(self.saving.folder)
        if path is None:
            return
        saving = self.saving
        checkpoint = checkpoints.load(path, saving.configuration, may_differ=saving.may_differ)
        load_torch_training_state(checkpoint.arrays, self.model, *self._optimizers)
        if self.carried is not None:
            state = without_prefix("carried", checkpoint.arrays)
            self.carried.load_state_dict({k: torch.from_numpy(v) for k, v in state.items()})
        self.best = without_prefix("best", checkpoint.arrays)
        self.step, self.history = checkpoint.step, checkpoint.extra["history"]

    def _expect_sound(self) -> None:
        expect_count("steps", self.steps)
        expect_count("accumulate", self.accumulate)
        names = [objective.name for objective in self.objectives]
        if not names or len(set(names)) < len(names):
            raise HyperparameterError(
                f"the objectives are named {names}, expected at least one, each with a name of "
                "its own."
            )
        if self.validation is not None and self.validation.every > self.steps:
            raise HyperparameterError(
                f"every is {self.validation.every}, expected at most the {self.steps} steps of "
                "the training: the validation would never come."
            )
