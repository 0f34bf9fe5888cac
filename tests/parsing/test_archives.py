"""Zip files by their directory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.archives import entries

from .files import archive

SMALL = archive({"a.txt": "words", "b/c.txt": "more"})
END = SMALL.rindex(b"PK\5\6")


def _changed(place: int, new: bytes) -> bytes:
    return SMALL[:place] + new + SMALL[place + len(new) :]


def test_entries_and_their_sizes() -> None:
    assert entries(SMALL) == {"a.txt": 5, "b/c.txt": 4}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\3\4",
        SMALL[:-5],
        archive({str(n): "" for n in range(1_001)}),
        archive({"zeros": bytes(20_000_000)}),
        _changed(END + 10, b"\xff\xff"),
        _changed(END + 12, b"\xff\xff\xff\x7f"),
        SMALL[:END] + b"PK\6\7" + bytes(16) + SMALL[END:],
        _changed(SMALL.index(b"PK\1\2") + 24, b"\xff\xff\xff\x0f"),
    ],
    ids=[
        *("nothing", "head only", "cut", "many entries", "ratio", "count that lies"),
        *("directory beyond the end", "64-bit directory", "entry of 256 MB"),
    ],
)
def test_what_is_none_or_too_much_has_no_entries(data: bytes) -> None:
    assert entries(data) == {}


@given(st.integers(0, len(SMALL)), st.binary(max_size=30))
def test_any_damage_is_survived(place: int, harm: bytes) -> None:
    assert set(map(type, entries(_changed(place, harm)).values())) <= {int}
