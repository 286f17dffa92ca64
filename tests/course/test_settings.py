"""course.toml: what `course new` writes, and each way in which it can be wrong."""

import os
import stat
import tomllib
from dataclasses import fields
from datetime import datetime

import pytest

from bigmodel_edu import catalogue
from bigmodel_edu.course.settings import (
    FILE,
    CourseError,
    Limits,
    new_course,
    read_course,
)


@pytest.fixture
def folder(tmp_path):
    new_course(tmp_path / "course", 1, ["softmax", "neural_nets.neuron"])
    return tmp_path / "course"


def edited(folder, old: str, new: str):
    text = (folder / FILE).read_text()
    assert old in text
    (folder / FILE).write_text(text.replace(old, new, 1))
    return folder


# What is written


def test_a_new_course_has_the_exercises_in_their_order_and_the_books_points(folder):
    course = read_course(folder)
    assert course.points == {"neural_nets.softmax": 2, "neural_nets.neuron": 1}
    assert [e.name for e in course.exercises] == ["neural_nets.softmax", "neural_nets.neuron"]
    assert course.total == 3
    assert course.chapter.number == 1
    assert course.imports == ("numpy",)
    assert course.deadline is None
    assert course.limits == Limits()
    assert read_course(folder / FILE) == course


def test_without_names_it_has_all_that_can_be_graded(tmp_path):
    for chapter in catalogue.written_chapters():
        course = new_course(tmp_path / chapter.slug, chapter.number)
        own = [e for e in catalogue.exercises().values() if e.chapter == chapter.slug]
        assert list(course.points) == [e.name for e in own if e.gradable]
        assert 0 < len(course.points) < len(own)


def test_only_its_owner_may_read_it(folder):
    assert stat.S_IMODE((folder / FILE).stat().st_mode) == 0o600


def test_every_course_has_a_secret_of_its_own(tmp_path):
    secrets = {new_course(tmp_path / str(i), 1).secret for i in range(5)}
    assert len(secrets) == 5
    assert all(len(secret) == 32 for secret in secrets)


@pytest.mark.parametrize(
    "title",
    ['Say "hi"', "back\\slash", "two\nlines", "\x1b[31m", "李 {0}", "\udcff", "# [x]", "'''"],
)
def test_any_title_is_kept_or_made_printable(tmp_path, title):
    course = new_course(tmp_path / "course", 1, title=title)
    printable = "".join(c if c.isprintable() else " " for c in title)
    assert course.title == printable == read_course(tmp_path / "course").title


def test_what_is_commented_out_can_be_used(folder):
    course = read_course(edited(folder, "# deadline", "deadline"))
    assert course.deadline == datetime.fromisoformat("2027-01-31T23:59:00+01:00")


def test_every_limit_stands_in_it(folder):
    entries = tomllib.loads((folder / FILE).read_text())
    assert entries["limits"] == {field.name: field.default for field in fields(Limits)}


# What is refused


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (
            ["softmaks"],
            r"has no exercise 'softmaks'\. Did you mean 'neural_nets.softmax'",
        ),
        (["lstm.rnn_step"], "chapter 1 has no exercise"),
        (["softmax", "neural_nets.softmax"], "named twice"),
        (["digits_under_budget"], "cannot be graded by a program"),
    ],
)
def test_wrong_exercises_are_refused(tmp_path, names, words):
    with pytest.raises(CourseError, match=words):
        new_course(tmp_path / "course", 1, names)
    assert not (tmp_path / "course").exists()


@pytest.mark.parametrize("chapter", [0, 3, 99, -1, 10**30, True, 1.0, "1", None, [1], {}])
def test_chapters_that_are_not_there_are_refused(tmp_path, chapter):
    with pytest.raises(CourseError, match=r"the chapters that are ready are 1, 2, 4, 8"):
        new_course(tmp_path / "course", chapter)
    assert not (tmp_path / "course").exists()


