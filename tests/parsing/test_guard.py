"""Limits, found on the raw bytes before a parser sees them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.guard import check, head, is_ordinary
from inboxkit.parsing.model import Limits

LIMITS = Limits(
    message_bytes=10_000,
    header_bytes=2_000,
    header_fields=50,
    field_bytes=1_000,
    content_field_bytes=200,
    boundary_lines=20,
    lines=500,
)
PARTS = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
OVER = {
    "message_bytes": b"A: b\r\n\r\n" + b"x" * 10_000,
    "header_bytes": b"A: b\r\n" * 400 + b"\r\n",
    "header_fields": b"A: b\r\n" * 51 + b"\r\nbody",
    "field_bytes": b"A: " + b"x\r\n " * 300 + b"\r\n\r\nbody",
    "content_field_bytes": b"content-type: a/b; x=" + b"y" * 200 + b"\r\n\r\nbody",
    "boundary_lines": PARTS + b"--b\r\n\r\n" * 21,
    "lines": b"A: b\r\n\r\n" + b"\r\n" * 500,
}


@pytest.mark.parametrize(("limit", "raw"), OVER.items(), ids=OVER.keys())
def test_limit_is_named(limit: str, raw: bytes) -> None:
    assert check(raw, LIMITS) == limit


def test_lone_carriage_returns_are_lines() -> None:
    assert check(b"A: b\r\r" + b"x\r" * 501, LIMITS) == "lines"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"no header end",
        b"A: b\r\n\r\n" + b"-- a comment of SQL\r\n" * 100,
        PARTS + b"--b\r\n\r\n" * 5 + b"--other\r\n" * 100,
    ],
    ids=["empty", "short", "dashes without boundary", "dashes of no boundary"],
)
def test_ordinary_oddities_are_within_limits(raw: bytes) -> None:
    assert check(raw, LIMITS) is None


def test_head_ends_at_a_line_end() -> None:
    assert head(b"A: b\r\nC: dddddd", 8) == b"A: b\r\n\r\n"


def test_head_leaves_the_body_out() -> None:
    assert head(b"A: b\n\nbody") == b"A: b\r\n\r\n"


def test_long_or_odd_messages_are_not_ordinary() -> None:
    assert is_ordinary(b"Subject: x\r\n\r\nbody")
    assert not is_ordinary(b"Subject: x\r\n\r\n" + b"y" * 300_000)
    assert not is_ordinary(b"Subject: x\r\n" * 300 + b"\r\n")


@given(
    st.lists(st.sampled_from([b"\r", b"\n", b"--", b"a:", b" ", b"boundary=", b"b"])).map(b"".join)
)
def test_any_bytes_are_checked(raw: bytes) -> None:
    tiny = Limits(1_000, 10, 2, 5, 3, 1, 1, 2)

    assert (check(raw, tiny) or "lines") in Limits.__slots__
    assert head(raw, 5).endswith(b"\r\n\r\n")
