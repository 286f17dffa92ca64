"""Where a component or an exercise of the book stands: each of its places, with file and line.

    bigmodel where transformer.attention

A topic has one name in every layer of its chapter: what `reference/attention.py` defines has its
twins in `torch_impl/attention.py` and `cupy_impl/attention.py`, its kernels in `attention.cu`, its
entry in `components/attention.py` and its tests in `test_attention.py`. So a component is found by
the file of its entry and by the names that the entry asks an implementation for.
"""

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import bigmodel_edu
from bigmodel_edu import catalogue
from bigmodel_edu.errors import UnknownName, did_you_mean

PACKAGE = Path(bigmodel_edu.__file__).parent
BOOK = PACKAGE.parent  # chapters, solutions and tests lie here, where the book is more than a wheel
LAYERS = {
    "reference": "reference",
    "torch_impl": "PyTorch twin",
    "cupy_impl": "CuPy twin",
}


@dataclass(frozen=True)
class Place:
    """One place of a component or an exercise: what stands there, and where."""

    what: str
    path: Path
    line: int = 1

    @property
    def shown(self) -> str:
        """The place as an editor opens it: ``bigmodel_edu/lstm/reference/rnn.py:12``."""
        path = self.path.relative_to(BOOK) if self.path.is_relative_to(BOOK) else self.path
        return f"{path.as_posix()}:{self.line}"

    def as_json(self) -> dict[str, Any]:
        """Return the place as a dict that JSON can hold."""
        return asdict(self) | {"path": str(self.path)}


def places(name: str) -> list[Place]:
    """Return every place of the component or the exercise of that name, or of both.

    Raises UnknownName when there is neither; it suggests the nearest.
    """
    components, exercises = catalogue.components(), catalogue.exercises()
    if name not in components and name not in exercises:
        known = sorted({*components, *exercises})
        raise UnknownName(
            f"there is no component and no exercise named {name!r}.{did_you_mean(name, known)}"
        )
    found: list[Place] = []
    if name in components:
        found += _of_component(components[name])
    if name in exercises:
        found += _of_exercise(exercises[name])
    return list(dict.fromkeys(found))


# A component


def _of_component(component: Any) -> Iterator[Place]:
    chapter, own = component.chapter, component.name.partition(".")[2]
    entry = _file_that_defines(component, chapter, "components")
    asked = _asked_for(component)
    for layer, what in LAYERS.items():
        for symbol in asked:
            yield from _definitions(_folder(chapter), layer, symbol, what)
    yield from _kernels(chapter, entry.stem)
    yield Place("entry", entry, _line_with(entry, f'"{component.name}"', f'"{own}"'))
    yield from _tests(chapter, entry.stem)
    in_code = [rf"\b(?:reference|torch_impl)\.{symbol}\b" for symbol in asked]
    in_words = [rf"(?i)\b{words}" for symbol in (*asked, own) for words in _in_words(symbol)]
    yield from _sections(chapter, [*in_code, f'"{component.name}"', *in_words])


def _asked_for(component: Any) -> list[str]:
    """The names of an implementation that a component uses, in the order of its use."""
    use = getattr(component, "build", None) or component.call
    recorder = _Recorder()
    inputs: dict[str, Any] = {}
    if not hasattr(component, "build"):
        import numpy as np

        inputs = component.inputs(np.random.default_rng(0), 5)
    with suppress(Exception):  # what follows the first names need not get along with a recorder
        use(recorder, **inputs)
    return list(dict.fromkeys(recorder.names))


class _Recorder:
    """Stands for a module of implementations, and notes which of them are asked for."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __getattr__(self, name: str) -> Callable:
        self.names.append(name)
        return _anything


def _anything(*args: Any, **kwargs: Any) -> Any:
    """Stands for any function or class of an implementation."""
    return None


def _kernels(chapter: str, topic: str) -> Iterator[Place]:
    path = _folder(chapter) / "cupy_impl" / f"{topic}.cu"
    if path.exists():
        yield Place("CUDA kernels", path, _line_with(path, "__global__"))


def _in_words(symbol: str) -> list[str]:
    """How a text may speak of it: for ``MarginLoss`` margin loss, then margin alone."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", re.sub(r"\dd$", "", symbol))
    return [r"[\s-]".join(words[:n]) for n in range(len(words), 0, -1)]


def _tests(chapter: str, topic: str) -> Iterator[Place]:
    path = BOOK / "tests" / chapter / f"test_{topic}.py"
    if path.exists():
        yield Place("tests", path)


# An exercise


def _of_exercise(exercise: Any) -> Iterator[Place]:
    entry = _file_that_defines(exercise, exercise.chapter, "exercises")
    solved_by = inspect.unwrap(exercise.reference)
    if (source := inspect.getsourcefile(solved_by)) and Path(source) != entry:
        line = inspect.getsourcelines(solved_by)[1]
        yield Place("reference", Path(source), line)
    yield Place("exercise", entry, _line_with(entry, f'"{exercise.name}"'))
    for what, folder, tag in (("task", "chapters", "stub"), ("answer", "solutions", "answer")):
        path = BOOK / folder / f"{_notebook(exercise.chapter)}.md"
        if path.exists():
            yield Place(what, path, _line_with(path, f"'{tag}:{exercise.name}'"))
    yield from _tests(exercise.chapter, entry.stem)


# Files and lines


def _folder(chapter: str) -> Path:
    return PACKAGE / chapter


def _notebook(chapter: str) -> str:
    return next(c.notebook for c in catalogue.CHAPTERS if c.slug == chapter)


def _file_that_defines(item: Any, chapter: str, kind: str) -> Path:
    """The file of a topic that defines the item, or else the package's own."""
    package = import_module(f"bigmodel_edu.{chapter}.{kind}")
    for topic in iter_modules(package.__path__):
        module = import_module(f"{package.__name__}.{topic.name}")
        if any(item is defined for defined in vars(module).values()):
            return Path(module.__file__)
    return Path(package.__file__)


def _definitions(folder: Path, layer: str, symbol: str, what: str) -> Iterator[Place]:
    """Where the files of a layer define a class or a function of that name."""
    defined = re.compile(rf"^(?:(?:class|def) {symbol}\b|{symbol} = )", re.MULTILINE)
    for path in sorted((folder / layer).glob("*.py")):
        text = path.read_text(encoding="utf-8")
        if found := defined.search(text):
            yield Place(what, path, text.count("\n", 0, found.start()) + 1)


def _line_with(path: Path, *texts: str) -> int:
    """The number of the first line that holds one of the texts, the earlier texts first."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for text in texts:
        for number, line in enumerate(lines, start=1):
            if text in line:
                return number
    return 1


def _sections(chapter: str, patterns: list[str]) -> Iterator[Place]:
    """The section of the chapter that first shows one of the patterns, the earlier ones first."""
    path = BOOK / "chapters" / f"{_notebook(chapter)}.md"
    if not path.exists():
        return
    lines = list(_with_headings(path.read_text(encoding="utf-8")))
    for pattern in patterns:
        for line, heading, number in lines:
            if re.search(pattern, line):
                yield Place(f"section “{heading}”", path, number)
                return


def _with_headings(text: str) -> Iterator[tuple[str, str, int]]:
    """Yield each line with the heading that it stands under and the heading's own number."""
    heading, at, is_code = "", 1, False
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("```"):  # in a cell, # begins a comment
            is_code = line.startswith("```{code-cell}")
        elif not is_code and line.startswith("#"):
            heading, at = line.lstrip("# "), number
        yield line, heading, at
