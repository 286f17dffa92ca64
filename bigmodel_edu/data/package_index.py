"""Archives from the package index that the reader's pip is set up for.

unearth finds an archive by its name in the places where pip would look, and downloads it; proxies,
certificates and passwords are pip's. Nothing of it is installed, built or run, which is why this is
not `pip download`: to learn what an sdist depends on, that runs its setup.py.
"""

import logging
import os
import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import getproxies, proxy_bypass

from httpx2 import HTTPError, HTTPTransport, InvalidURL, Response
from packaging.version import Version
from tqdm import tqdm
from unearth import Link, PackageFinder
from unearth.auth import MultiDomainBasicAuth
from unearth.collector import is_secure_origin
from unearth.errors import HashMismatchError, UnpackError
from unearth.fetchers import PyPIClient

from .pip_settings import PipSettings, pip_settings
from .registry import PackageArchive, Unavailable

SHOWN_VERSIONS = 5
NOT_FOUND = 404

logging.getLogger("unearth").setLevel(logging.ERROR)  # its warnings become part of our sentences


class _Trouble(Exception):
    """Why one place does not give an archive."""


class _Unreachable(_Trouble):
    """A place, or something on the way to it, does not answer."""


def download(archive: PackageArchive, path: Path, bar: tqdm) -> None:
    """Bring an archive to `path` from the first place that gives it, its SHA-256 verified.

    It comes into a folder of its own beside `path` and is moved once it is whole, so that an
    interrupted download leaves nothing half done.

    Raises:
        Unavailable: no place gives it.
        OSError: it cannot be written.
    """
    settings = pip_settings()
    path.parent.mkdir(parents=True, exist_ok=True)
    troubles: list[_Trouble] = []
    with _client(settings) as client, TemporaryDirectory(dir=path.parent, prefix=".") as folder:
        for place in _places(settings, client):
            try:
                whole = place.bring(archive, Path(folder), bar)
            except _Trouble as trouble:
                troubles.append(trouble)
                bar.reset()
            else:
                os.replace(whole, path)
                return
    reasons = "; ".join(map(str, troubles)) or "no-index is set and find-links names no place"
    if any(isinstance(trouble, _Unreachable) for trouble in troubles):
        remedy = "connect to the network"
    else:
        remedy = "name an index or a folder that has it in pip's settings (`pip config --help`)"
    raise Unavailable(f"did not come from the index that pip is set up for ({reasons})", remedy)


# --- where pip looks


class _Place:
    """An index, or a folder or page that find-links names."""

    def __init__(self, url: str, finder: PackageFinder) -> None:
        self.url = url
        self.name = _without_password(url)
        self.finder = finder

    def bring(self, archive: PackageArchive, folder: Path, bar: tqdm) -> Path:
        """Return the archive, downloaded into `folder` while `bar` follows, or raise _Trouble."""
        try:
            return self._download(self._find(archive), archive, folder, bar)
        except HTTPError as error:
            raise _Unreachable(f"{self.name}: {type(error).__name__}") from error

    def _find(self, archive: PackageArchive) -> Link:
        client = self.finder.session
        client.refusal = None
        try:
            packages = list(self.finder.find_all_packages(archive.package, allow_yanked=True))
        except (ValueError, InvalidURL) as error:  # no such folder, or a page that is not JSON
            raise _Trouble(f"{self.name} cannot be read: {error}") from error
        for package in packages:
            if package.link.filename == archive.name:
                return package.link
        if client.refusal not in (None, NOT_FOUND):
            raise _Trouble(f"{self.name}: HTTP status {client.refusal}")
        if "://" in self.url and not is_secure_origin(client, Link(self.url)):
            raise _Trouble(f"{self.name} is neither https nor a trusted-host of pip")
        if not packages:
            raise _Trouble(f"{self.name} has no package {archive.package}")
        versions = sorted({package.version for package in packages}, key=Version)
        if archive.version in versions:
            raise _Trouble(f"{self.name} has {archive.requirement}, but no {archive.name}")
        newest = ", ".join(versions[-SHOWN_VERSIONS:])
        raise _Trouble(f"{self.name} has {archive.package} {newest}, but no {archive.version}")

    def _download(self, link: Link, archive: PackageArchive, folder: Path, bar: tqdm) -> Path:
        def show(_: Link, completed: int, total: int | None) -> None:
            bar.update(completed - bar.n)

        try:
            found = self.finder.download(
                link, folder, {"sha256": [archive.sha256]}, download_reporter=show
            )
        except HashMismatchError as error:
            sent = (link.file_path if link.is_file else folder / link.filename).stat().st_size
            raise _Trouble(
                f"{self.name} sent something else, wrong SHA-256, "
                f"{sent:,} of {archive.size:,} bytes"
            ) from error
        except UnpackError as error:
            raise _Trouble(f"{self.name}: HTTP status {self.finder.session.refusal}") from error
        except OSError as error:
            if link.is_file and error.filename == str(link.file_path):
                raise _Trouble(f"{self.name} cannot be read: {error.strerror}") from error
            raise
        return Path(shutil.copyfile(found, folder / "copy")) if link.is_file else found


