"""Downloads come from a server or a mirror, verified on every use; what is damaged is refused."""

import dataclasses
import re
import socket
from urllib.parse import urlsplit

import pooch
import pytest

from bigmodel_edu.data import DOWNLOADS, DataFileError, data_folder, fetch, human_size, status
from bigmodel_edu.errors import UnknownName


def serve_from(url, play, monkeypatch):
    """Let the file of `play` have another address."""
    file = dataclasses.replace(play.files[0], url=url)
    monkeypatch.setitem(DOWNLOADS, "play", dataclasses.replace(play, files=(file,)))


def the_sentence(name="play"):
    with pytest.raises(DataFileError) as caught:
        fetch(name)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def test_download_lands_in_the_cache(play, content, cache):
    assert fetch("play") == (cache / "text" / "play.txt",)
    assert (cache / "text" / "play.txt").read_bytes() == content
    assert [path.name for path in (cache / "text").iterdir()] == ["play.txt"]


def test_second_use_needs_no_network(play, server):
    assert fetch("play") == fetch("play")
    assert server.requested == ["/play.txt"]


def test_download_shows_progress(play, capfd):
    fetch("play")
    out, err = capfd.readouterr()
    assert out == ""
    assert "play.txt" in err
    assert "/1.00k" in err


def test_pooch_keeps_quiet(play, caplog, monkeypatch):
    logger = pooch.get_logger()
    monkeypatch.setattr(logger, "handlers", [caplog.handler])
    logger.setLevel("INFO")
    fetch("play")
    assert caplog.records == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[:-1],
        lambda content: content.replace(b"T", b"t", 1),
        lambda content: b"",
    ],
    ids=["cut", "one letter", "empty"],
)
def test_damaged_file_is_refused_and_left(play, content, server, spoil):
    (path,) = fetch("play")
    damage = spoil(content)
    path.write_bytes(damage)
    sentence = the_sentence()
    assert str(path) in sentence
    assert "delete it and run `bigmodel data fetch play`" in sentence
    assert path.read_bytes() == damage
    assert server.requested == ["/play.txt"], "it must not be downloaded over the damaged file"


def test_deleting_the_damaged_file_repairs(play, content):
    (path,) = fetch("play")
    path.write_bytes(b"damaged")
    path.unlink()
    assert fetch("play")[0].read_bytes() == content


def test_no_network_names_file_size_and_both_ways(play, cache, monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        serve_from(f"http://127.0.0.1:{unused.getsockname()[1]}/play.txt", play, monkeypatch)
        sentence = the_sentence()
    for words in (
        "text/play.txt (1 kB)",
        "ConnectionError",
        "connect to the network and run `bigmodel data fetch play`",
        "or set BIGMODEL_DATA_MIRROR to a folder that holds text/play.txt",
    ):
        assert words in sentence
    assert not list(cache.rglob("*.*")), "nothing half done may stay"


def test_address_without_the_file(play, server, monkeypatch):
    serve_from(f"{server.url}/gone.txt", play, monkeypatch)
    assert "(HTTP status 404)" in the_sentence()


def test_wrong_content_is_not_kept(play, server, cache):
    (server.folder / "play.txt").write_bytes(b"<html>Please log in</html>")
    sentence = the_sentence()
    assert "text/play.txt (1 kB)" in sentence
    assert "sent something else" in sentence
    assert not list(cache.rglob("*.*"))


def test_cache_that_cannot_be_written(play, cache):
    cache.write_text("a file, not a folder", encoding="utf-8")
    sentence = the_sentence()
    assert "could not be written" in sentence
    assert "set BIGMODEL_DATA_DIR" in sentence


def test_mirror_is_read_in_place(play, content, cache, server, tmp_path, monkeypatch):
    mirror = tmp_path / "mirror"
    (mirror / "text").mkdir(parents=True)
    (mirror / "text" / "play.txt").write_bytes(content)
    monkeypatch.setenv("BIGMODEL_DATA_MIRROR", str(mirror))
    assert fetch("play") == (mirror / "text" / "play.txt",)
    assert server.requested == []
    assert not cache.exists()


def test_damaged_file_in_the_mirror_is_refused(play, tmp_path, monkeypatch):
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "play.txt").write_bytes(b"damaged")
    monkeypatch.setenv("BIGMODEL_DATA_MIRROR", str(tmp_path))
    sentence = the_sentence()
    assert "is damaged" in sentence
    assert "replace it there, or unset BIGMODEL_DATA_MIRROR" in sentence
    assert (tmp_path / "text" / "play.txt").read_bytes() == b"damaged"


@pytest.mark.parametrize(("folder", "trouble"), [(".", "does not hold it"), ("no", "not a folder")])
def test_mirror_without_the_file(play, server, tmp_path, monkeypatch, folder, trouble):
    monkeypatch.setenv("BIGMODEL_DATA_MIRROR", str(tmp_path / folder))
    sentence = the_sentence()
    assert trouble in sentence
    assert "text/play.txt (1 kB)" in sentence
    assert "or unset it and run `bigmodel data fetch play`" in sentence
    assert server.requested == [], "a mirror that is set is the only source"


def test_unreadable_file(play, monkeypatch):
    (path,) = fetch("play")

    def refuse(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", refuse)
    assert "cannot be read (Permission denied)" in the_sentence()


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(UnknownName, match="Did you mean 'tiny-shakespeare'"):
        fetch("tinyshakespeare")


def test_status(play):
    assert status("play") == "missing"
    (path,) = fetch("play")
    assert status("play") == "ready"
    path.write_bytes(b"damaged")
    assert status("play") == "damaged"


def test_folder_is_the_mirror_else_the_named_cache_else_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("BIGMODEL_DATA_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("BIGMODEL_DATA_DIR", str(tmp_path / "cache"))
    assert data_folder() == tmp_path / "mirror"
    monkeypatch.setenv("BIGMODEL_DATA_MIRROR", "")
    assert data_folder() == tmp_path / "cache"
    monkeypatch.delenv("BIGMODEL_DATA_DIR")
    assert "bigmodel_edu" in data_folder().parts


@pytest.mark.parametrize(("size", "text"), [(5148, "5 kB"), (26_421_880, "26.4 MB")])
def test_human_size(size, text):
    assert human_size(size) == text


@pytest.mark.parametrize(
    "name", ["fashion-mnist", "tiny-shakespeare", "umls", "wn18rr", "fb15k-237"]
)
def test_registry_is_complete(name):
    download = DOWNLOADS[name]
    assert download.name == name
    assert download.licence
    assert download.source.startswith("https://")
    for file in download.files:
        assert re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert file.size > 1000
        address = urlsplit(file.url)
        assert address.scheme == "https"
        assert re.search("/[0-9a-f]{40}/", address.path), "the address must name a commit"
    paths = [file.path for file in download.files]
    assert len(set(paths)) == len(paths)
