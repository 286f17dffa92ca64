"""What pip is set up for is read as pip reads it."""

import importlib.util
import os
import sys

import pytest

from bigmodel_edu.data import DataFileError, pip_settings
from bigmodel_edu.data.pip_settings import PipSettings, settings_of

with_pip = pytest.mark.skipif(
    importlib.util.find_spec("pip") is None, reason="this environment has no pip (uv made it?)"
)

CONFIG = """
[global]
index-url = https://global.invalid/simple
quiet = 2
find-links =
    /srv/wheels
    https://more.invalid/wheels
proxy = proxy.invalid:3128

[install]
trusted-host = one.invalid two.invalid:8080
"""


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """Nothing set for pip but a file of options, `environment`."""
    for name in os.environ:
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "system"))
    monkeypatch.setenv("APPDATA", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    (tmp_path / "pip.conf").write_text(CONFIG, encoding="utf-8")
    return tmp_path / "pip.conf"


@with_pip
def test_files_and_environment_are_read_by_pip_itself(environment, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://variable.invalid/simple")
    monkeypatch.setenv("PIP_QUIET", "1")
    monkeypatch.chdir(environment.parent)
    (environment.parent / "pip.py").write_text("1 / 0")
    found = pip_settings.pip_settings()
    assert found.index_url == "https://variable.invalid/simple"
    assert found.find_links == ("/srv/wheels", "https://more.invalid/wheels")
    assert found.proxy == "http://proxy.invalid:3128"
    assert found.trusted_hosts == ("one.invalid", "two.invalid:8080")
    assert not found.no_index


@with_pip
def test_settings_that_pip_cannot_read(environment):
    environment.write_text("index-url = of no section\n", encoding="utf-8")
    with pytest.raises(DataFileError, match="pip cannot read its own settings") as caught:
        pip_settings.pip_settings()
    assert "correct the file" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_file_that_pip_reads_last_counts(environment, tmp_path, monkeypatch):
    for level in ("global", "user", "env"):
        (tmp_path / level).write_text(
            f"[global]\nindex_url = https://{level}.invalid\nproxy-{level} = p\n", encoding="utf-8"
        )
    shown = f"""Skipping nothing
env_var:
  PIP_CERT='a, exists: True'
env:
global:
  {tmp_path / "global"}, exists: True
    global.index-url: https://global.invalid
site:
  {tmp_path / "gone"}, exists: False
user:
  {tmp_path / "user"}, exists: True
"""
    monkeypatch.setattr(pip_settings, "_pip", lambda: ("pip",))
    monkeypatch.setattr(pip_settings, "_ask", lambda pip, question: shown.splitlines())
    assert pip_settings.pip_settings().index_url == "https://user.invalid"
    shown = shown.replace("env:\n", f"env:\n  {tmp_path / 'env'}, exists: True\n")
    assert pip_settings.pip_settings().index_url == "https://env.invalid"
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    assert pip_settings.pip_settings() == PipSettings()


def test_without_pip_in_the_environment_the_one_on_the_path_is_asked(environment, monkeypatch):
    monkeypatch.setattr(pip_settings.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(pip_settings.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert pip_settings._pip() == ("/usr/bin/pip",)


def test_without_any_pip_the_variables_count(environment, monkeypatch):
    monkeypatch.setattr(pip_settings, "_pip", lambda: None)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://a.invalid https://b.invalid")
    monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", "60")
    assert pip_settings.pip_settings() == PipSettings(
        extra_index_urls=("https://a.invalid", "https://b.invalid"), timeout=60
    )


def test_sections_override_each_other():
    def index(**options):
        return settings_of({f"{key}.index-url": url for key, url in options.items()}).index_url

    assert index(**{":env:": "e", "install": "i", "download": "d", "global": "g"}) == "e"
    assert index(**{"install": "i", "download": "d", "global": "g"}) == "i"
    assert index(**{"download": "d", "global": "g"}) == "d"
    assert index(**{"list": "l", "global": "g"}) == "g"
    assert index(**{":env:": "", "global": "g"}) == "g", "pip passes over what is empty"


@pytest.mark.parametrize(
    ("option", "value", "name", "expected"),
    [
        ("no-index", "true", "no_index", True),
        ("no-index", "1", "no_index", True),
        ("no-index", "no", "no_index", False),
        ("proxy", "socks5://proxy:1", "proxy", "socks5://proxy:1"),
        ("find-links", "~/wheels", "find_links", (os.path.expanduser("~/wheels"),)),
        ("cert", "~/a b.pem", "cert", os.path.expanduser("~/a b.pem")),
        ("client-cert", "/key.pem", "client_cert", "/key.pem"),
        ("timeout", "3", "timeout", 3.0),
    ],
)
def test_values(option, value, name, expected):
    assert getattr(settings_of({f"global.{option}": value}), name) == expected


@with_pip
def test_pip_of_this_python_comes_first():
    assert pip_settings._pip()[0] == sys.executable


def test_nothing_set_up():
    assert settings_of({}) == PipSettings()
