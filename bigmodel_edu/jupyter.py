"""Start JupyterLab on the book, with settings of its own: the reader's home stays as it is."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from bigmodel_edu.errors import BookError
from bigmodel_edu.labs.files import write_atomically

FIRST_PAGE = Path("chapters", "00_start_here.md")
SETTINGS = Path(__file__).parent / "jupyter_settings"
STATE = Path(".bigmodel")  # inside the book's folder; git ignores it


class BookNotFound(BookError, FileNotFoundError):
    """No folder that could hold the book has its first page."""


class JupyterLabMissing(BookError, ImportError):
    """JupyterLab is not installed beside the book's package."""


def main(args: list[str]) -> int:
    """Run JupyterLab until it is shut down; `args` are added to its own (`--no-browser`, ...).

    Raises:
        BookNotFound: neither the current folder, nor one above it, nor the package's is the book.
        JupyterLabMissing: JupyterLab cannot be imported.
    """
    here = Path.cwd()
    book = find_book([here, *here.parents, Path(__file__).parents[1]])
    os.environ.update(environment(book, os.environ.get("JUPYTER_PATH", "")))
    try:
        from ipykernel.kernelspec import get_kernel_dict
        from jupyterlab import labapp
    except ImportError as error:
        raise JupyterLabMissing(
            f"JupyterLab cannot be loaded ({error}): install the book with `make lab`,"
            " or with `pip install -e . -c constraints.txt` in its folder."
        ) from error
    kernel = book / STATE / "jupyter" / "share" / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(kernel, json.dumps(get_kernel_dict(), indent=2))
    labapp.main(arguments(book, args))
    return 0


def find_book(folders: Iterable[Path]) -> Path:
    """Return the first of `folders` that holds the book's first page."""
    for folder in folders:
        if (folder / FIRST_PAGE).is_file():
            return folder.resolve()
    raise BookNotFound(
        f"The book was not found: neither {Path.cwd()} nor a folder above it holds"
        f" {FIRST_PAGE.as_posix()}; change to the folder you cloned and try again."
    )


def environment(book: Path, jupyter_path: str = "") -> dict[str, str]:
    """Return the variables that keep all that Jupyter reads and writes inside the book's folder.

    `jupyter_path` is the reader's own JUPYTER_PATH. It comes after the book's, so that the
    kernel "python3" is the interpreter that runs this function whatever else is installed.
    """
    jupyter = book / STATE / "jupyter"
    folders = {
        "CUPY_CACHE_DIR": book / STATE / "cupy",
        "IPYTHONDIR": jupyter / "ipython",
        "JUPYTERLAB_SETTINGS_DIR": jupyter / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": jupyter / "workspaces",
        "JUPYTER_CONFIG_DIR": jupyter / "config",
        "JUPYTER_CONFIG_PATH": SETTINGS,
        "JUPYTER_DATA_DIR": jupyter / "data",
        "JUPYTER_RUNTIME_DIR": jupyter / "runtime",
        "MPLCONFIGDIR": book / STATE / "matplotlib",
    }
    variables = {name: str(folder) for name, folder in folders.items()}
    paths = [str(jupyter / "share"), jupyter_path]
    return variables | {"JUPYTER_PATH": os.pathsep.join(filter(None, paths))}


def arguments(book: Path, args: Iterable[str] = ()) -> list[str]:
    """Return JupyterLab's command line: the book's folder, open at its first page, then `args`."""
    return [
        f"--ServerApp.root_dir={book}",
        f"--LabApp.default_url=/lab/tree/{FIRST_PAGE.as_posix()}",
        "--LanguageServerManager.autodetect=False",  # the search runs npm, which writes to ~/.npm
        *args,
    ]
