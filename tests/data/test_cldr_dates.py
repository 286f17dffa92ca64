"""Dates are CLDR's, each source has one right translation, and test dates are new."""

import datetime
import unicodedata
from collections import defaultdict

import numpy as np
import pytest
from babel.dates import format_date, format_skeleton

from bigmodel_edu.data import DATE_LANGUAGES, load_cldr_dates
from bigmodel_edu.data.date_writers import SKELETONS, STYLES, ZEROS, split_dates
from bigmodel_edu.errors import HyperparameterError, UnknownName

DATE = datetime.date(2031, 3, 7)
ARABIC_DIGITS, BENGALI_DIGITS = "٠١٢٣٤٥٦٧٨٩", "০১২৩৪৫৬৭৮৯"


@pytest.fixture(scope="module")
def dates():
    return load_cldr_dates()


@pytest.mark.parametrize(
    ("language", "full", "long"),
    [
        ("en", "Friday, March 7, 2031", "March 7, 2031"),
        ("de", "Freitag, 7. März 2031", "7. März 2031"),
        ("es", "viernes, 7 de marzo de 2031", "7 de marzo de 2031"),
        ("el", "Παρασκευή 7 Μαρτίου 2031", "7 Μαρτίου 2031"),
        ("ja", "2031年3月7日金曜日", "2031年3月7日"),
        ("zh", "2031年3月7日星期五", "2031年3月7日"),
        ("ko", "2031년 3월 7일 금요일", "2031년 3월 7일"),
        ("hi", "शुक्रवार, 7 मार्च 2031", "7 मार्च 2031"),
        ("ar_EG", "الجمعة، ٧ مارس ٢٠٣١", "٧ مارس ٢٠٣١"),
        ("bn", "শুক্রবার, ৭ মার্চ, ২০৩১", "৭ মার্চ, ২০৩১"),
        ("th", "วันศุกร์ที่ 7 มีนาคม ค.ศ. 2031", "7 มีนาคม ค.ศ. 2031"),
    ],
)
def test_known_dates(dates, language, full, long):
    assert dates.write(DATE, language, "full") == full
    assert dates.write(DATE, language, "long") == long


@pytest.mark.parametrize("language", DATE_LANGUAGES)
@pytest.mark.parametrize("style", STYLES)
def test_dates_are_what_babel_writes_but_for_digits(dates, language, style):
    def decimal(text):
        return "".join(str(unicodedata.decimal(character, character)) for character in text)

    rng = np.random.default_rng(0)
    for date in rng.choice(dates.train, 40).tolist():
        if style in SKELETONS:
            wanted = format_skeleton(SKELETONS[style], date, locale=language)
        else:
            wanted = format_date(date, style, locale=language)
        assert decimal(dates.write(date, language, style)) == wanted


@pytest.mark.parametrize(("language", "digits"), [("ar_EG", ARABIC_DIGITS), ("bn", BENGALI_DIGITS)])
def test_languages_have_their_own_digits(dates, language, digits):
    pairs = dates.draw(np.random.default_rng(0), 500, source_language=language)
    assert set(digits) <= set("".join(pairs.sources))
    assert not set("0123456789") & set("".join(pairs.sources))
    pairs = dates.draw(np.random.default_rng(0), 500, target_language=language)
    assert set(digits) <= set("".join(pairs.targets))
    assert not set("0123456789") & set("".join(pairs.targets))


@pytest.mark.parametrize("system", ZEROS)
def test_digit_systems_begin_with_a_zero_and_count_to_nine(system):
    digits = [chr(ord(ZEROS[system]) + i) for i in range(10)]
    assert [unicodedata.decimal(digit) for digit in digits] == list(range(10))


def test_parts_cover_every_date_once(dates):
    for part in (dates.train, dates.validation, dates.test):
        assert part.dtype == np.dtype("datetime64[D]")
    together = np.concatenate((dates.train, dates.validation, dates.test))
    np.testing.assert_array_equal(
        np.sort(together), np.arange("1900-01-01", "2100-01-01", dtype="datetime64[D]")
    )
    assert len(dates.test) == len(dates.validation) == 7305


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_pairs_have_dates_of_their_part_only(dates, part):
    pairs = dates.draw(np.random.default_rng(3), 3000, part)
    assert np.isin(pairs.dates, getattr(dates, part)).all()
    for i in range(0, 3000, 50):
        date = pairs.dates[i].item()
        style = pairs.source_styles[i]
        weekday = STYLES[style]
        assert pairs.sources[i] == dates.write(date, pairs.source_languages[i], style)
        target_style = "full" if weekday else "long"
        assert pairs.targets[i] == dates.write(date, pairs.target_languages[i], target_style)


