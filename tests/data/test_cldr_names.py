"""The names are real, each has one right answer, and no entity is on both sides of the split."""

import unicodedata
from collections import Counter

import numpy as np
import pytest

from bigmodel_edu.data import NAME_LANGUAGES, load_cldr_names
from bigmodel_edu.errors import HyperparameterError, UnknownName


@pytest.fixture(scope="module")
def names():
    return load_cldr_names()


def of(names, language):
    label = names.languages.index(language)
    return {word for word, i in zip(names.words, names.labels, strict=True) if i == label}


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["Germany", "South Africa", "Spanish"]),
        ("de", ["Deutschland", "Österreich", "Griechisch"]),
        ("fr", ["Allemagne", "allemand", "Royaume-Uni"]),
        ("es", ["España", "Estados Unidos"]),
        ("pl", ["Niemcy", "Szwajcaria"]),
        ("tr", ["Yunanistan", "Almanya"]),
        ("fi", ["Yhdysvallat", "Etelä-Afrikka"]),
        ("ru", ["немецкий", "Испания"]),
        ("uk", ["Німеччина", "Іспанія"]),
        ("el", ["Γερμανία", "Ελλάδα"]),
        ("ar", ["ألمانيا", "اليابان"]),
        ("fa", ["ژاپن", "آلمان"]),
        ("hi", ["जर्मनी", "भारत"]),
    ],
)
def test_known_names(names, language, words):
    assert set(words) <= of(names, language)


def test_arrays_are_as_documented(names):
    assert names.languages == NAME_LANGUAGES
    assert names.titles[:3] == ("English", "German", "French")
    assert names.labels.dtype == names.entities.dtype == names.train.dtype == np.int64
    assert len(names.words) == len(names.labels) == len(names.entities) > 8000
    assert np.bincount(names.labels, minlength=14).min() > 350
    words, labels = names.part("test")
    assert words[0] == names.words[names.test[0]]
    np.testing.assert_array_equal(labels, names.labels[names.test])
    assert all(word == unicodedata.normalize("NFC", word).strip() for word in names.words)


def test_no_name_has_two_answers(names):
    folded = Counter(word.casefold() for word in names.words)
    assert folded.most_common(1)[0][1] == 1
    # one name in English, German, Spanish …
    assert not {"Angola", "Samoa", "samoa"} & set(names.words)


def test_with_fewer_languages_more_names_have_one_answer():
    two = load_cldr_names(languages=("ru", "ja"))
    assert "Ангола" in two.words  # in Ukrainian just the same
    assert "日本" in two.words


def test_no_entity_is_in_two_parts(names):
    rows = np.concatenate((names.train, names.validation, names.test))
    assert sorted(rows) == list(range(len(names.words)))
    train, validation, test = (
        set(names.entities[part].tolist()) for part in (names.train, names.validation, names.test)
    )
    assert not train & (validation | test)
    assert not validation & test
    for part in (names.validation, names.test):
        assert len(part) / len(names.words) == pytest.approx(0.15, abs=0.01)


@pytest.mark.parametrize(
    "same",
    [
        ("Germany", "Deutschland", "Allemagne", "Niemcy", "Γερμανία", "ألمانيا"),
        ("British English", "Englisch", "anglais", "английский"),
        ("Griechisch", "grecki", "greckie"),  # language and script, one word in German
    ],
)
def test_one_thing_is_one_entity(names, same):
    entity = dict(zip(names.words, names.entities.tolist(), strict=True))
    assert len({entity[word] for word in same}) == 1


def test_different_things_are_different_entities(names):
    entity = dict(zip(names.words, names.entities.tolist(), strict=True))
    assert entity["Germany"] != entity["Griechisch"]
    assert len(set(entity.values())) > 800


def test_split_follows_from_its_seed(names):
    same, other = load_cldr_names(), load_cldr_names(seed=1)
    assert same.words == names.words == other.words
    np.testing.assert_array_equal(same.train, names.train)
    np.testing.assert_array_equal(same.test, names.test)
    assert not np.array_equal(other.test[:100], names.test[:100])


def test_characters_are_those_of_the_training_part(names):
    assert set(names.characters) == set("".join(names.part("train")[0]))
    assert list(names.characters) == sorted(names.characters)


@pytest.mark.parametrize("languages", ["en", (), ("en",), ("en", "en")])
def test_languages_must_be_several(languages):
    with pytest.raises(HyperparameterError, match="two or more different tags"):
        load_cldr_names(languages=languages)


def test_unknown_language_is_named_and_corrected():
    with pytest.raises(UnknownName, match=r"no language 'ar-EG'.*Did you mean 'ar_EG'"):
        load_cldr_names(languages=("en", "ar-EG"))


def test_unknown_part(names):
    with pytest.raises(UnknownName, match="Unknown part 'dev'"):
        names.part("dev")


def test_bad_fractions():
    with pytest.raises(HyperparameterError, match="leave some names"):
        load_cldr_names(test_fraction=1.0)


def test_description_names_sizes_source_and_licence(names):
    text = names.describe()
    for words in (
        f"{len(names.train):,} to train",
        f"Greek {len(of(names, 'el')):,}",
        "Angola",
        "Split by what is named",
        "CLDR",
        "Babel 2.",
        "Unicode-3.0",
    ):
        assert words in text
