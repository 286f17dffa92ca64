"""Names of countries, languages and scripts as fourteen languages write them, from CLDR."""

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bigmodel_edu.errors import HyperparameterError, UnknownName, did_you_mean

from .splitting import expect_fractions, split_groups

# Eight share the Latin script, two the Cyrillic, two the Arabic; Greek and Hindi stand alone.
NAME_LANGUAGES = (
    *("en", "de", "fr", "es", "it", "pl", "tr", "fi"),
    *("ru", "uk", "el", "ar", "fa", "hi"),
)

KINDS = ("territories", "languages", "scripts")


@dataclass(frozen=True)
class CldrNames:
    """N names, each with the one language that writes it so.

    Attributes:
        words: the names, spelt as in the middle of a sentence ("Allemagne", "allemand").
        labels: int64 of shape (N,), numbers of `languages`.
        languages: the languages' tags ("en", "de"); `titles` are their English names.
        titles: "English", "German" …
        entities: int64 of shape (N,), the number of what is named; see `load_cldr_names`.
        train, validation, test: int64, row numbers of each part, shuffled.
        source: version of Babel, which carries CLDR.
    """

    words: tuple[str, ...]
    labels: np.ndarray
    languages: tuple[str, ...]
    titles: tuple[str, ...]
    entities: np.ndarray
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    source: str

    @property
    def characters(self) -> tuple[str, ...]:
        """Every character of the names to train on, sorted: the alphabet of a tokenizer."""
        return tuple(sorted(set().union(*(self.words[i] for i in self.train))))

    def part(self, name: str) -> tuple[list[str], np.ndarray]:
        """Return words and labels of the part "train", "validation" or "test"."""
        if name not in ("train", "validation", "test"):
            raise UnknownName(f"Unknown part {name!r}, expected train, validation or test.")
        rows = getattr(self, name)
        return [self.words[i] for i in rows], self.labels[rows]

    def describe(self) -> str:
        """Say what these names are, where they come from and under which licence."""
        counts = np.bincount(self.labels, minlength=len(self.languages))
        table = ", ".join(
            f"{title} {count:,}" for title, count in zip(self.titles, counts, strict=True)
        )
        largest = counts.max() / counts.sum()
        return (
            f"{len(self.words):,} names of countries and regions, languages and scripts, written "
            f"in {len(self.languages)} languages: {len(self.train):,} to train, "
            f"{len(self.validation):,} to validate, {len(self.test):,} to test; "
            f"{len(self.characters)} different characters in those to train on, "
            f"at most {max(map(len, self.words))} in a name.\n"
            f"Classes are not balanced ({table}): always to guess the largest is right for "
            f"{largest:.1%}.\n"
            "Left out: names that several of these languages write alike (Angola, Samoa), but for "
            "capital letters, because they have no single right answer. What is left over-states "
            "how different the languages are.\n"
            "Split by what is named: all names of Germany are in one part, in every language. So "
            "a test name is new, and so are its look-alikes in other languages; related words "
            "(Finland, Finnish) may be on both sides.\n"
            f"Source: Unicode CLDR, carried by {self.source}, https://cldr.unicode.org.\n"
            "Licence: Unicode-3.0, https://www.unicode.org/license.txt (Babel: BSD-3-Clause)."
        )


