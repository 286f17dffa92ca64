"""Show a card once: HTML in a notebook, plain text in a terminal.

Colours are inline and half transparent, and text inherits its colour, so that a card reads
well on a light and on a dark page, in JupyterLab, in the built book and in VS Code.
"""

import html
import re
import sys
from abc import ABC, abstractmethod

GREEN, RED, GREY, AMBER = "#2a9d6f", "#d9534f", "#7d8ca3", "#c98a1b"
MONOSPACE = "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.92em"


class Shown(ABC):
    """Something a reader looks at: `str()` for a terminal, `_repr_html_` for a notebook."""

    _shown_in_cell: int | None = None

    @abstractmethod
    def __str__(self) -> str: ...

    @abstractmethod
    def _repr_html_(self) -> str: ...

    def show(self) -> None:
        """Display now, wherever the call stands in a cell; the cell's end does not repeat it."""
        if not in_kernel():
            self._print()
            return
        from IPython.display import display

        object.__setattr__(self, "_shown_in_cell", _cell_number())
        display({"text/plain": str(self), "text/html": self._repr_html_()}, raw=True)

    def _print(self) -> None:
        say(str(self))

    def _ipython_display_(self) -> None:
        if self._shown_in_cell is None or self._shown_in_cell != _cell_number():
            self.show()


def in_kernel() -> bool:
    """Whether this runs in a Jupyter kernel, which can show HTML."""
    return getattr(_shell(), "kernel", None) is not None


def say(text: str) -> None:
    """Print, also on a console whose encoding lacks ✓ and ○."""
    try:
        print(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "ascii"
        print(text.encode(encoding, errors="replace").decode(encoding))


def card(colour: str, symbol: str, title: str, badge: str, body: str = "") -> str:
    """Return a card: coloured edge, symbol, title, a badge on its right, and HTML below."""
    return (
        f'<div style="border-left:4px solid {colour};background:{colour}14;'
        'border-radius:4px;padding:.6em .9em;margin:.3em 0;line-height:1.5;max-width:52em">'
        f'<div><span style="color:{colour};font-weight:700;font-size:1.15em">{symbol}</span>'
        f"&ensp;<b>{html.escape(title)}</b>"
        f'&ensp;<span style="opacity:.7">{html.escape(badge)}</span></div>{body}</div>'
    )


def paragraph(text: str) -> str:
    """Return `text` as an HTML paragraph; `backquotes` become code."""
    return f'<div style="margin-top:.35em">{with_code(text)}</div>'


def detail(label: str, text: str) -> str:
    """Return one labelled line, the text in monospace."""
    left = "opacity:.65;flex:0 0 6.2em"
    right = f"{MONOSPACE};overflow-wrap:anywhere;white-space:pre-wrap"
    return (
        f'<div style="display:flex;margin-top:.2em"><span style="{left}">{html.escape(label)}'
        f'</span><span style="{right}">{html.escape(text)}</span></div>'
    )


def with_code(text: str) -> str:
    """Escape `text` for HTML and set what stands in backquotes as code."""
    code = rf'<code style="{MONOSPACE};background:rgba(128,128,128,.15);padding:0 .25em">\1</code>'
    return re.sub(r"`([^`]+)`", code, html.escape(text))


def _shell():
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def _cell_number() -> int | None:
    return getattr(_shell(), "execution_count", None)
