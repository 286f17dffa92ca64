"""Grade one's own notebook before handing it in, as the course will, on other cases."""

import secrets
from collections.abc import Sequence
from pathlib import Path

from bigmodel_edu import catalogue
from bigmodel_edu.labs.course.grades import Grade
from bigmodel_edu.labs.course.grading import Task, grade_exercise
from bigmodel_edu.labs.course.referee import Referee
from bigmodel_edu.labs.course.sandbox import Sandbox, find_holder
from bigmodel_edu.labs.course.settings import Course, CourseError
from bigmodel_edu.labs.course.submissions import collect
from bigmodel_edu.labs.course.workshop import Workshop
from bigmodel_edu.labs.notebooks import exercises_in, read_notebook


def try_notebook(path: Path, imports: Sequence[str] = ("numpy",)) -> list[Grade]:
    """Return what the exercises in a notebook earn, with the points of the book.

    The notebook is its reader's own, so it is also run where nothing confines it.
    Raises CourseError when it holds no exercise that can be graded.
    """
    course = _course_of(path, imports)
    (submission,) = collect([path], course)
    content, tasks = submission.read(), [Task.of_course(course, e) for e in course.exercises]
    with Workshop(course.imports, course.chapter.slug) as workshop:
        holder = find_holder(workshop, course.limits, allow_unconfined=True)
        with Sandbox(workshop, holder, course.limits) as sandbox, Referee(tasks) as referee:
            return [grade_exercise(task, sandbox, referee, submission, content) for task in tasks]


def _course_of(path: Path, imports: Sequence[str]) -> Course:
    known = catalogue.exercises()
    names = [name for name in exercises_in(read_notebook(path)) if name in known]
    gradable = [known[name] for name in names if known[name].gradable]
    if not gradable:
        raise CourseError(
            f"{path} holds no exercise that can be graded: cells with a call check(...) were "
            "expected."
        )
    slug = gradable[0].chapter
    return Course(
        folder=path.parent,
        title=path.stem,
        chapter=next(c for c in catalogue.CHAPTERS if c.slug == slug),
        points={e.name: e.points for e in gradable if e.chapter == slug},
        secret=secrets.token_hex(16),
        imports=tuple(dict.fromkeys(["numpy", *imports])),
    )
