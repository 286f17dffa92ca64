"""Grade one's own notebook before handing it in, as the course will, on other cases."""

from collections.abc import Sequence
from pathlib import Path

from bigmodel_edu import catalogue
from bigmodel_edu.course.grades import Grade
from bigmodel_edu.course.judge_process import JudgeProcess
from bigmodel_edu.course.one_exercise import grade_exercise
from bigmodel_edu.course.release import METADATA
from bigmodel_edu.course.sandbox import find_sandbox
from bigmodel_edu.course.settings import Course, CourseError, course_with_own_secret
from bigmodel_edu.course.submissions import collect
from bigmodel_edu.course.task import Task
from bigmodel_edu.course.workshop import Workshop
from bigmodel_edu.labs.notebooks import exercises_in, read_notebook


def try_notebook(path: Path, imports: Sequence[str] = ()) -> list[Grade]:
    """Return what a notebook earns: by the settings of the course that handed it out.

    In any other notebook each exercise counts that is checked in it, with the points of the book.
    imports: packages that are allowed besides. The notebook is its reader's own, so it is also run
    where nothing confines it. Raises CourseError when it holds no exercise that can be graded.
    """
    course = _course_of(path, imports)
    (submission,) = collect([path], course)
    content, tasks = submission.read(), [Task.of_course(course, e) for e in course.exercises]
    with (
        JudgeProcess(tasks) as judge_process,
        Workshop(course.imports, course.chapter.slug) as workshop,
        find_sandbox(workshop, course.limits, allow_unconfined=True) as sandbox,
    ):
        return [grade_exercise(task, sandbox, judge_process, submission, content) for task in tasks]


def _course_of(path: Path, imports: Sequence[str]) -> Course:
    notebook = read_notebook(path)
    entries = notebook.metadata.get(METADATA)
    if not isinstance(entries, dict):
        entries = _entries(path, exercises_in(notebook))
    imports = [*entries.get("imports", ["numpy"]), *imports]
    return course_with_own_secret(path.parent, {**entries, "imports": imports})


def _entries(path: Path, names: Sequence[str]) -> dict:
    """The settings for the exercises of a notebook that no course has handed out."""
    known = catalogue.exercises()
    gradable = [known[name] for name in names if name in known and known[name].gradable]
    if not gradable:
        raise CourseError(
            f"{path} holds no exercise that can be graded: cells with a call check(...) were "
            "expected."
        )
    slug = gradable[0].chapter
    return {
        "chapter": next(chapter.number for chapter in catalogue.CHAPTERS if chapter.slug == slug),
        "points": [[e.name, e.points] for e in gradable if e.chapter == slug],
    }
