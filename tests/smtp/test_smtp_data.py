from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.smtp.data import DataDecoder

NEWLINES = st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"..", b"\r\n.", b"a", b"\x00", b"\xff"])
CONTENT = st.lists(NEWLINES, max_size=30).map(b"".join)
SIZES = st.lists(st.integers(1, 7), min_size=1)


def stuffed(content: bytes) -> bytes:
    """Return the octets that a sender puts on the wire after 354."""
    return (b"\r\n" + content + b"\r\n").replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"


def pieces(octets: bytes, sizes: list[int]) -> list[bytes]:
    """Cut ``octets`` into pieces of these sizes, over and over."""
    cut: list[bytes] = []
    while octets:
        size = sizes[len(cut) % len(sizes)]
        cut.append(octets[:size])
        octets = octets[size:]
    return cut


@given(content=CONTENT, sizes=SIZES, after=CONTENT)
def test_any_content_cut_anywhere_comes_out_as_it_was(
    content: bytes, sizes: list[int], after: bytes
) -> None:
    decoder, out, rest = DataDecoder(normalise=False), b"", b""
    for piece in pieces(stuffed(content), sizes):
        assert not decoder.done
        out += decoder.feed(piece)
    rest = decoder.rest
    assert (decoder.done, out, rest) == (True, content + b"\r\n", b"")


@given(content=CONTENT, sizes=SIZES)
def test_normalised_content_has_crlf_only(content: bytes, sizes: list[int]) -> None:
    decoder = DataDecoder()
    out = b"".join(decoder.feed(piece) for piece in pieces(stuffed(content), sizes))
    lines = (content + b"\r\n").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert out == lines.replace(b"\n", b"\r\n")


@given(content=CONTENT, sizes=SIZES)
def test_has_bare_tells_whether_cr_or_lf_stood_alone(content: bytes, sizes: list[int]) -> None:
    decoder = DataDecoder()
    for piece in pieces(stuffed(content), sizes):
        decoder.feed(piece)
    without_pairs = content.replace(b"\r\n", b"")
    assert decoder.has_bare == (b"\r" in without_pairs or b"\n" in without_pairs)


@given(after=CONTENT)
def test_what_follows_the_end_is_kept_for_the_next_command(after: bytes) -> None:
    decoder = DataDecoder()
    decoder.feed(b"a\r\n.\r\n" + after)
    assert decoder.rest == after


@pytest.mark.parametrize(
    ("octets", "content"),
    [
        pytest.param(b".\r\n", b"", id="empty"),
        pytest.param(b"\r\n.\r\n", b"\r\n", id="one-empty-line"),
        pytest.param(b"..\r\n.\r\n", b".\r\n", id="a-dot-alone"),
        pytest.param(b"a\r\n..b\r\n.\r\n", b"a\r\n.b\r\n", id="a-dot-in-front"),
        pytest.param(b"a\r\n.b\r\n.\r\n", b"a\r\nb\r\n", id="a-dot-not-doubled"),
        pytest.param(b"a.\r\n.\r\n", b"a.\r\n", id="a-dot-at-the-end"),
    ],
)
def test_dots(octets: bytes, content: bytes) -> None:
    decoder = DataDecoder()
    assert (decoder.feed(octets), decoder.done) == (content, True)


def test_line_length_counts_across_pieces_and_starts_anew_after_a_newline() -> None:
    decoder = DataDecoder()
    for _ in range(3):
        decoder.feed(b"x" * 1000)
    long = decoder.line_length
    decoder.feed(b"\r\nshort")
    assert (long, decoder.line_length) == (3000, 5)
