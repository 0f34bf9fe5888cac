"""A server that ends statements which take too long: one that does so fails alone."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import Connection, insert, select, text

from inboxkit import InboxKit, Message, Router
from inboxkit.clock import Clock
from inboxkit.store import runs
from inboxkit.store.refusals import TooSlow
from inboxkit.store.store import Store
from inboxkit.store.tables import job, setting
from inboxkit.testing.settling import advance, settle
from tests.mails import ANN, DESK, arrive, mail

from .test_transactions import hasty

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from inboxkit.store.transactions import Tx

pytestmark = pytest.mark.postgres
_DAWDLES = """
CREATE OR REPLACE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN PERFORM pg_sleep(5); RETURN NEW; END $$;
CREATE TRIGGER dawdles BEFORE {change} ON inboxkit.inboxkit_message
  FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION dawdle()
"""


@contextmanager
def dawdling(url: str, change: str, when: str) -> Generator[None]:
    """Let one kind of change take longer than the server lets it."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_DAWDLES.format(change=change, when=when).encode())
        try:
            yield
        finally:
            connection.execute("DROP TRIGGER dawdles ON inboxkit.inboxkit_message")


@pytest.fixture
def impatient(database: str) -> str:
    return hasty(database, statement_timeout="300ms")


def put(tx: Tx, keys: Sequence[str]) -> Sequence[str]:
    for key in keys:
        if key.startswith("slow"):
            tx.connection.execute(text("SELECT pg_sleep(5)"))
    tx.connection.execute(insert(setting), [{"key": key, "value": ""} for key in keys])
    return keys


def kept(connection: Connection) -> set[str]:
    mine = select(setting.c.key).where(setting.c.value == "")
    return set(connection.execute(mine).scalars())


async def test_what_is_too_slow_fails_alone(impatient: str) -> None:
    store = Store(impatient, Clock())
    await store.open()
    first, slow, last = await store.write_each(put, ["a", "slow", "c"])
    assert (first, last, type(slow)) == ("a", "c", TooSlow)
    assert await store.read(kept) == {"a", "c"}
    await store.close()


async def test_a_server_that_is_slow_for_all_holds_up_nobody_for_long(impatient: str) -> None:
    store = Store(impatient, Clock())
    await store.open()
    found = await store.write_each(put, ["slow1", "slow2", "slow3", "d"])
    assert {type(each) for each in found[:2]} == {TooSlow}
    assert "is slow" in str(found[2])
    assert "is slow" in str(found[3])
    await store.close()


@pytest.mark.long
async def test_a_mail_that_takes_too_long_to_record_holds_up_no_other(
    database: str, impatient: str
) -> None:
    clock = Clock()
    kit = InboxKit(Router(), database=impatient, clock=clock)
    async with kit:
        await kit.inbox(DESK)
        with dawdling(database, "UPDATE", "NEW.subject = 'Slow'"):
            for subject in ("One", "Slow", "Two"):
                raw = mail(subject=subject)
                await kit.runtime.accept.mail(raw, mail_from=ANN, rcpt_to=[DESK])
            await becomes(kit, {"One": "parsed", "Two": "parsed", "": "stored"})
            await advance(kit, timedelta(seconds=20), timeout=30)
            assert await kit.runtime.store.read(tries) > 2
        await advance(kit, timedelta(minutes=2), timeout=30)
        assert await states(kit) == {"One": "parsed", "Two": "parsed", "Slow": "parsed"}


async def states(kit: InboxKit) -> dict[str, str]:
    return {found.subject: found.state async for found in kit.search()}


async def becomes(kit: InboxKit, wanted: dict[str, str]) -> None:
    bell = kit.runtime.store.bell
    for _ in range(300):
        if await states(kit) == wanted:
            return
        await bell.wait("any", bell.count("any"), timeout=0.1)
    assert await states(kit) == wanted


def tries(connection: Connection) -> int:
    mine = job.c.kind == "read"
    found: int = connection.execute(select(job.c.attempts).where(mine)).scalar_one()
    return found


async def test_an_answer_that_takes_too_long_to_record_is_tried_ever_more_slowly(
    database: str, impatient: str
) -> None:
    router, calls, clock = Router(), list[str](), Clock()

    @router.on_message(to="desk@*")
    async def answer(message: Message) -> None:
        calls.append(message.subject)
        await message.reply("Here", key=f"answer-{message.id}")

    async with InboxKit(router, database=impatient, clock=clock) as kit:
        await kit.inbox(DESK)
        with dawdling(database, "INSERT", "NEW.subject = 'Re: Slow'"):
            await arrive(kit, subject="Slow")
            await arrive(kit, subject="Quick")
            await settle(kit, timeout=30)
            await advance(kit, timedelta(seconds=30), timeout=30)
            rows = await kit.runtime.store.read(runs.listed)
            assert {row.state for row in rows} == {"done", "retrying"}
            assert calls.count("Slow") in (3, 4)
        await advance(kit, timedelta(minutes=10), timeout=30)
        sent = [found.subject async for found in kit.search("is:sent")]
        assert sorted(sent) == ["Re: Quick", "Re: Slow"]