def test_a_course_is_not_written_over(folder):
    before = (folder / FILE).read_bytes()
    with pytest.raises(CourseError, match="exists already"):
        new_course(folder, 1)
    assert (folder / FILE).read_bytes() == before


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("file", "File exists"),
        ("file/course", "Not a directory"),
        ("x" * 300, "File name too long"),
    ],
)
def test_a_folder_that_cannot_be_is_one_sentence(tmp_path, name, reason):
    (tmp_path / "file").write_text("")
    with pytest.raises(CourseError, match=rf"cannot be made a course folder \({reason}\)"):
        new_course(tmp_path / name, 1)


def test_no_link_is_written_through(tmp_path):
    (tmp_path / FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CourseError, match="exists already"):
        new_course(tmp_path, 1)
    assert not (tmp_path / "elsewhere").exists()


def test_a_missing_course_says_how_to_make_one(tmp_path):
    with pytest.raises(CourseError, match=r"There is no .*course\.toml: make a course with"):
        read_course(tmp_path)


@pytest.mark.parametrize("name", ["file", "folder"])
def test_what_is_no_course_is_one_sentence(tmp_path, name):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder" / FILE).mkdir(parents=True)
    with pytest.raises(CourseError, match=r"course\.toml cannot be read: \w+ a directory\.$"):
        read_course(tmp_path / name)


@pytest.mark.parametrize("save", [lambda t: "\ufeff" + t, lambda t: t.replace("\n", "\r\n")])
def test_it_may_be_saved_by_any_editor(folder, save):
    course = read_course(folder)
    (folder / FILE).write_bytes(save((folder / FILE).read_text()).encode())
    assert read_course(folder) == course


def test_numpy_is_always_allowed_and_each_import_stands_once(folder):
    course = read_course(edited(folder, '["numpy"]', '["scipy", "numpy", "scipy"]'))
    assert course.imports == ("numpy", "scipy")


def test_an_exercise_may_be_named_in_full_and_be_worth_a_fraction(folder):
    course = read_course(edited(folder, "softmax = 2", '"neural_nets.softmax" = 0.5'))
    assert course.points == {"neural_nets.softmax": 0.5, "neural_nets.neuron": 1}


def test_without_limits_the_usual_ones_hold(folder):
    course = read_course(edited(folder, "seconds = 10 ", "seconds = 2.5 "))
    assert course.limits == Limits(seconds=2.5)
    text = (folder / FILE).read_text()
    (folder / FILE).write_text(text.partition("[limits]")[0])
    assert read_course(folder).limits == Limits()


