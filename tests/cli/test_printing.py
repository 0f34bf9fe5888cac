"""What commands print: lines that stay lines, tables that hold text and nothing else."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from inboxkit import Address
from inboxkit.cli.printing import as_json, draw, flat, message_line, moment, plain, table
from inboxkit.values import Direction
from tests.test_matching import MAIL


def test_json_is_one_line_for_every_reader(capsys: pytest.CaptureFixture[str]) -> None:
    said = {"text": "Grüße\u2028next\u2029\x85\x7f\x0b\x0c\x1c\r\n", "at": datetime(2026, 1, 2)}
    as_json(said)
    out = capsys.readouterr().out
    assert out.splitlines() == [out.removesuffix("\n")]
    assert json.loads(out) == {"text": said["text"], "at": "2026-01-02 00:00:00"}
    assert "Grüße" in out


def test_json_holds_no_lone_surrogate(capsys: pytest.CaptureFixture[str]) -> None:
    as_json({"path": "caf\udce9.eml", "face": "😀"})
    out = capsys.readouterr().out
    assert json.loads(out.encode()) == {"path": "caf\ufffd.eml", "face": "😀"}


def test_json_for_a_reader_without_utf8_is_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(file, encoding="latin-1"))
    as_json({"text": "Grüße 😀"})
    sys.stdout.flush()
    assert json.loads(file.getvalue().decode("ascii")) == {"text": "Grüße 😀"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one\r\ntwo\tthree", "one\ntwo\tthree"),
        ("\x1b[2J\x07bell", "\ufffd[2J\ufffdbell"),
        ("\x9b31m", "\ufffd31m"),
        ("\rback", "\ufffdback"),
        ("a\ud800b", "a\ufffdb"),
        ("code \u202e654321\u202c \u2066x\u2069", "code 654321 x"),
        (None, ""),
        (7, "7"),
    ],
    ids=["line-ends", "escape", "c1", "return", "surrogate", "direction", "none", "number"],
)
def test_plain_text_cannot_steer_a_terminal(text: object, shown: str) -> None:
    assert plain(text) == shown


def test_cells_are_one_line() -> None:
    assert flat(["a\nb", "c"]) == "a b, c"


def test_rows_in_a_pipe_are_tab_separated(capsys: pytest.CaptureFixture[str]) -> None:
    table(("a", "b"), [["1\t2", None], ["x", ["y", "z"]]])
    assert capsys.readouterr().out == "1 2\t\nx\ty, z\n"


def test_a_table_takes_markup_for_text() -> None:
    file = io.StringIO()
    draw(("id", "subject"), [["1", "[/red] :smile: [link=http://evil.example]x[/link]"]], file)
    assert "[/red] :smile: [link=http://evil.example]x[/link]" in file.getvalue()


def test_moments_are_iso_8601_in_utc() -> None:
    assert moment(datetime(2026, 3, 2, 10, 0, 0, 123456, UTC)) == "2026-03-02T10:00:00.123Z"
    assert moment(None) is None


def drawn(width: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    file, name = io.StringIO(), "Ann Longname <ann@example.com>"
    rows = [["msg_0sak5p5qqdxh9", "inbound", name, "2026-01-02T03:04:05.678Z"]]
    draw(("id", "direction", "from", "at"), rows, file, spare=("direction", "from"))
    return file.getvalue().splitlines()


def test_a_narrow_terminal_cuts_no_id_and_leaves_out_what_is_spare(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    head, row, *_ = drawn(60, monkeypatch)
    assert head.split() == ["id", "from", "at"]
    assert row.split()[0] == "msg_0sak5p5qqdxh9" and row.split()[-1] == "2026-01-02T03:04:05.678Z"
    head, row = drawn(20, monkeypatch)
    assert row.split() == ["msg_0sak5p5qqdxh9", "2026-01-02T03:04:05.678Z"]


def test_a_wide_terminal_shows_every_column(monkeypatch: pytest.MonkeyPatch) -> None:
    head, _ = drawn(120, monkeypatch)
    assert head.split() == ["id", "direction", "from", "at"]


def test_a_line_about_a_message_to_thousands_is_short() -> None:
    to = tuple(Address(f"a{n}@example.com") for n in range(3_000))
    line = message_line(replace(MAIL, direction=Direction.OUTBOUND, to=to))
    assert "-> a0@example.com, a1@example.com, a2@example.com and 2997 more: " in line
    assert "a2@example.com:" in message_line(replace(MAIL, direction=Direction.OUTBOUND, to=to[:3]))
