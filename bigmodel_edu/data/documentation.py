"""English prose that is on every reader's disk: the documentation of NumPy, SciPy, scikit-learn.

The docstrings are read from the installed source files; none of the packages is imported.
"""

import ast
import gzip
import json
import os
import re
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from .downloads import cache_folder
from .registry import DataFileError

PACKAGES = {"numpy": "NumPy", "scipy": "SciPy", "scikit-learn": "scikit-learn"}
IMPORT_NAMES = {"numpy": "numpy", "scipy": "scipy", "scikit-learn": "sklearn"}

# tests, and what these packages carry of others
SKIPPED_FOLDERS = {"tests", "externals", "_lib", "_vendored", "_vendor"}

EDITION = 1  # of what is cached: raise it when `_read` or `_docstrings` change


@dataclass(frozen=True)
class Docstring:
    """A docstring: its module, the name in it ("norm_gen.pdf", "" for the module), its text."""

    module: str
    name: str
    text: str


@dataclass(frozen=True)
class Documentation:
    """The docstrings of the installed packages, in the order of files and of lines.

    `versions` says of which: {"numpy": "2.4.6", …}. Other versions have other texts.
    """

    docstrings: tuple[Docstring, ...]
    versions: dict[str, str]

    @cached_property
    def prose(self) -> str:
        """The paragraphs of all docstrings, without code, tables and displayed formulas."""
        pieces = ("\n".join(paragraphs(docstring.text)) for docstring in self.docstrings)
        return "\n\n".join(piece for piece in pieces if piece) + "\n"

    def describe(self) -> str:
        """Say what these texts are, where they come from and under which licence."""
        of = ", ".join(f"{PACKAGES[name]} {version}" for name, version in self.versions.items())
        characters = sum(len(docstring.text) for docstring in self.docstrings)
        return (
            f"{len(self.docstrings):,} docstrings of {of}, as installed here: {characters:,} "
            f"characters, {len(self.prose):,} of them in paragraphs of prose.\n"
            "Other versions of the packages have other texts: numbers differ a little.\n"
            "Source: https://github.com/numpy/numpy, https://github.com/scipy/scipy, "
            "https://github.com/scikit-learn/scikit-learn.\n"
            "Licence: BSD-3-Clause."
        )


def load_documentation() -> Documentation:
    """Load all docstrings of the installed NumPy, SciPy and scikit-learn.

    All means of Python files: functions compiled from C or Cython are documented elsewhere.
    Reading 1,500 source files takes several seconds, so the result is kept as a file in
    `cache_folder()`, one for each combination of versions. A damaged file there is replaced, and
    where the folder cannot be written nothing is kept.

    Raises:
        DataFileError: a package has no source files here.
    """
    versions = {name: metadata.version(name) for name in PACKAGES}
    file_name = "-".join(f"{name}-{version}" for name, version in versions.items())
    path = cache_folder() / "documentation" / f"{file_name}-edition-{EDITION}.json.gz"
    docstrings = _read(path)
    if docstrings is None:
        docstrings = tuple(found for name in PACKAGES for found in _docstrings(IMPORT_NAMES[name]))
        _write(path, docstrings)
    return Documentation(docstrings, versions)


def _docstrings(package: str) -> Iterator[Docstring]:
    """Yield every docstring in the source files of a package, without importing it."""
    spec = find_spec(package)
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        raise DataFileError(
            f"The source files of {package} are not on this disk: install it with pip, as a "
            "folder of .py files."
        )
    root = Path(spec.origin).parent
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        if not SKIPPED_FOLDERS.intersection(parts):
            module = ".".join(parts).removesuffix(".__init__")
            tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
            yield from _of_node(tree, module, "")


def _of_node(node: ast.AST, module: str, name: str) -> Iterator[Docstring]:
    """Yield the docstring of a module, class or function and those of all inside it."""
    if text := ast.get_docstring(node):
        yield Docstring(module, name, text)
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _of_node(child, module, f"{name}.{child.name}".lstrip("."))


