"""The batch of any step, where the batches are drawn an epoch at a time."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import islice
from typing import Any


class EpochBatches(ABC):
    """Batches by step, `batches[step]`, made of `epoch(number)`: once through the examples.

    A training resumes to the same numbers if `epoch(number)` is a function of its number and of a
    seed, so that step 1000 gets the same batch, whether or not the steps before it were asked for.
    Asked step after step, every batch is made once, when its turn comes.
    """

    _next = -1  # the step whose batch the iterator yields next
    _iterator: Iterator[Any]

    @abstractmethod
    def __len__(self) -> int:
        """How many batches an epoch has."""

    @abstractmethod
    def epoch(self, number: int) -> Iterator[Any]:
        """Return the batches of an epoch, counted from zero."""

    def __getitem__(self, step: int) -> Any:
        number, place = divmod(step, len(self))
        if step != self._next or place == 0:
            self._iterator = islice(self.epoch(number), place, None)
        self._next = -1  # what fails is begun anew when it is asked for again
        batch = next(self._iterator)
        self._next = step + 1
        return batch
