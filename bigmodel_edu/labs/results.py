"""What a check says: `CheckResult`, and `CheckFailed` for a wrong answer."""

import textwrap
from dataclasses import dataclass, field

from bigmodel_edu.errors import BookError
from bigmodel_edu.exercise import counted
from bigmodel_edu.labs.display import (
    GREEN,
    GREY,
    RED,
    Shown,
    card,
    detail,
    in_kernel,
    paragraph,
)

PASSED, FAILED, NOT_ATTEMPTED = "passed", "failed", "not attempted"
_SYMBOLS = {PASSED: "✓", FAILED: "✗", NOT_ATTEMPTED: "○"}
_COLOURS = {PASSED: GREEN, FAILED: RED, NOT_ATTEMPTED: GREY}


@dataclass(frozen=True)
class CheckResult(Shown):
    """The outcome of one check; a card in a notebook, text in a terminal.

    status: "passed", "failed" or "not attempted".
    points: earned by this attempt, out of `total`.
    message: what is wrong or left to do, "" when passed.
    details: labelled facts about the failing case.
    """

    exercise: str
    title: str
    status: str
    points: int
    total: int
    message: str = ""
    details: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def __bool__(self) -> bool:
        return self.status == PASSED

    def __str__(self) -> str:
        lines = [
            f"{_SYMBOLS[self.status]} {self.exercise}: {self.message or 'right, ' + self._badge}"
        ]
        for label, text in self.details:
            lines.append(textwrap.indent(text, " " * 13).replace(" " * 13, f"   {label:<10}", 1))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        body = paragraph(self.message) if self.message else ""
        body += "".join(detail(label, text) for label, text in self.details)
        return card(_COLOURS[self.status], _SYMBOLS[self.status], self.title, self._badge, body)

    @property
    def _badge(self) -> str:
        points = counted(self.total, "point")
        return {PASSED: points, FAILED: "not yet", NOT_ATTEMPTED: f"worth {points}"}[self.status]


class CheckFailed(BookError):
    """The answer is wrong; the message says where and, if it can, why."""

    def __init__(self, result: CheckResult):
        super().__init__(str(result))
        self.result = result

    def _render_traceback_(self) -> list[str]:
        """IPython shows this in place of a traceback; in a notebook the card stands above it."""
        return [f"CheckFailed: {self.result.message}"] if in_kernel() else str(self).splitlines()
