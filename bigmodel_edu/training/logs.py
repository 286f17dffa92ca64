"""Where the numbers of a training are written as they come: by TensorBoard, or in a plain table.

Both can be read back while the training runs and afterwards. What an interrupted training wrote
after its last checkpoint comes again when it goes on, and is then dropped.
"""

import csv
import logging
import os
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, TextIO

Values = dict[str, list[tuple[int, float]]]  # {"loss/step": [(1, 0.69), …], …}


class Log(ABC):
    """A place for numbers, each with a tag and the step that it is of."""

    @abstractmethod
    def open(self, step: int) -> None:
        """Begin, or go on after this step: what was written of later ones is dropped."""

    @abstractmethod
    def write(self, tag: str, value: float, step: int) -> None: ...

    @abstractmethod
    def flush(self) -> None:
        """See to it that all that was written can be read."""

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def read(self) -> Values:
        """Return all numbers, in the order of their steps."""


class NoLog(Log):
    """A log that keeps nothing."""

    def open(self, step: int) -> None: ...

    def write(self, tag: str, value: float, step: int) -> None: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def read(self) -> Values:
        return {}


class TextLog(Log):
    """A table in a text file, which a spreadsheet opens too: step, tag, value."""

    HEADER = ("step", "tag", "value")

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._file: TextIO | None = None

    def open(self, step: int) -> None:
        kept = [row for row in self._rows() if row[0] <= step]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_name(f".{self.path.name}.tmp")
        with new.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([self.HEADER, *kept])
        os.replace(new, self.path)
        self._file = self.path.open("a", encoding="utf-8", newline="")

    def write(self, tag: str, value: float, step: int) -> None:
        csv.writer(self._file).writerow((step, tag, float(value)))

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def read(self) -> Values:
        values: Values = {}
        for step, tag, value in self._rows():
            values.setdefault(tag, []).append((step, value))
        return values

    def _rows(self) -> list[tuple[int, str, float]]:
        """Return what was written, but for a last line that was cut short."""
        if not self.path.exists():
            return []
        whole, _, _ = self.path.read_bytes().rpartition(b"\n")
        rows = csv.reader(whole.decode().splitlines()[1:])
        return [(int(step), tag, float(value)) for step, tag, value in rows]


class TensorBoardLog(Log):
    """The files of events in a folder that ``tensorboard --logdir FOLDER`` draws in a browser."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._writer: Any = None

    def open(self, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._wait_for_a_later_name()
        self._writer = SummaryWriter(str(self.folder), purge_step=step + 1)

    def write(self, tag: str, value: float, step: int) -> None:
        self._writer.add_scalar(tag, value, step)

    def flush(self) -> None:
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()

    def read(self) -> Values:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        everything = {"scalars": 0}  # it keeps a sample of 10,000 otherwise
        events = EventAccumulator(str(self.folder), size_guidance=everything)
        logger = logging.getLogger("tensorboard")
        level = logger.level
        logger.setLevel(logging.ERROR)  # it warns of the events that a resumed training dropped
        events.Reload()
        logger.setLevel(level)
        return {
            tag: [(event.step, event.value) for event in events.Scalars(tag)]
            for tag in events.Tags()["scalars"]
        }

    def _wait_for_a_later_name(self) -> None:
        """Wait until a new file of events has a name after all others: they begin with the second.

        TensorBoard reads the files in the order of their names, and what a resumed training says
        of the events before it has to come after them.
        """
        names = [path.name for path in self.folder.glob("events.out.tfevents.*")]
        seconds = [int(name.split(".")[3]) for name in names]
        if seconds and 0 <= max(seconds) + 1 - time.time() <= 1:
            time.sleep(max(seconds) + 1 - time.time())
