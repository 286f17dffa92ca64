"""Notebooks as data: read them, find their exercises, fill in the solutions, run them.

In a chapter, an exercise is a code cell tagged "stub:<name>" and, after it, a code cell that
calls `check("<name>", ...)`. In the solutions, its answer is the code cell tagged
"answer:<name>".

`python -m bigmodel_edu.labs.notebooks execute solutions/01_neural_nets.md` runs a notebook and
stores it, outputs and all, as the .ipynb beside it.
"""

import argparse
import ast
import copy
import hashlib
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from bigmodel_edu.errors import BookError
from bigmodel_edu.labs.checking import LOG_VARIABLE
from bigmodel_edu.labs.files import write_atomically
from bigmodel_edu.labs.results import PASSED
from bigmodel_edu.labs.store import STATE_VARIABLE

STUB, ANSWER = "stub:", "answer:"
NOT_REACHED = "not reached"
DEFAULT_TIMEOUT = 600
"""Seconds that one cell may run."""
_TIMED_OUT = "CellTimeout"
_KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


class NotANotebook(BookError, ValueError):
    """A file that cannot be read as a notebook."""


class ExercisesDoNotMatch(BookError, ValueError):
    """A chapter and its solutions do not hold the same exercises, once each."""


class CellRaised(BookError, RuntimeError):
    """A cell of a notebook that has to run from top to bottom raised an error."""


@dataclass(frozen=True)
class Outcome:
    """How one exercise of a notebook fared.

    status: "passed", "failed", "not attempted", or "not reached" when its check never ran.
    """

    exercise: str
    status: str
    points: int
    message: str


@dataclass(frozen=True)
class Executed:
    """A notebook that ran from top to bottom: its outputs, and the last status of each exercise."""

    notebook: NotebookNode
    statuses: dict[str, str]


@dataclass(frozen=True)
class CellError:
    """An error in a cell that is not the verdict of a check; `cell` counts code cells from 1."""

    cell: int
    name: str
    message: str

    def __str__(self) -> str:
        first_line = self.message.partition("\n")[0]
        return f"code cell {self.cell} stopped with {self.name}: {first_line}".rstrip(": ")


@dataclass(frozen=True)
class Report:
    """What running a notebook showed: every exercise in it, and every other error."""

    notebook: Path
    exercises: tuple[Outcome, ...]
    errors: tuple[CellError, ...]

    @property
    def passed(self) -> bool:
        """Whether every exercise passed."""
        return all(outcome.status == PASSED for outcome in self.exercises)

    def as_json(self) -> dict[str, Any]:
        """Return the report as a dict that JSON can hold."""
        return asdict(self) | {"notebook": str(self.notebook), "passed": self.passed}


# Reading