WRONG = [
    (
        'title = "Neural nets"',
        "title = ",
        "is no valid TOML: Invalid value .* Texts stand in quotation",
    ),
    ("chapter = 1", "chapter = 3", "chapter is 3; the chapters that are ready"),
    ("chapter = 1", "", "the setting 'chapter' is missing"),
    ("chapter = 1", 'chapter = "1"', "chapter is '1'"),
    ("chapter = 1", "chapter = [1]", r"chapter is \[1\]"),
    ('title = "Neural nets"', "title = 5", "title = 5: a text in quotation marks was expected"),
    ('title = "Neural nets"', 'title = ["a"]', "a text in quotation marks was expected"),
    ("chapter = 1", "chapter = 1\nchapter = 1", "is no valid TOML: Cannot overwrite a value"),
    ("secret = ", "secret = 5 # ", "secret must be a text"),
    ("softmax = 2", f"softmax = 1{'0' * 5000}", "cannot be read: Exceeds the limit"),
    ("softmax = 2", f"softmax = {'[' * 5000}", "cannot be read"),
    ("softmax = 2", f"softmax = 1{'0' * 400}", "a positive number of points was expected, at most"),
    ("softmax = 2", "softmax = 1e300", "a positive number of points was expected, at most"),
    ("softmax = 2", "softmax = []", "a number of points was expected"),
    ("softmax = 2", "neural_nets.softmax = 2", r'stands in quotes, as "neural_nets\.NAME" = 2'),
    ("softmax = 2", 'softmax = 2\n"neural_nets.softmax" = 3', r"softmax is named twice"),
    (
        "chapter = 1",
        "chapter = 1\ndeadlin = 5",
        r"no setting\. Did you mean 'deadline'",
    ),
    ("chapter = 1", "chapter = 1\ndeadline = 2027-01-31", "deadline must be a time with its zone"),
    ("chapter = 1", "chapter = 1\ndeadline = 2027-01-31T10:00:00", "deadline must be"),
    ("chapter = 1", 'chapter = 1\ndeadline = "soon"', "deadline must be"),
    ('imports = ["numpy"]', 'imports = "numpy"', "imports must be a list of names"),
    ('imports = ["numpy"]', "imports = [1]", "imports must be a list of names"),
    ('imports = ["numpy"]', 'imports = ["a b"]', "'a b' is not the name of a package"),
    ('imports = ["numpy"]', 'imports = ["../evil"]', "is not the name of a package"),
    ('imports = ["numpy"]', 'imports = ["bigmodel_edu"]', "cannot import bigmodel_edu"),
    ("softmax = 2", "softmax = 0", "a positive number of points"),
    ("softmax = 2", "softmax = -1", "a positive number of points"),
    ("softmax = 2", "softmax = inf", "a positive number of points"),
    ("softmax = 2", "softmax = nan", "a positive number of points"),
    ("softmax = 2", "softmax = true", "a number of points was expected"),
    ("softmax = 2", 'softmax = "2"', "a number of points was expected"),
    ("softmax = 2", "softmak = 2", "Did you mean"),
    ("softmax = 2", "digits_under_budget = 2", "cannot be graded by a program"),
    ("seconds = 10", "seconds = 0", "a positive number was expected"),
    ("seconds = 10", "seconds = nan", "a positive number was expected"),
    ("seconds = 10", "seconds = inf", "a positive number was expected"),
    ("seconds = 10", "seconds = true", "a positive number was expected"),
    ("seconds = 10", 'seconds = "10"', "a positive number was expected"),
    ("seconds = 10", "seconds = -1", "a positive number was expected"),
    ("seconds = 10", f"seconds = 1{'0' * 400}", "a positive number was expected, at most"),
    ("memory_mb = 1000", "memory_mb = 199", r"memory_mb = 199: at least 200 was expected"),
    ("seconds = 10", "minutes = 10", "'minutes' is no limit; the limits are seconds"),
]


@pytest.mark.parametrize(("old", "new", "words"), WRONG, ids=[new[:40] for _, new, _ in WRONG])
def test_a_wrong_setting_is_one_sentence_that_names_the_file(folder, old, new, words):
    with pytest.raises(CourseError, match=words) as caught:
        read_course(edited(folder, old, new))
    assert str(folder / FILE) in str(caught.value)
    assert "\n" not in str(caught.value).strip() or "valid TOML" in str(caught.value)


def test_a_short_secret_and_none_are_refused(folder):
    secret = read_course(folder).secret
    with pytest.raises(CourseError, match="16 characters or more"):
        read_course(edited(folder, secret, "short"))
    with pytest.raises(CourseError, match="the setting 'secret' is missing"):
        read_course(edited(folder, 'secret = "short"', ""))


def test_no_points_at_all_are_refused(folder):
    with pytest.raises(CourseError, match=r"\[points\] is empty"):
        read_course(edited(folder, "softmax = 2\nneuron = 1", ""))
    (folder / FILE).write_text((folder / FILE).read_text().replace("[points]", "points = 5"))
    with pytest.raises(CourseError, match=r"\[points\] is empty"):
        read_course(folder)


def test_a_table_of_limits_is_expected(folder):
    text = (folder / FILE).read_text().partition("[limits]")[0]
    (folder / FILE).write_text(text.replace("chapter = 1", "chapter = 1\nlimits = 5"))
    with pytest.raises(CourseError, match=r"\[limits\]: 5 is no limit"):
        read_course(folder)


def test_bytes_that_are_no_text_are_refused(folder):
    (folder / FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(CourseError, match="cannot be read"):
        read_course(folder)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read it")
def test_a_file_without_rights_is_one_sentence(folder):
    (folder / FILE).chmod(0)
    with pytest.raises(CourseError, match="cannot be read"):
        read_course(folder)
