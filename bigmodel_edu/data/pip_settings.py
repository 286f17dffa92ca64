"""Where the reader's pip looks for packages: its options, from its files and from the environment.

Which files those are is asked of pip itself (`pip config debug`): it depends on the system, on the
environment and on pip. The files are read here, since `pip config list` shows, in some versions,
every value of an option and not which one counts.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from configparser import RawConfigParser
from dataclasses import dataclass

from .registry import DataFileError

# What stands further right counts more. Options may be those of one command; those of `install`
# are how the reader got this book.
SECTIONS = ("global", "download", "install", ":env:")

LEVELS = ("global", "user", "site", "env")  # of files, in pip's words; the later ones count more

LOUD = "-vvvv"  # an answer comes even where the settings ask pip to be quiet


@dataclass(frozen=True)
class PipSettings:
    """What pip's options of the same names say.

    Attributes:
        index_url: the base address of the package index, "" for the one that pip takes by itself.
        no_index: use `find_links` alone.
        find_links: folders, pages and addresses that hold archives.
        proxy: an address through which everything goes, "" for the environment's own.
        cert: a file or folder of certificates to trust, "" for the system's.
        client_cert: a file with a certificate and key to show, "" for none.
        trusted_hosts: hosts, or host:port, that are trusted without a certificate.
        timeout: seconds to wait for an answer.
    """

    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    no_index: bool = False
    find_links: tuple[str, ...] = ()
    proxy: str = ""
    cert: str = ""
    client_cert: str = ""
    trusted_hosts: tuple[str, ...] = ()
    timeout: float = 15.0


def pip_settings() -> PipSettings:
    """Return the settings of this Python's pip; without pip, what the variables PIP_… say.

    Raises:
        DataFileError: pip cannot read its own settings.
    """
    return settings_of(_configuration())


def settings_of(configuration: Mapping[str, str]) -> PipSettings:
    """Return the settings of a configuration such as {"global.index-url": "https://…"}."""
    options: dict[str, str] = {}
    for section in SECTIONS:
        for key, value in configuration.items():
            if key.startswith(f"{section}.") and value.strip():  # pip, too, passes over ""
                options[key.removeprefix(f"{section}.")] = value.strip()

    def words(name: str) -> tuple[str, ...]:
        return tuple(options.get(name, "").split())

    proxy = options.get("proxy", "")
    return PipSettings(
        index_url=options.get("index-url", ""),
        extra_index_urls=words("extra-index-url"),
        no_index=options.get("no-index", "").lower() in ("1", "y", "yes", "t", "true", "on"),
        find_links=tuple(map(os.path.expanduser, words("find-links"))),
        proxy=f"http://{proxy}" if proxy and "://" not in proxy else proxy,
        cert=os.path.expanduser(options.get("cert", "")),
        client_cert=os.path.expanduser(options.get("client-cert", "")),
        trusted_hosts=words("trusted-host"),
        timeout=float(options.get("timeout", options.get("default-timeout", PipSettings.timeout))),
    )


def _configuration() -> dict[str, str]:
    """Return pip's options by section and name, from its files and from the environment."""
    found: dict[str, str] = {}
    for path in _files():
        parser = RawConfigParser()
        parser.read(path, encoding="locale")
        for section in parser.sections():
            found |= {f"{section}.{_plain(name)}": text for name, text in parser.items(section)}
    variables = {name: text for name, text in os.environ.items() if name.startswith("PIP_")}
    return found | {f":env:.{_plain(name[4:])}": text for name, text in variables.items()}


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").removeprefix("--")


def _files() -> list[str]:
    """Return the files of options that pip reads, those that override others last."""
    pip = _pip()
    if pip is None or os.environ.get("PIP_CONFIG_FILE") == os.devnull:
        return []
    found: dict[str, list[str]] = {level: [] for level in LEVELS}
    level = ""
    for line in _ask(pip, "debug"):
        if heading := re.fullmatch(r"(\w+):", line):
            level = heading[1]
        elif file := re.fullmatch(r"  (\S.*), exists: True", line):
            found[level].append(file[1])
    return [path for level in LEVELS for path in found[level]]


def _pip() -> Sequence[str] | None:
    """Return the command that is pip, or None: uv, for one, makes environments without it."""
    if importlib.util.find_spec("pip") is not None:
        return (sys.executable, "-P", "-m", "pip")  # -P: not a pip.py of the current folder
    elsewhere = shutil.which("pip")
    return elsewhere and (elsewhere,)


def _ask(pip: Sequence[str], question: str) -> list[str]:
    """Return the lines that `pip config …` prints."""
    answer = subprocess.run(
        [*pip, LOUD, "config", question],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        encoding="utf-8",
        errors="replace",
    )
    if answer.returncode:
        reason = (answer.stderr.strip() or "no reason given").splitlines()[-1]
        raise DataFileError(
            f"pip cannot read its own settings ({reason}): correct the file, or delete it."
        )
    return answer.stdout.splitlines()
