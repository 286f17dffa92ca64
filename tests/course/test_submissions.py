"""Notebooks are found in every shape in which a platform hands them over, hostile shapes too."""

import contextlib
import io
import os
import random
import stat
import tracemalloc
import unicodedata
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bigmodel_edu.course import grades as statuses
from bigmodel_edu.course import submissions
from bigmodel_edu.course.settings import CourseError, new_course
from bigmodel_edu.course.submissions import Unreadable, collect

NAME = "01_neural_nets.ipynb"


@pytest.fixture
def course(tmp_path):
    return new_course(tmp_path / "course", 1)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "submissions").mkdir()
    return tmp_path / "submissions"


def put(path: Path, content: str = "{}", when: float | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    if when is not None:
        os.utime(path, (when, when))
    return path


def zipped(entries: dict[str, str | bytes], **options) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


def names(found) -> dict[str, str]:
    return {submission.student: submission.notebook for submission in found}


def by_student(found) -> dict:
    return {submission.student: submission for submission in found}


# Shapes


def test_a_folder_per_student(course, folder):
    put(folder / "Ada" / NAME, "ada")
    put(folder / "Bob" / "deep" / "er" / NAME, "bob")
    found = collect([folder], course)
    assert names(found) == {"Ada": f"Ada/{NAME}", "Bob": f"Bob/deep/er/{NAME}"}
    assert [submission.read() for submission in found] == [b"ada", b"bob"]


def test_a_file_per_student(course, folder):
    put(folder / "Ada.ipynb")
    put(folder / "Bob.md")
    put(folder / "notes.txt")
    put(folder / "grades.csv")
    found = by_student(collect([folder], course))
    assert found.keys() == {"Ada", "Bob"}
    assert found["Bob"].is_markdown
    assert not found["Ada"].is_markdown


@pytest.mark.parametrize(
    "entries",
    [
        {f"Ada/{NAME}": "a", f"Bob/{NAME}": "b"},
        {f"all/Ada/{NAME}": "a", f"all/Bob/{NAME}": "b"},
        {"Ada.ipynb": "a", "Bob.ipynb": "b"},
        {"class/Ada.ipynb": "a", "class/Bob.ipynb": "b"},
        {"Ada.zip": zipped({NAME: "a"}), "Bob.zip": zipped({f"x/{NAME}": "b"})},
        {f"Ada/{NAME}": "a", "Bob/work.zip": zipped({NAME: "b"})},
        {"all/": "", f"all/Ada/{NAME}": "a", f"all/Bob/deep/{NAME}": "b"},
        {f"all/Ada/{NAME}": "a", f"all/Bob/{NAME}": "b", "read me.txt": "", "points.csv": ""},
        {"all/Ada.ipynb": "a", "all/Bob.ipynb": "b"},
        {"class/Ada.md": "a", "class/Bob.md": "b"},
        {"all/Ada.zip": zipped({NAME: "a"}), "all/Bob.zip": zipped({NAME: "b"})},
        {f"all\\Ada\\{NAME}": "a", f"all\\Bob\\{NAME}": "b"},
        {f"Ada/{NAME}": "a", f"Bob/{NAME}": "b", f"__MACOSX/Ada/._{NAME}": "", ".DS_Store": ""},
    ],
)
def test_a_zip_file_of_all(course, tmp_path, entries):
    place = tmp_path / "class.zip"
    place.write_bytes(zipped(entries))
    found = by_student(collect([place], course))
    assert {student: s.read() for student, s in found.items()} == {"Ada": b"a", "Bob": b"b"}


@pytest.mark.parametrize("around", ["", "all/"])
def test_an_empty_folder_in_a_zip_file_is_a_student(course, tmp_path, around):
    folders = dict.fromkeys(
        [around, f"{around}Eve/", "__MACOSX/", f"{around}Ada/old/"][not around :]
    )
    files = {f"{around}Ada/{NAME}": "a", f"{around}Bob/{NAME}": "b"}
    place = tmp_path / "class.zip"
    place.write_bytes(zipped(dict.fromkeys(folders, "") | files))
    found = by_student(collect([place], course))
    assert found.keys() == {"Ada", "Bob", "Eve"}
    assert "There is no notebook" in found["Eve"].problem


@pytest.mark.parametrize("place", ["class.zip", "Ada.zip"])
@pytest.mark.parametrize("more", [{}, {"Ada/old/1.ipynb": "", "Ada/old/2.ipynb": ""}])
def test_one_student_alone_in_a_zip_file_is_no_wrapper(course, tmp_path, place, more):
    (tmp_path / place).write_bytes(zipped({f"Ada/{NAME}": "a"} | more))
    assert names(collect([tmp_path / place], course)) == {"Ada": f"Ada/{NAME}"}


def test_who_is_named_by_the_place_alone(course, tmp_path, monkeypatch):
    """As a shell gives the places: submissions/*"""
    put(tmp_path / "in" / "Ada" / NAME, "a")
    put(tmp_path / "in" / "Bob" / "01_neural_nets.md", "b")
    (tmp_path / "in" / "Eve.zip").write_bytes(zipped({NAME: "e"}))
    put(tmp_path / "in" / "Max.ipynb", "m")
    expected = {"Ada": b"a", "Bob": b"b", "Eve": b"e", "Max": b"m"}
    for found in (
        collect(sorted((tmp_path / "in").iterdir()), course),
        collect([tmp_path / "in"], course),
        collect(
            [tmp_path / "in" / "Ada" / NAME, *sorted((tmp_path / "in").glob("[B-Z]*"))], course
        ),
    ):
        assert {submission.student: submission.read() for submission in found} == expected
    monkeypatch.chdir(tmp_path / "in" / "Ada")
    assert names(collect([NAME], course)) == names(collect(["."], course)) == {"Ada": NAME}


def test_a_zip_file_per_student_in_a_folder(course, folder):
    (folder / "Ada.zip").write_bytes(zipped({NAME: "a"}))
    found = collect([folder], course)
    assert found[0].student == "Ada"
    assert found[0].read() == b"a"


def test_single_notebooks(course, folder):
    found = collect([put(folder / "Ada.ipynb", "a"), put(folder / "Bob.md", "b")], course)
    assert [s.student for s in found] == ["Ada", "Bob"]


def test_a_student_comes_from_one_place(course, folder, tmp_path):
    """As when a shell gives submissions/* and each student's folder holds a folder lab1."""
    put(folder / "Ada" / "lab1" / NAME)
    put(folder / "Bob" / "lab1" / NAME)
    with pytest.raises(CourseError, match=r"'lab1' comes from .*Ada and from .*Bob: name only one"):
        collect(sorted(folder.iterdir()), course)
    assert names(collect([folder], course)).keys() == {"Ada", "Bob"}


@pytest.mark.parametrize("inside", ["all", "submissions", "submissions/all"])
@pytest.mark.parametrize(
    "files", [(f"Ada/{NAME}", f"Bob/x/{NAME}"), ("Ada.ipynb", "Bob.ipynb"), (f"Ada/lab1/{NAME}",)]
)
def test_a_folder_around_all_is_no_student(course, folder, inside, files):
    for file in files:
        put(folder / inside / file)
    (folder / inside / "Eve").mkdir()
    is_told_apart = len(files) > 1 or inside == "submissions"
    students = {Path(file).parts[0].partition(".")[0] for file in files}
    found = names(collect([folder], course)).keys()
    assert found == (students | {"Eve"} if is_told_apart else {"all"})


@pytest.mark.parametrize("file", [f"Ada/lab1/{NAME}", f"Ada/{NAME}", "Ada/mine.ipynb"])
def test_one_student_alone_in_a_folder_is_no_wrapper(course, folder, file):
    """As in nbgrader's folder `submitted`."""
    put(folder / file)
    assert names(collect([folder], course)) == {"Ada": file}


def test_one_zip_file_alone_in_a_folder_is_a_students(course, folder):
    entries = {f"Ada/{NAME}": "", f"Bob/{NAME}": ""}
    (folder / "Eve.zip").write_bytes(zipped(entries))
    assert names(collect([folder], course)).keys() == {"Eve"}


def test_older_results_are_no_student(course, folder):
    put(folder / "Ada" / NAME)
    put(folder / "results" / "journal.jsonl")
    put(folder / "results" / "students" / "Ada.html")
    (folder / "empty").mkdir()
    put(folder / "Eve" / NAME)
    put(folder / "Eve" / "journal.jsonl")
    assert names(collect([folder], course)).keys() == {"Ada", "Eve", "empty"}


def test_nobody_hands_in_for_another_with_a_zip_file(course, folder):
    """Bob's zip file holds a folder with Ada's name."""
    (folder / "Ada.zip").write_bytes(zipped({NAME: "ada"}))
    (folder / "Bob.zip").write_bytes(zipped({f"Ada/{NAME}": "bob", f"Bob/{NAME}": "bob"}))
    found = by_student(collect([folder], course))
    assert {student: s.read() for student, s in found.items()} == {"Ada": b"ada", "Bob": b"bob"}
    with pytest.raises(CourseError, match=r"'Ada' comes from .*Ada\.zip and from .*Bob\.zip"):
        collect([folder / "Ada.zip", folder / "Bob.zip"], course)


def test_one_name_in_two_unicode_forms_is_one_student(course, folder):
    name = "Zoë"
    put(folder / unicodedata.normalize("NFD", name) / NAME)
    (found,) = collect([folder], course)
    assert found.student == unicodedata.normalize("NFC", name)
    (found,) = collect([folder / unicodedata.normalize("NFD", name)], course)
    assert found.student == unicodedata.normalize("NFC", name)


# Which notebook counts


@pytest.mark.parametrize(
    ("files", "counts", "two"),
    [
        ({NAME: 1, "copy.ipynb": 2}, NAME, True),
        ({"a.ipynb": 1, "b.ipynb": 2}, "b.ipynb", True),
        ({NAME: 1, f"old/{NAME}": 2}, f"old/{NAME}", True),
        ({NAME: 1, "01_neural_nets.md": 1}, NAME, True),
        ({NAME: 1, "01_neural_nets.md": 2}, "01_neural_nets.md", True),
        ({NAME: 1, "README.md": 2}, NAME, False),
        ({"README.md": 2, "lab.md": 1}, "README.md", True),
        ({"lab.IPYNB": 1}, "lab.IPYNB", False),
        ({NAME: 1, f".ipynb_checkpoints/{NAME}": 2}, NAME, False),
        ({NAME: 1, f"__MACOSX/{NAME}": 2, f"._{NAME}": 3}, NAME, False),
        ({NAME: 1, f"__pycache__/{NAME}": 2}, NAME, False),
        ({f"lab.ipynb/{NAME}": 1}, f"lab.ipynb/{NAME}", False),
    ],
)
def test_which_of_several_notebooks_counts(course, folder, files, counts, two):
    for name, when in files.items():
        put(folder / "Ada" / name, when=when)
    put(folder / "Bob" / NAME)
    found, _ = collect([folder], course)
    assert found.notebook == f"Ada/{counts}"
    assert found.flags == (statuses.TWO_NOTEBOOKS,) * two


def test_late_is_after_the_deadline(course, folder, tmp_path):
    course = replace(course, deadline=datetime(2026, 1, 2, tzinfo=UTC))
    put(folder / "in time" / NAME, when=datetime(2026, 1, 2, tzinfo=UTC).timestamp())
    put(folder / "late" / NAME, when=datetime(2026, 1, 2, 1, tzinfo=UTC).timestamp())
    entry = zipfile.ZipInfo(f"late in a zip/{NAME}", date_time=(2026, 1, 4, 0, 0, 0))
    with zipfile.ZipFile(tmp_path / "class.zip", "w") as archive:
        archive.writestr(entry, "{}")
    found = collect([folder, tmp_path / "class.zip"], course)
    assert {s.student for s in found if statuses.LATE in s.flags} == {"late", "late in a zip"}


def test_who_hands_in_no_notebook_is_there_all_the_same(course, folder):
    put(folder / "Ada" / NAME)
    (folder / "Bob").mkdir()
    put(folder / "Eve" / "essay.txt")
    (folder / "Max.zip").write_bytes(zipped({"essay.txt": ""}))
    (folder / "Zoe.zip").write_bytes(zipped({}))
    found = by_student(collect([folder], course))
    assert found.keys() == {"Ada", "Bob", "Eve", "Max", "Zoe"}
    for student in ("Bob", "Eve", "Max", "Zoe"):
        assert "There is no notebook" in found[student].problem
        with pytest.raises(Unreadable, match="There is no notebook"):
            found[student].read()


# Hostile shapes


def test_links_pipes_and_devices_are_no_notebooks(course, folder, tmp_path):
    secret = put(tmp_path / "secret.ipynb", "secret")
    put(folder / "Ada" / NAME, "ada")
    for student in ("link", "pipe", "folder link", "hard link"):
        (folder / student).mkdir()
    (folder / "link" / NAME).symlink_to(secret)
    os.mkfifo(folder / "pipe" / NAME)
    (folder / "folder link" / "deep").symlink_to(tmp_path)
    (folder / "a link to Ada").symlink_to(folder / "Ada")
    found = by_student(collect([folder], course))
    assert found.keys() == {"Ada", "link", "pipe", "folder link", "hard link"}
    assert all(found[student].problem for student in found if student != "Ada")


def test_links_beside_the_students_are_no_students(course, folder, tmp_path):
    put(folder / "Ada.ipynb")
    (folder / "loop.ipynb").symlink_to(folder / "loop.ipynb")
    (folder / "nowhere.ipynb").symlink_to(tmp_path / "nowhere")
    (folder / "passwords.ipynb").symlink_to("/etc/passwd")
    (folder / "more.zip").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe.ipynb")
    os.mkfifo(folder / "pipe.zip")
    assert names(collect([folder], course)) == {"Ada": "Ada.ipynb"}
    with pytest.raises(CourseError, match="neither a folder nor a zip file nor a notebook"):
        collect([folder / "pipe.zip"], course)
    (found,) = collect([folder / "passwords.ipynb"], course)
    with pytest.raises(Unreadable, match="cannot be read"):
        found.read()


def test_a_hard_link_to_anothers_notebook_is_a_copy_of_it(course, folder):
    put(folder / "Ada" / NAME, "a")
    (folder / "Bob").mkdir()
    os.link(folder / "Ada" / NAME, folder / "Bob" / NAME)
    assert [found.read() for found in collect([folder], course)] == [b"a", b"a"]


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "nothing"])
def test_a_file_that_becomes_something_else_is_not_read(course, folder, tmp_path, kind):
    path = put(folder / "Ada" / NAME)
    (found,) = collect([folder], course)
    path.unlink()
    if kind == "link":
        path.symlink_to(put(tmp_path / "secret.ipynb", "secret"))
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    with pytest.raises(Unreadable, match=r"cannot be read|is no file"):
        found.read()


