"""The files for other programs hold every value, and nothing that acts."""

import csv
import json
import random
import re
import time
import unicodedata
from dataclasses import asdict, replace
from datetime import datetime, timedelta, timezone
from xml.etree import ElementTree as ET

import pytest

from bigmodel_edu.course import grades as statuses
from bigmodel_edu.course import reports
from bigmodel_edu.course.grades import Grade
from bigmodel_edu.course.output import OutputError, legible

NAMES = ["grades.csv", "exercises.csv", "grades.json", "junit.xml"]
DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")


@pytest.fixture
def written(course, tmp_path):
    """Return `written(grades)`: the text of each file, by its name."""

    def written(grades, folder="out"):
        paths = reports.write_reports(course, grades, tmp_path / folder)
        assert [path.name for path in paths] == NAMES
        return {path.name: path.read_bytes().decode("utf-8") for path in paths}

    return written


def rows(text):
    """What a program that follows RFC 4180 reads; numbers are those fields without quotes."""
    lines = text.removeprefix("\ufeff").splitlines(keepends=True)
    return list(csv.reader(lines, quoting=csv.QUOTE_NONNUMERIC))


def records(text):
    header, *rest = rows(text)
    return [dict(zip(header, row, strict=True)) for row in rest]


def without_apostrophes(cell):
    """Undo what keeps a formula from being one."""
    return re.sub(r"(^|[;\t\r\n])'(?=\s*[=+\-@＝＋－＠\t\r\n])", r"\1", cell)


# What stands in them


def test_a_line_for_each_student(course, graded, written):
    grades = [replace(grade, flags=("late", "two notebooks")) for grade in graded(3)]
    read = records(written(grades)["grades.csv"])
    assert [record["student"] for record in read] == sorted({g.student for g in grades})
    assert list(read[0]) == ["student", *course.points, "total", "out_of", "flags"]
    for record in read:
        own = {g.exercise: g.points for g in grades if g.student == record["student"]}
        assert {name: record[name] for name in own} == pytest.approx(own)
        assert record["total"] == pytest.approx(sum(own.values()))
        assert record["out_of"] == course.total
        assert record["flags"] == "late, two notebooks"


def test_a_line_for_each_exercise(graded, written):
    grades = graded(3)
    read = records(written(grades)["exercises.csv"])
    found = {(record["student"], record["exercise"]): record for record in read}
    assert len(read) == len(found) == len(grades)
    for grade in grades:
        record = found[grade.student, grade.exercise]
        for name in ("status", "points", "cases_passed", "cases", "mistake"):
            assert record[name] == getattr(grade, name)
        assert without_apostrophes(record["message"]) == grade.message
        assert record["out_of"] == grade.of
        assert record["flags"] == ", ".join(grade.flags)
        assert record["seconds"] == round(grade.seconds, 3)


def test_the_json_holds_all_of_it(course, graded, tmp_path):
    zone = timezone(timedelta(hours=1))
    course = replace(course, deadline=datetime(2027, 1, 31, 23, 59, tzinfo=zone))
    grades = graded(3)
    paths = reports.write_reports(course, grades, tmp_path)
    read = json.loads(paths[2].read_text(encoding="utf-8"))
    assert read["course"] == course.title
    assert read["chapter"] == 1
    assert read["total"] == course.total == sum(e["points"] for e in read["exercises"])
    assert read["limits"] == asdict(course.limits)
    assert read["deadline"] == "2027-01-31T23:59:00+01:00"
    assert [e["title"] for e in read["exercises"]] == [e.title for e in course.exercises]
    again = [Grade.from_json(entry) for s in read["students"] for entry in s["grades"]]
    assert sorted(again, key=str) == sorted(grades, key=str)


def test_the_xml_has_a_suite_for_each_student(course, graded, written):
    grades = graded(3)
    root = ET.fromstring(written(grades)["junit.xml"].encode())
    assert root.get("name") == course.title
    assert [suite.get("name") for suite in root] == sorted({g.student for g in grades})
    failed = [g for g in grades if g.status != statuses.PASSED]
    assert failed
    assert int(root.get("tests")) == len(grades)
    assert int(root.get("failures")) == len(failed) == len(root.findall(".//failure"))
    for grade in grades:
        test = root.find(f"testsuite[@name={grade.student!r}]/testcase[@name='{grade.exercise}']")
        assert float(test.get("time")) == pytest.approx(grade.seconds, abs=1e-3)
        failure = test.find("failure")
        assert (failure is None) == (grade.status == statuses.PASSED)
        if failure is not None:
            assert failure.get("type") == grade.status
            assert failure.get("message") == grade.message
            assert all(f"{label}: {text}" in failure.text for label, text in grade.details)


def test_what_was_not_graded_is_empty_and_not_zero(course, graded, written):
    first, second, *_ = course.points
    record = records(written(graded(1)[:1])["grades.csv"])[0]
    assert record[first] != ""
    assert record[second] == ""


# Hostile texts


def test_no_text_of_a_student_acts(hostile_grade, written):
    for text in written([hostile_grade]).values():
        assert not [c for c in text if acts(c)]


