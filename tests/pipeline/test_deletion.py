"""Deleting an inbox: in portions, for good, and finished when it broke off."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, func, select

from inboxkit import InboxKit, NotFound, Settings, StoreError
from inboxkit.pipeline.accept import UnknownRecipient
from inboxkit.pipeline.janitor import Janitor
from inboxkit.store import inboxes, purge
from inboxkit.store.tables import message
from tests.mails import ANN, DESK, mail

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

NUMBER = 230


async def fill(kit: InboxKit, number: int = NUMBER) -> int:
    """Put mail into the inbox, most of which is not read yet; return its row."""
    await kit.inbox(DESK)
    take = kit.runtime.accept.mail
    letters = [mail(str(n)) for n in range(number)]
    await asyncio.gather(*(take(m, mail_from=ANN, rcpt_to=[DESK]) for m in letters))
    return (await kit.runtime.store.read(inboxes.require, DESK)).id


async def held(kit: InboxKit) -> int:
    query = select(func.count()).select_from(message)
    return await kit.runtime.store.read(lambda c: c.execute(query).scalar_one())


def deletions(engine: Engine) -> list[int]:
    """Return a list to which each statement adds how many messages it deleted."""
    numbers: list[int] = []

    def executed(_connection: Connection, cursor: Any, sql: str, *_rest: Any) -> None:
        if sql.startswith("DELETE FROM inboxkit_message "):
            numbers.append(cursor.rowcount)

    event.listen(engine, "after_cursor_execute", executed)
    return numbers


async def test_an_inbox_is_deleted_in_portions(kit: InboxKit) -> None:
    await fill(kit)
    numbers = deletions(kit.runtime.store.database.writer)
    await kit.runtime.actions.delete_inbox(DESK)
    assert await held(kit) == 0
    assert sum(numbers) == NUMBER
    assert max(numbers) <= 100


async def test_an_inbox_that_is_being_deleted_takes_no_mail(kit: InboxKit) -> None:
    row = await fill(kit, 1)
    await kit.runtime.store.write(inboxes.close, row, kit.clock.now())
    with pytest.raises(UnknownRecipient, match=DESK):
        await kit.runtime.accept.mail(mail(), mail_from=ANN, rcpt_to=[DESK])
    with pytest.raises(StoreError, match="is being deleted"):
        await kit.runtime.store.write(inboxes.create, DESK, now=kit.clock.now())
    with pytest.raises(NotFound, match="deleted meanwhile"):
        await kit.runtime.store.write(
            inboxes.change, row, kit.clock.now(), {"status": "active"}, None
        )
    assert await held(kit) == 1


async def test_whoever_wants_the_address_of_one_that_goes_away_sees_it_gone(kit: InboxKit) -> None:
    row = await fill(kit)
    await kit.runtime.store.write(inboxes.close, row, kit.clock.now())
    made = await kit.inbox(DESK)
    assert (made.address, await held(kit)) == (DESK, 0)
    assert (await kit.runtime.store.read(inboxes.require, DESK)).id != row


async def test_an_inbox_of_few_messages_is_there_or_gone(kit: InboxKit) -> None:
    await fill(kit, 3)
    deleting = kit.runtime.actions.delete_inbox(DESK)
    await asyncio.gather(deleting, *(kit.inbox(DESK) for _ in range(20)))
    assert await held(kit) == 0


@pytest.mark.parametrize("by", ["deleting it again", "the janitor"])
async def test_a_deletion_that_broke_off_is_finished(kit: InboxKit, by: str) -> None:
    row = await fill(kit)
    store = kit.runtime.store
    await store.write(inboxes.close, row, kit.clock.now())
    await store.write(purge.messages, await store.read(purge.held_by, row, limit=100))
    if by == "the janitor":
        assert await Janitor(store, Settings()).expire() == 1
    else:
        await kit.runtime.actions.delete_inbox(DESK)
    assert await held(kit) == 0
    assert await store.read(inboxes.find, DESK) is None
    assert (await kit.inbox(DESK)).address == DESK
