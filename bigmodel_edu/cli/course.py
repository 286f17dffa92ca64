"""`bigmodel course`: hand out the exercises of a chapter, collect and grade what comes back."""

import shlex
import signal
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.padding import Padding
from rich.text import Text

from bigmodel_edu.cli.output import (
    AsJson,
    BookCommands,
    counting_progress,
    new_console,
    print_json,
    symbol,
)
from bigmodel_edu.errors import BookError

if TYPE_CHECKING:
    from bigmodel_edu.course.grades import Grade
    from bigmodel_edu.course.whole_class import Graded

course_app = typer.Typer(cls=BookCommands, no_args_is_help=True, rich_markup_mode="rich")

AllowUnconfined = Annotated[
    bool,
    typer.Option(
        "--allow-unconfined",
        help="Grade even where nothing keeps the students' code from your files and the network.",
    ),
]


class Format(StrEnum):
    """For whom an assignment is released."""

    NOTEBOOK = "notebook"
    NBGRADER = "nbgrader"


_RELEASES = {Format.NOTEBOOK: "release", Format.NBGRADER: "nbgrader"}


@course_app.command()
def new(
    folder: Annotated[Path, typer.Argument(help="The course folder to make.")],
    chapter: Annotated[int, typer.Option(help="The chapter whose exercises are handed out.")],
    exercises: Annotated[
        str, typer.Option(help="Some of its exercises, with commas; without it, all that can be.")
    ] = "",
    title: Annotated[str, typer.Option(help="What the lab is called.")] = "",
) -> None:
    """Make a course folder with course.toml: points, deadline, limits, allowed imports, a secret.

    [dim]Example:[/]  bigmodel course new lab1 --chapter 1 --exercises softmax,relu_backward
    """
    from bigmodel_edu.course.settings import FILE, new_course
    from bigmodel_edu.exercise import counted

    names = [name.strip() for name in exercises.split(",") if name.strip()]
    course = new_course(folder, chapter, names, title)
    typer.echo(
        f"{course.folder / FILE}: {counted(len(course.points), 'exercise')}, {course.total:g} "
        "points. Read it, change what you like, keep it to yourself; then: "
        f"bigmodel course release {shlex.quote(str(folder))}"
    )


@course_app.command()
def release(
    folder: Annotated[Path, typer.Argument(help="The course folder.")] = Path("."),
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", help="Where to write.", show_default="FOLDER/release or FOLDER/nbgrader"
        ),
    ] = None,
    format: Annotated[Format, typer.Option(help="For your students, or for nbgrader.")] = (
        Format.NOTEBOOK
    ),
    force: Annotated[bool, typer.Option("--force", help="Write over what was changed.")] = False,
) -> None:
    """Write the notebook for the students (.ipynb and .md): no solutions, checks that work offline.

    With --format nbgrader, write a course folder of nbgrader with its source notebook.

    [dim]Example:[/]  bigmodel course release lab1
    """
    from bigmodel_edu.course.settings import read_course

    course = read_course(folder)
    if format is Format.NBGRADER:
        from bigmodel_edu.course.nbgrader import release_for_nbgrader as write
    else:
        from bigmodel_edu.course.release import release as write
    for path in write(course, out or course.folder / _RELEASES[format], force):
        typer.echo(path)


@course_app.command()
def grade(
    submissions: Annotated[
        list[Path],
        typer.Argument(
            help="Folders or zip files with a folder or notebook per student, or single notebooks."
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="The folder for the results.")],
    course: Annotated[Path, typer.Option(help="The course folder.")] = Path("."),
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Exercises graded at a time.", show_default="processors"),
    ] = None,
    allow_unconfined: AllowUnconfined = False,
) -> None:
    """Grade notebooks: points and feedback, pages for you and your students, CSV, JSON, JUnit XML.

    Each function runs in a confined process of its own. Run it again and it goes on where it was.

    [dim]Example:[/]  bigmodel course grade submissions.zip -o results --course lab1
    """
    _refuse_on_windows()
    from bigmodel_edu.course.settings import read_course
    from bigmodel_edu.course.whole_class import grade_course

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    ends = (signal.SIGTERM, signal.SIGHUP)  # SIGHUP: the terminal was closed; nohup ignores it
    before = {end: signal.getsignal(end) for end in ends}
    for end in ends:
        if before[end] is not signal.SIG_IGN:
            signal.signal(end, stop)
    try:
        with counting_progress() as bar:
            task = bar.add_task("exercises", total=None)
            graded = grade_course(
                read_course(course),
                submissions,
                out,
                allow_unconfined=allow_unconfined,
                workers=workers,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
    except KeyboardInterrupt:
        typer.echo("Stopped. The same command goes on from here.", err=True)
        raise typer.Exit(130) from None
    finally:
        for end in ends:
            signal.signal(end, before[end])
    _print_summary(graded)


@course_app.command("try")
def try_notebook(
    notebook: Annotated[Path, typer.Argument(help="Your notebook, .ipynb or .md.")],
    imports: Annotated[
        str, typer.Option("--imports", help="Packages that are allowed besides, with commas.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Is my notebook ready to hand in? Grade it as a course would, on cases of your own.

    Exits with 0 only if every exercise in it passes.

    [dim]Example:[/]  bigmodel course try 01_neural_nets.ipynb
    """
    _refuse_on_windows()
    from bigmodel_edu.course.own_notebook import try_notebook as run

    grades = run(notebook, [name.strip() for name in imports.split(",") if name.strip()])
    if as_json:
        print_json(grade.as_json() for grade in grades)
    else:
        _print_grades(grades)
    raise typer.Exit(int(any(grade.status != "passed" for grade in grades)))


def _refuse_on_windows() -> None:
    if sys.platform == "win32":
        raise BookError(
            "Grading needs Linux or macOS, where the students' code can be confined; on Windows, "
            "run it in WSL (https://learn.microsoft.com/windows/wsl)."
        )


def _print_summary(graded: "Graded") -> None:
    from bigmodel_edu.exercise import counted

    grades = graded.grades
    students = {grade.student for grade in grades}
    stopped = sum(grade.status == "stopped" for grade in grades)
    flagged = len({grade.student for grade in grades if grade.flags})
    points = sum(grade.points for grade in grades) / len(students)
    total = sum(grade.of for grade in grades) / len(students)
    typer.echo(
        f"{counted(len(students), 'student')}, {points:.3g} of {total:g} points on average; "
        f"{counted(stopped, 'exercise')} stopped, {counted(flagged, 'student')} flagged."
    )
    typer.echo(f"Held by: {graded.confinement}.")
    typer.echo(f"The class page: {graded.pages[0]}")


def _print_grades(grades: Sequence["Grade"]) -> None:
    from bigmodel_edu.course.output import legible

    console = new_console()
    for grade in grades:
        line = Text("  ").append_text(symbol(grade.status)).append(f" {grade.exercise}  ")
        console.print(line.append(grade.status, style="dim"))
        if grade.message:
            console.print(Padding(Text(legible(grade.message)), (0, 0, 0, 4)))
    points, of = (sum(values) for values in zip(*((g.points, g.of) for g in grades), strict=True))
    console.print(f"  {points:.3g} of {of:g} points; held by: {grades[0].confinement}")
