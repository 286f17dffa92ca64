import sys
from importlib import metadata

import pytest

from bigmodel_edu import doctor
from bigmodel_edu.cuda import nvrtc, on_cpu


def finding(name):
    (found,) = [f for f in doctor.examine() if f.name == name]
    return found


def test_this_installation_is_sound():
    assert [f for f in doctor.examine() if f.status == "wrong"] == []


def test_every_finding_that_is_not_ok_says_what_to_do():
    assert all(f.advice for f in doctor.examine() if f.status != "ok")


def without(*missing):
    version = metadata.version

    def fake(name):
        if name in missing:
            raise metadata.PackageNotFoundError(name)
        return version(name)

    return fake


def test_a_missing_package_is_wrong_and_a_missing_extra_is_not(monkeypatch):
    monkeypatch.setattr(metadata, "version", without("jupytext", "nbval"))
    assert (finding("jupytext").status, finding("nbval").status) == ("wrong", "missing")
    assert "make lab" in finding("jupytext").advice
    assert ".[test]" in finding("nbval").advice


def test_a_version_out_of_range_is_wrong(monkeypatch):
    version = metadata.version
    monkeypatch.setattr(metadata, "version", lambda n: "1.26" if n == "numpy" else version(n))
    found = finding("numpy")
    assert found.status == "wrong"
    assert "1.26, but >=2.0 is needed" in found.found


def test_a_python_out_of_range_is_wrong(monkeypatch):
    monkeypatch.setattr(doctor.platform, "python_version", lambda: "3.10.4")
    assert finding("Python").status == "wrong"


def test_the_book_without_its_installation(monkeypatch):
    def absent(name):
        raise metadata.PackageNotFoundError(name)

    for function in ("requires", "metadata"):
        monkeypatch.setattr(metadata, function, absent)
    assert finding("bigmodel-edu").status == "wrong"


def test_a_broken_torch_is_wrong(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    found = finding("GPU for PyTorch")
    assert found.status == "wrong"
    assert "cannot be imported" in found.found


def test_no_compiler_is_only_missing(monkeypatch):
    monkeypatch.setattr(on_cpu, "unavailable", lambda: "no compiler")
    monkeypatch.setattr(nvrtc, "unavailable", lambda: None)
    found = finding("CUDA kernels on the CPU")
    assert (found.status, found.found) == ("missing", "no compiler")
    assert finding("CUDA compiler (NVRTC)").status == "ok"


@pytest.mark.parametrize(
    ("name", "variable"),
    [("progress folder", "BIGMODEL_STATE_DIR"), ("data folder", "BIGMODEL_DATA_DIR")],
)
def test_a_folder_that_cannot_be_written_is_wrong(tmp_path, monkeypatch, name, variable):
    monkeypatch.delenv("BIGMODEL_DATA_MIRROR", raising=False)
    monkeypatch.setenv(variable, str(tmp_path / "new" / "folder"))
    assert finding(name).status == "ok"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "new").write_text("a file", encoding="utf-8")
    found = finding(name)
    assert found.status == "wrong"
    assert variable in found.advice


def test_the_mirror(tmp_path, monkeypatch):
    monkeypatch.delenv("BIGMODEL_DATA_MIRROR", raising=False)
    assert "not set" in finding("data mirror").found
    monkeypatch.setenv("BIGMODEL_DATA_MIRROR", str(tmp_path))
    assert finding("data mirror").status == "ok"
    monkeypatch.setenv("BIGMODEL_DATA_MIRROR", str(tmp_path / "gone"))
    assert finding("data mirror").status == "wrong"


def test_data_of_the_chapters(tmp_path, monkeypatch):
    from bigmodel_edu import data

    monkeypatch.delenv("BIGMODEL_DATA_MIRROR", raising=False)
    monkeypatch.setenv("BIGMODEL_DATA_DIR", str(tmp_path))
    found = finding("data of the chapters")
    assert found.status == "missing"
    assert found.found == "sotu (4.5 MB) is missing, emoji (10.3 MB) is missing"
    assert found.advice == "`bigmodel data fetch --default`"
    monkeypatch.setattr(data, "status", lambda name: "ready")
    found = finding("data of the chapters")
    assert (found.status, found.found) == ("ok", "sotu, emoji")
