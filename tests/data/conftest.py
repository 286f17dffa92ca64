"""A web server and a package index on this machine, and data sets small enough for tests."""

import hashlib
import io
import tarfile
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bigmodel_edu.data import DOWNLOADS, DataFile, Download, PackageArchive


class QuietHandler(SimpleHTTPRequestHandler):
    """Serve a folder, and remember what was asked for; see the fixture `server`."""

    def do_GET(self):
        self.server.requested.append(self.path)
        self.server.passwords.append(self.headers["Authorization"])
        if self.path in self.server.refused:
            self.send_error(self.server.refused[self.path])
        elif self.path in self.server.moved:
            self.send_response(302)
            self.send_header("Location", self.server.moved[self.path])
            self.end_headers()
        else:
            super().do_GET()

    def guess_type(self, path):
        return self.server.types.get(self.path) or super().guess_type(path)

    def copyfile(self, source, outputfile):
        if self.path not in self.server.cut:
            return super().copyfile(source, outputfile)
        content = source.read()
        outputfile.write(content[: len(content) // 2])

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
    """A web server for the folder `served`; `server.requested` lists what was asked for.

    A path in `refused` is answered with the status there, one in `moved` with the address there,
    one in `types` with that content type, and of one in `cut` only the first half is sent.
    """
    (tmp_path / "served").mkdir()
    handler = partial(QuietHandler, directory=tmp_path / "served")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.requested, server.passwords = [], []
        server.refused, server.moved, server.types, server.cut = {}, {}, {}, set()
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
def wheel():
    """Return `wheel(files)`: the bytes of a wheel, or of any zip file, with {path: content}."""

    def wheel(files):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        return buffer.getvalue()

    return wheel


@pytest.fixture
def sdist():
    """Return `sdist(files)`: the bytes of a .tar.gz file with {path: content}."""

    def sdist(files):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return buffer.getvalue()

    return sdist


@pytest.fixture
def register(cache, monkeypatch):
    """Return `register(archive, content)`: the download "toy" is this archive of toy 1.0."""

    def register(name, content):
        digest = hashlib.sha256(content).hexdigest()
        archive = PackageArchive("toy==1.0", name, len(content), digest)
        download = Download("toy", "A toy", (archive,), "CC BY 4.0", "here", "", "drawn by Ada")
        monkeypatch.setitem(DOWNLOADS, "toy", download)

    return register


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
