"""Files inside the text."""

from __future__ import annotations

import binascii

from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.uuencode import Block, decode, extract

from .corpus import sample


def _encoded(data: bytes) -> bytes:
    lines = [binascii.b2a_uu(data[i : i + 45]) for i in range(0, len(data), 45)]
    return b"begin 644 a b.bin\n" + b"".join(lines) + b"`\nend\n"


@given(st.binary(min_size=1, max_size=300))
def test_uuencoded_file_is_cut_out_and_decoded(data: bytes) -> None:
    text, blocks = extract(b"before\n" + _encoded(data) + b"after\n")

    assert text == b"before\n\nafter\n"
    assert blocks == [Block(b"a b.bin", data)]


def test_text_that_only_begins_like_it_stays() -> None:
    text = b"begin 644 the day\nwith a walk along the river\nend\n"

    assert extract(text) == (text, [])


def test_yenc_file_is_cut_out_and_decoded() -> None:
    text, (block,) = extract(sample("yenc").partition(b"\r\n\r\n")[2])

    assert text.strip() == b"Take this."
    assert block == Block(b"all bytes.bin", bytes(range(256)))


def test_begin_base64_is_decoded() -> None:
    assert extract(b"begin-base64 644 x\naGVsbG8=\n====\n")[1] == [Block(b"x", b"hello")]


def test_transfer_encoding_uuencode_is_decoded() -> None:
    assert decode(_encoded(b"hello there")) == b"hello there"


@given(
    st.lists(st.sampled_from([b"begin 644 x\n", b"end\n", b"=ybegin name=x\n", b"=yend\n", b"M"]))
)
def test_any_lines_are_read(lines: list[bytes]) -> None:
    raw = b"".join(lines)

    text, blocks = extract(raw)

    most = 45 * len(lines)  # of a line, even one that was cut off
    assert len(text) + sum(len(block.data) for block in blocks) <= most
    assert blocks or text == raw
    assert len(decode(raw)) <= most