def read_notebook(path: Path | str) -> NotebookNode:
    """Read a notebook in MyST Markdown (.md) or .ipynb; NotANotebook when it is neither."""
    path = Path(path)
    readers = {".md": _read_myst, ".ipynb": _read_ipynb}
    if path.suffix not in readers:
        raise NotANotebook(
            f"{path} is no notebook: a file that ends in .md or .ipynb was expected."
        )
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotANotebook(f"There is no notebook {path}: no such file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise NotANotebook(f"{path} cannot be read as a notebook: {error}.") from error
    try:
        return readers[path.suffix](text)
    except NotANotebook as error:
        raise NotANotebook(f"{path} is no notebook: {error}") from None
    except Exception as error:  # the readers raise whatever a damaged file makes them raise
        first_line = str(error).strip().partition("\n")[0]
        raise NotANotebook(f"{path} is no notebook: {first_line.rstrip('.')}.") from error


def exercises_in(notebook: NotebookNode) -> list[str]:
    """Return the names of the exercises whose `check` a notebook calls, in its order."""
    names = (name for cell in _code_cells(notebook) for name in _checks_in(cell.source))
    return list(dict.fromkeys(names))


def _read_myst(text: str) -> NotebookNode:
    notebook = jupytext.reads(text, fmt="md:myst")
    if "kernelspec" not in notebook.metadata:
        raise NotANotebook(
            "it is Markdown whose first lines name no kernelspec, as those of a MyST notebook do."
        )
    return notebook


def _read_ipynb(text: str) -> NotebookNode:
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    return notebook


def _code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def parsed_cell(source: str) -> ast.Module:
    """Return the tree of a code cell, magics and all; an empty one where it is not Python."""
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return ast.parse(TransformerManager().transform_cell(source))
    except SyntaxError:
        return ast.Module([], [])


def _checks_in(source: str) -> list[str]:
    """The exercise names in calls `check("name", ...)`, in the order in which they stand."""
    nodes = ast.walk(parsed_cell(source))
    calls = [node for node in nodes if isinstance(node, ast.Call) and node.args]
    calls.sort(key=lambda call: (call.lineno, call.col_offset))
    return [
        call.args[0].value
        for call in calls
        if getattr(call.func, "id", getattr(call.func, "attr", None)) == "check"
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    ]


# Filling a chapter with its solutions


def fill(chapter: NotebookNode, solutions: NotebookNode) -> NotebookNode:
    """Return the chapter with the answer in the place of every stub, tags kept.

    Raises ExercisesDoNotMatch, naming every exercise that lacks its answer, its stub or its
    check, or has one of them twice.
    """
    chapter = copy.deepcopy(chapter)
    stubs, answers = _tagged(chapter, STUB), _tagged(solutions, ANSWER)
    faults = [
        *_faults("an exercise without an answer", stubs.keys() - answers.keys()),
        *_faults("an answer without an exercise", answers.keys() - stubs.keys()),
        *_faults("more than one stub", _repeated(stubs)),
        *_faults("more than one answer", _repeated(answers)),
        *_faults("a stub without a check after it", stubs.keys() - _checked_stubs(chapter)),
        *_faults("a check without a stub", set(exercises_in(chapter)) - stubs.keys()),
    ]
    if faults:
        raise ExercisesDoNotMatch(f"The chapter and its solutions differ: {'; '.join(faults)}.")
    for name, (stub,) in stubs.items():
        stub.source = answers[name][0].source
    return chapter


def _tagged(notebook: NotebookNode, prefix: str) -> dict[str, list[NotebookNode]]:
    """Code cells by what follows `prefix` in one of their tags."""
    cells: dict[str, list[NotebookNode]] = {}
    for cell in _code_cells(notebook):
        for tag in _tags(cell):
            if tag.startswith(prefix):
                cells.setdefault(tag.removeprefix(prefix), []).append(cell)
    return cells


def _repeated(cells: Mapping[str, list]) -> set[str]:
    return {name for name, found in cells.items() if len(found) > 1}


def _checked_stubs(chapter: NotebookNode) -> set[str]:
    """Names of the stubs that have their check in a later cell."""
    stubs_so_far: set[str] = set()
    checked: set[str] = set()
    for cell in _code_cells(chapter):
        checked |= stubs_so_far.intersection(_checks_in(cell.source))
        stubs_so_far |= {tag.removeprefix(STUB) for tag in _tags(cell) if tag.startswith(STUB)}
    return checked


def _tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def _faults(what: str, names: Iterable[str]) -> list[str]:
    return [f"{what} ({', '.join(sorted(names))})"] if names else []


def exercise_notebook(chapter: NotebookNode, solutions: NotebookNode) -> NotebookNode:
    """Return the chapter's exercises alone: its imports, then each answer and its check.

    What a reader who has solved everything runs, without the teaching cells, which by the book's
    rule depend on no exercise. Raises ExercisesDoNotMatch as `fill` does.
    """
    filled = fill(chapter, solutions)
    imports = dict.fromkeys(line for cell in _code_cells(filled) for line in _imports(cell.source))
    cells = [new_code_cell("\n".join(imports))]
    cells += [
        cell
        for cell in _code_cells(filled)
        if _checks_in(cell.source) or any(tag.startswith(STUB) for tag in _tags(cell))
    ]
    return new_notebook(cells=cells, metadata=copy.deepcopy(chapter.metadata))


def _imports(source: str) -> list[str]:
    """The import statements at the top level of a cell."""
    statements = parsed_cell(source).body
    return [ast.unparse(s) for s in statements if isinstance(s, (ast.Import, ast.ImportFrom))]


# Running


class _ThisInterpreter(KernelSpecManager):
    """Every kernel is the interpreter that runs now, installed as a kernel or not."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        quiet = ["--log-level=ERROR"]  # else it warns on every start about local TCP
        return KernelSpec(argv=command + quiet, display_name="Python 3", language="python")


def run_and_report(path: Path | str, timeout: float = DEFAULT_TIMEOUT) -> Report:
    """Run a notebook in its own folder and report every exercise in it.

    Errors do not stop the run; a cell that runs longer than `timeout` seconds is interrupted.
    The reader's own progress file is left alone.
    """
    path = Path(path)
    notebook = read_notebook(path)
    errors, log = _execute(notebook, path.parent, timeout)
    return Report(path, _outcomes(notebook, log, errors), tuple(errors))


def run_whole(path: Path | str, timeout: float = DEFAULT_TIMEOUT) -> Executed:
    """Run a notebook that has to run from top to bottom, in its own folder.

    Raises CellRaised when a cell raises, be it the verdict of a check; the traceback is its note.
    """
    path = Path(path)
    notebook = read_notebook(path)
    errors, log = _execute(notebook, path.parent, timeout, verdicts=True)
    if errors:
        raised = CellRaised(f"{path} does not run from top to bottom: {errors[0]}.")
        raised.add_note(_traceback(notebook))
        raise raised
    return Executed(notebook, {entry["exercise"]: entry["status"] for entry in log})


def _traceback(notebook: NotebookNode) -> str:
    """What the first cell that raised has shown."""
    outputs = (output for cell in _code_cells(notebook) for output in cell.outputs)
    errors = (output for output in outputs if output.output_type == "error")
    return "\n".join(next(errors, {"traceback": ()})["traceback"])


def execute_to_ipynb(path: Path | str, timeout: float = DEFAULT_TIMEOUT) -> Path:
    """Run a .md notebook and store it with its outputs as the .ipynb beside it.

    Nothing in the file depends on when and where it ran, so that running it again changes only
    what the notebook itself changed. Raises CellRaised, and writes nothing, when a cell raises.
    """
    path = Path(path)
    executed = run_whole(path, timeout)
    target = path.with_suffix(".ipynb")
    write_atomically(target, nbformat.writes(_settled(executed.notebook)) + "\n")
    return target


def _execute(
    notebook: NotebookNode,
    folder: Path,
    timeout: float,
    *,
    verdicts: bool = False,
) -> tuple[list[CellError], list[dict]]:
    """Run the notebook in place; return its errors, and what its checks logged.

    Errors raised by `check` are among them only with `verdicts`. The reader's progress is left
    alone.
    """
    errors: list[CellError] = []
    number = 0

    def count(cell: NotebookNode, cell_index: int) -> None:
        nonlocal number
        number += cell.cell_type == "code"

    def note_error(cell: NotebookNode, cell_index: int, execute_reply: dict | None) -> None:
        reply = (execute_reply or {}).get("content", {})
        name = reply.get("ename")
        if reply.get("status") != "error" or "raises-exception" in _tags(cell):
            return
        if name != "CheckFailed" or verdicts:
            errors.append(CellError(number, name, reply["evalue"]))
        if [error.name for error in errors[-2:]] == [_TIMED_OUT, _TIMED_OUT]:
            raise DeadKernelError("Interrupting it did not help")

    client = NotebookClient(
        notebook,
        km=AsyncKernelManager(kernel_spec_manager=_ThisInterpreter()),
        timeout=timeout,
        allow_errors=True,
        interrupt_on_timeout=True,
        error_on_timeout={"ename": _TIMED_OUT, "evalue": f"it ran longer than {timeout:g} seconds"},
        coalesce_streams=True,  # where a stream is cut depends on timing
        record_timing=False,
        store_widget_state=False,
        shutdown_kernel="immediate",
        resources={"metadata": {"path": str(folder.resolve())}},
        on_cell_start=count,
        on_cell_executed=note_error,
    )
    client.log.setLevel("CRITICAL")  # what it has to say stands in the report
    with tempfile.TemporaryDirectory() as private:
        log = Path(private) / "checks.jsonl"
        environment = os.environ | {STATE_VARIABLE: private, LOG_VARIABLE: str(log)}
        try:
            # nbclient leaves a kernel running when its manager came from elsewhere, as here
            client.execute(env=environment, cleanup_kc=True)
        except RuntimeError as error:  # among them DeadKernelError
            errors.append(CellError(number, type(error).__name__, str(error)))
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return errors, [json.loads(line) for line in lines]


def _outcomes(
    notebook: NotebookNode, log: Iterable[dict], errors: list[CellError]
) -> tuple[Outcome, ...]:
    """One outcome per exercise: the best of its checks, "not reached" when none ran."""
    best: dict[str, Outcome] = {}
    for entry in log:
        outcome = Outcome(**entry)
        before = best.get(outcome.exercise)
        if before is None or before.status != PASSED:
            best[outcome.exercise] = outcome
    names = dict.fromkeys([*exercises_in(notebook), *best])
    return tuple(best.get(name) or _not_reached(notebook, name, errors) for name in names)


def _not_reached(notebook: NotebookNode, name: str, errors: list[CellError]) -> Outcome:
    """Blame the error in the cell of the check itself, else the first error of all."""
    cells = enumerate(_code_cells(notebook), start=1)
    own = {number for number, cell in cells if name in _checks_in(cell.source)}
    errors = [error for error in errors if error.cell in own] or errors
    because = f": {errors[0]}" if errors else ""
    return Outcome(name, NOT_REACHED, 0, f"Its check did not run{because}.")


# Storing


def _settled(notebook: NotebookNode) -> NotebookNode:
    """A copy without what differs from run to run: versions, times, random ids, progress bars."""
    notebook = copy.deepcopy(notebook)
    for key in ("jupytext", "widgets"):
        notebook.metadata.pop(key, None)
    notebook.metadata |= {"kernelspec": _KERNELSPEC, "language_info": {"name": "python"}}
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[digest] += 1
        cell.id = f"{digest}-{seen[digest]}"
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if _is_lasting(output)]
    return notebook


def _is_lasting(output: NotebookNode) -> bool:
    """Whether an output means something later: not a progress bar on stderr, not a live widget."""
    if output.get("name") == "stderr":
        return False
    return "application/vnd.jupyter.widget-view+json" not in output.get("data", {})


def main(arguments: list[str] | None = None) -> int:
    """Entry point of `python -m bigmodel_edu.labs.notebooks`."""
    parser = argparse.ArgumentParser(prog="python -m bigmodel_edu.labs.notebooks")
    execute = parser.add_subparsers(dest="command", required=True).add_parser(
        "execute", help="run .md notebooks and store each, with its outputs, as .ipynb beside it"
    )
    execute.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK.md")
    for path in parser.parse_args(arguments).notebooks:
        started = time.perf_counter()
        try:
            target = execute_to_ipynb(path)
        except BookError as error:
            print(error, file=sys.stderr)
            return 2
        print(f"{target}  ({time.perf_counter() - started:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
