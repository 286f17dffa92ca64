"""`hint` and `progress`: help in small steps, and the reader's board."""

import html
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bigmodel_edu import catalogue
from bigmodel_edu.exercise import Exercise
from bigmodel_edu.labs import store
from bigmodel_edu.labs.display import AMBER, GREEN, GREY, RED, Shown, card, paragraph
from bigmodel_edu.labs.lookup import exercise_named

if TYPE_CHECKING:
    from rich.console import Group


@dataclass(frozen=True)
class Hint(Shown):
    """One hint of an exercise: the `number`-th `of` several, and where to look after the last."""

    exercise: str
    number: int
    of: int
    text: str
    answer_in: str = ""

    def __str__(self) -> str:
        text = f"Hint {self.number} of {self.of} for {self.exercise}: {self.text}"
        return f"{text}\n{self._after}".rstrip()

    def _repr_html_(self) -> str:
        title = f"Hint {self.number} of {self.of}"
        after = paragraph(self._after) if self._after else ""
        return card(AMBER, "?", title, self.exercise, paragraph(self.text) + after)

    @property
    def _after(self) -> str:
        if not self.answer_in:
            return ""
        return f"This was the last hint; the answer is explained in `{self.answer_in}`."


@dataclass(frozen=True)
class Line:
    """One exercise on the board."""

    exercise: str
    title: str
    stars: int
    total: int
    record: store.Record

    @property
    def points(self) -> int:
        """Points earned so far."""
        return min(self.record.points, self.total) if self.record.passed else 0

    @property
    def symbol(self) -> str:
        """✓ once passed, ✗ when the latest attempts were wrong, ○ before the first."""
        if self.record.passed:
            return "✓"
        return "✗" if self.record.attempts else "○"

    @property
    def remark(self) -> str:
        """Attempts and hints in words, and a pass that was followed by a wrong answer."""
        counts = ((self.record.attempts, "attempt"), (self.record.hints, "hint"))
        parts = [f"{n} {word}{'s' * (n != 1)}" for n, word in counts if n]
        if self.record.passed and self.record.last == "failed":
            parts.append("latest was wrong")
        return ", ".join(parts)


@dataclass(frozen=True)
class Board(Shown):
    """All exercises, by chapter: what is done, what is not, and the points."""

    chapters: tuple[tuple[str, tuple[Line, ...]], ...]

    @property
    def lines(self) -> tuple[Line, ...]:
        return tuple(line for _, lines in self.chapters for line in lines)

    def as_json(self) -> list[dict]:
        """One dict per exercise, for `bigmodel progress --json`."""
        return [
            {
                "exercise": line.exercise,
                "title": line.title,
                "stars": line.stars,
                "passed": line.record.passed,
                "last": line.record.last,
                "attempts": line.record.attempts,
                "hints": line.record.hints,
                "points": line.points,
                "total": line.total,
            }
            for line in self.lines
        ]

    def __str__(self) -> str:
        rows = []
        for title, lines in self.chapters:
            rows.append(f"{title}: {_sum(lines)} points")
            for line in lines:
                text = f"  {line.symbol} {line.title} {_stars(line)}  {line.points}/{line.total}"
                rows.append(text + f"  ({line.remark})" * bool(line.remark))
        return "\n".join([*rows, f"Together: {_sum(self.lines)} points"])

    def _repr_html_(self) -> str:
        chapters = "".join(_chapter_html(title, lines) for title, lines in self.chapters)
        return (
            '<div style="max-width:52em;line-height:1.6">'
            f"{chapters}<div style='margin:.8em 0 .3em'><b>Together {_sum(self.lines)} points</b>"
            "</div></div>"
        )

    def __rich__(self) -> "Group":
        from rich.console import Group

        return Group(
            *(_chapter_table(title, lines) for title, lines in self.chapters),
            f"[bold]Together {_sum(self.lines)} points[/]",
        )

    def _print(self) -> None:
        from rich.console import Console

        Console().print(self)


