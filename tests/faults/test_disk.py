"""A full disk: senders are told to come back, the process lives and goes on when there is room."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import aiohttp
import anyio.to_thread
import pytest
from anyio import CancelScope

from inboxkit import InboxKit
from tests.mails import DESK, arrive, mail

from .delivering import send

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from inboxkit.store.store import Store


@pytest.fixture
async def serving(database: str) -> AsyncIterator[InboxKit]:
    async with InboxKit(database=database, smtp="127.0.0.1:0", http="127.0.0.1:0") as kit:
        await kit.inbox(DESK)
        yield kit


async def allow_pages(store: Store, more: int) -> None:
    """Let the file grow by so many pages, as a quota would."""
    pages = await store.read(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar_one())
    limit = f"PRAGMA max_page_count={pages + more}"
    await store.write_lightly(lambda tx: tx.connection.exec_driver_sql(limit))


def large() -> bytes:
    """Return a mail that no free page of the file has room for."""
    return mail(files={"a.bin": secrets.token_bytes(30_000)})


async def ready(kit: InboxKit) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"{kit.url}/readyz") as response:
        return response.status, await response.text()


async def test_a_full_disk_puts_mail_off_and_passes(serving: InboxKit) -> None:
    old, store = await arrive(serving), serving.runtime.store
    await allow_pages(store, 0)
    codes = {await anyio.to_thread.run_sync(send, serving, large()) for _ in range(5)}
    assert codes == {452}
    status, reason = await ready(serving)
    assert status == 503 and "full" in reason
    assert (await serving.message(old.id)).text.strip() == "Hello"
    await allow_pages(store, 10_000)
    assert await anyio.to_thread.run_sync(send, serving, mail()) == 250
    assert await ready(serving) == (200, "ok")


async def test_a_stop_on_a_full_disk_ends(database: str) -> None:
    async with InboxKit(database=database) as kit:
        await allow_pages(kit.runtime.store, 0)
        with CancelScope(shield=True):
            await kit.runtime.problem()
