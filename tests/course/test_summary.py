"""A class at a glance."""

import itertools
import random
from dataclasses import replace

import pytest

from bigmodel_edu.course import grades as statuses
from bigmodel_edu.course import summary


def test_students_have_their_grades_in_the_order_of_the_course(course, graded):
    shuffled = graded(5)
    random.Random(1).shuffle(shuffled)
    students = summary.students_of(course, shuffled)
    assert students == summary.students_of(course, graded(5))
    assert len(students) == 5
    assert all(list(student.grades) == list(course.points) for student in students)
    assert [s.name for s in students] == sorted(s.name for s in students)


def test_the_later_of_two_grades_counts(course, graded):
    first = graded(1)[0]
    (student,) = summary.students_of(course, [first, replace(first, points=0.25)])
    assert student.points == 0.25


def test_an_exercise_that_the_course_does_not_have_is_left_out(course, graded):
    first = graded(1)[0]
    other = replace(first, exercise="lstm.cell", points=99)
    (student,) = summary.students_of(course, [first, other])
    assert list(student.grades) == [first.exercise]


def test_points_add_up_exactly(course, graded):
    tenths = [replace(grade, points=0.1) for grade in graded(1)[:10]]
    (student,) = summary.students_of(course, tenths)
    assert student.points == 1


def test_flags_of_the_submission_and_flags_of_an_exercise(course, graded):
    first, second, *_ = (replace(grade, flags=("late",)) for grade in graded(1))
    second = replace(second, flags=("late", "ended the grader twice"))
    (student,) = summary.students_of(course, [first, second])
    assert student.flags == ("late", "ended the grader twice")
    assert student.flags_of_all == ("late",)


def test_tallies_count_each_status(course, graded):
    grades = [replace(g, status=statuses.PASSED) for g in graded(3)]
    first = course.exercises[0]
    grades[0] = replace(grades[0], status=statuses.STOPPED)
    found = summary.tallies(course, summary.students_of(course, grades))
    assert [tally.exercise for tally in found] == list(course.points)
    assert found[0].title == first.title
    assert found[0].counts == {statuses.PASSED: 2, statuses.STOPPED: 1}
    assert list(found[0].counts) == [statuses.PASSED, statuses.STOPPED]
    assert found[1].counts == {statuses.PASSED: 3}


def test_mistakes_are_counted_and_the_commonest_comes_first(course, graded):
    grades = [replace(grade, mistake="") for grade in graded(4)]
    per_student = len(course.points)
    for i, mistake in enumerate(("rare", "common", "common", "")):
        grades[i * per_student + 1] = replace(grades[i * per_student + 1], mistake=mistake)
    title = course.exercises[1].title
    assert summary.commonest_mistakes(summary.students_of(course, grades)) == [
        summary.Common(title, "common", 2),
        summary.Common(title, "rare", 1),
    ]


@pytest.mark.parametrize("of", [0.5, 1, 3, 7.5, 12, 13, 23, 100, 9999])
def test_every_total_is_in_one_bin(of):
    totals = [0, of / 3, of / 2, of * 0.999, of, of + 1e-12]
    bins = summary.histogram(totals, of)
    assert len(bins) <= 12
    assert sum(bin.count for bin in bins) == len(totals)
    assert bins[0].low == 0
    assert bins[-1].high == of
    assert all(left.high == right.low for left, right in itertools.pairwise(bins))


def test_the_last_bin_holds_full_marks_and_others_begin_with_their_lower_edge():
    bins = summary.histogram([0, 1.9, 2, 22, 23], 23)
    assert [(bin.low, bin.high) for bin in bins[:2]] == [(0, 2), (2, 4)]
    assert [bin.count for bin in bins] == [2, 1, *[0] * 9, 2]


def test_what_to_look_at(course, graded):
    grades = [replace(grade, status=statuses.PASSED, flags=()) for grade in graded(3)]
    grades[0] = replace(grades[0], flags=("late",))
    grades[-1] = replace(grades[-1], status=statuses.STOPPED, flags=("late", "late"))
    found = summary.flagged(summary.students_of(course, grades))
    assert {flag: [s.key for s in owners] for flag, owners in found.items()} == {
        "late": sorted([grades[0].student, grades[-1].student]),
        "stopped": [grades[-1].student],
    }