def _read(path: Path) -> tuple[Docstring, ...] | None:
    """Return what `_write` has written, or None where there is no whole file."""
    try:
        rows = json.loads(gzip.decompress(path.read_bytes()))  # gzip verifies a checksum
        return tuple(Docstring(module, name, text) for module, name, text in rows)
    except (OSError, EOFError, zlib.error, ValueError, TypeError):
        return None


def _write(path: Path, docstrings: tuple[Docstring, ...]) -> None:
    rows = [(docstring.module, docstring.name, docstring.text) for docstring in docstrings]
    content = gzip.compress(json.dumps(rows).encode(), compresslevel=6, mtime=0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # renamed when it is whole, so that an interrupted write leaves no half a file
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as stream:
            try:
                stream.write(content)
                stream.close()
                os.replace(stream.name, path)
            except BaseException:
                stream.close()
                os.unlink(stream.name)
                raise
    except OSError:
        return  # a full or read-only disk costs time at the next load, and nothing else


# numpydoc: "x : array_like, optional", "a, b : int", "*args : tuple"
_PARAMETER = re.compile(r"^\*{0,2}\w[\w.]*(, ?\*{0,2}\w[\w.]*)* ?: ")
# the underline of a heading, a directive, a footnote, a doctest, a field, a table
_NOT_PROSE = re.compile(r"^([=\-~^*+#]{3,}|\.\. |>>>|\.\.\.|:\w+:(?!`)|\||\+-)")
_BULLET = re.compile(r"^([*\-+•] |\(?\d+[.)] )")
_UNDERLINE = re.compile(r" *[=\-~^]{3,} *")
_ENDS = ("References", "See Also", "Examples", "Methods", "Attributes")


def paragraphs(docstring: str) -> list[str]:
    """Return the paragraphs of prose in a docstring, each on one line, without reST markup.

    Out go code and its output, directives with what is indented below them, headings, the lines
    "name : type" of parameters (their descriptions stay), and the sections of references and
    examples.
    """
    found: list[str] = []
    lines: list[str] = []  # of the paragraph that is being read
    width = 0  # their indentation
    skipping_below = -1  # indentation of a directive whose block is left out
    in_doctest = in_end = False
    source = [*docstring.expandtabs().splitlines(), ""]
    for line, below in zip(source, [*source[1:], ""], strict=True):
        text, indent = line.strip(), len(line) - len(line.lstrip())
        is_heading = bool(text) and _UNDERLINE.fullmatch(below) is not None
        if is_heading:
            in_end = text in _ENDS
        in_block = skipping_below >= 0 and (not text or indent > skipping_below)
        in_doctest = text.startswith(">>>") or (in_doctest and bool(text))
        left_out = is_heading or in_end or in_block or in_doctest or _is_code(text)
        wanted = bool(text) and not left_out
        bullet = _BULLET.match(text)
        if lines and (not wanted or bullet or indent != width):
            found.append(_plain(" ".join(lines)))
            lines = []
        if not in_block:
            opens_block = text.startswith(".. ") or (wanted and text.endswith("::"))
            skipping_below = indent if opens_block else -1
        if wanted:
            hang = bullet.end() if bullet else 0
            lines.append(text[hang:])
            width = indent + hang
    return [paragraph for paragraph in found if paragraph]


def _is_code(text: str) -> bool:
    return bool(_NOT_PROSE.match(text) or _PARAMETER.match(text))


def _plain(text: str) -> str:
    """Take away reST markup: :func:`~numpy.dot` and ``x`` become dot and x, [1]_ goes."""
    text = re.sub(r":[\w:]+:`~?(?:[\w.]+\.)?([^`<]+?)(?: ?<[^`]*>)?`", r"\1", text)
    text = re.sub(r"`+([^`]+)`+_*", r"\1", text)
    text = re.sub(r"\*{1,2}(\w[^*]*)\*{1,2}", r"\1", text)
    text = re.sub(r" ?\[\w+\]_", "", text).replace("::", ":")
    return re.sub(r"\s+", " ", text).strip()