def _places(settings: PipSettings, client: "_Client") -> Iterator[_Place]:
    # The archive is named, and its data is for every Python and platform.
    options = {"session": client, "ignore_compatibility": True}
    for url in settings.find_links:
        yield _Place(url, PackageFinder(find_links=[url], **options))
    for url in _index_urls(settings):
        yield _Place(url, PackageFinder(index_urls=[url], **options))


def _index_urls(settings: PipSettings) -> tuple[str, ...]:
    if settings.no_index:
        return ()
    # unearth, too, knows which index pip asks where none is named
    first = settings.index_url or PackageFinder().sources[0]["url"]
    return (first, *settings.extra_index_urls)


def _without_password(url: str) -> str:
    scheme, separator, rest = url.rpartition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"


# --- how pip gets there


class _Client(PyPIClient):
    """unearth's client, with pip's settings; it remembers the status of the last refusal."""

    def __init__(self, settings: PipSettings) -> None:
        self.refusal: int | None = None
        super().__init__(
            trusted_hosts=settings.trusted_hosts,
            # unearth would go to these hosts past any proxy
            mounts={
                f"{scheme}://{host}": HTTPTransport(
                    verify=False, proxy=settings.proxy or _proxy_of_environment(scheme, host)
                )
                for host in settings.trusted_hosts
                for scheme in ("http", "https")
            },
            verify=_certificates(settings),
            proxy=settings.proxy or None,
            timeout=settings.timeout,
            follow_redirects=True,
            auth=MultiDomainBasicAuth(prompting=False),
            event_hooks={"response": [self._remember]},
        )

    def _remember(self, response: Response) -> None:
        if response.is_error:
            self.refusal = response.status_code


def _client(settings: PipSettings) -> _Client:
    try:
        return _Client(settings)
    except (OSError, ValueError, ImportError, InvalidURL) as error:
        raise Unavailable(
            f"cannot be asked for with the certificates or the proxy of pip's settings ({error})",
            "correct them with `pip config`",
        ) from error


def _certificates(settings: PipSettings) -> ssl.SSLContext | bool:
    """Return what to trust: what pip is told to, or else (True) what the system trusts."""
    bundle = (
        settings.cert or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    )
    if not (bundle or settings.client_cert):
        return True
    kind = "capath" if bundle and os.path.isdir(bundle) else "cafile"
    context = ssl.create_default_context(**{kind: bundle})
    if settings.client_cert:
        context.load_cert_chain(settings.client_cert)
    return context


def _proxy_of_environment(scheme: str, host: str) -> str | None:
    proxies = getproxies()
    return None if proxy_bypass(host) else proxies.get(scheme) or proxies.get("all")
