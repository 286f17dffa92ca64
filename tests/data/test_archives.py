"""Archives are read and not unpacked; what leads out of them, or is damaged, is refused."""

import io
import stat
import tarfile
import zipfile

import pytest

from bigmodel_edu.data import DataFileError, open_archive

FILES = {"toy/data.txt": b"To be, or not to be\n" * 50, "toy/more/ä.bin": bytes(range(256))}


@pytest.fixture(params=["toy-1.0-py3-none-any.whl", "toy-1.0.zip", "toy-1.0.tar.gz"])
def path(request, tmp_path, wheel, sdist):
    """The same files in an archive of each kind."""
    pack = sdist if request.param.endswith(".tar.gz") else wheel
    path = tmp_path / request.param
    path.write_bytes(pack(FILES))
    return path


def refusal(path, name="toy/data.txt"):
    with pytest.raises(DataFileError) as caught:
        open_archive(path).read(name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_files_come_out_as_they_went_in(path):
    archive = open_archive(path)
    assert {name: archive.read(name) for name in archive.names()} == FILES
    assert archive.names("toy/more") == archive.names("toy/more/") == ["toy/more/ä.bin"]
    assert list(path.parent.iterdir()) == [path], "nothing may be unpacked"


def test_folders_are_no_files(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as archive:
        archive.mkdir("toy")
    folder = tarfile.TarInfo("toy")
    folder.type = tarfile.DIRTYPE
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.addfile(folder)
    for name in ("a.whl", "a.tar.gz"):
        assert open_archive(tmp_path / name).names() == []


def test_archive_in_an_archive(tmp_path, wheel, sdist):
    (tmp_path / "outer.tar.gz").write_bytes(
        sdist({"outer-1.0/inner.tar.gz": sdist(FILES), "outer-1.0/cut.zip": wheel(FILES)[:-30]})
    )
    archive = open_archive(tmp_path / "outer.tar.gz")
    assert (
        archive.open_archive("outer-1.0/inner.tar.gz").read("toy/data.txt") == FILES["toy/data.txt"]
    )
    with pytest.raises(DataFileError, match=r"outer\.tar\.gz, outer-1\.0/cut\.zip is damaged"):
        archive.open_archive("outer-1.0/cut.zip")


@pytest.mark.parametrize("length", [0, 1, 60, -30, -5])
def test_cut_archive(path, length):
    path.write_bytes(path.read_bytes()[:length])
    sentence = refusal(path)
    assert f"{path} is damaged or cut off" in sentence
    assert "delete it and fetch it again" in sentence


def test_changed_bytes(path):
    content = bytearray(path.read_bytes())
    start = content.index(b"toy/data.txt") + 12 if path.suffix != ".gz" else 40
    content[start : start + 8] = b"\xff" * 8
    path.write_bytes(content)
    assert "is damaged or cut off" in refusal(path)


def test_archive_that_is_none(tmp_path):
    (tmp_path / "page.whl").write_bytes(b"<html>Please log in</html>")
    assert "is damaged or cut off" in refusal(tmp_path / "page.whl")
    assert "cannot be read (No such file" in refusal(tmp_path / "gone.whl")


@pytest.mark.parametrize("name", ["toy/gone.txt", "toy", "toy/", "toy/more", ""])
def test_missing_file(path, name):
    assert f"holds no file {name!r}, expected it among its 2" in refusal(path, name)


@pytest.mark.parametrize(
    "name", ["../data.txt", "toy/../../data.txt", "/etc/passwd", "..\\data.txt", "C:/data.txt"]
)
def test_paths_that_lead_out(path, wheel, sdist, name):
    pack = sdist if path.suffix == ".gz" else wheel
    path.write_bytes(pack({name: b"secret"}))
    assert f"{name!r} leads out of" in refusal(path, name)


def test_links_in_a_zip_file(tmp_path):
    link = zipfile.ZipInfo("toy/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert "is a link or a device, expected a file" in refusal(tmp_path / "a.whl", "toy/link")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_in_a_tar_file(tmp_path, kind):
    link = tarfile.TarInfo("toy/link")
    link.type, link.linkname = kind, "toy/data.txt"
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("toy/data.txt"), io.BytesIO())
        archive.addfile(link)
    assert "is a link or a device, expected a file" in refusal(tmp_path / "a.tar.gz", "toy/link")
