"""winmail.dat, whole and damaged."""

from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.tnef import File, unpack

from .corpus import sample

STREAM = base64.b64decode(sample("winmail").partition(b"\r\n\r\n")[2])
# "{\rtf1\ansi" in Outlook's compression: a reference to the dictionary, then the end mark.
RTF = bytes.fromhex("0e000000100000004c5a467500000000") + bytes.fromhex("0300090da0")


def test_text_and_file_with_its_long_name() -> None:
    contents = unpack(STREAM)

    assert contents is not None
    assert contents.text == "Please see the report."
    assert contents.files == [File("Prüfbericht 2024.txt", "text/plain", "", b"All lamps work.")]


def test_what_is_no_tnef_is_none() -> None:
    assert unpack(b"PK\3\4 not a winmail.dat") is None


@pytest.mark.parametrize("size", range(6, len(STREAM), 17))
def test_cut_stream_gives_what_came_before(size: int) -> None:
    contents = unpack(STREAM[:size])

    assert contents is not None
    assert contents.text in ("", "Please see the report.")


def test_compressed_rtf_is_unpacked() -> None:
    value = struct.pack("<IHHII", 1, 0x102, 0x1009, 1, len(RTF)) + RTF + b"\0" * 3
    attribute = struct.pack("<BII", 1, 0x00069003, len(value)) + value + b"\0\0"

    contents = unpack(struct.pack("<IH", 0x223E9F78, 1) + attribute)

    assert contents is not None
    assert contents.rtf.startswith(b"{\\rtf1\\ansi")


@given(st.binary(max_size=200), st.integers(6, len(STREAM)))
def test_any_bytes_are_read(data: bytes, place: int) -> None:
    cut, damaged = STREAM[:place] + data, STREAM[: place - 6] + data + STREAM[place:]

    assert unpack(cut) is not None
    assert (unpack(damaged) is None) == (len(damaged) < 6 or damaged[:4] != STREAM[:4])