def load_cldr_names(
    languages: Sequence[str] = NAME_LANGUAGES,
    seed: int = 0,
    test_fraction: float = 0.15,
    validation_fraction: float = 0.15,
) -> CldrNames:
    """Load what CLDR calls countries, languages and scripts, for *Which language is this word?*

    What is a fair split? "Afghanistan", "Afganistán" and "Afganistan" name one country in three
    languages. Split at random, the test set would hold spellings one letter away from names
    seen with *another* label: a network that remembers names would be led astray, one that
    compares them would be helped, and neither has to do with spelling. So the split is by
    entity: all names of one country, language or script, in all languages, are in one part.
    Variants of a language ("British English") go with it, and so do entities that share a name
    in some language (the script Tamil with the language Tamil).

    A name that two of the `languages` write alike, but for capital letters, is left out, for no
    reader could tell; fewer languages therefore leave more names in each. The default has no
    Chinese or Japanese, whose thousand characters would be most of the vocabulary and give the
    answer at once.

    Source: Unicode CLDR, through `babel.Locale`. Another version of Babel may have other names.

    Raises:
        UnknownName: CLDR has no such language.
        HyperparameterError: fewer than two languages, one twice, or bad fractions.
    """
    import babel

    expect_languages(languages)
    expect_fractions(test_fraction, validation_fraction, "names")
    locales = [find_locale(tag) for tag in languages]
    rows = _unambiguous([_names(locale) for locale in locales])
    words = tuple(word for word, _, _ in rows)
    labels = np.array([label for _, label, _ in rows], dtype=np.int64)
    entities = np.array([entity for _, _, entity in rows], dtype=np.int64)
    train, validation, test = split_groups(
        entities, (test_fraction, validation_fraction), np.random.default_rng(seed)
    )
    return CldrNames(
        words=words,
        labels=labels,
        languages=tuple(languages),
        titles=tuple(locale.english_name for locale in locales),
        entities=entities,
        train=train,
        validation=validation,
        test=test,
        source=f"Babel {babel.__version__}",
    )


def find_locale(tag: str):
    """Return Babel's locale of a tag such as "de" or "ar_EG"; raise UnknownName if it has none."""
    import babel
    from babel.localedata import locale_identifiers

    try:
        return babel.Locale.parse(tag)
    except (babel.UnknownLocaleError, ValueError, TypeError) as error:
        raise UnknownName(
            f"CLDR has no language {tag!r}, expected a tag such as 'en' or 'ar_EG'."
            + did_you_mean(str(tag), locale_identifiers())
        ) from error


def expect_languages(languages: Sequence[str]) -> None:
    if isinstance(languages, str) or len(set(languages)) < max(2, len(languages)):
        raise HyperparameterError(
            f"languages must be two or more different tags, got {languages!r}: give a tuple such "
            "as ('en', 'de')."
        )


def _names(locale) -> dict[tuple[str, str], str]:
    """Return {(kind, code): name} of one locale, in a fixed order."""
    found = {}
    for kind in KINDS:
        for code, name in sorted(getattr(locale, kind).items()):
            name = unicodedata.normalize("NFC", name).strip()
            if name != code and any(character.isalpha() for character in name):
                found[kind, code] = name
    return found


def _unambiguous(names: list[dict[tuple[str, str], str]]) -> list[tuple[str, int, int]]:
    """Return (name, label, entity) of each name that only one language has, each once."""
    owners = defaultdict(set)
    for label, of_language in enumerate(names):
        for name in of_language.values():
            owners[name.casefold()].add(label)
    group = _entities(names)
    rows, seen = [], set()
    for label, of_language in enumerate(names):
        for key, name in of_language.items():
            folded = name.casefold()
            if len(owners[folded]) == 1 and folded not in seen:
                seen.add(folded)
                rows.append((name, label, group[key]))
    return rows


def _entities(names: list[dict[tuple[str, str], str]]) -> dict[tuple[str, str], int]:
    """Number the entities; those that share a name in some language get the same number."""
    parent: dict[tuple[str, str], tuple[str, str]] = {}

    def root(entity):
        while parent.setdefault(entity, entity) != entity:
            entity = parent[entity]
        return entity

    for of_language in names:
        first: dict[str, tuple[str, str]] = {}
        for (kind, code), name in of_language.items():
            entity = (kind, code.partition("_")[0])  # en_GB goes with en
            other = first.setdefault(name.casefold(), entity)
            parent[root(entity)] = root(other)
    keys = sorted({key for of_language in names for key in of_language})
    numbers: dict[tuple[str, str], int] = {}
    return {
        (kind, code): numbers.setdefault(root((kind, code.partition("_")[0])), len(numbers))
        for kind, code in keys
    }
