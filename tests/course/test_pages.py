"""The pages say what happened, to everybody, and no text in them is more than text."""

import random
import re
import time
import tracemalloc
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bigmodel_edu import plotting
from bigmodel_edu.course import grades as statuses
from bigmodel_edu.course import pages
from bigmodel_edu.course.output import OutputError, legible, shortened

STYLE = (Path(pages.__file__).parent / "templates" / "style.css").read_text(encoding="utf-8")
VOID = {"meta", "link"}
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


class Page(HTMLParser):
    """Every tag of a page with its attributes, and the text inside of each."""

    def __init__(self, path):
        super().__init__(convert_charrefs=True)
        self.tags, self.text = [], ""
        self._open = []
        self.feed(path.read_bytes().decode("utf-8"))
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attributes):
        entry = {"tag": tag, "text": "", **dict(attributes)}
        self.tags.append(entry)
        if tag not in VOID:
            self._open.append(entry)

    def handle_endtag(self, tag):
        assert self._open.pop()["tag"] == tag

    def handle_data(self, data):
        for entry in self._open:
            entry["text"] += data
        if self._open and self._open[-1]["tag"] != "style":
            self.text += data

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")

    def all(self, tag, css_class=None):
        """The tags of a kind, or those of a class."""
        return [
            entry
            for entry in self.tags
            if entry["tag"] == tag
            and (css_class is None or css_class in (entry.get("class") or "").split())
        ]

    def one(self, tag, css_class=None):
        (entry,) = self.all(tag, css_class)
        return entry


@pytest.fixture
def written(course, tmp_path):
    """Return `written(grades)`: the page of the class, and those of the students."""

    def written(grades, folder="out"):
        index, *students = pages.write_pages(course, grades, tmp_path / folder)
        assert index == tmp_path / folder / "index.html"
        return Page(index), [Page(path) for path in students]

    return written


def words(text):
    return " ".join(text.split())


# A student's page


@pytest.fixture
def wrong(graded, course):
    """A grade with something to say in each place."""
    return replace(
        graded(1)[0],
        student="Ada Lovelace",
        notebook="ada.ipynb",
        points=0.6666,
        of=2,
        status=statuses.PARTLY,
        cases_passed=1,
        cases=3,
        message="The value is wrong in `row 2`.",
        mistake="You forgot the `keepdims`.",
        details=(("worst", "[2, 3]: yours 1 < 2"),),
        flags=("late: 3 hours", "strange"),
    )


def test_a_student_reads_what_happened(course, wrong, written):
    _, (page,) = written([wrong])
    assert page.one("h1")["text"] == "Ada Lovelace"
    assert page.one("title")["text"] == f"Ada Lovelace · {course.title}"
    assert page.one("p", "course")["text"] == course.title
    assert page.one("p", "total")["text"] == "0.67 of 23 points"
    card = page.one("section")
    assert page.one("h2")["text"] == wrong.title
    assert page.one("p", "worth")["text"] == "0.67 of 2 points"
    assert words(page.one("p", "status")["text"]) == "◐ partly right, 1 of 3 cases right"
    assert "You forgot the keepdims." in page.one("div", "mistake")["text"]
    assert page.one("p", "message")["text"] == "The value is wrong in row 2."
    assert [code["text"] for code in page.all("code")][:2] == ["keepdims", "row 2"]
    assert page.one("dt")["text"] == "worst"
    assert page.one("dd")["text"] == "[2, 3]: yours 1 < 2"
    assert "partly-right" in card["class"]
    assert "late: 3 hours: handed in after the deadline" in page.one("ul", "flags")["text"]
    assert wrong.digest in page.text
    assert "ada.ipynb" in page.text
    assert "at most 10 seconds and in at most 1000 MB" in page.text


def test_a_mistake_that_is_the_message_is_said_once(wrong, written):
    _, (page,) = written([replace(wrong, message=wrong.mistake)])
    assert page.text.count("You forgot") == 1


