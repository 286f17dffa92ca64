import json
import multiprocessing
import os
import time

import pytest

from bigmodel_edu.labs import store

NAME = "neural_nets.softmax"


def test_a_pass_is_never_taken_back():
    store.record(NAME, "passed", 2)
    store.record(NAME, "failed", 0)
    expected = store.Record(passed=True, last="failed", points=2, attempts=2)
    assert store.load() == {NAME: expected}


def test_the_file_is_whole_and_nothing_is_left_beside_it(state):
    store.record(NAME, "failed", 0)
    assert [path.name for path in state.iterdir()] == ["progress.json"]
    assert json.loads((state / "progress.json").read_text(encoding="utf-8"))


def test_an_interrupted_write_leaves_the_old_file(state, monkeypatch):
    store.record(NAME, "passed", 2)

    def broken(*paths):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", broken)
    store.record(NAME, "failed", 0)
    assert store.load()[NAME].attempts == 1
    assert [path.name for path in state.iterdir()] == ["progress.json"]


BROKEN = [
    "{",
    "",
    "[]",
    "null",
    "{}",
    '{"exercises": []}',
    '{"exercises": {"a.b": 3}}',
    '{"exercises": {"a.b": {"attempts": "many"}}}',
    '{"exercises": {"a.b": {"passed": 1}}}',
    b"\xff\xfe\x00",
]


@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_file_is_set_aside_and_kept(state, capsys, content):
    content = content if isinstance(content, bytes) else content.encode()
    state.mkdir()
    (state / "progress.json").write_bytes(content)
    store.record(NAME, "passed", 2)
    printed = capsys.readouterr().out
    assert printed == (
        f"Your progress file was damaged: it is kept as {state / 'progress.broken-1.json'}, "
        "and a new one begins.\n"
    )
    assert (state / "progress.broken-1.json").read_bytes() == content
    assert store.load()[NAME].passed


def test_broken_files_are_numbered(state):
    state.mkdir()
    for content in "{[":
        (state / "progress.json").write_text(content, encoding="utf-8")
        assert store.load() == {}
    assert (state / "progress.broken-1.json").read_text(encoding="utf-8") == "{"
    assert (state / "progress.broken-2.json").read_text(encoding="utf-8") == "["


def test_fields_of_a_later_edition_are_ignored(state):
    state.mkdir()
    text = json.dumps({"exercises": {NAME: {"passed": True, "mood": "fine"}}})
    (state / "progress.json").write_text(text, encoding="utf-8")
    assert store.load() == {NAME: store.Record(passed=True)}


def test_a_folder_that_cannot_be_made_costs_one_sentence(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("BIGMODEL_STATE_DIR", str(tmp_path / "file" / "state"))
    store.record(NAME, "passed", 2)
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    assert "name another in BIGMODEL_STATE_DIR" in printed
    assert store.use_hint(NAME, 3) == 1


@pytest.mark.skipif(
    os.name == "nt" or (hasattr(os, "geteuid") and os.geteuid() == 0),
    reason="an administrator may write everywhere",
)
def test_a_read_only_folder_costs_one_sentence(state, capsys):
    state.mkdir()
    state.chmod(0o500)
    store.record(NAME, "passed", 2)
    assert "could not be kept" in capsys.readouterr().out


def attempt_often(folder, name):
    os.environ["BIGMODEL_STATE_DIR"] = folder
    for _ in range(40):
        store.record(name, "failed", 0)


def test_two_kernels_at_once_lose_no_attempt(state):
    spawn = multiprocessing.get_context("spawn")
    names = ("a.one", "a.one", "a.two")
    kernels = [spawn.Process(target=attempt_often, args=(str(state), name)) for name in names]
    for kernel in kernels:
        kernel.start()
    for kernel in kernels:
        kernel.join()
    records = store.load()
    assert (records["a.one"].attempts, records["a.two"].attempts) == (80, 40)


def test_the_lock_of_a_dead_kernel_is_broken(state):
    state.mkdir()
    lock = state / "progress.lock"
    lock.touch()
    long_ago = time.time() - 2 * store.LOCK_LIFETIME
    os.utime(lock, (long_ago, long_ago))
    store.record(NAME, "passed", 2)
    assert store.load()[NAME].passed
    assert not lock.exists()


def test_a_lock_that_stays_only_delays(state, monkeypatch):
    monkeypatch.setattr(store, "LOCK_PATIENCE", 0.05)
    state.mkdir()
    (state / "progress.lock").touch()
    store.record(NAME, "passed", 2)
    assert store.load()[NAME].passed
    assert (state / "progress.lock").exists()  # it belongs to the other


@pytest.mark.parametrize("marker", ["pyproject.toml", "chapters/01_neural_nets.md"])
def test_the_state_is_kept_in_the_books_folder(tmp_path, monkeypatch, marker):
    monkeypatch.delenv("BIGMODEL_STATE_DIR")
    book = tmp_path / "book"
    (book / marker).parent.mkdir(parents=True)
    (book / marker).touch()
    inside = book / "solutions" / "deep"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    assert store.state_folder() == book / ".bigmodel"


def test_outside_the_book_the_state_is_kept_where_one_stands(tmp_path, monkeypatch):
    monkeypatch.delenv("BIGMODEL_STATE_DIR")
    monkeypatch.chdir(tmp_path)
    assert store.state_folder() == tmp_path / ".bigmodel"
