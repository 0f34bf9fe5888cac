from __future__ import annotations

import time
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.authentication.canonical import relaxed, simple, split

SOME = (b" ", b"\t", b"\r\n", b"a", b" " * 9, b"\r", b"\xff")
PIECES = st.lists(st.sampled_from(SOME), max_size=40)


@given(PIECES)
def test_bodies_are_reduced_as_dkimpy_does(pieces: list[bytes]) -> None:
    library: Any = import_module("dkim.canonicalization")
    body = b"".join(pieces)

    assert relaxed(body) == library.Relaxed.canonicalize_body(body)
    assert simple(body) == library.Simple.canonicalize_body(body)


@pytest.mark.parametrize(
    ("raw", "parts"),
    [
        (b"A: 1\r\nB: 2\r\n\r\nbody\r\n", (b"A: 1\r\nB: 2\r\n", b"body\r\n")),
        (b"A: 1\nB: 2\n\nbody\n", (b"A: 1\r\nB: 2\r\n", b"body\r\n")),
        (b"A: 1\r\n", (b"A: 1\r\n", b"")),
        (b"\r\nbody", (b"", b"body")),
    ],
    ids=["CRLF", "LF", "no body", "no header"],
)
def test_header_and_body_are_parted(raw: bytes, parts: tuple[bytes, bytes]) -> None:
    assert split(raw) == parts


@pytest.mark.parametrize("piece", [b" ", b" \t", b" \r\n", b"\r\n", b"a "], ids=repr)
def test_time_is_linear(piece: bytes) -> None:
    began = time.process_time()

    relaxed(piece * 2_000_000)

    assert time.process_time() - began < 10