def hint(exercise: str | Exercise, /) -> Hint:
    """Show the next hint of an exercise; after the last it says where the answer stands."""
    if not isinstance(exercise, Exercise):
        exercise = exercise_named(exercise)
    of = len(exercise.hints)
    number = store.use_hint(exercise.name, of)
    text = exercise.hints[number - 1] if of else "This exercise has no hints."
    result = Hint(exercise.name, number, of, text, _answer_in(exercise) if number == of else "")
    result.show()
    return result


def progress() -> Board:
    """Show the reader's board: every exercise with its stars, attempts, hints and points."""
    result = board()
    result.show()
    return result


def board() -> Board:
    """Return the board without showing it."""
    records = store.load()
    titles = {chapter.slug: f"{chapter.number} {chapter.title}" for chapter in catalogue.CHAPTERS}
    chapters: dict[str, list[Line]] = {}
    for name, exercise in catalogue.exercises().items():
        record = records.get(name, store.Record())
        line = Line(name, exercise.title, exercise.stars, exercise.points, record)
        chapters.setdefault(titles.get(exercise.chapter, exercise.chapter), []).append(line)
    return Board(tuple((title, tuple(lines)) for title, lines in chapters.items()))


def _answer_in(exercise: Exercise) -> str:
    for chapter in catalogue.CHAPTERS:
        if chapter.slug == exercise.chapter:
            return f"solutions/{chapter.notebook}.md"
    return "solutions/"


def _sum(lines: Iterable[Line]) -> str:
    lines = tuple(lines)
    return f"{sum(line.points for line in lines)} of {sum(line.total for line in lines)}"


def _stars(line: Line) -> str:
    return "★" * line.stars + "☆" * (3 - line.stars)


def _colour(line: Line) -> str:
    return {"✓": GREEN, "✗": RED, "○": GREY}[line.symbol]


def _chapter_html(title: str, lines: tuple[Line, ...]) -> str:
    total = sum(line.total for line in lines)
    share = 100 * sum(line.points for line in lines) / total if total else 0
    bar = (
        '<div style="height:5px;border-radius:3px;background:rgba(128,128,128,.25);'
        f'margin:.25em 0 .4em"><div style="height:5px;border-radius:3px;width:{share:.0f}%;'
        f'background:{GREEN}"></div></div>'
    )
    return (
        '<div style="display:flex;justify-content:space-between;margin-top:.8em">'
        f'<b>{html.escape(title)}</b><span style="opacity:.7">{_sum(lines)} points</span></div>'
        f"{bar}{''.join(map(_line_html, lines))}"
    )


def _line_html(line: Line) -> str:
    cells = (
        (f"flex:0 0 1.5em;color:{_colour(line)};font-weight:700", line.symbol),
        ("flex:1 1 14em", line.title),
        (f"flex:0 0 4em;color:{AMBER}", _stars(line)),
        ("flex:0 1 14em;opacity:.65", line.remark),
        ("flex:0 0 3.5em;text-align:right", f"{line.points}/{line.total}"),
    )
    spans = "".join(f'<span style="{css}">{html.escape(text)}</span>' for css, text in cells)
    return (
        f'<div style="display:flex;gap:.4em;padding:.1em 0" title="{line.exercise}">{spans}</div>'
    )


def _chapter_table(title: str, lines: tuple[Line, ...]):
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"{title} · {_sum(lines)} points", title_justify="left", box=None)
    for heading in ("", "exercise", "stars", "so far"):
        table.add_column(heading, header_style="dim")
    table.add_column("points", justify="right", header_style="dim")
    for line in lines:
        table.add_row(
            Text(line.symbol, style=_colour(line)),
            Text(line.title),
            Text(_stars(line), style=AMBER),
            Text(line.remark, style="dim"),
            f"{line.points}/{line.total}",
        )
    return table
