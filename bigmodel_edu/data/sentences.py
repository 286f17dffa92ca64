"""Statistics or linear algebra? Sentences of SciPy's and NumPy's documentation, to tell apart."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bigmodel_edu.errors import UnknownName

from .documentation import PACKAGES, Documentation, load_documentation, paragraphs
from .splitting import expect_fractions, split_groups

SUBJECTS = ("statistics", "linear algebra")
MODULES = (("scipy.stats",), ("scipy.linalg", "scipy.sparse.linalg", "numpy.linalg"))

SHORTEST, LONGEST = 30, 200

_SENTENCE_END = re.compile(r"(?<=[A-Za-z0-9)\]'\"][.?!])(?<!e\.g\.)(?<!i\.e\.)(?<!al\.) (?=[A-Z])")


@dataclass(frozen=True)
class DocumentationSentences:
    """N sentences and the subject of the module that each comes from.

    Attributes:
        sentences: 30 to 200 characters each, no two alike.
        labels: int64 of shape (N,): 0 statistics, 1 linear algebra.
        groups: int64 of shape (N,), the number of what the sentence documents: a function, or a
            class with its methods.
        train, validation, test: int64, row numbers of each part, shuffled.
        versions: of the packages, {"numpy": "2.4.6", …}.
    """

    sentences: tuple[str, ...]
    labels: np.ndarray
    groups: np.ndarray
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    versions: dict[str, str]
    subjects: tuple[str, str] = SUBJECTS

    @property
    def characters(self) -> tuple[str, ...]:
        """Every character of the sentences to train on, sorted."""
        return tuple(sorted(set().union(*(self.sentences[i] for i in self.train))))

    def part(self, name: str) -> tuple[list[str], np.ndarray]:
        """Return sentences and labels of the part "train", "validation" or "test"."""
        if name not in ("train", "validation", "test"):
            raise UnknownName(f"Unknown part {name!r}, expected train, validation or test.")
        rows = getattr(self, name)
        return [self.sentences[i] for i in rows], self.labels[rows]

    def describe(self) -> str:
        """Say what these sentences are, where they come from and under which licence."""
        statistics, algebra = np.bincount(self.labels, minlength=2)
        of = ", ".join(f"{PACKAGES[name]} {version}" for name, version in self.versions.items())
        return (
            f"{len(self.sentences):,} sentences from the documentation of {of}: {statistics:,} on "
            f"statistics (scipy.stats), {algebra:,} on linear algebra (scipy.linalg, "
            f"scipy.sparse.linalg, numpy.linalg); {len(self.train):,} to train, "
            f"{len(self.validation):,} to validate, {len(self.test):,} to test; "
            f"{len(self.characters)} different characters in those to train on.\n"
            "The label says where a sentence stands, not what it is about: one such as 'This is a "
            "helper function.' could stand in either, so no reader is always right.\n"
            "Split by what is documented: the sentences of one function, or of one class with its "
            "methods, are all in one part, and functions of the same name in two packages go "
            "together. Left out: sentences that stand in both subjects, and those that name a "
            "module (scipy.stats, np.linalg).\n"
            "Source: https://github.com/scipy/scipy, https://github.com/numpy/numpy.\n"
            "Licence: BSD-3-Clause."
        )


def load_documentation_sentences(
    seed: int = 0, test_fraction: float = 0.15, validation_fraction: float = 0.15
) -> DocumentationSentences:
    """Load sentences of the installed documentation, for a classifier of two subjects.

    Linear algebra has fewer functions, so functions of scipy.stats are drawn at random, whole,
    until the two classes are about equal.

    See `DocumentationSentences.describe` for how they are chosen and split; see
    `load_documentation` for where they come from and what is kept on disk.

    Raises:
        DataFileError: a package has no source files here.
        HyperparameterError: bad fractions.
    """
    expect_fractions(test_fraction, validation_fraction, "sentences")
    documentation = load_documentation()
    rng = np.random.default_rng(seed)
    rows = _balanced(_distinct(_sentences(documentation)), rng)
    names = sorted({name for _, _, name in rows})
    number = {name: i for i, name in enumerate(names)}
    groups = np.array([number[name] for _, _, name in rows], dtype=np.int64)
    train, validation, test = split_groups(groups, (test_fraction, validation_fraction), rng)
    return DocumentationSentences(
        sentences=tuple(sentence for sentence, _, _ in rows),
        labels=np.array([label for _, label, _ in rows], dtype=np.int64),
        groups=groups,
        train=train,
        validation=validation,
        test=test,
        versions={name: documentation.versions[name] for name in ("scipy", "numpy")},
    )


def _sentences(documentation: Documentation) -> Iterator[tuple[str, int, str]]:
    """Yield (sentence, label, name of the documented function or class)."""
    for docstring in documentation.docstrings:
        label = _subject(docstring.module)
        if label is None:
            continue
        # norm_gen.pdf belongs to norm_gen; a module's own docstring to the module
        name = docstring.name.partition(".")[0] or docstring.module
        for paragraph in paragraphs(docstring.text):
            for sentence in split_sentences(paragraph):
                if _is_clean(sentence):
                    yield sentence, label, name


def _subject(module: str) -> int | None:
    for label, prefixes in enumerate(MODULES):
        if any(module == prefix or module.startswith(prefix + ".") for prefix in prefixes):
            return label
    return None


def split_sentences(paragraph: str) -> list[str]:
    """Cut a paragraph after each full stop that a capital letter follows, but not after "e.g."."""
    return _SENTENCE_END.split(paragraph)


def _is_clean(sentence: str) -> bool:
    letters = sum(character.isalpha() or character == " " for character in sentence)
    return (
        SHORTEST <= len(sentence) <= LONGEST
        and re.match(r"[A-Z]", sentence) is not None
        and sentence.endswith((".", "?", "!"))
        and not sentence.endswith(("e.g.", "i.e.", "al."))
        and sentence.isascii()
        and letters >= 0.75 * len(sentence)
        and len(sentence.split()) >= 4
        # LaTeX, templates and leftovers of markup: \alpha, {x}, %(name)s, `x`
        and re.search(r"[\\{}%#~$`]|\*\w", sentence) is None
        and re.search(r"scipy|numpy|\bnp\.|linalg|\bstats\b|https?:", sentence, re.I) is None
    )


def _distinct(rows: Iterator[tuple[str, int, str]]) -> list[tuple[str, int, str]]:
    """Keep each sentence once, and none that stands in both subjects."""
    first: dict[str, tuple[str, int, str]] = {}
    both = set()
    for sentence, label, name in rows:
        # "Default is 1." and "default is 2" are one sentence to a reader
        key = re.sub(r"[^a-z]+", " ", sentence.lower())
        if first.setdefault(key, (sentence, label, name))[1] != label:
            both.add(key)
    return [row for key, row in first.items() if key not in both]


def _balanced(
    rows: list[tuple[str, int, str]], rng: np.random.Generator
) -> list[tuple[str, int, str]]:
    """Draw whole groups of the larger class until it has as many sentences as the smaller."""
    counts = np.bincount([label for _, label, _ in rows], minlength=2)
    larger, wanted = int(counts.argmax()), int(counts.min())
    sizes: dict[str, int] = {}
    for _, label, name in rows:
        if label == larger:
            sizes[name] = sizes.get(name, 0) + 1
    names = sorted(sizes)
    kept, total = set(), 0
    for i in rng.permutation(len(names)):
        if total + sizes[names[i]] <= wanted:
            kept.add(names[i])
            total += sizes[names[i]]
    return [row for row in rows if row[1] != larger or row[2] in kept]
