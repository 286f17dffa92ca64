"""Grades for other programs: CSV for a spreadsheet, JSON for a script, JUnit XML for CI."""

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from xml.etree import ElementTree as ET

from bigmodel_edu.course.grades import PASSED, Grade
from bigmodel_edu.course.output import legible, number, write
from bigmodel_edu.course.settings import Course, CourseError
from bigmodel_edu.course.summary import Student, students_of

# What makes a spreadsheet take a text for a formula, wide forms included:
# https://owasp.org/www-community/attacks/CSV_Injection
# It is looked for not only at the beginning: where the system's list separator is a semicolon,
# Excel begins a new cell at each of them, and a new row at each newline, whatever the quotes say.
_FORMULA = re.compile(r"^(?=[\t\r\n])|(?:^|(?<=[;\t\r\n]))(?=[^\S\t\r\n]*[=+\-@＝＋－＠])")


def write_reports(course: Course, grades: Sequence[Grade], folder: Path) -> list[Path]:
    """Write four files into `folder` and return their paths.

    grades.csv     a line for each student, a column for each exercise.
    exercises.csv  a line for each student and exercise.
    grades.json    all of it, with the course's title, points and limits.
    junit.xml      a test suite for each student, a test for each exercise.

    The same grades give the same bytes. Texts are `legible`, see there; in CSV an apostrophe
    stands before what a spreadsheet would take for a formula. Raises OutputError.
    """
    students = students_of(course, grades)
    texts = {
        "grades.csv": _grades_csv(course, students),
        "exercises.csv": _exercises_csv(students),
        "grades.json": _json(course, students),
        "junit.xml": _junit(course, students),
    }
    return [write(folder / name, text) for name, text in texts.items()]


def expect_no_other(course: Course, folder: Path) -> None:
    """Raise CourseError when the folder holds the results of another course."""
    try:
        entry = json.loads((folder / "grades.json").read_text(encoding="utf-8"))
        title, chapter = entry["course"], entry["chapter"]
    except (OSError, ValueError, LookupError, TypeError):  # none, or not ours
        return
    if (title, chapter) != (legible(course.title), course.chapter.number):
        raise CourseError(
            f"{folder} holds the results of {title!r} (chapter {chapter}), and not of "
            f"{course.title!r} (chapter {course.chapter.number}): name another folder with -o."
        )


# CSV


def _grades_csv(course: Course, students: Sequence[Student]) -> str:
    rows = [["student", *course.points, "total", "out_of", "flags"]]
    for student in students:
        points = [
            number(student.grades[name].points) if name in student.grades else ""
            for name in course.points
        ]
        of = number(course.total)
        rows.append([student.name, *points, number(student.points), of, ", ".join(student.flags)])
    return _csv(rows)


def _exercises_csv(students: Sequence[Student]) -> str:
    header = (
        "student exercise status points out_of cases_passed cases mistake message flags seconds"
    )
    rows = [header.split()]
    for student in students:
        for grade in student.grades.values():
            rows.append(
                [
                    student.name,
                    grade.exercise,
                    grade.status,
                    number(grade.points),
                    number(grade.of),
                    grade.cases_passed,
                    grade.cases,
                    grade.mistake,
                    grade.message,
                    ", ".join(grade.flags),
                    round(grade.seconds, 3),
                ]
            )
    return _csv(rows)


def _csv(rows: Iterable[list]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerows([_no_formula(cell) for cell in row] for row in rows)
    # Without the byte order mark, Excel takes UTF-8 for the system's old encoding: Müller.
    return "\ufeff" + file.getvalue()


def _no_formula(cell: str | float) -> str | float:
    return _FORMULA.sub("'", cell) if isinstance(cell, str) else cell


# JSON


def _json(course: Course, students: Sequence[Student]) -> str:
    """All but the secret. ASCII, so that no reader has to guess the encoding."""
    entries = {
        "course": legible(course.title),
        "chapter": course.chapter.number,
        "deadline": course.deadline.isoformat() if course.deadline else None,
        "imports": course.imports,
        "limits": asdict(course.limits),
        "total": number(course.total),
        "exercises": [
            {"exercise": e.name, "title": e.title, "points": number(course.points[e.name])}
            for e in course.exercises
        ],
        "students": [_json_of(student) for student in students],
    }
    return json.dumps(entries, indent=1) + "\n"


def _json_of(student: Student) -> dict:
    return {
        "student": student.name,
        "points": number(student.points),
        "flags": student.flags,
        "grades": [grade.as_json() for grade in student.grades.values()],
    }


# JUnit XML, as https://llg.cubic.org/docs/junit describes it


def _junit(course: Course, students: Sequence[Student]) -> str:
    suites = [_suite(student) for student in students]
    together = {"name": legible(course.title)} | _counted(
        grade for student in students for grade in student.grades.values()
    )
    root = ET.Element("testsuites", together)
    root.extend(suites)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, "unicode") + "\n"


def _suite(student: Student) -> ET.Element:
    suite = ET.Element("testsuite", {"name": student.name} | _counted(student.grades.values()))
    for grade in student.grades.values():
        about = {"classname": student.name, "name": grade.exercise, "time": f"{grade.seconds:.3f}"}
        test = ET.SubElement(suite, "testcase", about)
        if grade.status != PASSED:
            why = {"type": grade.status, "message": grade.message or grade.status}
            ET.SubElement(test, "failure", why).text = _facts(grade)
    return suite


def _counted(grades: Iterable[Grade]) -> dict[str, str]:
    grades = list(grades)
    failures = sum(grade.status != PASSED for grade in grades)
    seconds = math.fsum(grade.seconds for grade in grades)
    counts = {"tests": len(grades), "failures": failures, "errors": 0, "skipped": 0}
    return {name: str(count) for name, count in counts.items()} | {"time": f"{seconds:.3f}"}


def _facts(grade: Grade) -> str:
    """All that a reader of a CI log can use, one fact a line."""
    lines = [
        f"{number(grade.points)} of {number(grade.of)} points, "
        f"{grade.cases_passed} of {grade.cases} cases passed"
    ]
    if grade.mistake and grade.mistake != grade.message:
        lines.append(f"known mistake: {grade.mistake}")
    lines += [f"{label}: {text}" for label, text in grade.details]
    lines += [f"flag: {flag}" for flag in grade.flags]
    return "\n".join(lines)
