"""Base64 in pieces is the base64 of the whole."""

from __future__ import annotations

from base64 import b64encode, encodebytes

import pytest

from inboxkit import base64_text

PIECE = 57 * 8 * 1024
SIZES = (0, 1, 2, 3, 57, 58, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 2)
LETTERS = b64encode(bytes(PIECE)).decode()


@pytest.mark.parametrize("size", SIZES)
def test_pieces_make_the_same_text_as_the_whole(size: int) -> None:
    data = (bytes(range(251)) * (size // 251 + 1))[:size]
    written = b64encode(data).decode()
    lines = encodebytes(data).replace(b"\n", b"\r\n")
    assert base64_text.encode(data) == written
    assert b"".join(base64_text.lines(data)) == lines
    assert base64_text.decode(written) == base64_text.decode(lines.decode()) == data


def test_no_piece_is_as_large_as_a_file() -> None:
    assert max(map(len, base64_text.lines(bytes(4 * PIECE)))) < 2 * PIECE


WRONG = (
    *("A", "AA", "AA=", "=", "AA==AAAA", "AAAA====", "AA!A", "é===", LETTERS[:-3], f"{LETTERS}A"),
    *(f"{'A' * (PIECE - 4)}AA=={'A' * 8}", f"{'A' * (PIECE - 1)}=A"),
)


@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
def test_what_is_no_base64_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        base64_text.decode(text)
