"""A course graded as a whole: odd notebooks, flags, and runs that were ended before their end."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bigmodel_edu.course import grades as statuses
from bigmodel_edu.course.journal import Journal
from bigmodel_edu.course.sandbox import Outcome, Sandbox
from bigmodel_edu.course.settings import Course, CourseError, Limits, new_course
from bigmodel_edu.course.whole_class import grade_course

SOFTMAX = """\
import numpy as np

def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
"""
WRONG = "def softmax(z): return z"
STUB = "def softmax(z): ..."


def cell(source: str, **more) -> dict:
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": []} | more


def notebook(*cells, **more) -> str:
    cells = [c if isinstance(c, dict) else cell(c) for c in cells]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5} | more)


def hand_in(folder: Path, student: str, text: str, name: str = "01_neural_nets.ipynb") -> Path:
    path = folder / student / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def course(tmp_path) -> Course:
    course = new_course(tmp_path / "course", 1, ["softmax"])
    return replace(course, limits=Limits(seconds=5))


def test_odd_notebooks(course, tmp_path):
    """What is no answer does not run, and what is one counts, wherever it stands."""
    folder = tmp_path / "submissions"
    loud = {"output_type": "stream", "name": "stdout", "text": "x" * 30_000_000}
    script = "<img src=x onerror=alert(1)>"
    right = {
        "no metadata": json.dumps({"cells": [{"cell_type": "code", "source": SOFTMAX}]}),
        "wild metadata": notebook(
            cell(SOFTMAX, metadata={"nbgrader": {"points": 100}, "tags": [script, 5, None]}),
            metadata={"kernelspec": {"name": "../../evil", "argv": ["rm"]}},
        ),
        "lines": notebook(cell(SOFTMAX.splitlines(keepends=True))),
        "doubled": notebook(SOFTMAX, STUB),
        "corrected": notebook(WRONG, SOFTMAX),
        "magics": notebook(
            "%matplotlib inline\n!rm -rf /\n%%bash", f"%%time\n{SOFTMAX}", "%%sh\nrm"
        ),
        "top level": notebook("while True: pass", "input()", SOFTMAX, "open('/x', 'w').write('x')"),
        "broken cells": notebook("def softmax(z:", SOFTMAX, "1 +", "raise SystemExit"),
        "30 MB of outputs": notebook(cell("print('x')", outputs=[loud]), SOFTMAX),
        "format 3": json.dumps(
            {"worksheets": [{"cells": [{"cell_type": "code", "input": SOFTMAX}]}], "nbformat": 3}
        ),
        script: notebook(SOFTMAX),
        "=1+1": notebook(SOFTMAX),
        "\x1b[31mred": notebook(SOFTMAX),
        "Žofie 李": notebook(SOFTMAX),
    }
    missing = {
        "no such function": notebook("import numpy as np"),
        "no json": "{",
        "no notebook": "[1, 2]",
        "cells are a text": notebook().replace("[]", '"x"'),
        "empty": "",
        "deep": "[" * 100_000,
    }
    for student, text in (right | missing).items():
        hand_in(folder, student, text)
    hand_in(folder, "with a numpy of its own", notebook(SOFTMAX))
    hand_in(folder, "with a numpy of its own", "def exp(z): 1 / 0", "numpy.py")
    hand_in(
        folder, "in markdown", f"```{{code-cell}} ipython3\n{SOFTMAX}```\n", "01_neural_nets.md"
    )
    hand_in(folder, "too large", "").unlink()
    with (folder / "too large" / "01_neural_nets.ipynb").open("wb") as file:
        file.truncate(10**9)
    hand_in(folder, "a link", "").unlink()
    (folder / "a link" / "01_neural_nets.ipynb").symlink_to(course.folder / "course.toml")
    with zipfile.ZipFile(folder / "slips.zip", "w") as archive:
        archive.writestr("../../slipped.ipynb", notebook(SOFTMAX))
    graded = grade_course(course, [folder], tmp_path / "out")
    by_student = {grade.student: grade for grade in graded.grades}
    for student in (*right, "with a numpy of its own", "in markdown", "slips"):
        assert by_student[student].status == statuses.PASSED, by_student[student]
    for student in (*missing, "too large", "a link"):
        assert by_student[student].status == statuses.MISSING, by_student[student]
        assert by_student[student].message
        is_flagged = statuses.UNREADABLE in by_student[student].flags
        assert is_flagged == (student != "no such function")
    assert "larger than 64 MB" in by_student["too large"].message
    assert not list(tmp_path.rglob("slipped*"))
    page = graded.pages[0].read_text()
    assert script not in page
    assert "\x1b" not in page + (tmp_path / "out" / "grades.csv").read_text()


def test_flags(course, tmp_path):
    now = datetime.now(UTC)
    course = replace(course, deadline=now - timedelta(hours=1))
    folder = tmp_path / "submissions"
    for student, text in (("in time", SOFTMAX), ("late", SOFTMAX + "#"), ("two", SOFTMAX + "##")):
        path = hand_in(folder, student, notebook(text))
        if student != "late":
            os.utime(path, (0, 0))
    os.utime(hand_in(folder, "two", notebook(WRONG), "other.ipynb"), (0, 0))
    for student in ("one", "copy"):
        os.utime(hand_in(folder, student, notebook(SOFTMAX, SOFTMAX)), (0, 0))
    for student in ("lazy", "also lazy"):
        os.utime(hand_in(folder, student, notebook(STUB)), (0, 0))
    graded = grade_course(course, [folder], tmp_path / "out")
    assert {grade.student: grade.flags for grade in graded.grades} == {
        "in time": (),
        "late": (statuses.LATE,),
        "two": (statuses.TWO_NOTEBOOKS,),
        "one": (statuses.SAME_FILE,),
        "copy": (statuses.SAME_FILE,),
        "lazy": (),
        "also lazy": (),
    }
    moved = replace(course, deadline=now + timedelta(hours=1))
    again = grade_course(moved, [folder], tmp_path / "out")
    assert {g.student: g.flags for g in again.grades}["late"] == ()


def test_the_results_are_never_the_course_folder_nor_the_submissions(course, tmp_path):
    hand_in(tmp_path / "submissions", "ada", notebook(SOFTMAX))
    with pytest.raises(CourseError, match="holds the submissions"):
        grade_course(course, [tmp_path / "submissions"], tmp_path / "submissions")
    with pytest.raises(CourseError, match="is the course's own folder"):
        grade_course(course, [tmp_path / "submissions"], course.folder)
    with pytest.raises(CourseError, match="own folder: name the folder that holds the subm"):
        grade_course(course, [course.folder], tmp_path / "out")


def test_the_results_of_another_course_are_not_written_over(course, tmp_path):
    hand_in(tmp_path / "submissions", "ada", notebook(SOFTMAX))
    grade_course(course, [tmp_path / "submissions"], tmp_path / "out")
    before = (tmp_path / "out" / "grades.csv").read_bytes()
    other = replace(course, title="Another lab", points={"neural_nets.neuron": 1})
    with pytest.raises(CourseError, match=r"holds the results of '.*' .*, and not of 'Another lab"):
        grade_course(other, [tmp_path / "submissions"], tmp_path / "out")
    assert (tmp_path / "out" / "grades.csv").read_bytes() == before
    (tmp_path / "out" / "grades.json").write_text("[]")
    grade_course(other, [tmp_path / "submissions"], tmp_path / "out")


def test_a_job_whose_server_was_lost_is_run_once_more(course, tmp_path, monkeypatch):
    hand_in(tmp_path / "submissions", "ada", notebook(SOFTMAX))
    real, lost = Sandbox.run, []

    def run(self, job):
        if job.function == "softmax" and not lost:
            lost.append(job)
            return Outcome(b"", "lost", 0.0)
        return real(self, job)

    monkeypatch.setattr(Sandbox, "run", run)
    (grade,) = grade_course(course, [tmp_path / "submissions"], tmp_path / "out").grades
    assert lost
    assert grade.status == statuses.PASSED


# Runs that were ended


def journal(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "journal.jsonl").open()]


def graded_in(entries: list[dict]) -> list[str]:
    return [entry["key"][0] for entry in entries if entry["event"] == "grade"]


def test_what_was_graded_is_not_graded_again(course, tmp_path):
    folder, out = tmp_path / "submissions", tmp_path / "out"
    for student in "abc":
        hand_in(folder, student, notebook(SOFTMAX, f"# {student}"))
    first = grade_course(course, [folder], out)
    before = journal(out)
    second = grade_course(course, [folder], out)
    assert journal(out) == before
    assert second.grades == first.grades
    hand_in(folder, "b", notebook(WRONG))
    hand_in(folder, "d", notebook(WRONG))
    third = grade_course(course, [folder], out)
    assert sorted(graded_in(journal(out)[len(before) :])) == ["b", "d"]
    assert [grade.points for grade in third.grades] == [2, 0, 2, 0]


@pytest.mark.parametrize(
    "change", [{"secret": "another secret, as long"}, {"imports": ("numpy", "re")}]
)
def test_other_settings_are_graded_anew(course, tmp_path, change):
    folder, out = tmp_path / "submissions", tmp_path / "out"
    hand_in(folder, "a", notebook(SOFTMAX))
    grade_course(course, [folder], out)
    grade_course(replace(course, **change), [folder], out)
    assert graded_in(journal(out)) == ["a", "a"]


KILLED = """
import os, signal, sys
from bigmodel_edu.course import whole_class
from bigmodel_edu.course.settings import read_course

