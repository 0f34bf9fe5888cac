"""Inboxes in the store: their names, and what holds when one is deleted at the same moment."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from inboxkit.store import arrivals, inboxes, purge
from inboxkit.store.arrivals import Arrival
from inboxkit.store.blobs import Packed
from inboxkit.store.tables import message
from inboxkit.store.transactions import Tx
from inboxkit.tokens import new_id

if TYPE_CHECKING:
    from inboxkit.store.store import Store

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SALES = "sales@inbox.example"


def create(tx: Tx, address: str, aliases: tuple[str, ...] = ()) -> int:
    return inboxes.create(tx, address, now=NOW, aliases=aliases).id


async def test_names_are_the_address_and_then_the_aliases(store: Store) -> None:
    plain = await store.write(create, "ann@inbox.example")
    known = await store.write(create, SALES, ("z@inbox.example", "b@inbox.example"))
    assert await store.read(inboxes.names, [plain, known, 1]) == {
        plain: ("ann@inbox.example",),
        known: (SALES, "b@inbox.example", "z@inbox.example"),
        1: (),
    }


def arrival(inbox_id: int) -> Arrival:
    return Arrival(
        id=new_id(),
        inbox_id=inbox_id,
        received_at=NOW,
        mail_from="",
        rcpt_to=(SALES,),
        packed=Packed(b""),
        size=0,
        sha256="",
    )


@pytest.mark.postgres
async def test_mail_that_comes_while_its_inbox_is_deleted_is_not_kept(store: Store) -> None:
    number = await store.write(create, SALES)
    with store.database.writer.connect() as deleting:
        purge.inbox(Tx(deleting), number)
        coming = asyncio.ensure_future(store.write_grouped(arrivals.accept, (arrival(number),)))
        await asyncio.wait({coming}, timeout=0.2)
        assert not coming.done()
        deleting.commit()
    assert await asyncio.wait_for(coming, 30) is None
    assert await store.read(lambda c: c.execute(select(message.c.id)).all()) == []


@pytest.mark.postgres
async def test_mail_that_came_just_before_its_inbox_is_deleted_goes_with_it(store: Store) -> None:
    number = await store.write(create, SALES)
    with store.database.writer.connect() as coming:
        assert arrivals.accept(Tx(coming), [(arrival(number),)])[0] is not None
        deleting = asyncio.ensure_future(store.write(purge.inbox, number))
        await asyncio.wait({deleting}, timeout=0.2)
        assert not deleting.done()
        coming.commit()
    await asyncio.wait_for(deleting, 30)
    assert await store.read(lambda c: c.execute(select(message.c.id)).all()) == []


@pytest.mark.postgres
async def test_an_inbox_deleted_while_it_is_opened_is_made_anew(store: Store) -> None:
    number = await store.write(create, SALES)
    with store.database.writer.connect() as deleting:
        purge.inbox(Tx(deleting), number)
        opening = asyncio.ensure_future(store.write(create, SALES))
        await asyncio.wait({opening}, timeout=0.2)
        deleting.commit()
    made = await asyncio.wait_for(opening, 30)
    assert made != number
    assert (await store.read(inboxes.names, [made]))[made] == (SALES,)
