"""Caps on automatic replies: exact, whoever else writes at the same moment."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from inboxkit.clock import Clock
from inboxkit.store import caps
from inboxkit.store.caps import Caps, Reply
from inboxkit.store.store import Store

if TYPE_CHECKING:
    from inboxkit.store.transactions import Tx

NOON = datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC)
MANY = 1_000
THREE_AN_INBOX = Caps(MANY, MANY, 3)


def reply(
    number: int = 0, *, inbox: int = 1, at: datetime = NOON, limits: Caps = THREE_AN_INBOX
) -> Reply:
    return Reply(inbox, number, f"ann{number}@example.com", at, limits)


async def admitted(store: Store, *replies: Reply) -> list[bool]:
    return [not why for why in await store.write(caps.admit, replies)]


@pytest.mark.parametrize(
    ("limits", "same", "words"),
    [
        (Caps(3, MANY, MANY), True, "3 automatic replies went to this thread within an hour"),
        (Caps(MANY, 3, MANY), True, "3 automatic replies went to this correspondent within"),
        (Caps(MANY, MANY, 3), False, "3 automatic replies left this inbox within an hour"),
    ],
    ids=["thread", "correspondent", "inbox"],
)
async def test_one_more_than_the_cap_is_kept_back(
    store: Store, limits: Caps, same: bool, words: str
) -> None:
    wanted = [reply(0 if same else n, limits=limits) for n in range(4)]
    other = reply(9, inbox=2, limits=limits)
    why = await store.write(caps.admit, [*wanted, other])
    assert why[:3] == ["", "", ""]
    assert why[3].startswith(words)
    assert why[4] == ""


async def test_what_left_another_inbox_counts_for_none_of_this_one(store: Store) -> None:
    assert await admitted(store, *(reply(inbox=2) for _ in range(3))) == [True] * 3
    assert await admitted(store, *(reply(inbox=one) for one in (1, 2, 3))) == [True, False, True]


async def test_case_of_an_address_makes_nobody_else_of_it(store: Store) -> None:
    limits = Caps(MANY, 1, MANY)
    one = Reply(1, 1, "Ann@Example.com", NOON, limits)
    two = Reply(1, 2, "ann@example.com", NOON, limits)
    assert await admitted(store, one) == [True]
    assert await admitted(store, two) == [False]


@pytest.mark.parametrize(
    ("later", "free"),
    [(timedelta(minutes=59), False), (timedelta(minutes=60), False), (timedelta(minutes=61), True)],
    ids=["within", "just within", "after"],
)
async def test_a_place_is_free_again_after_an_hour(
    store: Store, later: timedelta, free: bool
) -> None:
    assert await admitted(store, *map(reply, range(3))) == [True] * 3
    assert await admitted(store, reply(4, at=NOON + later)) == [free]


async def test_what_is_kept_back_takes_no_place(store: Store) -> None:
    limits = Caps(1, MANY, 2)
    same = [reply(0, limits=limits) for _ in range(5)]
    assert await admitted(store, *same) == [True, False, False, False, False]
    assert await admitted(store, reply(1, limits=limits)) == [True]


async def test_processes_that_write_at_the_same_moment_share_a_cap(
    database: str, store: Store
) -> None:
    other = Store(database, Clock())
    await other.open()
    limits = Caps(MANY, MANY, 7)
    wanted = [[reply(n, limits=limits)] for n in range(20)]
    work = [s.write(caps.admit, one) for one in wanted for s in (store, other)]
    reasons = [why for (why,) in await asyncio.gather(*work)]
    await other.close()
    assert reasons.count("") == 7
    assert len(set(reasons)) == 2


async def test_counts_that_no_cap_looks_at_are_deleted(store: Store) -> None:
    def total(tx: Tx) -> int:
        return len(tx.connection.exec_driver_sql("SELECT * FROM inboxkit_replies").all())

    await admitted(store, reply(0), reply(1, at=NOON + timedelta(hours=2)))
    assert await store.write(caps.forget, NOON + timedelta(hours=3)) == 3
    assert await store.write(total) == 3
