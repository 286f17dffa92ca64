"""How CLDR writes a date in a language and a style, compiled so that 100,000 take a second."""

import datetime
import re
from collections import Counter
from dataclasses import dataclass

import numpy as np

FIRST_YEAR, LAST_YEAR = 1900, 2099

# Name of a style: does it name the weekday? The first of each kind is what a target is written in.
STYLES = {"full": True, "weekday": True, "long": False, "medium": False, "numeric": False}
TARGET_STYLES = {True: "full", False: "long"}
SKELETONS = {"weekday": "yMMMEd", "numeric": "yMd"}  # the others are CLDR's four date formats

# CLDR's digits (numberingSystems.xml), each system by its zero: Babel carries the systems' names
# and which language uses which, but formats every date with 0 … 9.
ZEROS = {
    "latn": "0",
    "arab": "٠",
    "arabext": "۰",
    "beng": "০",
    "cakm": "𑄶",
    "deva": "०",
    "gujr": "૦",
    "guru": "੦",
    "khmr": "០",
    "knda": "೦",
    "laoo": "໐",
    "mlym": "൦",
    "mymr": "၀",
    "nkoo": "߀",
    "olck": "᱐",
    "orya": "୦",
    "tamldec": "௦",
    "telu": "౦",
    "thai": "๐",
    "tibt": "༠",
    "adlm": "𞥐",
}

# CLDR's letters for the parts of a date; Thai names the era (G), which is always ours.
COMPONENTS = {
    "G": "era",
    "y": "year",
    "M": "month",
    "L": "month",
    "d": "day",
    "E": "weekday",
    "c": "weekday",
}


@dataclass(frozen=True)
class DateWriter:
    """A style compiled: "%s, %s %s, %s" and for each %s a component of the date and its texts."""

    template: str
    fields: tuple[tuple[str, dict[int, str]], ...]

    def __call__(self, parts: dict[str, int]) -> str:
        return self.template % tuple(texts[parts[component]] for component, texts in self.fields)

    def tells_all(self, weekday: bool) -> bool:
        """Whether it tells day, month and year (all four digits), and the weekday or not."""
        told = {name for name, texts in self.fields if len(set(texts.values())) == len(texts)}
        return told - {"era"} == {"day", "month", "year"} | ({"weekday"} if weekday else set())

    @property
    def characters(self) -> set[str]:
        texts = (text for _, texts in self.fields for text in texts.values())
        return set(self.template.replace("%s", "").replace("%%", "%")).union(*texts)

    @property
    def longest(self) -> int:
        # every month has days of two digits, and in 200 years each falls on every weekday
        widest = sum(max(map(len, texts.values())) for _, texts in self.fields)
        return len(self.template % (("",) * len(self.fields))) + widest


def date_writer(locale, style: str) -> DateWriter:
    """Compile a style of a Babel locale; it tells nothing where CLDR has no such plain style."""
    from babel.dates import DateTimeFormat

    if style in SKELETONS:
        pattern = locale.datetime_skeletons.get(SKELETONS[style])
    else:
        pattern = locale.date_formats[style]
    if pattern is None:
        return DateWriter("", ())
    names = re.findall(r"%\((\w+)\)s", pattern.format)
    if any(name[0] not in COMPONENTS for name in names):
        return DateWriter("", ())  # a week or a quarter: no plain date
    digits = _digits(locale)
    fields = []
    for name in names:
        component = COMPONENTS[name[0]]
        texts = {
            number: DateTimeFormat(example, locale)[name].translate(digits)
            for number, example in _examples(component).items()
        }
        fields.append((component, texts))
    return DateWriter(re.sub(r"%\(\w+\)s", "%s", pattern.format).translate(digits), tuple(fields))


def _examples(component: str) -> dict[int, datetime.date]:
    """Return a date for each value of a component; 1 January 1900 was a Monday."""
    if component == "year":
        return {year: datetime.date(year, 1, 1) for year in range(FIRST_YEAR, LAST_YEAR + 1)}
    if component == "month":
        return {month: datetime.date(FIRST_YEAR, month, 1) for month in range(1, 13)}
    if component == "day":
        return {day: datetime.date(FIRST_YEAR, 1, day) for day in range(1, 32)}
    if component == "weekday":
        return {weekday: datetime.date(FIRST_YEAR, 1, 1 + weekday) for weekday in range(7)}
    return {1: datetime.date(FIRST_YEAR, 1, 1)}


def _digits(locale) -> dict[int, int]:
    """Return what `str.translate` needs to put in the digits that the locale has by default."""
    zero = ZEROS.get(locale.default_numbering_system, "0")
    return {ord("0") + i: ord(zero) + i for i in range(10)}


def split_dates(dates: np.ndarray) -> list[dict[str, int]]:
    """Split dates into era, year, month, day and weekday (Monday is 0)."""
    return [
        {"era": 1, "year": d.year, "month": d.month, "day": d.day, "weekday": d.weekday()}
        for d in dates.astype("datetime64[D]").tolist()
    ]


def without_clashes(writers: dict[tuple[str, str], DateWriter]) -> set[tuple[str, str]]:
    """Drop styles until no text of one year can mean two different dates."""
    year = np.arange(np.datetime64("2031-01-01"), np.datetime64("2032-01-01"))
    meanings: dict[str, dict[int, set[tuple[str, str]]]] = {}
    for day, parts in enumerate(split_dates(year)):
        for key, writer in writers.items():
            meanings.setdefault(writer(parts), {}).setdefault(day, set()).add(key)
    clashes = {
        frozenset((one, other))
        for of_text in meanings.values()
        if len(of_text) > 1
        for day, ones in of_text.items()
        for other_day, others in of_text.items()
        if day < other_day
        for one in ones
        for other in others
    }
    allowed = set(writers)
    while clashes:
        counts = Counter(key for pair in clashes for key in pair)
        worst = max(sorted(counts), key=counts.__getitem__)
        allowed.discard(worst)
        clashes = {pair for pair in clashes if worst not in pair}
    return allowed