@pytest.mark.parametrize("status", statuses.STATUSES)
def test_no_status_is_told_by_colour_alone(graded, written, status):
    grade = replace(graded(1)[0], status=status)
    index, (page,) = written([grade])
    told = words(page.one("p", "status")["text"])
    assert told.startswith(f"{pages.SYMBOLS[status]} {status}")
    cell = index.one("td", pages._css_class(status))
    assert (
        words(cell["text"]) == f"{pages.SYMBOLS[status]} {pages.in_words(grade.points)}, {status}"
    )
    assert len(set(pages.SYMBOLS.values())) == len(statuses.STATUSES)


def test_a_flag_of_one_exercise_stands_there(graded, written):
    grades = [replace(grade, flags=("late",)) for grade in graded(1)]
    grades[3] = replace(grades[3], flags=("late", "ended the grader twice"))
    _, (page,) = written(grades)
    header, card = page.one("header"), page.all("section")[3]
    assert "late" in header["text"]
    assert "twice" not in header["text"]
    assert "twice" in card["text"]
    assert page.text.count("handed in after the deadline") == 1


def test_a_student_reads_of_nobody_else(graded, written):
    grades = graded(5)
    _, found = written(grades)
    names = sorted({grade.student for grade in grades})
    for page in found:
        own = page.one("h1")["text"]
        assert not [name for name in names if name in page.text and name != own]
        assert not page.all("a")


def test_a_page_of_thirty_megabytes_is_not_written(course, wrong, tmp_path):
    flood = "x" * 1_000_000
    grade = replace(wrong, message=flood, mistake=flood, details=((flood, flood),), flags=(flood,))
    sizes = [path.stat().st_size for path in pages.write_pages(course, [grade], tmp_path)]
    assert max(sizes) < 50_000
    assert "(996,000 more characters)" in Page(next(tmp_path.glob("students/*"))).text


# The page of the class


def test_the_class_at_a_glance(course, graded, written):
    grades = graded(30)
    page, _ = written(grades)
    assert page.one("h1")["text"] == course.title
    numbers = [dd["text"] for dd in page.all("dd")[:3]]
    totals = {}
    for grade in grades:
        totals[grade.student] = totals.get(grade.student, 0) + grade.points
    ordered = sorted(totals.values())
    median = (ordered[14] + ordered[15]) / 2
    assert numbers == ["30", pages.in_words(median), pages.in_words(sum(ordered) / 30)]
    headings = [h2["text"] for h2 in page.all("h2")]
    assert headings[0] == f"Half of the class has {pages.in_words(median)} of 23 points or more"
    assert sum(int(span["text"] or 0) for span in page.all("span", "count")) == 30
    passed = dict.fromkeys(course.points, 0)
    for grade in grades:
        passed[grade.exercise] += grade.status == statuses.PASSED
    hardest = min(passed, key=passed.get)
    title = next(e.title for e in course.exercises if e.name == hardest)
    assert headings[1] == f"Hardest: “{title}”, passed by {passed[hardest]} of 30"
    for bar, name in zip(page.all("span", "bar"), course.points, strict=True):
        assert bar["aria-label"].startswith(f"{passed[name]} passed")
        counts = [int(n) for n in re.findall(r"(\d+) ", bar["aria-label"])]
        assert sum(counts) == 30


def test_the_commonest_mistakes_are_counted(course, graded, written):
    grades = [replace(grade, mistake="") for grade in graded(3)]
    softmax = [i for i, grade in enumerate(grades) if grade.exercise.endswith("softmax")]
    for i in softmax[:2]:
        grades[i] = replace(grades[i], mistake="You subtracted no maximum.")
    page, _ = written(grades)
    title = course.exercises[1].title
    assert page.all("h2")[2]["text"] == f"Commonest: 2 of 3 made the same mistake in “{title}”"
    assert words(page.one("ol", "mistakes")["text"]) == (
        f"{title}You subtracted no maximum. 2 students"
    )


