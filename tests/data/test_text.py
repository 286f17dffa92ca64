"""Text comes out of its file as it went in."""

import dataclasses
import hashlib

from bigmodel_edu.data import DOWNLOADS, load_tiny_shakespeare

TEXT = "First Citizen:\r\nBefore we proceed — hear me.\n"


def test_tiny_shakespeare_keeps_every_character(cache, monkeypatch):
    download = DOWNLOADS["tiny-shakespeare"]
    content = TEXT.encode("utf-8")
    file = dataclasses.replace(
        download.files[0], size=len(content), sha256=hashlib.sha256(content).hexdigest()
    )
    monkeypatch.setitem(DOWNLOADS, "tiny-shakespeare", dataclasses.replace(download, files=(file,)))
    (cache / "text").mkdir(parents=True)
    (cache / file.path).write_bytes(content)
    assert load_tiny_shakespeare() == TEXT
