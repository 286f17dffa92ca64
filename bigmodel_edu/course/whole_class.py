"""Grade all submissions of a course: workers, a journal to go on from, results for people."""

import hashlib
import json
import os
import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bigmodel_edu import __version__
from bigmodel_edu.course.grades import (
    ENDED_TWICE,
    MISSING,
    SAME_FILE,
    STOPPED,
    UNREADABLE,
    Grade,
    Result,
)
from bigmodel_edu.course.journal import Journal, Key
from bigmodel_edu.course.judge_process import JudgeProcess
from bigmodel_edu.course.one_exercise import as_grade, grade_exercise
from bigmodel_edu.course.pages import write_pages
from bigmodel_edu.course.reports import expect_no_other, write_reports
from bigmodel_edu.course.sandbox import Sandbox, find_sandbox
from bigmodel_edu.course.settings import FILE, Course, CourseError
from bigmodel_edu.course.submissions import Submission, Unreadable, collect
from bigmodel_edu.course.task import Task, digest_of
from bigmodel_edu.course.workshop import Workshop


@dataclass(frozen=True)
class Graded:
    """What a run left behind.

    pages: the class page first, then the students' pages.
    reports: the files for programs.
    confinement: what held the students' processes, in words.
    """

    grades: tuple[Grade, ...]
    pages: tuple[Path, ...]
    reports: tuple[Path, ...]
    confinement: str


def grade_course(
    course: Course,
    places: Sequence[Path | str],
    out: Path | str,
    *,
    allow_unconfined: bool = False,
    workers: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Graded:
    """Grade the submissions in `places` and write all results into the folder `out`.

    What `out` holds of an earlier run with the same settings and notebooks is not graded again.
    workers: processes at the same time; by default one for each processor.
    progress: told how many exercises are done, and of how many.

    Raises CourseError, and NotConfinable where nothing holds a student's process.
    """
    out = Path(out)
    if out.resolve() == course.folder.resolve():
        raise CourseError(f"{out} is the course's own folder: name another one for the results.")
    resolved = {Path(place).resolve() for place in places}
    if out.resolve() in resolved:
        raise CourseError(f"{out} holds the submissions: name another folder for the results.")
    if course.folder.resolve() in resolved:
        raise CourseError(
            f"{course.folder} is the course's own folder: name the folder that holds the "
            "submissions."
        )
    expect_no_other(course, out)
    submissions = collect(places, course, leave_out=(out, course.folder / FILE))
    tasks = [Task.of_course(course, exercise) for exercise in course.exercises]
    with Journal(out) as journal, JudgeProcess(tasks) as judge_process:
        judge_process.start()  # meanwhile the rest gets ready
        with (
            Workshop(course.imports, course.chapter.slug) as workshop,
            find_sandbox(workshop, course.limits, allow_unconfined=allow_unconfined) as sandbox,
        ):
            run = _Run(tasks, journal, sandbox, judge_process, progress)
            grades = run.all(submissions, workers or os.cpu_count() or 1)
    grades = _with_same_files_flagged(grades)
    pages = write_pages(course, grades, out)
    reports = write_reports(course, grades, out)
    return Graded(tuple(grades), tuple(pages), tuple(reports), sandbox.holder.words)


class _Run:
    """One run over all submissions."""

    def __init__(
        self,
        tasks: Sequence[Task],
        journal: Journal,
        sandbox: Sandbox,
        judge_process: JudgeProcess,
        progress: Callable[[int, int], None],
    ) -> None:
        self.tasks, self.journal, self.judge_process = tasks, journal, judge_process
        self.sandbox, self.progress = sandbox, progress
        self.fingerprints = {task.exercise.name: _fingerprint(task) for task in tasks}

    def all(self, submissions: Sequence[Submission], workers: int) -> list[Grade]:
        """Return the grades, in the order of the submissions and of the course's exercises.

        What was being run when an earlier run was ended comes first and alone, so that nothing
        beside it is blamed for what it does.
        """
        suspects = [s for s in submissions if s.student in self.journal.suspects]
        others = [s for s in submissions if s.student not in self.journal.suspects]
        total, found = len(submissions) * len(self.tasks), {}
        self.progress(0, total)
        for shared, hands in ((suspects, 1), (others, workers)):
            for student, grades in self._share_out(shared, hands):
                found[student] = grades
                self.progress(sum(map(len, found.values())), total)
        return [grade for submission in submissions for grade in found[submission.student]]

    def _share_out(
        self, submissions: Sequence[Submission], workers: int
    ) -> Iterator[tuple[str, list[Grade]]]:
        """Let workers, each with its own sandbox, take one submission after the other."""
        waiting: queue.SimpleQueue[Submission] = queue.SimpleQueue()
        results: queue.SimpleQueue = queue.SimpleQueue()
        for submission in submissions:
            waiting.put(submission)
        stop = threading.Event()

        def work(sandbox: Sandbox) -> None:
            try:
                with sandbox:
                    while not stop.is_set():
                        submission = waiting.get_nowait()
                        grades = list(self._grades(submission, sandbox, stop))
                        results.put((submission.student, grades))
            except queue.Empty:
                return
            except BaseException as error:
                results.put(error)

        others = (self.sandbox.another() for _ in range(workers - 1))
        threads = [
            threading.Thread(target=work, args=(sandbox,), daemon=True)
            for sandbox in [self.sandbox, *others][: len(submissions)]
        ]
        for thread in threads:
            thread.start()
        try:
            for _ in submissions:
                result = results.get()
                if isinstance(result, BaseException):
                    raise result
                yield result
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def _grades(
        self, submission: Submission, sandbox: Sandbox, stop: threading.Event
    ) -> Iterator[Grade]:
        """Yield the grades of one submission; none further once `stop` is set."""
        try:
            notebook, problem = submission.read(), None
        except Unreadable as error:
            notebook = b""
            problem = Result(MISSING, message=str(error), flags=(UNREADABLE,))
        digest = digest_of(notebook)
        for task in self.tasks:
            if stop.is_set():
                return
            name = task.exercise.name
            key = (submission.student, name, digest, self.fingerprints[name])
            grade = self.journal.find(key)
            if grade is None:
                result = problem or self._blamed(key)
                if result is None:
                    self.journal.begin(key)
                    grade = grade_exercise(task, sandbox, self.judge_process, submission, notebook)
                else:
                    grade = as_grade(result, task, submission, digest)
                self.journal.finish(key, grade)
            flags = (*submission.flags, *grade.flags)  # a deadline may have been moved since
            yield replace(grade, notebook=submission.notebook, flags=flags)

    def _blamed(self, key: Key) -> Result | None:
        """Return what is earned by ending the grader twice, None for what did not."""
        if self.journal.ends(key) < 2:
            return None
        message = "The grader was ended twice while it ran this."
        return Result(STOPPED, message=message, flags=(ENDED_TWICE,))


def _fingerprint(task: Task) -> str:
    """Stands for all that a grade depends on beside the notebook."""
    settings = [task.exercise.name, task.of, task.secret, task.imports, asdict(task.limits)]
    return hashlib.sha256(json.dumps([__version__, *settings]).encode()).hexdigest()


def _with_same_files_flagged(grades: Sequence[Grade]) -> list[Grade]:
    """Flag students whose notebooks are the same to the byte, if there is anything in them."""
    students = defaultdict(set)
    for grade in grades:
        if grade.points:
            students[grade.digest].add(grade.student)
    shared = {digest for digest, who in students.items() if len(who) > 1}
    return [
        replace(grade, flags=(*grade.flags, SAME_FILE)) if grade.digest in shared else grade
        for grade in grades
    ]