def test_a_file_that_grew_since_is_not_read_to_its_end(course, folder, monkeypatch):
    monkeypatch.setattr(submissions, "MAX_NOTEBOOK", 1000)
    path = put(folder / "Ada" / NAME)
    (found,) = collect([folder], course)
    os.truncate(path, 10**10)
    with pytest.raises(Unreadable, match="is larger than"):
        found.read()


@pytest.mark.parametrize(
    "kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK]
)
def test_links_in_zip_files_are_no_notebooks(course, tmp_path, kind):
    link = zipfile.ZipInfo(f"Ada/{NAME}")
    link.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "class.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr(f"Bob/{NAME}", "bob")
    assert by_student(collect([tmp_path / "class.zip"], course)).keys() == {"Bob"}


def test_a_folder_in_a_zip_file_that_is_named_like_a_notebook_is_none(course, folder):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(f"lab/{NAME}", "x")
        archive.writestr(f"{NAME}/", "")
        archive.getinfo(f"{NAME}/").external_attr = 0  # as some programs write it, without a kind
    (folder / "Ada.zip").write_bytes(content.getvalue())
    (found,) = collect([folder], course)
    assert found.read() == b"x"
    assert found.flags == ()


@pytest.mark.parametrize(
    "name",
    [
        f"../../{NAME}",
        f"/etc/{NAME}",
        f"C:\\Windows\\{NAME}",
        f"..\\..\\{NAME}",
        f"a/../../../b/{NAME}",
        f"./././{NAME}",
    ],
)
def test_paths_in_a_zip_file_lead_nowhere(course, tmp_path, name):
    place = tmp_path / "in" / "Ada.zip"
    place.parent.mkdir()
    place.write_bytes(zipped({name: "a"}))
    before = sorted(tmp_path.rglob("*"))
    (found,) = collect([place.parent], course)
    assert found.student == "Ada"
    assert found.read() == b"a"
    assert not {"..", ".", "", "C:"} & set(found.notebook.split("/"))
    assert sorted(tmp_path.rglob("*")) == before