def test_a_mistake_of_one_student_is_not_common(graded, written):
    grades = [replace(grade, mistake="") for grade in graded(3)]
    grades[0] = replace(grades[0], mistake="You subtracted no maximum.")
    assert written(grades)[0].all("h2")[2]["text"] == "No two made the same mistake"


def test_every_student_is_linked_with_points_and_flags(course, graded, tmp_path):
    grades = graded(30)
    index, *paths = pages.write_pages(course, grades, tmp_path)
    page = Page(index)
    rows = page.all("tr")[1:]
    assert len(rows) == len(paths) == 30
    for path, row in zip(paths, rows, strict=True):
        student = Page(path)
        total = student.one("p", "total")["text"].split()[0]
        assert student.one("h1")["text"] in row["text"]
        assert f"\n{total}\n" in row["text"]
    linked = {a["href"] for a in page.all("a") if a["href"].startswith("students/")}
    assert {tmp_path / href for href in linked} == set(paths)
    assert all(path.is_file() for path in paths)


def test_what_to_look_at(graded, written):
    grades = [replace(grade, status=statuses.PASSED, flags=()) for grade in graded(3)]
    assert "Nothing that you would have to look at" in written(grades)[0].text
    grades[0] = replace(grades[0], status=statuses.STOPPED, flags=("two notebooks",))
    page, _ = written(grades)
    told = words(page.one("dl", "flagged")["text"])
    assert told.count(grades[0].student) == 2
    assert "⚑ stopped (1)" in told
    assert "⚑ two notebooks (1) more than one notebook was handed in" in told


def test_how_it_was_graded(graded, written):
    grade = graded(1)[0]
    page, _ = written([grade])
    assert "10 seconds, 1000 MB of memory, 16 MB of answers" in page.text
    assert "Landlock 4, seccomp, resource limits" in page.text
    assert not page.all("p", "warning")
    unconfined = replace(grade, confinement="NOT CONFINED: only time and memory are limited")
    assert written([unconfined])[0].one("p", "warning")["text"].startswith("Not confined.")


# Every class


def test_a_class_of_nobody(written):
    page, students = written([])
    assert students == []
    assert "Nothing has been graded yet." in page.text
    assert not page.all("table")


def test_a_class_of_one(graded, written):
    page, (student,) = written(graded(1))
    total = student.one("p", "total")["text"]
    assert page.all("h2")[0]["text"] == f"The one submission has {total}"
    assert "1 student and 12 exercises" in page.text


def test_a_class_of_which_all_was_stopped(graded, written):
    grades = [replace(g, status=statuses.STOPPED, points=0, mistake="") for g in graded(4)]
    page, _ = written(grades)
    headings = [h2["text"] for h2 in page.all("h2")]
    assert headings[0] == "Half of the class has 0 of 23 points or more"
    assert headings[1] == "Hardest: “One neuron”, passed by 0 of 4"
    assert headings[2] == "No known mistake was recognised"
    assert {bar["aria-label"] for bar in page.all("span", "bar")} == {"4 stopped"}


def test_a_class_that_passed_everything(graded, written):
    grades = [replace(g, status=statuses.PASSED, points=g.of, mistake="") for g in graded(4)]
    headings = [h2["text"] for h2 in written(grades)[0].all("h2")]
    assert headings[:2] == [
        "Half of the class has 23 of 23 points or more",
        "Every exercise was passed by all 4",
    ]


def test_an_exercise_that_was_not_graded_is_no_zero(graded, written):
    page, _ = written(graded(1)[:1])
    cells = [words(td["text"]) for td in page.all("td")]
    assert cells[1:12] == ["not graded"] * 11


# Hostile texts


