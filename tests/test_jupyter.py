"""`bigmodel lab`: which book it finds, and that all that it writes stays in the book's folder."""

import builtins
import json
import os
import sys
from pathlib import Path

import pytest

from bigmodel_edu import jupyter


@pytest.fixture
def book(tmp_path: Path) -> Path:
    (tmp_path / "book" / "chapters").mkdir(parents=True)
    (tmp_path / "book" / jupyter.FIRST_PAGE).touch()
    return tmp_path / "book"


def test_the_first_folder_that_holds_the_first_page_is_the_book(book: Path, tmp_path: Path):
    assert jupyter.find_book([tmp_path, book / "chapters", book]) == book.resolve()


def test_no_book_is_one_sentence(tmp_path: Path):
    with pytest.raises(jupyter.BookNotFound, match=r"holds chapters/00_start_here\.md; change to"):
        jupyter.find_book([tmp_path])


def test_everything_that_jupyter_writes_is_in_the_books_folder(book: Path):
    variables = jupyter.environment(book)
    written = {name: value for name, value in variables.items() if name != "JUPYTER_CONFIG_PATH"}
    assert all(Path(value).is_relative_to(book / ".bigmodel") for value in written.values())


def test_the_books_kernel_comes_before_the_readers(book: Path):
    first, second = jupyter.environment(book, "theirs")["JUPYTER_PATH"].split(os.pathsep)
    assert Path(first).is_relative_to(book)
    assert second == "theirs"


def test_markdown_opens_as_a_notebook_and_no_news_are_fetched(book: Path):
    folder = Path(jupyter.environment(book)["JUPYTER_CONFIG_PATH"], "labconfig")
    text = (folder / "default_setting_overrides.json").read_text(encoding="utf-8")
    settings = json.loads(text)
    viewers = settings["@jupyterlab/docmanager-extension:plugin"]["defaultViewers"]
    assert viewers == {"markdown": "Jupytext Notebook"}
    notification = settings["@jupyterlab/apputils-extension:notification"]
    assert notification == {"checkForUpdates": False, "fetchNews": "false"}


def test_the_readers_arguments_come_last(book: Path):
    assert jupyter.arguments(book, ["--no-browser"])[-1] == "--no-browser"
    assert f"--ServerApp.root_dir={book}" in jupyter.arguments(book)


def test_the_kernel_is_this_interpreter_at_the_first_start_and_at_the_second(
    book: Path, monkeypatch: pytest.MonkeyPatch
):
    started = []
    monkeypatch.chdir(book)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr("jupyterlab.labapp.main", started.append)
    assert jupyter.main(["--no-browser"]) == 0
    assert jupyter.main(["--no-browser"]) == 0
    assert started == [jupyter.arguments(book.resolve(), ["--no-browser"])] * 2
    kernel = book / ".bigmodel" / "jupyter" / "share" / "kernels" / "python3" / "kernel.json"
    assert json.loads(kernel.read_text(encoding="utf-8"))["argv"][0] == sys.executable


def test_missing_jupyterlab_is_one_sentence(book: Path, monkeypatch: pytest.MonkeyPatch):
    load = builtins.__import__

    def without_jupyterlab(name, *args):
        if name == "jupyterlab":
            raise ImportError("No module named 'jupyterlab'")
        return load(name, *args)

    monkeypatch.chdir(book)
    monkeypatch.setattr(builtins, "__import__", without_jupyterlab)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with pytest.raises(jupyter.JupyterLabMissing, match="install the book with `make lab`"):
        jupyter.main([])
