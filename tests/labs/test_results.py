import io
import sys

from bigmodel_edu.labs import CheckFailed, CheckResult


def test_the_card_escapes_what_the_reader_wrote():
    result = CheckResult("a.b", "x < y", "failed", 0, 1, "`a<b` is wrong", (("line", "<i>"),))
    card = result._repr_html_()
    assert "<i>" not in card
    assert "a&lt;b</code>" in card
    assert "x &lt; y" in card


def test_the_card_of_each_outcome():
    badges = {"passed": "2 points", "failed": "not yet", "not attempted": "worth 2 points"}
    for status, badge in badges.items():
        assert f">{badge}<" in CheckResult("a.b", "T", status, 0, 2)._repr_html_()


def test_the_traceback_is_the_message():
    failed = CheckFailed(CheckResult("a.b", "T", "failed", 0, 1, "No.", (("case", "1\nof 2"),)))
    assert str(failed) == "✗ a.b: No.\n   case      1\n             of 2"
    assert failed._render_traceback_() == str(failed).splitlines()


def test_a_console_without_the_symbols(monkeypatch):
    buffer = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(buffer, encoding="ascii"))
    CheckResult("a.b", "T", "passed", 1, 1).show()
    sys.stdout.flush()
    assert buffer.getvalue().startswith(b"? a.b: right, 1 point")