def test_no_text_is_more_than_text(hostile_grade, written):
    """All tags and attributes are those of a page with a harmless text in the same places."""
    text = "harmless" if hostile_grade.student else ""
    harmless = replace(
        hostile_grade,
        **dict.fromkeys(("student", "notebook", "message", "confinement"), text),
        mistake=f"known: {text}",
        details=((text, text),),
        flags=(text,),
    )
    expected, found = written([harmless], "harmless"), written([hostile_grade], "hostile")
    assert skeleton(found[0]) == skeleton(expected[0])
    assert skeleton(found[1][0]) == skeleton(expected[1][0])


def skeleton(page):
    """The tags of a page and their attributes, without the addresses of students."""
    tags = [{k: v for k, v in entry.items() if k != "text"} for entry in page.tags]
    for attributes in tags:
        if attributes.get("href", "").startswith("students/"):
            assert re.fullmatch(r"students/[a-z0-9-]+\.html", attributes.pop("href"))
    return tags


def test_names_and_messages_are_read_as_they_are(hostile_grade, written):
    index, (page,) = written([hostile_grade])
    text = legible(hostile_grade.student)
    name = shortened(text, 80) if text.strip() else "(no name)"
    assert page.one("h1")["text"] == name
    assert page.one("title")["text"].startswith(name)
    assert name in [th["text"] for th in index.all("th", "who")]
    assert page.one("dd")["text"] == shortened(text, 4_000)
    assert [p["text"] for p in page.all("p", "message")] == [shortened(text, 4_000)] * bool(text)


def test_every_page_lies_in_the_folder_under_a_name_of_its_own(course, hostile_class, tmp_path):
    folder = tmp_path / "out"
    paths = pages.write_pages(course, hostile_class, folder)
    assert len(paths) == 1 + len(hostile_class)
    assert sorted(paths) == sorted(p for p in folder.rglob("*") if p.is_file())
    assert len({str(path).casefold() for path in paths}) == len(paths)
    for path in paths[1:]:
        assert path.parent == folder / "students"
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,60}-[0-9a-f]{16}\.html", path.name)
    assert {p.name for p in tmp_path.iterdir()} == {"out", "course"}


def test_a_name_keeps_its_page_whoever_else_is_in_the_class(course, graded, tmp_path):
    grades = graded(3)
    alone = pages.write_pages(course, grades[-1:], tmp_path / "alone")[1]
    names = {path.name for path in pages.write_pages(course, grades, tmp_path / "all")}
    assert alone.name in names


def test_no_page_asks_the_network_or_runs_anything(hostile_class, graded, written):
    index, students = written(hostile_class + graded(2))
    for page in (index, *students):
        assert not {e["tag"] for e in page.tags} & {"script", "iframe", "img", "object", "form"}
        for entry in page.tags:
            assert not [name for name in entry if name.startswith("on")]
            assert "src" not in entry
            target = entry.get("href", "#")
            assert target == "data:," or target.startswith(("#", "students/"))
    assert not re.search(r"url\(|@import|https?:", STYLE)


def test_the_policy_comes_before_all_that_it_is_about(graded, written):
    index, (page,) = written(graded(1))
    for found in (index, page):
        metas = found.all("meta")
        assert metas[0] == {"tag": "meta", "text": "", "charset": "utf-8"}
        assert metas[1]["http-equiv"] == "Content-Security-Policy"
        assert metas[1]["content"] == POLICY


def test_the_secret_is_on_no_page(course, graded, written):
    index, students = written(graded(3))
    assert not [page for page in (index, *students) if course.secret in page.text]


# For everybody


def test_a_page_can_be_heard(graded, written):
    index, students = written(graded(4))
    for page in (index, *students):
        assert page.one("html")["lang"] == "en"
        assert "width=device-width" in str(page.all("meta"))
        levels = [int(e["tag"][1]) for e in page.tags if re.fullmatch(r"h\d", e["tag"])]
        assert levels == [1, *[2] * (len(levels) - 1)]
        ids = [e["id"] for e in page.tags if "id" in e]
        assert len(ids) == len(set(ids))
        assert {e["aria-labelledby"] for e in page.tags if "aria-labelledby" in e} <= set(ids)
        assert all(e["aria-label"].strip() for e in page.tags if e.get("role") == "img")
    assert {th["scope"] for th in index.all("th")} == {"col", "row"}
    assert {a["href"][1:] for a in index.all("a") if a["href"][0] == "#"} <= {
        e["id"] for e in index.tags if "id" in e
    }


