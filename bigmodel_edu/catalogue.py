"""Every chapter of the book, and every component and exercise in it.

A chapter's package holds `components` with ``COMPONENTS`` and `exercises` with ``EXERCISES``; a
name is the chapter's slug, a dot, and the thing's own name, as in
``neural_nets.softmax``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from bigmodel_edu.errors import UnknownName, did_you_mean

if TYPE_CHECKING:
    from bigmodel_edu.components import Component
    from bigmodel_edu.exercise import Exercise


@dataclass(frozen=True)
class Chapter:
    """A chapter of the book: its number, its package's name, its title."""

    number: int
    slug: str
    title: str

    @property
    def notebook(self) -> str:
        """The file name of its notebook, without folder and suffix: ``01_neural_nets``."""
        return f"{self.number:02}_{self.slug}"

    @property
    def is_written(self) -> bool:
        """Whether the chapter's package exists."""
        return find_spec(f"bigmodel_edu.{self.slug}") is not None


CHAPTERS = (
    Chapter(1, "neural_nets", "Neural nets"),
    Chapter(2, "lstm", "LSTM"),
    Chapter(3, "gan", "GAN"),
    Chapter(4, "transformer", "Transformer"),
    Chapter(5, "pretraining", "Pretraining"),
    Chapter(6, "nlp", "Natural language processing"),
    Chapter(7, "vision", "Computer vision"),
    Chapter(8, "knowledge_graph", "Knowledge graphs"),
    Chapter(9, "recommenders", "Recommenders"),
    Chapter(10, "chatbots", "Chatbots"),
)


def written_chapters() -> tuple[Chapter, ...]:
    """Return the chapters whose package exists, in the book's order."""
    return tuple(chapter for chapter in CHAPTERS if chapter.is_written)


@cache
def components() -> dict[str, Component]:
    """Return every component by name, in the book's order."""
    return _gather("components", "COMPONENTS")


@cache
def exercises() -> dict[str, Exercise]:
    """Return every exercise by name, in the book's order."""
    return _gather("exercises", "EXERCISES")


@cache
def exercises_of(chapter: str) -> dict[str, Exercise]:
    """Return a chapter's exercises by name, without importing any other chapter.

    chapter: its slug; one that is not written has none.
    """
    is_written = chapter in [written.slug for written in written_chapters()]
    return _in_chapter(chapter, "exercises", "EXERCISES") if is_written else {}


def component(name: str) -> Component:
    """Return the component of that name; UnknownName suggests the nearest."""
    return _look_up("component", name, components())


def components_of(name: str) -> list[Component]:
    """Return the component of that name, or all of the chapter of that name."""
    in_chapter = [c for c in components().values() if c.chapter == name]
    return in_chapter or [component(name)]


def exercise(name: str) -> Exercise:
    """Return the exercise of that name; UnknownName suggests the nearest."""
    own = exercises_of(name.partition(".")[0])
    return own.get(name) or _look_up("exercise", name, exercises())


def _gather(module: str, constant: str) -> dict:
    gathered = {}
    for chapter in written_chapters():
        gathered |= _in_chapter(chapter.slug, module, constant)
    return gathered


def _in_chapter(slug: str, module: str, constant: str) -> dict:
    items = {}
    for item in getattr(import_module(f"bigmodel_edu.{slug}.{module}"), constant):
        if item.name in items or not item.name.startswith(f"{slug}."):
            raise ValueError(
                f"{item.name!r} in {slug}/{module} is not a new name beginning with {slug!r} "
                "and a dot."
            )
        items[item.name] = item
    return items


def _look_up(kind: str, name: str, items: dict):
    if name in items:
        return items[name]
    raise UnknownName(
        f"there is no {kind} named {name!r}.{did_you_mean(name, items)} "
        f"The {kind}s are: {', '.join(items) or '(none yet)'}."
    )
