"""Docstrings come from source files, prose comes out of docstrings, and a bad cache is replaced."""

import subprocess
import sys
from importlib import metadata

import pytest

from bigmodel_edu.data import DataFileError, documentation, load_documentation
from bigmodel_edu.data.documentation import Docstring, Documentation, paragraphs

NUMPYDOC = """Compute the **norm** of `a`, see :func:`~numpy.linalg.norm` [1]_.

Wrapped over
two lines.

Parameters
----------
a, b : (M, N) array_like, optional
    An array. Must be
    square.
*args : tuple
    More.

Returns
-------
x : float

See Also
--------
other : Not this.

Notes
-----
A formula follows::

    y = x + 1

.. math::

    \\alpha

- First item.
* Second item
  goes on.

>>> code(1)
2

References
----------
.. [1] A. Author, "A Book".

Examples
--------
This is not wanted either.
"""


@pytest.fixture
def packages(tmp_path, cache, monkeypatch):
    """A package of three modules instead of NumPy, SciPy and scikit-learn."""
    root = tmp_path / "src" / "tinydocs"
    (root / "tests").mkdir(parents=True)
    (root / "__init__.py").write_text('"""The package — documented."""\n', encoding="utf-8")
    (root / "a.py").write_text(
        'raise RuntimeError("imported")\n'
        'class A:\n    """A class."""\n    def f(self):\n        """A\n        method."""\n'
        'async def g():\n    "A function."\n    def inner():\n        "Inside."\n'
        "def silent(): pass\n",
        encoding="utf-8",
    )
    (root / "tests" / "test_a.py").write_text('"""A test."""\n', encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "src"))
    monkeypatch.setattr(documentation, "PACKAGES", {"tinydocs": "Tiny"})
    monkeypatch.setattr(documentation, "IMPORT_NAMES", {"tinydocs": "tinydocs"})
    monkeypatch.setattr(documentation.metadata, "version", lambda name: "1.0")
    return root


WANTED = (
    Docstring("tinydocs", "", "The package — documented."),
    Docstring("tinydocs.a", "A", "A class."),
    Docstring("tinydocs.a", "A.f", "A\nmethod."),
    Docstring("tinydocs.a", "g", "A function."),
    Docstring("tinydocs.a", "g.inner", "Inside."),
)


def test_docstrings_are_read_and_nothing_is_imported(packages):
    found = load_documentation()
    assert found.docstrings == WANTED
    assert found.versions == {"tinydocs": "1.0"}
    assert "tinydocs" not in sys.modules


def test_second_load_reads_the_cache(packages, cache):
    load_documentation()
    (packages / "a.py").unlink()
    assert load_documentation().docstrings == WANTED
    assert [path.name for path in (cache / "documentation").iterdir()] == [
        f"tinydocs-1.0-edition-{documentation.EDITION}.json.gz"
    ]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[:-9],
        lambda content: content[:40] + b"\xff" + content[41:],
        lambda content: b"",
        lambda content: b"not gzip",
        lambda content: documentation.gzip.compress(b"[1, 2]"),
        lambda content: documentation.gzip.compress(b'{"a"'),
    ],
    ids=["cut", "one byte", "empty", "no gzip", "other rows", "no JSON"],
)
def test_damaged_cache_is_rebuilt(packages, cache, spoil):
    load_documentation()
    (path,) = (cache / "documentation").iterdir()
    whole = path.read_bytes()
    path.write_bytes(spoil(whole))
    assert load_documentation().docstrings == WANTED
    assert path.read_bytes() == whole
    assert list(path.parent.iterdir()) == [path], "nothing half done may stay"


def test_another_version_is_read_anew(packages, monkeypatch):
    load_documentation()
    (packages / "a.py").unlink()
    monkeypatch.setattr(documentation.metadata, "version", lambda name: "1.1")
    assert load_documentation().docstrings == WANTED[:1]


def test_cache_that_cannot_be_written_only_costs_time(packages, cache):
    cache.write_text("a file, not a folder", encoding="utf-8")
    assert load_documentation().docstrings == WANTED


def test_interrupted_write_leaves_nothing(packages, cache, monkeypatch):
    def fail(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(documentation.os, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        load_documentation()
    assert list((cache / "documentation").iterdir()) == []


def test_mirror_is_not_written_to(packages, cache, tmp_path, monkeypatch):
    monkeypatch.setenv("BIGMODEL_DATA_MIRROR", str(tmp_path / "mirror"))
    load_documentation()
    assert not (tmp_path / "mirror").exists()
    assert (cache / "documentation").exists()


def test_package_without_sources(packages, monkeypatch):
    monkeypatch.setattr(documentation, "IMPORT_NAMES", {"tinydocs": "no_such_package"})
    with pytest.raises(DataFileError, match="no_such_package are not on this disk"):
        load_documentation()


def test_paragraphs_are_prose():
    assert paragraphs(NUMPYDOC) == [
        "Compute the norm of a, see norm.",
        "Wrapped over two lines.",
        "An array. Must be square.",
        "More.",
        "A formula follows:",
        "First item.",
        "Second item goes on.",
    ]


def test_one_line_is_a_paragraph():
    assert paragraphs("Return x.") == ["Return x."]
    assert paragraphs("") == []


def test_real_documentation(real_documentation):
    found = load_documentation()
    assert found.versions["scipy"] == metadata.version("scipy")
    texts = {(docstring.module, docstring.name): docstring.text for docstring in found.docstrings}
    assert texts["numpy.linalg._linalg", "svd"].startswith("Singular Value Decomposition.")
    assert any(module.startswith("sklearn.") for module, _ in texts)
    assert not any("tests" in module.split(".") for module, _ in texts)
    assert len(texts) > 5000
    few = Documentation(found.docstrings[:100], found.versions)
    for words in ("100 docstrings of NumPy 2", "SciPy 1", "BSD-3-Clause"):
        assert words in few.describe()


def test_prose_joins_the_paragraphs():
    found = Documentation((Docstring("a", "", "One.\n\nTwo."), Docstring("b", "f", ">>> 1\n1")), {})
    assert found.prose == "One.\nTwo.\n"


def test_real_packages_are_not_imported(real_documentation):
    code = (
        "import sys, bigmodel_edu.data as data; data.load_documentation(); "
        "print(*({'scipy', 'sklearn'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == []
