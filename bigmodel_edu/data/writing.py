"""A text for a language model of characters, also where there is no network."""

import re
import sys
from typing import NamedTuple

from .downloads import status
from .registry import DataFileError
from .text import load_tiny_shakespeare


class Writing(NamedTuple):
    """A text and what to call it: `text, title = load_writing()`."""

    text: str
    title: str


def load_python_topics() -> str:
    """Return the topics of Python's own `help()` as one text of about 465,000 characters.

    Chapters of the language reference ("Assignment statements", "Operator precedence"), in
    alphabetical order of their keys, with Unix line ends, no spaces at line ends and one empty
    line at most. The same Python gives the same text; another version of Python has another
    edition, so numbers that a model reaches on it differ a little from version to version.

    Source: module `pydoc_data.topics` of the standard library, made from
    https://docs.python.org/3/reference/. Licence: PSF-2.0.

    Raises:
        DataFileError: this Python was installed without the module.
    """
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise DataFileError(
            f"This Python ({sys.executable}) lacks its module pydoc_data.topics: install the "
            "whole standard library, or download Tiny Shakespeare instead."
        ) from error
    text = "\n\n".join(topics[key] for key in sorted(topics))
    text = text.replace("\r\n", "\n").expandtabs(4)
    text = re.sub(r"[ \u00a0]+\n", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def load_writing() -> Writing:
    """Return Tiny Shakespeare if it is here, or else Python's help topics; download nothing.

    "Here" is `data_folder()`, the mirror or the cache. To get it: `bigmodel data fetch
    tiny-shakespeare`. The title says which of the two it is; print it with every number.

    Raises:
        DataFileError: Tiny Shakespeare is here, but damaged.
    """
    if status("tiny-shakespeare") == "missing":
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return Writing(load_python_topics(), f"the help topics of Python {version}")
    return Writing(load_tiny_shakespeare(), "Tiny Shakespeare")
