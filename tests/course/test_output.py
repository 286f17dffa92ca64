"""Texts that harm nobody, numbers as people write them, files that are whole."""

from pathlib import Path

import pytest

from bigmodel_edu.course import output
from bigmodel_edu.course.output import OutputError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Žofie Müller\t李\nليلى 😀", "Žofie Müller\t李\nليلى 😀"),
        ("a\r\nb", "a\nb"),
        ("a\rb", r"a\rb"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x00\x7f\x9b", r"\x00\x7f\x9b"),
        ("ana\u202egnp.exe\u2066", r"ana\u202egnp.exe\u2066"),
        ("\ud800\udcff\ufffe\uffff", r"\ud800\udcff\ufffe\uffff"),
        ("\u2028\u2029", r"\u2028\u2029"),
    ],
)
def test_what_no_reader_should_meet_is_written_as_an_escape(text, expected):
    assert output.legible(text) == expected


def test_honest_texts_of_every_script_stay_as_they_are():
    # Persian and emoji need joiners; Hebrew beside Latin may need a mark of direction
    text = "می\u200cخواهم 👩\u200d🔬 שלום\u200e e\u0301"
    assert output.legible(text) == text


def test_each_text_of_a_grade_is_made_legible(hostile_grade):
    grade = output.legible_grade(hostile_grade)
    text = output.legible(hostile_grade.student)
    assert grade.student == grade.notebook == grade.message == grade.confinement == text
    assert grade.details == ((text, text),)
    assert grade.flags == (text,)
    assert grade.points == hostile_grade.points


def test_a_text_that_is_cut_says_how_much_is_missing():
    assert output.shortened("abc", 3) == "abc"
    assert output.shortened("a" * 2003, 3) == "aaa… (2,000 more characters)"


def test_numbers_without_dust():
    assert output.number(0.1 + 0.2) == 0.3
    assert repr(output.number(2.0)) == "2"
    assert output.in_words(2.0) == "2"
    assert output.in_words(14.5) == "14.5"
    assert output.in_words(2 / 3) == "0.67"
    assert output.in_words(100) == "100"
    assert output.in_words(0) == "0"


def test_a_file_comes_with_its_folder(tmp_path):
    path = output.write(tmp_path / "a" / "b.txt", "text\n")
    assert path.read_text(encoding="utf-8") == "text\n"


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "grades.csv"
    path.write_text("old", encoding="utf-8")

    def fills_the_disk(self, text, **options):
        self.write_bytes(text[:2].encode())
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", fills_the_disk)
    with pytest.raises(OutputError, match=r"grades\.csv cannot be written \(No space left"):
        output.write(path, "new and long")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "out").write_text("in the way", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be written"):
        output.write(tmp_path / "out" / "grades.csv", "")
