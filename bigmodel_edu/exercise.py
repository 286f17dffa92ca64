"""An exercise is data, so that a notebook, a test and a grader can all use it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

TOLERANCE = 1e-9
"""Largest accepted error |yours - expected| / (1 + |expected|), as for float64 in parity.

Answers of a shorter dtype get 1000 of its rounding errors instead: 1.2e-4 in float32.
"""


@dataclass(frozen=True)
class Case:
    """One call of the reader's function: `function(*args, **kwargs)`.

    `note` says what is special about it ("huge logits") and stands in the message of a failure.
    `rows_of` is the case that this one differs from in nothing but the size of its batch.
    """

    args: tuple
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    rows_of: "Case | None" = None

    def in_batch_of(self, size: int, *batched: int) -> "Case":
        """Return this case with another number of rows in its arguments number `batched`.

        They are the rows that it has, from the first on, and from the first again.
        """
        args = list(self.args)
        for i in batched:
            args[i] = np.resize(args[i], (size, *args[i].shape[1:]))
        fewer = size < len(self.args[batched[0]])
        note = f"the first {size} rows of another case" if fewer else "another case's rows again"
        return Case(tuple(args), self.kwargs, note, rows_of=self)


@dataclass(frozen=True)
class Mistake:
    """A wrong implementation that readers really write, and what to tell them about it."""

    function: Callable
    message: str


@dataclass(frozen=True)
class Exercise:
    """A task whose answer is a function.

    name: chapter and own name, "neural_nets.softmax".
    function: what the reader's function is called; by default the exercise's own name.
    stars: difficulty, 1 to 3.
    reference: the function that the reader's is compared with.
    cases: draws fresh cases from a `numpy.random.Generator`.
    judge: for answers with more than one right value (a topological order, a trained model):
        takes a case and the answer, returns None when it is right, else a sentence about what
        is wrong. Without a judge the answer must equal the reference's.
    judge_all: for answers that a single case says too little about (the accuracy on one split):
        takes all cases and all answers, once each has passed on its own; returns what `judge` does.
    tolerance: largest accepted relative error, see `TOLERANCE`.
    parts: what the parts of an answer that is a tuple are called, for the messages.
    gradable: whether questions and answers are numbers, texts and arrays, which a course can
        grade; False for a project whose answer is a program itself, such as a trained model.
    """

    name: str
    title: str
    points: int
    reference: Callable
    cases: Callable[[np.random.Generator], list[Case]]
    stars: int = 1
    mistakes: tuple[Mistake, ...] = ()
    hints: tuple[str, ...] = ()
    judge: Callable[[Case, Any], str | None] | None = None
    judge_all: Callable[[Sequence[Case], Sequence[Any]], str | None] | None = None
    tolerance: float = TOLERANCE
    parts: tuple[str, ...] = ()
    gradable: bool = True
    function: str = ""

    def __post_init__(self) -> None:
        if self.stars not in (1, 2, 3):
            raise ValueError(f"{self.name}: stars must be 1, 2 or 3, not {self.stars!r}.")
        if self.points < 1:
            raise ValueError(f"{self.name}: points must be at least 1, not {self.points!r}.")
        if self.judge_all and self.gradable:
            raise ValueError(f"{self.name}: a course grades case by case, without a judge_all.")
        object.__setattr__(self, "function", self.function or self.name.rpartition(".")[2])
        object.__setattr__(self, "mistakes", tuple(self.mistakes))
        object.__setattr__(self, "hints", tuple(self.hints))

    @property
    def chapter(self) -> str:
        """Slug of the chapter: "neural_nets" for "neural_nets.softmax"."""
        return self.name.partition(".")[0]

    @property
    def worth(self) -> str:
        """The points in words: "1 point", "2 points"."""
        return counted(self.points, "point")


def counted(number: float, thing: str) -> str:
    """Return how many of a thing: "1 point", "2 points"."""
    return f"{number} {thing}" + "s" * (number != 1)
