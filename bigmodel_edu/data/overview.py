"""One table of all the data in the book."""

from dataclasses import dataclass

from .downloads import human_size, status
from .registry import DOWNLOADS, Download


@dataclass(frozen=True)
class Included:
    """Data that comes with one of the book's dependencies: no download, no network."""

    name: str
    title: str
    package: str
    licence: str
    source: str


INCLUDED: tuple[Included, ...] = (
    Included(
        name="digits",
        title="1,797 handwritten digits, 8×8 grey, 10 classes",
        package="scikit-learn",
        licence="CC BY 4.0",
        source="https://doi.org/10.24432/C50P49",
    ),
    Included(
        name="cldr-names",
        title="10,000 names in 14 languages: which language?",
        package="Babel",
        licence="Unicode-3.0",
        source="https://cldr.unicode.org",
    ),
    Included(
        name="cldr-dates",
        title="73,049 dates as 12 languages write them",
        package="Babel",
        licence="Unicode-3.0",
        source="https://cldr.unicode.org",
    ),
    Included(
        name="cldr-graph",
        title="5,500 facts: territories, languages, currencies",
        package="Babel",
        licence="Unicode-3.0",
        source="https://cldr.unicode.org",
    ),
    Included(
        name="documentation",
        title="8,500 docstrings: English prose and Python",
        package="NumPy, SciPy, sklearn",
        licence="BSD-3-Clause",
        source="https://github.com/numpy/numpy, …/scipy/scipy, …/scikit-learn/scikit-learn",
    ),
    Included(
        name="doc-sentences",
        title="3,200 sentences, statistics or linear algebra",
        package="SciPy, NumPy",
        licence="BSD-3-Clause",
        source="https://github.com/scipy/scipy, https://github.com/numpy/numpy",
    ),
    Included(
        name="python-topics",
        title="465,000 characters on the Python language",
        package="Python",
        licence="PSF-2.0",
        source="https://docs.python.org/3/reference/",
    ),
)


def describe() -> str:
    """Return a table of the book's data: what it is, where it is, its licence and its source."""
    entries = (*INCLUDED, *DOWNLOADS.values())
    rows = [
        ("name", "what it is", "where it is", "licence"),
        *((data.name, data.title, _where(data), data.licence) for data in entries),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    header, *body = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    lines = [header, "─" * (sum(widths) + 2 * len(widths) - 2)]
    for line, data in zip(body, entries, strict=True):
        lines += [line, " " * (widths[0] + 2) + data.source]
        if isinstance(data, Download) and data.attribution:
            lines.append(" " * (widths[0] + 2) + data.attribution)
    return "\n".join(lines)


def _where(data: Included | Download) -> str:
    if isinstance(data, Included):
        return f"in {data.package}"
    words = {"ready": "here", "damaged": "damaged", "missing": "to download"}
    return f"{words[status(data.name)]}, {human_size(data.size)}"
