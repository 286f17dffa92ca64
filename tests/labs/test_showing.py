"""What a chapter shows of the package is the package's own source, and the judges' verdicts."""

import pytest

from bigmodel_edu.errors import UnknownName
from bigmodel_edu.labs import show_parity, show_source
from bigmodel_edu.neural_nets import reference


def test_source_is_the_packages_own_without_indentation(capsys):
    show_source(reference.softmax, reference.Sequential.backward)
    shown = capsys.readouterr().out
    assert shown.startswith("def softmax(z: Array) -> Array:")
    assert "\n\ndef backward(self, params: Params" in shown


def test_parity_shows_a_line_for_each_judge(capsys):
    show_parity("neural_nets.softmax")
    name, *lines = capsys.readouterr().out.splitlines()
    assert name == "neural_nets.softmax"
    judges = {line.split()[1]: line.split()[0] for line in lines}
    assert judges["finite-differences"] == judges["torch"] == "✓"
    assert set(judges.values()) <= {"✓", "–"}


def test_parity_shows_the_reason_of_a_failure(capsys, monkeypatch):
    monkeypatch.setattr(
        reference.Softmax, "backward", lambda self, params, cache, dy: ((0 * dy,), {})
    )
    show_parity("neural_nets.softmax")
    assert "✗ finite-differences" in capsys.readouterr().out


def test_an_unknown_component_suggests_the_nearest():
    with pytest.raises(UnknownName, match=r"neural_nets\.softmax"):
        show_parity("neural_nets.sofmax")
