"""What the commands share: tables, symbols, JSON, progress bars, and errors as one sentence."""

import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from bigmodel_edu.errors import BookError

SYMBOLS = {
    "ok": ("✓", "green"),
    "passed": ("✓", "green"),
    "partly right": ("◐", "yellow"),
    "failed": ("✗", "red"),
    "stopped": ("✗", "red"),
    "wrong": ("✗", "red"),
    "missing": ("○", "yellow"),
    "not attempted": ("○", "yellow"),
    "not reached": ("–", "yellow"),
    "skipped": ("–", "dim"),
}

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]


class BookCommands(TyperGroup):
    """Print a deliberate error as its one sentence and exit with 2; anything else is a bug."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BookError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(2) from error


def new_console() -> Console:
    return Console(highlight=False)


def symbol(status: str) -> Text:
    return Text(*SYMBOLS[status])


def print_json(entries: Iterable[dict]) -> None:
    typer.echo(json.dumps(list(entries), indent=2))


def print_table(
    headings: Sequence[str], rows: Sequence[Sequence[str | Text]], right: Sequence[str] = ()
) -> None:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in headings:
        justify = "right" if heading in right else "left"
        table.add_column(heading, justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    new_console().print(table)


def with_progress(items: Sequence[Any], task: str) -> Iterable[Any]:
    """Yield the items behind a progress bar on stderr, which leaves stdout to the result."""
    with Progress(console=Console(stderr=True), transient=True) as bar:
        number = bar.add_task(task, total=len(items))
        for item in items:
            bar.update(number, description=getattr(item, "name", str(item)))
            yield item
            bar.advance(number)


def counting_progress() -> Progress:
    """Return a bar with what is done, of how much, and the time left; a log gets none."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
