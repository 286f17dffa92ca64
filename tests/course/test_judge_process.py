"""Answers are compared in a process of their own, which may die without harm."""

import os
import resource
import signal
import struct
import time

import numpy as np
import psutil
import pytest

from bigmodel_edu.course import grades as statuses
from bigmodel_edu.course import wire
from bigmodel_edu.course.feedback import judge_data
from bigmodel_edu.course.judge_process import MEMORY_MB, JudgeProcess
from bigmodel_edu.course.settings import new_course
from bigmodel_edu.course.task import Task

DIGEST = "d" * 64


@pytest.fixture
def tasks(tmp_path):
    course = new_course(tmp_path / "course", 1, ["softmax", "topological_order", "early_stopping"])
    return [Task.of_course(course, exercise) for exercise in course.exercises]


@pytest.fixture
def judge(tasks):
    with JudgeProcess(tasks, seconds=3) as judge:
        yield judge


def data(*messages) -> bytes:
    packed = [wire.pack(message) for message in messages]
    return b"".join(struct.pack("<Q", len(message)) + message for message in packed)


def right_answers(task: Task) -> bytes:
    answers = [task.exercise.reference(*case.args) for case in task.cases(DIGEST)]
    return data({"ready": True}, *({"answer": answer, "changed": []} for answer in answers))


def test_it_judges_as_the_grader_would(judge, tasks):
    for task in tasks:
        for sent in (right_answers(task), data({"ready": True}, {"answer": 5}), b"", b"nonsense"):
            for end in ("exited", "time", "exit 3"):
                there, here = (j(task, DIGEST, sent, end) for j in (judge.judge, judge_data))
                assert there == here
        assert judge.judge(task, DIGEST, right_answers(task), "exited").status == statuses.PASSED


def test_where_it_hangs_the_answer_is_wrong_and_the_next_one_is_judged(judge, tasks):
    task, started = tasks[0], time.monotonic()
    assert judge.judge(task, DIGEST, right_answers(task), "exited").status == statuses.PASSED
    os.kill(judge._process.pid, signal.SIGSTOP)
    result = judge.judge(task, DIGEST, right_answers(task), "exited")
    cases = len(task.cases(DIGEST))
    assert (result.status, result.points, result.cases) == (statuses.FAILED, 0, cases)
    assert "could not be compared within 3 seconds" in result.message
    assert judge.judge(task, DIGEST, right_answers(task), "exited").status == statuses.PASSED
    assert time.monotonic() - started < 60


def test_where_it_has_died_another_one_is_asked(judge, tasks):
    task = tasks[0]
    for _ in range(2):
        assert judge.judge(task, DIGEST, right_answers(task), "exited").status == statuses.PASSED
        os.kill(judge._process.pid, signal.SIGKILL)


def test_its_memory_is_limited(judge, tasks):
    judge.judge(tasks[0], DIGEST, b"", "exited")
    process = psutil.Process(judge._process.pid)
    soft, hard = process.rlimit(psutil.RLIMIT_AS)
    assert soft == hard != resource.RLIM_INFINITY
    assert soft < process.memory_info().vms + MEMORY_MB * 1_100_000


def test_it_ends_with_the_grader(tasks):
    judge = JudgeProcess(tasks)
    judge.judge(tasks[0], DIGEST, b"", "exited")
    process = psutil.Process(judge._process.pid)
    judge.close()
    assert not process.is_running()
    judge.judge(tasks[0], DIGEST, b"", "exited")
    process = psutil.Process(judge._process.pid)
    judge._process.stdin.close()  # as when the grader is gone
    process.wait(timeout=10)
    judge._process.stdout.close()


def test_modules_in_the_current_folder_are_not_imported(tasks, tmp_path, monkeypatch):
    """A lecturer may grade from the folder in which the students' files lie."""
    (tmp_path / "numpy.py").write_text("raise SystemExit('taken over')")
    (tmp_path / "json.py").write_text("raise SystemExit('taken over')")
    monkeypatch.chdir(tmp_path)
    with JudgeProcess(tasks) as judge:
        assert judge.judge(tasks[0], DIGEST, right_answers(tasks[0]), "exited").points == 2


def test_large_answers_come_through(judge, tasks):
    large = {"answer": np.zeros(2_000_000), "changed": []}
    answers = [large] * len(tasks[0].cases(DIGEST))
    result = judge.judge(tasks[0], DIGEST, data({"ready": True}, *answers), "exited")
    assert result.status == statuses.FAILED
    assert "has the shape (2000000,)" in result.message
