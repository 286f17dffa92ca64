"""The pages of a graded course in a browser: they fit, stay alone, and run nothing."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from bigmodel_edu.course import pages
from bigmodel_edu.course.grades import PARTLY, STOPPED, Grade
from bigmodel_edu.course.settings import Course, new_course

pytestmark = pytest.mark.browser

TEXTS = (
    "Ada Lovelace",
    "<script>document.title = 'taken'; alert(1)</script>",
    "<img src=http://localhost/x onerror=alert(1)>",
    "n" * 10_000,
    "zalgo" + "\u0300\u0301" * 200,
    "word " * 300,
)
WIDTHS = {"wide": 1280, "phone": 390}


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Course:
    return new_course(tmp_path_factory.mktemp("course"), 1)


@pytest.fixture(scope="module")
def written(course: Course, tmp_path_factory) -> list[Path]:
    """The pages of a class with each of the texts as name, message and detail."""
    grades = [
        Grade(
            student=f"{text} {i}",
            exercise=exercise.name,
            title=exercise.title,
            notebook=text,
            digest="5e" * 32,
            points=0.25,
            of=course.points[exercise.name],
            status=STOPPED if i % 2 else PARTLY,
            cases_passed=1,
            cases=4,
            message=text,
            details=(("yours", text),),
            mistake=f"known: {text}",
            flags=("late",),
            confinement="Landlock",
        )
        for i, text in enumerate(TEXTS * 5)
        for exercise in course.exercises
    ]
    return pages.write_pages(course, grades, tmp_path_factory.mktemp("pages"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_every_page_fits_and_runs_nothing(
    browser: Browser, written: list[Path], width: int, scheme: str
):
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    found = []
    page.on("console", lambda message: found.append(message.text))
    page.on("dialog", lambda dialog: (found.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda r: r.url.startswith(("file:", "data:")) or found.append(r.url))
    for path in written[: 1 + len(TEXTS)]:
        page.goto(path.as_uri())
        assert page.title() != "taken"
        too_wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(too_wide) == 0, path.name
    page.close()
    assert found == []


def test_what_slipped_through_would_not_act(browser: Browser, written: list[Path], tmp_path: Path):
    source = written[1].read_text(encoding="utf-8")
    evil = "<script>document.title = 'taken'</script><img src='http://localhost/x' onerror='a()'>"
    path = tmp_path / "evil.html"
    path.write_text(source.replace("<main>", f"<main>{evil}"), encoding="utf-8")
    page = browser.new_page()
    found = []
    page.on("console", lambda message: found.append(message.text))
    page.goto(path.as_uri())
    assert page.title() != "taken"
    assert len([text for text in found if "Content Security Policy" in text]) == 3
    page.close()


def test_names_and_titles_stay_while_the_table_scrolls(browser: Browser, written: list[Path]):
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.goto(written[0].as_uri())
    corner = page.locator("thead .who")
    before = corner.bounding_box()
    moved = page.locator(".scroll").evaluate(
        "e => { e.scrollTo(150, 300); return [e.scrollLeft, e.scrollTop] }"
    )
    assert moved == [150, 300]
    assert corner.bounding_box() == before
    page.close()
