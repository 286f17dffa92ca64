"""Every chapter broken on purpose, one line at a time: a judge must catch each slip."""

import numpy as np
import pytest
from broken import tables

from bigmodel_edu import catalogue

SLIPS = [(c.slug, *slip) for c in catalogue.written_chapters() for slip in tables(c.slug).SLIPS]
BROKEN = list(dict.fromkeys(f"{chapter}.{name}" for chapter, *_, name in SLIPS))


@pytest.mark.parametrize(
    ("chapter", "file", "right", "wrong", "name"),
    SLIPS,
    ids=[f"{chapter}-{file}: {a[:30]} → {b[:30]}" for chapter, file, a, b, _ in SLIPS],
)
def test_a_slip_in_one_line_is_caught(chapter, file, right, wrong, name, break_line, caught_by):
    break_line(chapter, file, right, wrong)
    with np.errstate(all="ignore"):
        caught = caught_by(catalogue.component(f"{chapter}.{name}"))
    assert caught
    if file.startswith("torch_impl/"):
        assert "torch" in caught


@pytest.mark.parametrize("name", BROKEN)
def test_nothing_is_caught_without_a_slip(name, caught_by):
    assert not caught_by(catalogue.component(name))
