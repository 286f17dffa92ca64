"""Check a built site: it asks no other server for anything, and no link inside it is dead.

    python scripts/check_site.py _build/html

Links in the text may lead elsewhere; scripts, styles, fonts and pictures may not.
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {  # what a browser fetches by itself: tag -> attribute
    "audio": "src",
    "embed": "src",
    "iframe": "src",
    "img": "src",
    "link": "href",
    "object": "data",
    "script": "src",
    "source": "src",
    "video": "src",
}
IN_STYLES = re.compile(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')\s]+)""")
IN_SCRIPTS = re.compile(r"""["'`]((?:https?:)?//[^"'`\s]+\.(?:m?js|css|woff2?)\b[^"'`\s]*)""")


class Page(HTMLParser):
    """What a page loads, what it links to, and the places in it that a link can name."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.names: set[str] = {"", "top"}
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self._inside = tag
        self.names |= {values[name] for name in ("id", "name") if name in values}
        if tag in LOADED and LOADED[tag] in values:
            self.loaded.append(values[LOADED[tag]])
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        self.loaded += IN_STYLES.findall(values.get("style", ""))

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            self.loaded += IN_STYLES.findall(data)
        if self._inside == "script":
            self.loaded += IN_SCRIPTS.findall(data)

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""


def is_outside(url: str) -> bool:
    """Tell whether a URL leads to another server."""
    parts = urlsplit(url)
    return parts.scheme in {"http", "https"} or bool(parts.netloc)


def problems(site: Path) -> list[str]:
    """Return one sentence for each thing that is wrong with the site in this folder."""
    paths = [path for path in site.rglob("*.html") if "_static" not in path.parts]  # templates
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in paths}
    found = [] if pages else [f"There is no page in {site}: build the site with `make book`."]
    for path, page in sorted(pages.items()):
        name = path.relative_to(site.resolve()).as_posix()
        found += [f"{name} loads {url}" for url in page.loaded if is_outside(url)]
        local = [url for url in (*page.loaded, *page.links) if _is_local(url)]
        found += [
            f"{name} links to {url}, which is not there"
            for url in local
            if not _is_there(url, path, pages)
        ]
    for path in sorted(site.rglob("*.css")):
        urls = IN_STYLES.findall(path.read_text(encoding="utf-8"))
        found += [f"{path.relative_to(site).as_posix()} loads {url}" for url in urls]
    return list(dict.fromkeys(found))


def _is_local(url: str) -> bool:
    return not is_outside(url) and urlsplit(url).scheme == ""


def _is_there(url: str, page: Path, pages: dict[Path, Page]) -> bool:
    parts = urlsplit(url)
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if target not in pages:
        return target.is_file()
    return unquote(parts.fragment) in pages[target].names


def main(arguments: list[str]) -> int:
    """Print every problem of the site in the folder that is named; return 1 if there is one."""
    site = Path(arguments[0])
    found = problems(site)
    for problem in found:
        print(problem, file=sys.stderr)
    if not found:
        print(f"The site loads nothing from outside. Open {site / 'index.html'}")
    return min(len(found), 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
