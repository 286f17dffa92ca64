"""Every component and every exercise is found in all the places that a reader looks for."""

import json

import pytest

from bigmodel_edu import catalogue
from bigmodel_edu.cli import app
from bigmodel_edu.errors import UnknownName
from bigmodel_edu.places import places


def kinds(name: str) -> set[str]:
    return {place.what.partition(" “")[0] for place in places(name)}


@pytest.mark.parametrize("name", catalogue.components())
def test_every_component_is_found(name):
    component = catalogue.component(name)
    expected = {"reference", "entry", "section"}
    expected |= {"PyTorch twin"} if component.has_torch_twin else set()
    assert expected <= kinds(name)


@pytest.mark.parametrize("name", catalogue.exercises())
def test_every_exercise_is_found(name):
    assert {"exercise", "task", "answer"} <= kinds(name)


def test_each_place_holds_what_it_is_said_to_hold():
    lines = {}
    for place in places("lstm.lstm_cell"):
        lines[place.what] = place.path.read_text(encoding="utf-8").splitlines()[place.line - 1]
    assert lines["reference"] == "class LSTMCell(RecurrentCell):"
    assert "lstm_cell" in lines["entry"]
    section = next(what for what in lines if what.startswith("section"))
    assert lines[section].lstrip("# ") == section.partition("“")[2].rstrip("”")


def test_the_comments_of_a_cell_are_no_headings():
    for name in catalogue.components():
        for place in places(name):
            if place.what.startswith("section"):
                text = place.path.read_text(encoding="utf-8")
                before = "\n".join(text.splitlines()[: place.line - 1])
                assert before.count("```{code-cell}") * 2 <= before.count("\n```")


def test_a_name_that_does_not_exist_suggests_the_nearest():
    with pytest.raises(UnknownName, match=r"Did you mean 'lstm.lstm_cell'"):
        places("lstm.lstm_cel")


def test_the_command_prints_a_table_or_json(capsys):
    app(["where", "transformer.attention"], standalone_mode=False)
    assert "transformer/reference/attention.py:" in capsys.readouterr().out
    app(["where", "transformer.attention", "--json"], standalone_mode=False)
    found = json.loads(capsys.readouterr().out)
    assert {"what", "path", "line"} == set(found[0])
