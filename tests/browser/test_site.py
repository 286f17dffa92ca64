"""The built site in a browser: complete without a network, and no wider than a phone."""

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from bigmodel_edu.catalogue import written_chapters

SITE = Path(__file__).parents[2] / "_build" / "html"
PAGES = sorted(
    path.relative_to(SITE).as_posix()
    for path in SITE.rglob("*.html")
    if not {"_static", "_sources"} & set(path.parts)
)
WIDTHS = {"wide": 1400, "phone": 390}

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not PAGES, reason="the site is not built (make book)"),
]


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    handler = functools.partial(QuietHandler, directory=SITE)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def complaints(page: Page, address: str) -> list[str]:
    """Collect what goes wrong while pages are shown; requests to other servers are refused."""
    found = []
    page.on("pageerror", lambda error: found.append(f"error: {error}"))
    page.on("response", lambda r: found.append(f"{r.status}: {r.url}") if r.status >= 400 else None)
    page.route(
        lambda url: not url.startswith((address, "data:", "blob:")),
        lambda route: (found.append(f"outside: {route.request.url}"), route.abort()),
    )
    return found


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_every_page_is_complete_and_fits(browser: Browser, address: str, width: int):
    page = browser.new_page(viewport={"width": width, "height": 900})
    found = complaints(page, address)
    for name in PAGES:
        page.goto(f"{address}/{name}", wait_until="networkidle")
        formulas = page.locator(".bd-article .math").count()
        page.wait_for_function(
            "n => document.querySelectorAll('.bd-article mjx-container').length >= n", arg=formulas
        )
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            found.append(f"{name} scrolls sideways")
    page.close()
    assert found == []


@pytest.mark.parametrize("chapter", written_chapters(), ids=lambda chapter: chapter.slug)
def test_a_chapter_has_its_number_in_the_book(browser: Browser, address: str, chapter):
    page = browser.new_page()
    page.goto(f"{address}/chapters/{chapter.notebook}.html")
    title = f"{chapter.number}. {chapter.title}"
    assert page.locator(".bd-article h1").inner_text().startswith(title)
    assert page.locator(".bd-sidebar-primary .current.active").last.inner_text() == title
    numbers = page.locator(".bd-article .exercise > .admonition-title .caption-number")
    assert {n.strip().split(".")[0] for n in numbers.all_inner_texts()} == {
        f"Exercise {chapter.number}"
    }
    page.close()


def test_search_finds_a_term_of_the_book(browser: Browser, address: str):
    page = browser.new_page()
    found = complaints(page, address)
    page.goto(f"{address}/search.html?q=softmax")
    page.locator("#search-results li a").first.wait_for(timeout=20_000)
    page.close()
    assert found == []
