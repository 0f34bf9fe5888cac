"""Answers under idempotency keys: whose they are, how long they are given again, what is kept."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from inboxkit.errors import KeyReused
from inboxkit.store import purge
from inboxkit.store.api_tables import idempotency
from inboxkit.store.idempotency import Claim, answered, is_there, remember
from inboxkit.store.transactions import Tx

from .sending import ANN, BEN, NOW, stored, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from inboxkit.store.store import Store

DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)


@pytest.fixture
def tx(database: str) -> Iterator[Tx]:
    with transaction(database) as held:
        yield held


def claim(scope: str = "a", key: str = "k", *, request: str = "r", living: bool = False) -> Claim:
    return Claim(scope, key, request, NOW + DAY, is_there if living else None)


def kept(tx: Tx) -> set[tuple[str, str]]:
    rows = tx.connection.execute(select(idempotency.c.scope, idempotency.c.key))
    return {(row.scope, row.key) for row in rows}


def test_an_answer_is_given_again_for_a_day(tx: Tx) -> None:
    remember(tx, claim(), {"row": 1}, NOW)
    assert answered(tx.connection, claim(), NOW + DAY - MOMENT) == {"row": 1}
    assert answered(tx.connection, claim(), NOW + DAY) is None
    assert answered(tx.connection, claim(request="another"), NOW + DAY) is None


def test_another_request_under_the_same_key_is_refused(tx: Tx) -> None:
    remember(tx, claim(), {"row": 1}, NOW)
    with pytest.raises(KeyReused, match="'k'"):
        answered(tx.connection, claim(request="another"), NOW)


def test_a_key_is_anew_in_each_scope(tx: Tx) -> None:
    asked = [claim(), claim(key="j"), claim("b")]
    for number, one in enumerate(asked):
        remember(tx, one, {"row": number}, NOW)
    assert [answered(tx.connection, one, NOW) for one in asked] == [
        {"row": 0},
        {"row": 1},
        {"row": 2},
    ]


@pytest.mark.parametrize(("after", "forgotten"), [(DAY - MOMENT, False), (DAY, True)])
def test_what_has_expired_is_not_kept(tx: Tx, after: timedelta, forgotten: bool) -> None:
    remember(tx, claim(), {"row": 1}, NOW)
    remember(tx, Claim("b", "k", "r", NOW + 2 * DAY), {"row": 2}, NOW + after)
    assert kept(tx) == {("b", "k")} | (set() if forgotten else {("a", "k")})


def test_a_living_answer_goes_with_what_was_sent(tx: Tx) -> None:
    gone, there = stored(tx, ANN), stored(tx, BEN)
    asked = {number: claim(key=str(number), living=True) for number in (gone, there)}
    for number, one in asked.items():
        remember(tx, one, {"row": number}, NOW)
    purge.messages(tx, [gone])
    assert answered(tx.connection, asked[gone], NOW) is None
    assert answered(tx.connection, asked[there], NOW) == {"row": there}
    assert answered(tx.connection, claim(key=str(gone)), NOW) == {"row": gone}
    remember(tx, asked[gone], {"row": there}, NOW)
    assert answered(tx.connection, asked[gone], NOW) == {"row": there}


@pytest.mark.postgres
@pytest.mark.parametrize("living", [False, True])
async def test_an_answer_that_another_process_gives_at_that_moment_is_the_only_one(
    store: Store, living: bool
) -> None:
    asked = claim(living=living)
    first, second = await store.write(stored, ANN), await store.write(stored, BEN)

    def other() -> None:
        with store.database.writer.begin() as connection:
            remember(Tx(connection), asked, {"row": first}, NOW)

    left = [other]

    def work(tx: Tx) -> Mapping[str, Any]:
        known = answered(tx.connection, asked, NOW)
        if known is not None:
            return known
        left.pop()()  # after we have looked, and before we keep ours
        remember(tx, asked, {"row": second}, NOW)
        return {"row": second}

    assert await store.write(work) == {"row": first}
