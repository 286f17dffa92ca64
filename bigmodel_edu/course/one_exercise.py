"""Grade one exercise of one submission: it runs in one process and is judged in another."""

import time
from typing import Any

from bigmodel_edu.course.grades import Grade, Result
from bigmodel_edu.course.judge_process import JudgeProcess
from bigmodel_edu.course.sandbox import Job, Sandbox
from bigmodel_edu.course.submissions import Submission
from bigmodel_edu.course.task import Task, digest_of


def grade_exercise(
    task: Task,
    sandbox: Sandbox,
    judge_process: JudgeProcess,
    submission: Submission,
    notebook: bytes,
) -> Grade:
    """Run the function of `task` in a confined process, and have its answers judged in another.

    notebook: what `submission.read()` returned.
    """
    started, digest = time.monotonic(), digest_of(notebook)
    questions = [(case.args, dict(case.kwargs)) for case in task.cases(digest)]
    job = Job(notebook, submission.is_markdown, task.exercise.function, questions)
    outcome = sandbox.run(job)
    if outcome.end == "lost":  # the server was killed, which may be another one's fault
        outcome = sandbox.run(job)
    result = judge_process.judge(task, digest, outcome.data, outcome.end)
    seconds = time.monotonic() - started
    held_by = sandbox.holder.words
    return as_grade(result, task, submission, digest, seconds=seconds, confinement=held_by)


def as_grade(result: Result, task: Task, submission: Submission, digest: str, **more: Any) -> Grade:
    """Return a result as the grade of a student."""
    return Grade(
        student=submission.student,
        exercise=task.exercise.name,
        title=task.exercise.title,
        notebook=submission.notebook,
        digest=digest,
        of=task.of,
        **vars(result),
        **more,
    )