def test_the_histogram_can_be_heard(graded, written):
    index, _ = written(graded(30))
    label = index.one("figure", "histogram")["aria-label"]
    assert sum(int(n) for n in re.findall(r"(\d+) students?\.", label)) == 30


def colours(dark):
    """The colours of the style, by name."""
    light_part, _, rest = STYLE.partition("@media screen and (prefers-color-scheme: dark)")
    found = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", light_part))
    if dark:
        found |= dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", rest.partition("\n}\n")[0]))
    return {name: channels(colour) for name, colour in found.items()}


def channels(colour):
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def contrast(one, other):
    """Contrast ratio, WCAG 2.2."""

    def luminance(colour):
        shares = [c / 255 for c in colour]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def mixed(one, other, share):
    return tuple(share * a + (1 - share) * b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_all_text_is_readable(dark):
    colour = colours(dark)
    for ink in ("ink", "muted", "link"):
        for paper in ("paper", "panel"):
            assert contrast(colour[ink], colour[paper]) >= 4.5, (ink, paper)
    assert contrast(colour["ink"], colour["note"]) >= 4.5
    share = int(re.search(r"transparent\) (\d+)%, transparent", STYLE)[1]) / 100
    for status in map(pages._css_class, statuses.STATUSES):
        assert contrast(colour["on-status"], colour[status]) >= 4.5, status
        assert contrast(colour["ink"], mixed(colour[status], colour["paper"], share)) >= 4.5
    assert contrast(colour["bar"], colour["paper"]) >= 3


def test_statuses_have_the_colours_of_the_book():
    colour = colours(dark=False)
    book = {channels(c) for c in plotting.PALETTE}
    found = [colour[name] for name in ("bar", "passed", "partly-right", "failed", "stopped")]
    assert set(found) <= book
    assert len(set(found)) == 5


# Files


def test_the_same_grades_in_any_order_give_the_same_bytes(course, graded, tmp_path):
    grades = graded(4)
    shuffled = random.Random(2).sample(grades, len(grades))
    one = pages.write_pages(course, grades, tmp_path / "one")
    two = pages.write_pages(course, shuffled, tmp_path / "two")
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two]


def test_a_page_that_cannot_be_written_leaves_the_old_one(course, graded, tmp_path, monkeypatch):
    old = {path: path.read_bytes() for path in pages.write_pages(course, graded(1), tmp_path)}

    def is_open_elsewhere(source, target):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.replace", is_open_elsewhere)
    with pytest.raises(OutputError, match="cannot be written"):
        pages.write_pages(course, graded(2), tmp_path)
    kept = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.suffix in {".html", ".tmp"}}
    assert kept == old


def test_the_class_never_links_to_a_page_that_is_not_there(course, graded, tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "_class_facts", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        pages.write_pages(course, graded(3), tmp_path)
    assert len(list(tmp_path.glob("students/*.html"))) == 3


def test_a_large_class_is_written_in_seconds(course, graded, tmp_path):
    grades = graded(300)
    started = time.process_time()
    paths = pages.write_pages(course, grades, tmp_path)
    assert time.process_time() - started < 5
    assert len(paths) == 301


def test_one_page_at_a_time_is_held_in_memory(course, graded, tmp_path):
    long = "x" * 4_000
    grades = [replace(g, message=long, details=(("a", long),) * 9, mistake="") for g in graded(40)]
    tracemalloc.start()
    paths = pages.write_pages(course, grades, tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    written = sum(path.stat().st_size for path in paths)
    assert written > 15_000_000
    assert peak < written / 3
