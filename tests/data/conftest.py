"""A web server on this machine, and a data set small enough for tests."""

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bigmodel_edu.data import DOWNLOADS, DataFile, Download


class QuietHandler(SimpleHTTPRequestHandler):
    """Serve a folder, and remember what was asked for."""

    def do_GET(self):
        self.server.requested.append(self.path)
        super().do_GET()

    def log_message(self, *args):
        pass


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder, and no mirror."""
    monkeypatch.delenv("BIGMODEL_DATA_MIRROR", raising=False)
    monkeypatch.setenv("BIGMODEL_DATA_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache"


@pytest.fixture
def server(tmp_path):
    """A web server for the folder `served`; `server.requested` lists what was asked for."""
    (tmp_path / "served").mkdir()
    handler = partial(QuietHandler, directory=tmp_path / "served")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.requested = []
        server.folder = tmp_path / "served"
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def content():
    """What the file of the download "play" holds."""
    return b"To be, or not to be\n" * 50


@pytest.fixture
def play(content, server, cache, monkeypatch):
    """The download "play": one file, text/play.txt, that the server has."""
    (server.folder / "play.txt").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    file = DataFile("text/play.txt", len(content), digest, f"{server.url}/play.txt")
    download = Download("play", "A play", (file,), "public domain", "the server", "")
    monkeypatch.setitem(DOWNLOADS, "play", download)
    return download


@pytest.fixture
def real_documentation(request, tmp_path_factory, monkeypatch):
    """Let the documentation of the real packages be kept among pytest's own files.

    Reading it takes seconds, and the reader's cache is not for tests to write to.
    """
    if hasattr(request.config, "cache"):
        folder = request.config.cache.mkdir("bigmodel_edu")
    else:  # pytest -p no:cacheprovider
        folder = tmp_path_factory.getbasetemp() / "bigmodel_edu"
    monkeypatch.delenv("BIGMODEL_DATA_MIRROR", raising=False)
    monkeypatch.setenv("BIGMODEL_DATA_DIR", str(folder))
