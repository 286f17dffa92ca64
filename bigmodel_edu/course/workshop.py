"""What a student's process may see: Python's library, NumPy, and what the course allows."""

import os
import shutil
import stat
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from importlib import metadata, util
from pathlib import Path

from packaging.requirements import Requirement

from bigmodel_edu.course.settings import CourseError

HERE = Path(__file__).parent
PACKAGE = HERE.parent
_SENT_ALONG = ("answers.py", "child.py", "confinement.py", "wire.py")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/etc/ld.so.cache", "/etc/localtime")
_NOT_FOR_STUDENTS = ("site-packages", "dist-packages")


class Workshop:
    """A temporary folder from which a student's process imports, and the list of what it reads.

    It holds the process's own program, links to the packages of `imports` and of what they need,
    and the module `given` of a chapter, with the objects that its exercises hand to a function.
    Raises CourseError when a package is not installed.
    """

    def __init__(self, imports: Sequence[str] = ("numpy",), chapter: str = "") -> None:
        expect_installed(imports)
        self.imports = tuple(imports)
        self.folder = Path(tempfile.mkdtemp(prefix="bigmodel-grading-"))
        try:
            self._lay_out(chapter)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Workshop":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def program(self) -> Path:
        """The program of the student's process."""
        return self.folder / "child.py"

    @cached_property
    def readable(self) -> list[str]:
        """Every path beneath which a student's process may read."""
        links = [os.path.realpath(path) for path in self.folder.iterdir() if path.is_symlink()]
        return [str(self.folder), *links, *_python_library(), *_system_libraries(), *_DEVICES]

    @cached_property
    def is_open_to_all(self) -> bool:
        """Whether file modes let every user of the machine read what is to be read."""
        needed = [self.folder, *self.folder.iterdir(), sysconfig.get_path("stdlib")]
        return all(_is_open_to_all(Path(os.path.realpath(path))) for path in needed)

    def _lay_out(self, chapter: str) -> None:
        self.folder.chmod(0o755)
        for name in _SENT_ALONG:
            shutil.copy(HERE / name, self.folder / name)
        given = PACKAGE / chapter / "given.py"
        if chapter and given.exists():
            shutil.copy(given, self.folder / f"given_{chapter}.py")
        for path in _files_of_packages(self.imports):
            link = self.folder / path.name
            if not link.is_symlink():
                link.symlink_to(path)


def expect_installed(imports: Iterable[str]) -> None:
    """Raise CourseError when a package that may be imported is not installed."""
    for name in imports:
        if name not in sys.stdlib_module_names and util.find_spec(name) is None:
            raise CourseError(
                f"The course allows to import {name!r}, which is not installed here: install it "
                f"(pip install {name}) or take it off `imports`."
            )


def _files_of_packages(names: Iterable[str]) -> Iterator[Path]:
    """The folders and files that these packages, and the packages that they need, consist of."""
    waiting, seen = [], set()
    for name in names:
        if distributions := _distributions_with(name):
            waiting += distributions
        elif name not in sys.stdlib_module_names:
            yield _file_of_module(name)
    while waiting:
        distribution = waiting.pop()
        if distribution in seen or distribution == "bigmodel-edu":
            continue
        seen.add(distribution)
        yield from _top_level_files(distribution)
        waiting += _requirements(distribution)


def _distributions_with(module: str) -> list[str]:
    """The distributions that a module comes from."""
    try:  # most are named as their module is; to look into all of them takes half a second
        if module in {path.stem for path in _top_level_files(module)}:
            return [module]
    except metadata.PackageNotFoundError:
        pass
    return metadata.packages_distributions().get(module, [])


def _file_of_module(name: str) -> Path:
    spec = util.find_spec(name)
    places = spec.submodule_search_locations
    return Path(places[0]) if places else Path(spec.origin)


def _top_level_files(distribution: str) -> set[Path]:
    files = metadata.files(distribution) or []
    names = {file.parts[0] for file in files if file.parts[0] not in ("..", "__pycache__")}
    root = Path(metadata.distribution(distribution).locate_file(""))
    return {root / name for name in names if not name.endswith(".pth")}


def _requirements(distribution: str) -> Iterator[str]:
    for line in metadata.requires(distribution) or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            try:
                yield metadata.distribution(requirement.name).metadata["Name"]
            except metadata.PackageNotFoundError:
                continue


def _python_library() -> Iterator[str]:
    """Python's own library, without what is installed into it, and the libraries beside it."""
    for name in ("stdlib", "platstdlib"):
        yield from _children(sysconfig.get_path(name), without=_NOT_FOR_STUDENTS)
    yield from map(str, Path(sys.base_prefix, "lib").glob("*.so*"))
    yield from (sys.executable, os.path.realpath(sys.executable))


def _system_libraries() -> Iterator[str]:
    for folder in ("/lib", "/lib64", "/usr/lib", "/usr/lib64"):
        yield from _children(folder, without=("python",))


def _children(folder: str, without: tuple[str, ...]) -> Iterator[str]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    yield from (os.path.join(folder, name) for name in names if not name.startswith(without))


def _is_open_to_all(path: Path) -> bool:
    """Whether any user may read `path` and walk to it."""
    try:
        way = all(parent.stat().st_mode & stat.S_IXOTH for parent in path.parents)
        return bool(way and path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False
