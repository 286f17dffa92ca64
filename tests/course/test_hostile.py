"""What students hand in to get points without knowing anything, and honest notebooks of odd kinds.

Each file in `hostile` and `honest` is what a student wrote for the exercise softmax. Hostile ones
get nothing, honest ones everything, whoever was graded before them.
"""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from bigmodel_edu.course import sandbox, whole_class
from bigmodel_edu.course.settings import Limits, new_course
from bigmodel_edu.course.workshop import PACKAGE

HERE = Path(__file__).parent
HOSTILE = sorted((HERE / "hostile").glob("*.py"))
HONEST = sorted((HERE / "honest").glob("*.py"))
SECONDS = 3
ENDLESS = {  # of which nothing but the clock makes an end
    "endless_loop",
    "endless_loop_ignoring_signals",
    "floods_stderr",
    "floods_stdout",
    "sleeps",
}
STOPPED = ENDLESS | {  # these do not come to an answer; all others do, and it is wrong
    "exit_at_import",
    "exit_in_function",
    "floods_the_grader",
    "kills_itself",
    "segfault",
}
WAYS = [holder.words.partition(",")[0] for holder in sandbox.holders()]


def notebook(*cells: str) -> str:
    """The text of a notebook with these code cells."""
    return json.dumps(
        {
            "cells": [
                {"cell_type": "code", "source": cell, "metadata": {}, "outputs": []}
                for cell in cells
            ],
            "metadata": {},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )


def snapshot(*folders: Path) -> dict[str, tuple]:
    """Every file beneath these folders, with its rights and its content."""
    found = {}
    for folder in folders:
        for path in [folder, *sorted(folder.rglob("*"))]:
            about = path.lstat()
            content = path.read_bytes() if path.is_file() and about.st_size < 10**7 else b""
            found[str(path)] = (about.st_mode, content)
    return found


def processes_of(folder: Path) -> list[str]:
    """The command lines of processes whose program lies in a folder like `folder`."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if any(str(folder) in word for word in words):
            found.append(" ".join(words)[:200])
    return found


def only(monkeypatch, way: str) -> None:
    """Let this way to hold a process be the only one there is, or skip where it does not hold."""
    holders = [h for h in sandbox.holders() if h.words.startswith(way)]
    monkeypatch.setattr(sandbox, "holders", lambda: iter(holders))


def limit_time(monkeypatch, seconds: dict[bytes, float]) -> None:
    """Give each of these notebooks, by its bytes, a time of its own instead of the course's."""
    run = sandbox.Sandbox.run

    def run_in_time(self: sandbox.Sandbox, job: sandbox.Job) -> sandbox.Outcome:
        usual = self.limits
        self.limits = replace(usual, seconds=seconds.get(job.notebook, usual.seconds))
        try:
            return run(self, job)
        finally:
            self.limits = usual

    monkeypatch.setattr(sandbox.Sandbox, "run", run_in_time)


@pytest.fixture(scope="module", params=WAYS)
def graded(request, tmp_path_factory):
    """Grade all that was handed in; returns the grades by student, and what was seen around.

    However busy the machine is, an honest answer has the time that it needs.
    """
    folder = tmp_path_factory.mktemp("course")
    course = new_course(folder / "course", 1, ["softmax"])
    course = replace(course, limits=Limits(seconds=60, answer_mb=8))
    out, handed_in = folder / "out", folder / "submissions"
    out.mkdir()
    (out / "notes.txt").write_text("the lecturer's own")
    where = {
        "@PACKAGE@": str(PACKAGE),
        "@COURSE@": str(course.folder),
        "@OUT@": str(out),
        "@SUBMISSIONS@": str(handed_in),
        "@GRADER@": str(os.getpid()),
    }
    # hostile and honest take turns, so that every honest one comes after a hostile one
    honest_ones = HONEST if request.param == WAYS[0] else HONEST[::9]
    seconds = {}
    for i, path in enumerate(HOSTILE):
        code = path.read_text()
        for place, value in where.items():
            code = code.replace(place, value)
        handed = hand_in(handed_in / f"{i:02}a {path.stem}", code)
        seconds[handed.read_bytes()] = 1 if path.stem in ENDLESS else SECONDS
        honest = honest_ones[i % len(honest_ones)]
        hand_in(handed_in / f"{i:02}b {honest.stem}", honest.read_text())
    before = snapshot(course.folder, handed_in)
    with pytest.MonkeyPatch.context() as patch:
        only(patch, request.param)
        limit_time(patch, seconds)
        patch.setattr(sandbox.tempfile, "tempdir", str(folder))
        try:
            result = whole_class.grade_course(course, [handed_in], out)
        except sandbox.NotConfinable as error:
            if "does not run here" not in str(error):
                raise
            pytest.skip(str(error))
    yield {
        "grades": {grade.student[4:]: grade for grade in result.grades},
        "all": result.grades,
        "before": before,
        "after": snapshot(course.folder, handed_in),
        "left": sorted(path.name for path in folder.iterdir()),
        "processes": processes_of(folder),
        "out": out,
        "way": request.param,
    }
    shutil.rmtree(folder, ignore_errors=True)


def hand_in(folder: Path, code: str) -> Path:
    folder.mkdir(parents=True)
    path = folder / "01_neural_nets.ipynb"
    path.write_text(notebook(code))
    return path


@pytest.mark.parametrize("name", [path.stem for path in HOSTILE])
def test_hostile_code_gets_nothing(graded, name):
    grade = graded["grades"][name]
    assert grade.points == 0, grade
    assert grade.message
    if name in STOPPED:
        assert grade.status == "stopped"
    assert grade.seconds < SECONDS + 6  # Python and NumPy take a moment to start
    assert grade.confinement.startswith(graded["way"])


@pytest.mark.parametrize("name", [path.stem for path in HONEST])
def test_honest_code_gets_everything_whoever_came_before(graded, name):
    grades = [grade for grade in graded["all"] if grade.student.endswith(f"b {name}")]
    if not grades:
        pytest.skip("graded with the first way only")
    for grade in grades:
        assert (grade.status, grade.points) == ("passed", grade.of), grade


def test_nothing_outside_is_changed(graded):
    assert graded["after"] == graded["before"]
    assert graded["left"] == ["course", "out", "submissions"]
    assert (graded["out"] / "notes.txt").read_text() == "the lecturer's own"
    names = {path.name for path in graded["out"].iterdir()}
    expected = {"exercises.csv", "grades.csv", "grades.json", "index.html"}
    assert names == expected | {"journal.jsonl", "junit.xml", "notes.txt", "students"}


def test_no_process_is_left(graded):
    assert graded["processes"] == []


def test_a_second_look_changes_nothing(graded):
    """The same notebooks, graded again elsewhere, get the same points."""
    stable = {grade.student: (grade.points, grade.status) for grade in graded["all"]}
    entries = [json.loads(line) for line in (graded["out"] / "journal.jsonl").open()]
    journal = [entry["grade"] for entry in entries if entry["event"] == "grade"]
    assert {g["student"]: (g["points"], g["status"]) for g in journal} == stable