def test_damaged_zip_files_are_their_students_problem(course, folder):
    good = zipped({NAME: "x" * 1000}, compression=zipfile.ZIP_DEFLATED)
    (folder / "cut.zip").write_bytes(good[: len(good) // 2])
    (folder / "empty.zip").write_bytes(b"")
    (folder / "no zip.zip").write_bytes(b"PK\x03\x04" * 10)
    content = bytearray(good)
    content[45] ^= 0xFF
    (folder / "bits.zip").write_bytes(bytes(content))
    encrypted = bytearray(zipped({NAME: "x"}))
    place = encrypted.rfind(b"PK\x01\x02")
    encrypted[place + 8] |= 1
    (folder / "encrypted.zip").write_bytes(bytes(encrypted))
    put(folder / "Ada" / NAME, "ada")
    found = by_student(collect([folder], course))
    for student in ("cut", "empty", "no zip", "bits", "encrypted"):
        with pytest.raises(Unreadable, match=r"is damaged|cannot be read|is encrypted"):
            found[student].read()
    assert "is encrypted: hand it in without a password" in found["encrypted"].problem
    assert found["Ada"].read() == b"ada"


def test_any_byte_of_a_zip_file_may_be_wrong(course, folder):
    rng = random.Random(0)
    options = {"compression": zipfile.ZIP_DEFLATED}
    good = zipped({NAME: "x" * 300, "a.zip": zipped({"a.ipynb": "y" * 99}, **options)}, **options)
    for _ in range(500):
        content = bytearray(good)
        for _ in range(rng.randrange(1, 6)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        (folder / "Ada.zip").write_bytes(bytes(content[: rng.choice((None, rng.randrange(400)))]))
        (found,) = collect([folder], course)
        with contextlib.suppress(Unreadable):
            assert found.read() in (b"x" * 300, b"y" * 99)


def test_a_zip_file_that_a_lecturer_names_must_be_whole(course, tmp_path):
    place = tmp_path / "class.zip"
    place.write_bytes(b"nothing")
    with pytest.raises(CourseError, match="neither a folder nor a zip file nor a notebook"):
        collect([place], course)
    place.write_bytes(zipped({f"Ada/{NAME}": "x"}).replace(b"PK\x01\x02", b"PK\x01\x03"))
    with pytest.raises(CourseError, match=r"The zip file .*class\.zip is damaged"):
        collect([place], course)


def test_bombs_do_not_go_off(course, folder, monkeypatch):
    monkeypatch.setattr(submissions, "MAX_NOTEBOOK", 100_000)
    monkeypatch.setattr(submissions, "MAX_ARCHIVE", 200_000)
    zeros = b"\0" * 20_000_000
    bomb = zipped({NAME: zeros}, compression=zipfile.ZIP_DEFLATED)
    (folder / "claims its size.zip").write_bytes(bomb)
    lying = bytearray(bomb)  # says 10 bytes, and is 20 MB
    for place in (lying.find(b"PK\x03\x04") + 22, lying.rfind(b"PK\x01\x02") + 24):
        lying[place : place + 4] = (10).to_bytes(4, "little")
    (folder / "lies.zip").write_bytes(bytes(lying))
    inner = zipped({"a.zip": bomb, "b.zip": zipped({"c.zip": bomb})})
    (folder / "nested.zip").write_bytes(inner)
    for name, method in (("bzip2", zipfile.ZIP_BZIP2), ("lzma", zipfile.ZIP_LZMA)):
        for what in (NAME, "a.zip"):  # read to 10 bytes, such a file is unpacked as a whole
            content = bytearray(zipped({what: zeros}, compression=method))
            place = content.rfind(b"PK\x01\x02") + 24
            content[place : place + 4] = (10).to_bytes(4, "little")
            (folder / f"{name} {what}.zip").write_bytes(bytes(content))
    (folder / "too deep.zip").write_bytes(zipped({"a.zip": zipped({"b.zip": zipped({NAME: "x"})})}))
    with (put(folder / "sparse" / NAME)).open("wb") as file:
        file.truncate(10**10)
    tracemalloc.start()
    found = by_student(collect([folder], course))
    for student in found:
        with pytest.raises(Unreadable):
            found[student].read()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000
    assert "is larger than" in found["claims its size"].problem
    assert "is larger than" in found["sparse"].problem
    assert "is packed in an unusual way" in found[f"bzip2 {NAME}"].problem


def test_zip_files_with_too_many_entries_are_not_opened(course, folder, monkeypatch):
    monkeypatch.setattr(submissions, "MAX_ENTRIES", 1000)
    many = zipped(dict.fromkeys(map(str, range(1500)), "") | {NAME: "x"})
    (folder / "many.zip").write_bytes(many)
    inner = zipped({"many.zip": many}, compression=zipfile.ZIP_DEFLATED)
    (folder / "many in one.zip").write_bytes(inner)
    for found in collect([folder], course):
        assert found.problem == (
            "The zip file many.zip holds too many files: hand in the notebook alone."
        )


def test_the_entries_of_a_students_zip_files_count_together(course, folder, monkeypatch):
    monkeypatch.setattr(submissions, "MAX_ENTRIES", 1000)
    some = zipped(dict.fromkeys(map(str, range(400)), ""))
    for student, inner in (("Ada", (some,)), ("Bob", (some, some, some))):
        entries = {f"{i}.zip": data for i, data in enumerate(inner)}
        work = zipped(entries | {"z.zip": zipped({NAME: "x"})}, compression=zipfile.ZIP_DEFLATED)
        (folder / f"{student}.zip").write_bytes(work)
    ada, bob = collect([folder], course)
    assert ada.read() == b"x"
    assert bob.problem == "The zip file 2.zip holds too many files: hand in the notebook alone."


def test_a_zip_file_in_a_students_is_no_larger_than_a_notebook(course, folder, monkeypatch):
    monkeypatch.setattr(submissions, "MAX_NOTEBOOK", 1000)
    work = zipped({NAME: "x", "more": "x" * 2000})
    (folder / "Ada.zip").write_bytes(zipped({"work.zip": work}))
    (found,) = collect([folder], course)
    assert "work.zip is larger than" in found.problem
    (folder / "class.zip").write_bytes(zipped({"Ada/work.zip": work}))
    (found,) = collect([folder / "class.zip"], course)
    assert found.read() == b"x"


def test_few_zip_files_in_a_zip_file_are_opened(course, folder, monkeypatch):
    monkeypatch.setattr(submissions, "MAX_ARCHIVES", 3)
    nothing, work = zipped({"a.txt": ""}), zipped({NAME: "x"})
    (folder / "third.zip").write_bytes(zipped({"a.zip": nothing, "b.zip": nothing, "c.zip": work}))
    (folder / "second.zip").write_bytes(zipped({"a.zip": nothing, "b.zip": work, "c.zip": nothing}))
    found = by_student(collect([folder], course))
    assert found["second"].read() == b"x"
    assert "There is no notebook" in found["third"].problem
    inner = {
        f"{name}/{i}/x.zip": work if i == n else nothing
        for name, n in (("a", 2), ("b", 3))
        for i in range(4)
    }
    (folder / "class.zip").write_bytes(zipped(inner))
    for name, content in inner.items():
        (folder.parent / "disk" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder.parent / "disk" / name).write_bytes(content)
    for place in (folder / "class.zip", folder.parent / "disk"):
        found = by_student(collect([place], course))
        assert found["a"].read() == b"x"
        assert "There is no notebook" in found["b"].problem


def test_a_notebook_is_found_among_many_other_files(course, folder, monkeypatch):
    """Some hand in the packages that they have installed."""
    monkeypatch.setattr(submissions, "MAX_FILES", 100)
    many = {f"{i:05}.txt": "" for i in range(300)}
    (folder / "Ada.zip").write_bytes(zipped(many | {NAME: "x"}))
    for name in many:
        put(folder / "Bob" / name)
    put(folder / "Bob" / "last.ipynb", "x")
    assert [found.read() for found in collect([folder], course)] == [b"x", b"x"]


def test_many_notebooks_and_deep_folders_end(course, folder, monkeypatch):
    monkeypatch.setattr(submissions, "MAX_FILES", 100)
    many = {f"{i:05}.ipynb": "" for i in range(300)}
    (folder / "in a zip.zip").write_bytes(zipped(many))
    for name in many:
        put(folder / "in a folder" / name, when=1)
    deep = folder / "deep"
    for _ in range(40):
        deep /= "d"
    put(deep / NAME)
    put(folder / "Ada" / NAME)
    found = by_student(collect([folder], course))
    assert not found["Ada"].problem
    assert "There is no notebook" in found["deep"].problem
    for student in ("in a zip", "in a folder"):
        assert found[student].notebook.endswith("00099.ipynb")


def test_another_large_file_is_no_reason(course, folder, monkeypatch):
    monkeypatch.setattr(submissions, "MAX_NOTEBOOK", 1000)
    put(folder / "Ada" / "data.csv", "x" * 2000)
    (folder / "Bob.zip").write_bytes(zipped({"data.csv": "x" * 2000}))
    for found in collect([folder], course):
        assert "There is no notebook" in found.problem


def test_a_notebook_that_can_be_read_counts_before_one_that_cannot(course, folder, monkeypatch):
    monkeypatch.setattr(submissions, "MAX_NOTEBOOK", 1000)
    put(folder / "Ada" / NAME, "x" * 2000)
    put(folder / "Ada" / "without outputs.ipynb", "x")
    (found,) = collect([folder], course)
    assert found.read() == b"x"
    assert found.flags == (statuses.TWO_NOTEBOOKS,)


def test_times_that_no_calendar_has_are_late(course, folder):
    course = replace(course, deadline=datetime(2026, 1, 2, tzinfo=UTC))
    path = put(folder / "Ada" / NAME)
    real = path.stat()
    far = os.stat_result([*real[:7], 10**15, 10**15, 10**15])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "stat", lambda self, **_: far if self == path else os.stat(self))
        (found,) = collect([folder], course)
    assert found.flags == (statuses.LATE,)
    entry = zipfile.ZipInfo(f"Bob/{NAME}")
    entry.date_time = (1980, 0, 0, 0, 0, 0)
    with zipfile.ZipFile(folder / "class.zip", "w") as archive:
        archive.writestr(entry, "x")
    (found,) = collect([folder / "class.zip"], course)
    assert found.read() == b"x"


def test_nothing_is_kept_of_what_was_read(course, folder):
    put(folder / "Ada" / NAME, "x" * 5_000_000)
    (found,) = collect([folder], course)
    tracemalloc.start()
    for _ in range(5):
        found.read()
    now, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert now < 1_000_000


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_its_students_problem(course, folder):
    put(folder / "Ada" / NAME).chmod(0)
    put(folder / "Bob" / NAME)
    (folder / "Bob").chmod(0)
    try:
        for found in collect([folder], course):
            with pytest.raises(Unreadable):
                found.read()
    finally:
        (folder / "Bob").chmod(0o700)


def test_a_folder_that_may_not_be_read_is_no_missing_notebook(course, folder, monkeypatch):
    real = os.scandir

    def scandir(path):
        if "closed" in str(path):
            raise PermissionError(13, "Permission denied")
        return real(path)

    put(folder / "Ada" / NAME)
    put(folder / "closed" / NAME)
    monkeypatch.setattr(os, "scandir", scandir)
    found = by_student(collect([folder], course))
    assert not found["Ada"].problem
    assert found["closed"].problem == "The folder closed cannot be read (Permission denied)."
    with pytest.raises(CourseError, match=r"closed cannot be read \(Permission denied\)"):
        collect([folder / "closed"], course)


# Places


def test_what_is_left_out_is_left_out(course, folder, monkeypatch):
    put(folder / "Ada" / NAME)
    put(folder / "results" / "students.ipynb")
    assert names(collect([folder], course, leave_out=(folder / "results",))).keys() == {"Ada"}
    monkeypatch.chdir(folder)
    assert names(collect(["."], course, leave_out=(Path("results"),))).keys() == {"Ada"}


@pytest.mark.parametrize("name", ["nowhere", "text.txt", f"nowhere{'x' * 300}"])
def test_places_that_hold_nothing_are_one_sentence(course, folder, name):
    put(folder / "text.txt")
    with pytest.raises(CourseError, match=r"There is no .*nowhere|text\.txt is neither"):
        collect([folder / name], course)
    with pytest.raises(CourseError, match=r"No notebook was found in .*submissions: one folder"):
        collect([folder], course)
    put(folder.parent / "Ada.ipynb")
    with pytest.raises(CourseError, match=r"No notebook was found in .*submissions: one folder"):
        collect([folder.parent / "Ada.ipynb", folder], course)
