"""A chapter in JupyterLab, as a reader meets it: opened by double click, run, and saved."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "chapters").glob("*.md"))
CHAPTERS = [path.name for path in PAGES if path.name != "00_start_here.md"]
TOKEN = "a-reader"
SAMPLE = """\
---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
    format_version: 0.13
kernelspec:
  display_name: Python 3 (ipykernel)
  language: python
  name: python3
---

# A sample

One neuron computes $y = \\sigma(w^\\top x + b)$, and a layer

$$
y_i = \\sigma\\Big(\\sum_{j=1}^{D} W_{ij} x_j + b_i\\Big).
$$ (sample-layer)

```{exercise-start} Add two numbers
:label: sample-add
```

Write `add`, as in {eq}`sample-layer`.

```{exercise-end}
```

```{code-cell} ipython3
---
jupyter:
  source_hidden: true
tags: [hide-input]
---
import sys

print("The interpreter is", sys.executable)
```

:::{dropdown} The answer
Plus.
:::

```{code-cell} ipython3
import matplotlib.pyplot as plt

plt.plot([1, 2, 3]);
```
"""
IS_IN_FRONT = "name => window.jupyterapp?.shell.currentWidget?.context?.path == `chapters/${name}`"
RUN = """
command => {
    window.ran = undefined;
    (async () => {
        const notebook = jupyterapp.shell.currentWidget;
        await notebook.sessionContext.ready;
        const cells = [...notebook.content.model.cells];
        notebook.content.activeCellIndex = cells.findIndex(cell => cell.type == "code");
        await jupyterapp.commands.execute(command);
        const codes = cells.filter(cell => cell.type == "code");
        window.ran = codes.map(cell => cell.executionCount);
    })();
}
"""

CLOSE_ALL = """
async () => {
    [...jupyterapp.shell.widgets("main")].forEach(widget => widget.dispose());  // nothing is asked
    await jupyterapp.serviceManager.sessions.shutdownAll();
}
"""


@dataclass(frozen=True)
class Lab:
    """A running `bigmodel lab`, the copy of the book that it shows, and its reader's home."""

    url: str
    book: Path
    home: Path


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[Lab]:
    book, home = tmp_path_factory.mktemp("book"), tmp_path_factory.mktemp("home")
    shutil.copy(ROOT / "jupytext.toml", book)
    (book / "chapters").mkdir()
    for path in (*PAGES, *(ROOT / "chapters").glob("*.bib")):
        shutil.copy(path, book / "chapters")
    (book / "chapters" / "sample.md").write_text(SAMPLE, encoding="utf-8", newline="\n")
    if not (book / "chapters" / "00_start_here.md").exists():
        shutil.copy(book / "chapters" / "sample.md", book / "chapters" / "00_start_here.md")

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [f"--port={port}", f"--IdentityProvider.token={TOKEN}", "--no-browser"]
    options += ["--ServerApp.port_retries=0", "--LabApp.expose_app_in_browser=True"]
    options += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    bigmodel = shutil.which("bigmodel", path=Path(sys.executable).parent)
    log = (book / "server.log").open("w", encoding="utf-8")
    server = subprocess.Popen(
        [bigmodel, "lab", *options],
        cwd=book,
        env=os.environ | {"HOME": str(home), "USERPROFILE": str(home)},
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(server, f"{url}/api?token={TOKEN}", book / "server.log")
        yield Lab(url, book, home)
    finally:
        server.terminate()
        server.wait(timeout=30)
        log.close()


def wait_for(server: subprocess.Popen, url: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urlopen(url).close()
            return
        except URLError:
            running = server.poll() is None and time.monotonic() < deadline
            assert running, f"bigmodel lab did not start:\n{log.read_text(encoding='utf-8')}"
            time.sleep(0.1)


@pytest.fixture(scope="module")
def workbench(browser: Browser, lab: Lab) -> Iterator[Page]:
    """The page that `bigmodel lab` opens; asking any other server for anything is an error."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    outside = []
    page.route(
        lambda url: not url.startswith((lab.url, "data:", "blob:", lab.url.replace("http", "ws"))),
        lambda route: (outside.append(route.request.url), route.abort()),
    )
    page.goto(f"{lab.url}/lab/tree/chapters/00_start_here.md?token={TOKEN}")
    yield page
    page.close()
    assert outside == []


@pytest.fixture
def page(workbench: Page) -> Iterator[Page]:
    """The workbench, with nothing open and no kernel running when the test is over."""
    yield workbench
    workbench.evaluate(CLOSE_ALL)


def open_by_double_click(page: Page, name: str) -> Locator:
    """Open a file of the folder that the file browser shows; return its notebook."""
    page.locator(".jp-DirListing-item", has_text=name).dblclick(timeout=60_000)
    page.wait_for_function(IS_IN_FRONT, arg=name, timeout=30_000)
    notebook = page.locator(".jp-NotebookPanel:visible")
    expect(notebook.locator(".jp-MarkdownCell .myst").first).to_be_visible(timeout=30_000)
    return notebook


def run(page: Page, command: str) -> list[int | None]:
    """Run one cell or all; return every code cell's execution count."""
    page.evaluate(RUN, command)
    page.wait_for_function("window.ran", timeout=120_000)
    return page.evaluate("window.ran")


def run_all(page: Page) -> list[int | None]:
    return run(page, "notebook:run-all-cells")


def run_first_cell(page: Page) -> int | None:
    return run(page, "notebook:run-cell")[0]


def expect_saved_as_it_was(page: Page, path: Path, before: bytes) -> None:
    written = path.stat().st_mtime_ns
    page.evaluate('jupyterapp.commands.execute("docmanager:save")')
    assert path.stat().st_mtime_ns > written
    assert path.read_bytes() == before


def test_maths_exercises_and_the_kernel_are_the_books(page: Page, lab: Lab):
    notebook = open_by_double_click(page, "sample.md")
    expect(notebook.locator(".myst .katex")).to_have_count(2)
    expect(notebook.locator(".myst aside", has_text="Exercise")).to_contain_text("Add two numbers")
    expect(notebook.locator("details")).to_contain_text("The answer")
    expect(notebook.locator(".jp-MarkdownCell .myst", has_text="{exercise")).to_have_count(0)
    run_all(page)
    expect(notebook).to_contain_text(f"The interpreter is {sys.executable}")


@pytest.mark.parametrize("name", ["sample.md", "00_start_here.md"])
def test_open_run_all_and_save_leaves_a_page_byte_identical(name: str, page: Page, lab: Lab):
    path = lab.book / "chapters" / name
    before = path.read_bytes()
    open_by_double_click(page, name)
    counts = run_all(page)
    assert counts
    assert None not in counts
    expect_saved_as_it_was(page, path, before)
    assert [str(path) for path in lab.home.rglob("*")] == []


# What their other cells do is the same in JupyterLab and under nbval, which runs them all.
@pytest.mark.parametrize("name", CHAPTERS)
def test_open_run_a_cell_and_save_leaves_a_chapter_byte_identical(name: str, page: Page, lab: Lab):
    path = lab.book / "chapters" / name
    before = path.read_bytes()
    open_by_double_click(page, name)
    assert run_first_cell(page) == 1
    expect_saved_as_it_was(page, path, before)