def acts(character):
    """Whether a character moves a terminal's cursor, turns the direction of text, or is none."""
    turns = unicodedata.bidirectional(character) in DIRECTIONS
    return turns or (unicodedata.category(character) in {"Cc", "Cs"} and character not in "\n\t")


def test_no_cell_is_a_formula(hostile_grade, written):
    files = written([hostile_grade])
    for name in ("grades.csv", "exercises.csv"):
        cells = [cell for row in rows(files[name]) for cell in row if isinstance(cell, str)]
        # also for a spreadsheet that splits at semicolons, tabs and newlines inside of quotes
        parts = [part for cell in cells for part in re.split(r"[;\t\r\n]", cell)]
        assert not [part for part in parts if FORMULA.match(part)]
        assert not [cell for cell in cells if cell.startswith(("\t", "\r", "\n"))]


def test_every_text_comes_back_from_every_file(hostile_grade, written):
    files = written([hostile_grade])
    text = legible(hostile_grade.student)
    assert without_apostrophes(records(files["grades.csv"])[0]["student"]) == text
    record = records(files["exercises.csv"])[0]
    for name in ("student", "message", "flags"):
        assert without_apostrophes(record[name]) == text
    student = json.loads(files["grades.json"])["students"][0]
    assert student["student"] == student["grades"][0]["message"] == text
    assert student["grades"][0]["details"] == [[text, text]]
    suite = ET.fromstring(files["junit.xml"].encode())[0]
    assert suite.get("name") == text
    failure = suite.find("testcase/failure")
    assert failure.get("message") == (text or statuses.PARTLY)
    assert f"{text}: {text}" in failure.text


@pytest.mark.parametrize(
    "name", ['O\'Brien, "Pat"', "first\nsecond", "a, b; c", "Žofie", "x - y", "a=b", "o'=1"]
)
def test_a_harmless_name_is_left_alone(graded, written, name):
    read = records(written([replace(graded(1)[0], student=name)])["grades.csv"])
    assert read[0]["student"] == name


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=1", "'=1"),
        ("  =1", "'  =1"),
        ("-1", "'-1"),
        ("+49 30", "'+49 30"),
        ("@me", "'@me"),
        ("＝1", "'＝1"),
        ("\tx", "'\tx"),
        ("\r=1", r"\r=1"),
        ("a;=1", "a;'=1"),
        ("a\n=1", "a\n'=1"),
        ("a\n\nb", "a\n\nb"),
    ],
)
def test_an_apostrophe_stands_before_a_formula(graded, written, name, cell):
    text = written([replace(graded(1)[0], student=name)])["grades.csv"]
    assert records(text)[0]["student"] == cell


def test_numbers_are_numbers_and_texts_are_quoted(graded, written):
    grade = replace(graded(1)[0], student="007", points=0.1 + 0.2, of=1)
    line = written([grade])["grades.csv"].splitlines()[1]
    assert line.startswith('"007",0.3,')


def test_a_spreadsheet_is_told_the_encoding(graded, written):
    files = written(graded(1))
    assert files["grades.csv"].startswith("\ufeff")
    assert files["exercises.csv"].startswith("\ufeff")


def test_names_that_differ_only_by_case_are_two_students(graded, written):
    grade = graded(1)[0]
    files = written([replace(grade, student=name) for name in ("Ada", "ada", "ADA")])
    assert [r["student"] for r in records(files["grades.csv"])] == ["ADA", "Ada", "ada"]
    assert len(ET.fromstring(files["junit.xml"].encode())) == 3


def test_the_secret_is_in_no_file(course, graded, written):
    assert not [n for n, text in written(graded(2)).items() if course.secret in text]


# Every class


def test_a_class_of_nobody(course, written):
    files = written([])
    assert len(rows(files["grades.csv"])) == len(rows(files["exercises.csv"])) == 1
    assert json.loads(files["grades.json"])["students"] == []
    assert ET.fromstring(files["junit.xml"].encode()).get("tests") == "0"


def test_a_class_of_which_all_was_stopped(graded, written):
    grades = [replace(grade, status=statuses.STOPPED, points=0) for grade in graded(2)]
    files = written(grades)
    assert [record["total"] for record in records(files["grades.csv"])] == [0, 0]
    assert ET.fromstring(files["junit.xml"].encode()).get("failures") == str(len(grades))


def test_the_same_grades_in_any_order_give_the_same_bytes(graded, written):
    grades = graded(4)
    shuffled = random.Random(2).sample(grades, len(grades))
    assert written(grades, "one") == written(shuffled, "two")


def test_a_report_that_cannot_be_written_leaves_the_old_one(course, graded, tmp_path, monkeypatch):
    old = {path: path.read_bytes() for path in reports.write_reports(course, graded(1), tmp_path)}

    def is_open_elsewhere(source, target):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.replace", is_open_elsewhere)
    with pytest.raises(OutputError, match=r"grades\.csv cannot be written \(Permission denied\)"):
        reports.write_reports(course, graded(2), tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == old


def test_a_large_class_is_written_in_seconds(course, graded, tmp_path):
    grades = graded(300)
    started = time.process_time()
    reports.write_reports(course, grades, tmp_path)
    assert time.process_time() - started < 5
