"""There is always a text to learn from, and its title says which."""

import builtins
import dataclasses
import hashlib
import sys

import pytest

from bigmodel_edu.data import DOWNLOADS, DataFileError, load_python_topics, load_writing

PLAY = "First Citizen:\nBefore we proceed, hear me.\n"


@pytest.fixture
def shakespeare(cache, monkeypatch):
    """A short Tiny Shakespeare in the cache."""
    download = DOWNLOADS["tiny-shakespeare"]
    content = PLAY.encode()
    file = dataclasses.replace(
        download.files[0], size=len(content), sha256=hashlib.sha256(content).hexdigest()
    )
    monkeypatch.setitem(DOWNLOADS, "tiny-shakespeare", dataclasses.replace(download, files=(file,)))
    (cache / "text").mkdir(parents=True)
    (cache / file.path).write_text(PLAY, encoding="utf-8", newline="\n")
    return cache / file.path


def test_topics_are_the_language_reference():
    text = load_python_topics()
    assert 300_000 < len(text) < 800_000
    assert text.startswith('The "assert" statement\n')
    assert "Operator precedence\n" in text
    assert text == load_python_topics()


def test_topics_are_normalised():
    text = load_python_topics()
    assert "\r" not in text
    assert "\t" not in text
    assert "\n\n\n" not in text
    assert not any(line.endswith(" ") for line in text.splitlines())
    assert text.endswith("\n")
    assert len(set(text)) < 130


def test_topics_do_not_hang_on_the_order_of_the_module(monkeypatch):
    from pydoc_data import topics

    monkeypatch.setattr(topics, "topics", {"b": "B \r\n\r\n\r\n\r\n\tx", "a": "\nA\n"})
    assert load_python_topics() == "A\n\nB\n\n    x\n"


def test_without_the_module(monkeypatch):
    def refuse(name, *args, **kwargs):
        if name.startswith("pydoc_data"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    real = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(DataFileError, match=r"lacks its module pydoc_data\.topics"):
        load_python_topics()


def test_shakespeare_where_it_is_here(shakespeare):
    assert load_writing() == (PLAY, "Tiny Shakespeare")


def test_topics_where_it_is_not(cache):
    text, title = load_writing()
    assert text == load_python_topics()
    assert title == f"the help topics of Python {sys.version_info.major}.{sys.version_info.minor}"
    assert not cache.exists(), "nothing may be downloaded"


def test_topics_where_the_mirror_lacks_it(shakespeare, tmp_path, monkeypatch):
    monkeypatch.setenv("BIGMODEL_DATA_MIRROR", str(tmp_path / "empty"))
    assert load_writing().title.startswith("the help topics")


def test_damaged_shakespeare_is_not_passed_over(shakespeare):
    shakespeare.write_text(PLAY[:-1], encoding="utf-8", newline="\n")
    with pytest.raises(DataFileError, match="is damaged"):
        load_writing()
