"""Transfer encodings, kept when they are false."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.transfer import decode


@pytest.mark.parametrize(
    ("data", "encoding", "expected"),
    [
        (b"aGVsbG8=", "base64", b"hello"),
        (b"aGVs\r\nbG8", "BASE64", b"hello"),
        (b"aGVsbG8=\r\nIHRoZXJl\r\n", "base64", b"hello there"),
        (b"aGVs#bG8=", " base64 ; x=y", b"hello"),
        (b"aGVsb", "base64", b"hel"),
        (b"This is plain text after all, you see.", "base64", None),
        (b"caf=C3=A9=\r\n!", "quoted-printable", b"caf\xc3\xa9!"),
        (b"soft= \r\nbreak", "quoted-printable", b"softbreak"),
        (b"caf=ZZ", "quoted-printable", b"caf=ZZ"),
        (b"as it is", "8bit", None),
        (b"as it is", "x-unknown", None),
    ],
)
def test_body_is_decoded_or_left(data: bytes, encoding: str, expected: bytes | None) -> None:
    assert decode(data, encoding) == (data if expected is None else expected)


@given(st.binary(max_size=300))
def test_base64_round_trip(data: bytes) -> None:
    assert decode(base64.encodebytes(data), "base64") == data


@given(st.binary(max_size=200), st.sampled_from(["base64", "quoted-printable", "7bit", ""]))
def test_any_body_is_decoded(data: bytes, encoding: str) -> None:
    assert isinstance(decode(data, encoding), bytes)
