"""Grades for people: an HTML page for each student, and one for the class.

The pages stand alone: no script, no network, plots of HTML and CSS, so that they read in the dark,
on a phone and on paper. Jinja2 escapes every text, and a Content-Security-Policy in each page
would keep from acting what had slipped through.
"""

import hashlib
import re
import statistics
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from bigmodel_edu.course import grades as statuses
from bigmodel_edu.course.grades import PASSED, STATUSES, Grade
from bigmodel_edu.course.output import in_words, legible, shortened, write
from bigmodel_edu.course.settings import Course
from bigmodel_edu.course.summary import (
    Common,
    Student,
    Tally,
    commonest_mistakes,
    confinements,
    flagged,
    histogram,
    students_of,
    tallies,
)
from bigmodel_edu.exercise import counted

SYMBOLS = {
    statuses.PASSED: "✓",
    statuses.PARTLY: "◐",
    statuses.FAILED: "✗",
    statuses.NOT_ATTEMPTED: "○",
    statuses.MISSING: "–",
    statuses.STOPPED: "■",
}
FLAGS = {
    statuses.LATE: "handed in after the deadline",
    statuses.TWO_NOTEBOOKS: "more than one notebook was handed in",
    statuses.SAME_FILE: "byte for byte the notebook of another student",
    statuses.UNREADABLE: "no notebook came, or one that is damaged; the student's page says which",
    statuses.ENDED_TWICE: "grading this exercise ended the grader itself, twice; it counts 0",
    statuses.STOPPED: "the process broke a limit or ended itself; the student's page says how",
}
"""Flags in more words. A flag may go on after a colon: "late: 3 hours"."""

MOST_IN_A_NAME, MOST_IN_A_TEXT = 80, 4_000
_TEMPLATES = Path(__file__).parent / "templates"


def write_pages(course: Course, grades: Sequence[Grade], folder: Path) -> list[Path]:
    """Write `index.html` and `students/….html` into `folder` and return their paths.

    The same grades give the same bytes. A student's page names nobody else, so that it can be
    handed on. One page at a time is held in memory; the page of the class comes last, since it
    links to all others. Raises OutputError.
    """
    students = students_of(course, grades)
    of_course = {"course": course, "course_title": legible(course.title)}
    page = _environment().get_template("student.html.j2")
    paths = [write(folder / _address(s), page.render(of_course, student=s)) for s in students]
    page = _environment().get_template("class.html.j2")
    facts = _class_facts(course, students)
    return [write(folder / "index.html", page.render(of_course, **facts)), *paths]


def _address(student: Student) -> str:
    """Where a student's page lies: "students/ada-lovelace-3c5a0f4be0cf6d07.html".

    The hash tells apart names that look alike, also where upper case is as good as lower case.
    """
    ascii_letters = unicodedata.normalize("NFKD", student.name).encode("ascii", "ignore").decode()
    slug = re.sub("[^a-z0-9]+", "-", ascii_letters.lower())[:40].strip("-") or "student"
    digest = hashlib.sha256(student.key.encode("utf-8", "surrogatepass")).hexdigest()
    return f"students/{slug}-{digest[:16]}.html"


@cache
def _environment() -> Environment:
    """Return what reads the templates, each of which it compiles once."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,  # for every template, whatever its name ends in
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        statuses=STATUSES,
        graded_by_cases=(statuses.PASSED, statuses.PARTLY, statuses.FAILED),
        symbols=SYMBOLS,
        css_class=_css_class,
        address=_address,
        counted=counted,
        explained=_explained,
    )
    environment.filters.update(points=in_words, prose=_prose, name=_name, label=_label, text=_text)
    return environment


# Words


def _css_class(status: str) -> str:
    return status.replace(" ", "-")


def _explained(flag: str) -> str:
    """What a flag means, "" when its own words have to do."""
    return FLAGS.get(flag.partition(":")[0], "")


def _name(text: str) -> str:
    return _label(text) if text.strip() else "(no name)"


def _label(text: str) -> str:
    return shortened(text, MOST_IN_A_NAME)


def _text(text: str) -> str:
    return shortened(text, MOST_IN_A_TEXT)


def _prose(text: str) -> Markup:
    """Escape `text` and set what stands in backquotes as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(_text(text)))))


# The class


def _class_facts(course: Course, students: Sequence[Student]) -> dict[str, Any]:
    """Everything that the page of the class shows."""
    totals = [student.points for student in students]
    bars = tallies(course, students)
    mistakes = commonest_mistakes(students)
    median = statistics.median(totals) if totals else 0.0
    confined = confinements(students)
    return {
        "students": students,
        "mean": statistics.fmean(totals) if totals else 0.0,
        "median": median,
        "middle": _middle(median, course.total, len(students)),
        "histogram": histogram(totals, course.total),
        "tallies": bars,
        "hardest": _hardest(bars, len(students)),
        "mistakes": mistakes,
        "commonest": _commonest(mistakes, len(students)),
        "flagged": flagged(students),
        "confinements": confined,
        "is_unconfined": any(words.startswith("NOT CONFINED") for words in confined),
    }


def _middle(median: float, of: float, n: int) -> str:
    """The finding of the histogram."""
    who = "Half of the class has" if n > 1 else "The one submission has"
    return f"{who} {in_words(median)} of {in_words(of)} points" + " or more" * (n > 1)


def _hardest(bars: Sequence[Tally], n: int) -> str:
    """The finding of the bars: which exercise the fewest passed."""
    hardest = min(bars, key=lambda bar: bar.counts.get(PASSED, 0))
    passed = hardest.counts.get(PASSED, 0)
    if passed == n:
        return f"Every exercise was passed by all {n}" if n > 1 else "Every exercise was passed"
    return f"Hardest: “{hardest.title}”, passed by {passed} of {n}"


def _commonest(mistakes: Sequence[Common], n: int) -> str:
    """The finding of the mistakes: which one most students made."""
    if not mistakes:
        return "No known mistake was recognised"
    most = mistakes[0]
    if most.count == 1:
        return "No two made the same mistake"
    return f"Commonest: {most.count} of {n} made the same mistake in “{most.title}”"
