"""The table names all data, and the package is light to import."""

import subprocess
import sys

from bigmodel_edu.data import DOWNLOADS, INCLUDED, describe, fetch


def test_table_names_everything(cache):
    text = describe()
    for data in (*INCLUDED, *DOWNLOADS.values()):
        for words in (data.name, data.title, data.licence, data.source):
            assert words in text
    assert max(map(len, text.splitlines())) <= 110


def test_table_says_what_is_here(play):
    def row():
        return next(line for line in describe().splitlines() if line.startswith("play "))

    assert "to download, 1 kB" in row()
    (path,) = fetch("play")
    assert "here, 1 kB" in row()
    path.write_bytes(b"")
    assert "damaged, 1 kB" in row()


def test_import_loads_only_numpy():
    heavy = ("babel", "sklearn", "scipy", "torch", "pooch", "requests", "matplotlib", "tqdm")
    code = f"import sys, bigmodel_edu.data; print(*(m for m in {heavy} if m in sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == []
