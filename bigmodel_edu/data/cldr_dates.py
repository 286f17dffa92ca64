"""The same date in twelve languages: real texts to translate, as many as one likes, from CLDR."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bigmodel_edu.errors import HyperparameterError, UnknownName, did_you_mean

from .cldr_names import expect_languages, find_locale
from .date_writers import (
    FIRST_YEAR,
    LAST_YEAR,
    STYLES,
    TARGET_STYLES,
    DateWriter,
    date_writer,
    split_dates,
    without_clashes,
)
from .splitting import expect_fractions

DATE_LANGUAGES = ("en", "de", "es", "ru", "el", "ja", "zh", "ko", "hi", "ar_EG", "bn", "th")

FIRST_DAY = np.datetime64(f"{FIRST_YEAR}-01-01")
N_DAYS = (np.datetime64(f"{LAST_YEAR + 1}-01-01") - FIRST_DAY).astype(int)


@dataclass(frozen=True)
class DatePairs:
    """n translations; every attribute has n entries.

    Attributes:
        sources, targets: the two texts.
        source_languages, target_languages: their tags, such as "ar_EG".
        source_styles: the style of each source, one of `STYLES`.
        dates: datetime64[D] of shape (n,), the date that both texts write.
    """

    sources: list[str]
    targets: list[str]
    source_languages: list[str]
    target_languages: list[str]
    source_styles: list[str]
    dates: np.ndarray

    def __len__(self) -> int:
        return len(self.sources)


@dataclass(frozen=True)
class CldrDates:
    """A source of dates to translate; `draw` gives pairs.

    Attributes:
        languages: their tags; `titles` are their English names.
        titles: "English", "German" …
        styles: for each language the styles that a source may have; see `load_cldr_dates`.
        train, validation, test: datetime64[D], the dates of each part; no date is in two.
        source: version of Babel, which carries CLDR.
    """

    languages: tuple[str, ...]
    titles: tuple[str, ...]
    styles: dict[str, tuple[str, ...]]
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    source: str
    _writers: dict[tuple[str, str], "DateWriter"]

    def write(self, date: datetime.date, language: str, style: str = "full") -> str:
        """Write a date in a language and a style, with the digits of that language."""
        _expect_known("language", language, self.languages)
        _expect_known("style", style, STYLES)
        if not FIRST_YEAR <= date.year <= LAST_YEAR:
            raise HyperparameterError(
                f"date must be from {FIRST_YEAR} to {LAST_YEAR}, got {date}: other years would "
                "have other widths."
            )
        writer = self._writers[language, style]
        if not writer.fields:
            raise UnknownName(
                f"CLDR has no plain {style} date in {language!r}: take another style."
            )
        return writer(split_dates(np.array([date], "datetime64[D]"))[0])

    def draw(
        self,
        rng: np.random.Generator,
        n: int,
        part: str = "train",
        source_language: str | None = None,
        target_language: str | None = None,
    ) -> DatePairs:
        """Draw n pairs at random: a date of the part, two different languages, a source style.

        The target is CLDR's full format where the source names the weekday, its long format where
        it does not, so that source and target language together determine every character.
        """
        _expect_known("part", part, ("train", "validation", "test"))
        if not n >= 1:
            raise HyperparameterError(f"n must be at least 1, got {n}.")
        pool = getattr(self, part)
        if len(pool) == 0:
            raise HyperparameterError(f"The part {part!r} has no dates, its fraction is 0.")
        source, target = self._draw_languages(rng, n, source_language, target_language)
        dates = pool[rng.integers(len(pool), size=n)]
        chance = rng.random(n)
        pairs = DatePairs([], [], [], [], [], dates)
        for i, parts in enumerate(split_dates(dates)):
            from_language, to_language = self.languages[source[i]], self.languages[target[i]]
            allowed = self.styles[from_language]
            style = allowed[int(chance[i] * len(allowed))]
            pairs.sources.append(self._writers[from_language, style](parts))
            pairs.targets.append(self._writers[to_language, TARGET_STYLES[STYLES[style]]](parts))
            pairs.source_languages.append(from_language)
            pairs.target_languages.append(to_language)
            pairs.source_styles.append(style)
        return pairs

    def _draw_languages(
        self, rng: np.random.Generator, n: int, source: str | None, target: str | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return numbers of languages, never the same twice in a pair; a given one is kept."""
        for name, language in (("source_language", source), ("target_language", target)):
            if language is not None:
                _expect_known(name, language, self.languages)
        if source is not None and source == target:
            raise HyperparameterError(
                f"source_language and target_language must differ, got {source!r} twice."
            )
        size = len(self.languages)
        # a step of 1 … size - 1 round the circle of languages leads to each other one
        steps = rng.integers(1, size, size=n)
        if target is not None and source is None:
            to = np.full(n, self.languages.index(target))
            return (to + steps) % size, to
        start = rng.integers(size, size=n)
        if source is not None:
            start = np.full(n, self.languages.index(source))
        if target is not None:
            return start, np.full(n, self.languages.index(target))
        return start, (start + steps) % size

    @cached_property
    def characters(self) -> tuple[str, ...]:
        """Every character that a source or a target can have, sorted."""
        return tuple(sorted(set().union(*(writer.characters for writer in self._used()))))

    @cached_property
    def longest_source(self) -> int:
        """How many characters the longest source has."""
        return max(
            self._writers[language, style].longest
            for language, styles in self.styles.items()
            for style in styles
        )

    @cached_property
    def longest_target(self) -> int:
        """How many characters the longest target has."""
        return max(
            self._writers[language, style].longest
            for language in self.languages
            for style in TARGET_STYLES.values()
        )

    def _used(self) -> list["DateWriter"]:
        used = {(language, style) for language, styles in self.styles.items() for style in styles}
        used |= {(tag, style) for tag in self.languages for style in TARGET_STYLES.values()}
        return [self._writers[key] for key in sorted(used)]

    def describe(self) -> str:
        """Say what is drawn, where it comes from and under which licence."""
        left_out = [
            f"{title} {style}"
            for tag, title in zip(self.languages, self.titles, strict=True)
            for style in STYLES
            if style not in self.styles[tag]
        ]
        return (
            f"Dates from {FIRST_YEAR} to {LAST_YEAR} in {len(self.languages)} languages "
            f"({', '.join(self.titles)}), Gregorian calendar: {len(self.train):,} dates to train, "
            f"{len(self.validation):,} to validate, {len(self.test):,} to test, each in "
            f"{sum(map(len, self.styles.values()))} ways of writing.\n"
            f"{len(self.characters)} different characters; a source has at most "
            f"{self.longest_source}, a target at most {self.longest_target}.\n"
            "Split by date: a date of the test set occurs in no pair to train on, in no language; "
            "its day, month and year do, with other partners.\n"
            "Targets name the weekday exactly where sources do, for it takes a calendar to find "
            "it; years have four digits.\n"
            f"Left out as sources, because another language means another date by the same "
            f"characters: {', '.join(left_out) or 'nothing'}.\n"
            f"Source: Unicode CLDR, carried by {self.source}, https://cldr.unicode.org; Babel "
            "formats with 0 … 9, the languages' own digits are put in here, after CLDR's table.\n"
            "Licence: Unicode-3.0, https://www.unicode.org/license.txt (Babel: BSD-3-Clause)."
        )


def load_cldr_dates(
    languages: Sequence[str] = DATE_LANGUAGES,
    seed: int = 0,
    test_fraction: float = 0.1,
    validation_fraction: float = 0.1,
) -> CldrDates:
    """Load how CLDR writes dates in several languages, to translate from one into another.

    A source is written in one of five styles (for English):

        full     Friday, March 7, 2031      weekday  Fri, Mar 7, 2031
        long     March 7, 2031              medium   Mar 7, 2031          numeric  3/7/2031

    and a target in the full style if the source names the weekday, in the long style if not.
    Two kinds of source are left out, because they do not determine their target: two-digit years
    (CLDR's short style in most languages), and styles by which two languages mean different dates
    with the same characters. English 3/7/2031 is 7 March; in Spanish, Greek and others it is 3
    July. Whichever style clashes with most others goes first, until none clash.

    Texts are exactly CLDR's, including its marks for right-to-left text (U+200F) and its narrow
    spaces (U+202F). All dates are Gregorian, also where another calendar is usual, as in Thailand.
    Where a language has digits of its own by default (Bengali, Arabic in Egypt), dates have them.

    Source: Unicode CLDR, through `babel`. Another version of Babel may write otherwise.

    Raises:
        UnknownName: CLDR has no such language.
        HyperparameterError: fewer than two languages, one twice, a language whose dates cannot be
            written here, or bad fractions.
    """
    import babel

    expect_languages(languages)
    expect_fractions(test_fraction, validation_fraction, "dates")
    locales = {tag: find_locale(tag) for tag in languages}
    writers = {
        (tag, style): date_writer(locale, style)
        for tag, locale in locales.items()
        for style in STYLES
    }
    complete = [key for key, writer in writers.items() if writer.tells_all(STYLES[key[1]])]
    for tag in languages:
        if not all((tag, style) in complete for style in TARGET_STYLES.values()):
            raise HyperparameterError(
                f"{tag!r} has no full and long dates with weekday, day, month and four-digit year "
                "in CLDR: leave it out."
            )
    allowed = without_clashes({key: writers[key] for key in complete})
    days = FIRST_DAY + np.random.default_rng(seed).permutation(N_DAYS)
    ends = np.rint(np.cumsum((test_fraction, validation_fraction)) * N_DAYS).astype(int)
    test, validation, train = np.split(days, ends)
    return CldrDates(
        languages=tuple(languages),
        titles=tuple(locale.english_name for locale in locales.values()),
        styles={tag: tuple(s for s in STYLES if (tag, s) in allowed) for tag in languages},
        train=train,
        validation=validation,
        test=test,
        source=f"Babel {babel.__version__}",
        _writers=writers,
    )


def _expect_known(what: str, name: str, known) -> None:
    if name not in known:
        raise UnknownName(
            f"Unknown {what} {name!r}, expected one of {', '.join(known)}."
            + did_you_mean(str(name), known)
        )
