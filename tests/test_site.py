"""The web edition's sources, what checks the built site, and the glossary page."""

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
import yaml

from bigmodel_edu.catalogue import CHAPTERS, written_chapters
from bigmodel_edu.labs.notebooks import Executed

ROOT = Path(__file__).parents[1]
SITE = ROOT / "site"
CONTENTS = yaml.safe_load((SITE / "toc.yml").read_text(encoding="utf-8"))
PAGES = [chapter["file"] for part in CONTENTS["parts"] for chapter in part["chapters"]]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COVER = (SITE / "cover.md").read_text(encoding="utf-8")


def load(path: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_every_notebook_is_in_the_table_of_contents():
    notebooks = [
        path for folder in ("chapters", "solutions") for path in (ROOT / folder).glob("*.md")
    ]
    assert {path.relative_to(ROOT).with_suffix("").as_posix() for path in notebooks} <= set(PAGES)


@pytest.mark.parametrize("page", [CONTENTS["root"], *PAGES])
def test_every_page_of_the_table_of_contents_is_there(page: str):
    assert (ROOT / f"{page}.md").is_file()


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.slug)
def test_the_cover_links_to_a_chapter_exactly_when_it_can_be_read(chapter):
    card = re.search(rf"card\}} {chapter.number} · {chapter.title}\n(.*?)```", COVER, re.DOTALL)
    assert card, f"the cover has no card '{chapter.number} · {chapter.title}'"
    if f"chapters/{chapter.notebook}" in PAGES:
        assert f":link: /chapters/{chapter.notebook}\n" in card[1]
        assert "`ready`" in card[1]
    else:
        assert ":link:" not in card[1]
        assert "`planned`" in card[1]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.slug)
def test_the_readme_says_which_chapters_can_be_read(chapter):
    rows = [line for line in README.splitlines() if line.startswith(f"| {chapter.number} | ")]
    link = f"[{chapter.title}](chapters/{chapter.notebook}.md): "
    begins, state = (link, "ready") if chapter.is_written else (f"{chapter.title} |", "planned")
    (row,) = (row for row in rows if "ready" in row or "planned" in row)
    assert row.startswith(f"| {chapter.number} | {begins}")
    assert row.endswith(f" | {state} |")


@pytest.mark.parametrize("folder", ["chapters", "solutions"])
def test_the_table_of_contents_lists_the_written_chapters_in_the_books_order(folder):
    written = [f"{folder}/{chapter.notebook}" for chapter in written_chapters()]
    assert [page for page in PAGES if re.match(rf"{folder}/(?!00)", page)] == written


def test_the_book_and_the_package_name_the_same_repository():
    book = yaml.safe_load((ROOT / "book.yml").read_text(encoding="utf-8"))
    package = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert package["urls"]["Repository"] == book["repository"]["url"]
    assert f"git clone {book['repository']['url']}\n" in COVER


@pytest.fixture
def check_site() -> ModuleType:
    return load("scripts/check_site.py")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "style.css").write_text("body { color: black }", encoding="utf-8")
    page = '<link rel="stylesheet" href="style.css"><h1 id="top-of-it"></h1>'
    page += '<a href="https://example.org">elsewhere</a> <a href="#top-of-it">here</a>'
    (tmp_path / "index.html").write_text(page, encoding="utf-8")
    return tmp_path


def test_a_site_that_stands_alone_has_no_problems(site: Path, check_site: ModuleType, capsys):
    assert check_site.main([str(site)]) == 0
    assert "loads nothing from outside" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("html", "problem"),
    [
        ('<script src="https://example.org/a.js">', "loads https://example.org/a.js"),
        ('<link rel="icon" href="//example.org/a.ico">', "loads //example.org/a.ico"),
        ('<img src="http://example.org/a.png">', "loads http://example.org/a.png"),
        ("<style>@import 'https://example.org/a.css'</style>", "loads https://example.org/a.css"),
        ('<p style="background: url(//example.org/a)">', "loads //example.org/a"),
        ('<script>load("https://example.org/a.js")</script>', "loads https://example.org/a.js"),
        ('<a href="nowhere.html">', "links to nowhere.html, which is not there"),
        ('<a href="index.html#nowhere">', "links to index.html#nowhere, which is not there"),
        ('<img src="nowhere.png">', "links to nowhere.png, which is not there"),
    ],
)
def test_what_is_loaded_from_outside_or_leads_nowhere_is_found(
    site: Path, check_site: ModuleType, html: str, problem: str, capsys
):
    (site / "page.html").write_text(html, encoding="utf-8")
    assert check_site.problems(site) == [f"page.html {problem}"]
    assert check_site.main([str(site)]) == 1
    assert problem in capsys.readouterr().err


def test_fonts_that_a_style_loads_from_outside_are_found(site: Path, check_site: ModuleType):
    (site / "style.css").write_text("src: url('https://example.org/a.woff2')", encoding="utf-8")
    assert check_site.problems(site) == ["style.css loads https://example.org/a.woff2"]


def test_a_site_without_a_page_is_a_problem(tmp_path: Path, check_site: ModuleType):
    assert check_site.problems(tmp_path) == [
        f"There is no page in {tmp_path}: build the site with `make book`."
    ]


def test_the_glossary_of_a_chapter_is_the_table_after_its_heading():
    pytest.importorskip("sphinx", reason="Sphinx comes with `make book`")
    chapter = """
| no | such | term |
|---|---|---|
| a | b | c |

## Glossary · 术语表

The terms of this chapter.

| English | 中文 | Meaning |
|:--|:--|---|
| softmax | 归一化指数函数 | maps $\\mathbb{R}^K$ to probabilities |
| logit | 对数几率 | a score before softmax |

## Next

| not | a | term |
"""
    terms = load("site/_ext/book_pages.py").terms
    assert terms(chapter) == [
        ("softmax", "归一化指数函数", "maps $\\mathbb{R}^K$ to probabilities"),
        ("logit", "对数几率", "a score before softmax"),
    ]
    assert terms("# A chapter without one") == []


def test_a_page_shows_what_is_stored_beside_it_or_was_executed(tmp_path: Path, monkeypatch):
    pytest.importorskip("sphinx", reason="Sphinx comes with `make book`")
    pages = load("site/_ext/book_pages.py")

    def notebook(source: str, *outputs: str):
        shown = [nbformat.v4.new_output("stream", text=text) for text in outputs]
        cell = nbformat.v4.new_code_cell(source, outputs=shown)
        return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Page"), cell])

    def shown(source: str) -> str:
        return pages.with_outputs(notebook(source), tmp_path / "page.md").cells[1].outputs[0].text

    now = Executed(notebook("2", "executed"), {})
    monkeypatch.setattr(pages, "kept_or_run", lambda path: now)
    assert shown("2") == "executed"
    nbformat.write(notebook("1", "stored"), tmp_path / "page.ipynb")
    assert shown("1") == "stored"
    assert shown("2") == "executed"  # what is stored is of another text