def test_no_text_of_the_test_part_is_in_a_training_pair(dates):
    train = dates.draw(np.random.default_rng(0), 20_000)
    test = dates.draw(np.random.default_rng(1), 5_000, "test")
    seen = {*train.sources, *train.targets}
    assert not seen & {*test.sources, *test.targets}


def test_a_source_has_one_translation(dates):
    """Every way of writing every date of a year: the text alone tells the date and its kind."""
    meanings = defaultdict(set)
    year = np.arange("2024-01-01", "2025-01-01", dtype="datetime64[D]")
    for day, parts in enumerate(split_dates(year)):
        for language, styles in dates.styles.items():
            for style in styles:
                meanings[dates._writers[language, style](parts)].add((day, STYLES[style]))
    assert max(map(len, meanings.values())) == 1
    assert len(meanings) > 366 * 40


def test_clashing_style_is_left_out_and_named(dates):
    assert dates.write(DATE, "en", "numeric") == "3/7/2031"
    assert dates.write(datetime.date(2031, 7, 3), "el", "numeric") == "3/7/2031"
    assert dates.styles["en"] == ("full", "weekday", "long", "medium")
    assert dates.styles["el"] == tuple(STYLES)
    assert "same characters: English numeric." in " ".join(dates.describe().split())
    alone = load_cldr_dates(languages=("en", "de", "ja"))
    assert alone.styles["en"] == tuple(STYLES)


def test_languages_differ_and_all_occur(dates):
    pairs = dates.draw(np.random.default_rng(5), 5000)
    both = set(zip(pairs.source_languages, pairs.target_languages, strict=True))
    assert len(both) == 12 * 11
    assert all(one != other for one, other in both)
    assert set(pairs.source_styles) == set(STYLES)


def test_languages_can_be_given(dates):
    pairs = dates.draw(np.random.default_rng(0), 50, "test", "ja", "ru")
    assert set(pairs.source_languages) == {"ja"}
    assert set(pairs.target_languages) == {"ru"}
    to = dates.draw(np.random.default_rng(0), 500, target_language="th")
    assert set(to.target_languages) == {"th"}
    assert set(to.source_languages) == set(DATE_LANGUAGES) - {"th"}


def test_draws_follow_from_the_generator(dates):
    one, same, other = (dates.draw(np.random.default_rng(i), 100) for i in (7, 7, 8))
    assert one.sources == same.sources
    assert one.targets == same.targets
    assert one.sources != other.sources
    np.testing.assert_array_equal(load_cldr_dates().test, dates.test)
    assert not np.array_equal(load_cldr_dates(seed=1).test, dates.test)


def test_characters_and_lengths_are_exact(dates):
    pairs = dates.draw(np.random.default_rng(0), 30_000)
    assert set("".join(pairs.sources + pairs.targets)) == set(dates.characters)
    assert max(map(len, pairs.targets)) == dates.longest_target
    assert max(map(len, pairs.sources)) == dates.longest_source


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"part": "dev"}, UnknownName, "Unknown part 'dev'"),
        ({"source_language": "fr"}, UnknownName, "source_language 'fr', expected one of en"),
        ({"source_language": "en", "target_language": "en"}, HyperparameterError, "must differ"),
        ({"n": 0}, HyperparameterError, "n must be at least 1, got 0"),
    ],
)
def test_bad_draws_are_refused(dates, arguments, error, words):
    with pytest.raises(error, match=words):
        dates.draw(np.random.default_rng(0), **{"n": 3, **arguments})


def test_empty_part_is_named():
    dates = load_cldr_dates(languages=("en", "de"), validation_fraction=0)
    with pytest.raises(HyperparameterError, match="'validation' has no dates"):
        dates.draw(np.random.default_rng(0), 1, "validation")


def test_bad_writing_is_refused(dates):
    with pytest.raises(HyperparameterError, match="from 1900 to 2099, got 1789-07-14"):
        dates.write(datetime.date(1789, 7, 14), "en")
    with pytest.raises(UnknownName, match=r"Unknown style 'ful'.*Did you mean 'full'"):
        dates.write(DATE, "en", "ful")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"languages": ("en",)}, HyperparameterError, "two or more different tags"),
        ({"languages": ("en", "xx")}, UnknownName, "no language 'xx'"),
        (
            {"test_fraction": 0.9, "validation_fraction": 0.1},
            HyperparameterError,
            "leave some dates",
        ),
    ],
)
def test_bad_arguments_are_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        load_cldr_dates(**arguments)


def test_description_names_sizes_source_and_licence(dates):
    text = dates.describe()
    for words in (
        f"{len(dates.train):,} dates to train",
        f"{len(dates.characters)} different characters",
        "Split by date",
        "Babel 2.",
        "Unicode-3.0",
    ):
        assert words in text
