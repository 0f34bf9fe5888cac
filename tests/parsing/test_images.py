"""Sizes of pictures by their heads."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.images import dimensions

from .files import jpeg, png, webp

LOSSY = b"\0\0\0\x9d\x01\x2a" + bytes((640 & 255, 640 >> 8 | 0x40, 480 & 255, 480 >> 8))
LOSSLESS = b"\x2f" + (639 | 479 << 14).to_bytes(4, "little")
EXTENDED = bytes(4) + (639).to_bytes(3, "little") + (479).to_bytes(3, "little")


@pytest.mark.parametrize(
    "data",
    [
        png(640, 480),
        b"GIF89a\x80\x02\xe0\x01",
        jpeg(640, 480),
        jpeg(640, 480, b"Exif\0\0" + jpeg(160, 120), b"x" * 3_000, frame=0xC2),
        jpeg(640, 480).replace(b"\xff\xc0", b"\xff\xff\xff\xc0"),
        webp(b"VP8 ", LOSSY),
        webp(b"VP8L", LOSSLESS),
        webp(b"VP8X", EXTENDED),
    ],
    ids=["png", "gif", "jpeg", "thumbnail inside", "fill bytes", "lossy", "lossless", "extended"],
)
def test_size_is_read(data: bytes) -> None:
    assert dimensions(data) == (640, 480)


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"words", png(640, 480)[:20], png(0, 480), b"GIF89a\x80", jpeg(640, 480)[:-8]),
        *(b"\xff\xd8\xff\xda\0\2", b"\xff\xd8\0\0"),
        *(webp(b"VP8 ", bytes(9)), webp(b"ALPH", bytes(20))),
    ],
)  # fmt: skip
def test_what_is_no_picture_has_no_size(data: bytes) -> None:
    assert dimensions(data) is None


@pytest.mark.parametrize("piece", [b"\xff\xe1\0\2", b"\xff"])
def test_endless_heads_are_given_up(piece: bytes) -> None:
    start = time.process_time()

    assert dimensions(b"\xff\xd8" + piece * 1_000_000) is None
    assert time.process_time() - start < 1


HEADS = [png(1, 1)[:16], b"GIF89a", b"\xff\xd8", b"RIFF\0\0\0\0WEBPVP8L", b"RIFF\0\0\0\0WEBPVP8X"]


@given(st.sampled_from(HEADS), st.binary(max_size=80))
def test_any_bytes_are_read(head: bytes, rest: bytes) -> None:
    size = dimensions(head + rest)

    assert size is None or min(size) > 0
