"""Outlook's Thread-Index."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.thread_index import index_root, thread_index_child, thread_index_root

AT = datetime(2020, 7, 29, 3, 58, 23, tzinfo=UTC)
ROOT = thread_index_root(b"garden", AT)


def test_root_is_a_reserved_byte_five_of_time_and_sixteen_of_identity() -> None:
    index = base64.b64decode(ROOT)

    assert (len(index), index[0]) == (22, 1)
    # FILETIME of the moment, its upper 40 bits: a step is 1.7 s
    started = datetime(1601, 1, 1, tzinfo=UTC) + timedelta(
        microseconds=(int.from_bytes(index[1:6], "big") << 24) // 10
    )
    assert timedelta(0) <= AT - started < timedelta(seconds=1.7)


def test_same_seed_gives_the_same_root_and_another_seed_another() -> None:
    assert thread_index_root(b"garden", AT) == ROOT
    assert index_root(thread_index_root(b"cellar", AT)) != index_root(ROOT)


def test_answers_share_the_root_and_grow_by_five_bytes() -> None:
    first = thread_index_child(ROOT, AT + timedelta(hours=1))
    second = thread_index_child(first, AT + timedelta(hours=2))

    assert index_root(ROOT) == index_root(first) == index_root(second)
    assert [len(base64.b64decode(i)) for i in (ROOT, first, second)] == [22, 27, 32]


@pytest.mark.parametrize(
    ("later", "coarse", "shift"),
    [(timedelta(hours=1), 0, 18), (timedelta(days=1000), 1, 23)],
    ids=["below 1.7 years", "above"],
)
def test_answer_tells_how_much_later_it_is(later: timedelta, coarse: int, shift: int) -> None:
    child = base64.b64decode(thread_index_child(ROOT, AT + later))[22:]

    moment = int.from_bytes(child[:4], "big")
    told = timedelta(microseconds=((moment & 0x7FFFFFFF) << shift) // 10)
    assert moment >> 31 == coarse
    assert abs(told - later) < timedelta(seconds=2.6)


def test_time_of_an_index_without_reserved_byte_is_understood() -> None:
    filetime = (AT - datetime(1601, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 10
    old = base64.b64encode(filetime.to_bytes(8, "big")[:6] + bytes(16)).decode()

    child = base64.b64decode(thread_index_child(old, AT + timedelta(hours=1)))[22:]

    told = timedelta(microseconds=(int.from_bytes(child[:4], "big") << 18) // 10)
    assert abs(told - timedelta(hours=1)) < timedelta(seconds=2)


@pytest.mark.parametrize(
    "index",
    ["", "AQ==", "not base64!", "A" * 40, "\ud800", base64.b64encode(b"\2" * 22)],
    ids=["empty", "short", "junk", "not reserved", "surrogate", "wrong byte"],
)
def test_unusable_index_has_no_root_and_no_child(index: str | bytes) -> None:
    text = index if isinstance(index, str) else index.decode()

    assert (index_root(text), thread_index_child(text, AT)) == ("", "")


def test_folded_index_is_read() -> None:
    assert index_root(f"{ROOT[:10]}\r\n {ROOT[10:]}") == index_root(ROOT)


def test_long_chain_stops_growing() -> None:
    index = ROOT
    for hour in range(150):
        index = thread_index_child(index, AT + timedelta(hours=hour))

    assert len(base64.b64decode(index)) == 22 + 5 * 101


@given(st.binary(min_size=22, max_size=60), st.datetimes(timezones=st.just(UTC)))
def test_any_bytes_and_time_make_a_child_or_none(tail: bytes, at: datetime) -> None:
    index = base64.b64encode(b"\1" + tail).decode()

    assert index_root(thread_index_child(index, at)) == index_root(index)