real = whole_class.grade_exercise

def deadly(task, sandbox, judge_process, submission, notebook):
    if submission.student == sys.argv[4]:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(task, sandbox, judge_process, submission, notebook)

whole_class.grade_exercise = deadly
course, workers = read_course(sys.argv[1]), int(sys.argv[5])
whole_class.grade_course(course, [sys.argv[2]], sys.argv[3], workers=workers)
"""


def run_killed(course: Course, folder: Path, out: Path, killer: str, workers: int) -> int:
    """Grade in another process, which dies when it comes to the killer; return how it ended."""
    words = [sys.executable, "-c", KILLED, course.folder, folder, out, killer, workers]
    return subprocess.run(list(map(str, words)), check=False).returncode


def test_a_run_that_was_killed_goes_on_where_it_was(course, tmp_path):
    folder, out = tmp_path / "submissions", tmp_path / "out"
    for student in "abcdef":
        hand_in(folder, student, notebook(SOFTMAX, f"# {student}"))
    assert run_killed(course, folder, out, "d", workers=1) == -signal.SIGKILL
    course = replace(course, limits=Limits())  # as the other process read it
    assert graded_in(journal(out)) == ["a", "b", "c"]
    graded = grade_course(course, [folder], out)
    assert sorted(graded_in(journal(out))) == ["a", "b", "c", "d", "e", "f"]
    assert graded_in(journal(out))[3] == "d"  # alone, before the others
    assert all(grade.points == 2 and not grade.flags for grade in graded.grades)


def test_who_kills_the_grader_twice_gets_nothing_and_nobody_else_is_blamed(course, tmp_path):
    folder, out = tmp_path / "submissions", tmp_path / "out"
    for student in "abcdef":
        hand_in(folder, student, notebook(SOFTMAX, f"# {student}"))
    ends = [run_killed(course, folder, out, "c", workers=2) for _ in range(2)]
    assert ends == [-signal.SIGKILL] * 2
    graded = grade_course(replace(course, limits=Limits()), [folder], out)
    by_student = {grade.student: grade for grade in graded.grades}
    assert by_student["c"].points == 0
    assert by_student["c"].status == statuses.STOPPED
    assert by_student["c"].flags == (statuses.ENDED_TWICE,)
    assert all(by_student[s].points == 2 and not by_student[s].flags for s in "abdef")


def test_ctrl_c_is_nobodys_fault(course, tmp_path, usual_signals):
    folder, out = tmp_path / "submissions", tmp_path / "out"
    settings = course.folder / "course.toml"
    settings.write_text(settings.read_text().replace("seconds = 10", "seconds = 2"))
    for student in "ab":
        hand_in(folder, student, notebook("def softmax(z):\n    while True: pass", f"# {student}"))
    command = [sys.executable, "-m", "bigmodel_edu.cli", "course", "grade", str(folder)]
    command += ["-o", str(out), "--course", str(course.folder)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not (out / "journal.jsonl").exists() or not journal(out):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=60)
    assert process.returncode == 130
    assert words.splitlines()[-1] == "Stopped. The same command goes on from here."
    with Journal(out) as kept:
        assert kept.suspects == set()
