"""What takes long is done in a thread, or at once for all: others are served meanwhile."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, cast

import pytest
from sqlalchemy import select

from inboxkit import EventType, InboxKit, Router
from inboxkit.http.api import sends
from inboxkit.pipeline.handlers import Handlers
from inboxkit.pipeline.plan import BATCH, Plan
from inboxkit.store import inboxes, jobs
from inboxkit.store.tables import run
from inboxkit.values import Draft

from .mails import ANN, DESK, happened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit import Event
    from inboxkit.store.store import Store

MANY = [f"ann{number}@example.com" for number in range(200)]


class Headers(dict[str, str]):
    """Headers that note in which threads they are read."""

    def __init__(self, **given: str) -> None:
        super().__init__(given)
        self.threads: set[int] = set()

    def items(self) -> Any:
        self.threads.add(threading.get_ident())
        return super().items()


class Addresses(tuple[str, ...]):
    """Addresses that note in which threads they are read."""

    __slots__ = ()
    threads: ClassVar[set[int]] = set()

    def __iter__(self) -> Iterator[str]:
        self.threads.add(threading.get_ident())
        return super().__iter__()


class Counted:
    """A store that counts its looks at the database."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.looks = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def read(self, *asked: Any, **how: Any) -> Any:
        self.looks += 1
        return await self._store.read(*asked, **how)


@pytest.mark.parametrize(
    ("draft", "threads"),
    [
        (Draft(to=(ANN,), subject="Hi", text="Hello"), 1),
        (Draft(to=tuple(MANY), subject="Hi", text="Hello"), 2),
        (Draft(to=(ANN,), subject="word " * 1_000, text="Hello"), 2),
    ],
    ids=["short", "many recipients", "long subject"],
)
async def test_a_mail_with_a_long_header_is_composed_in_a_thread(
    kit: InboxKit, draft: Draft, threads: int
) -> None:
    await kit.inbox(DESK)
    headers = Headers(**{"X-Order": "42"})
    await kit.runtime.actions.send(DESK, replace(draft, headers=headers))
    assert len(headers.threads | {threading.get_ident()}) == threads


@pytest.mark.parametrize(("number", "is_aside"), [(1, False), (40, True)])
async def test_many_mails_of_a_request_are_composed_in_a_thread(
    kit: InboxKit, number: int, *, is_aside: bool
) -> None:
    await kit.inbox(DESK)
    record = await kit.runtime.store.read(inboxes.require, DESK)
    headers = Headers(**{"X-Order": "42"})
    drafts = [Draft(to=(ANN,), text=str(n), headers=headers) for n in range(number)]
    rows = await kit.runtime.actions.send_all(record, drafts)
    assert len(set(rows)) == number
    assert bool(headers.threads - {threading.get_ident()}) == is_aside


async def test_many_addresses_of_a_request_are_checked_in_a_thread() -> None:
    for given, others in ((MANY[:3], 0), (MANY, 1)):
        addresses = Addresses(given)
        addresses.threads.clear()
        await sends.check_addresses({"to": addresses})
        assert len(addresses.threads - {threading.get_ident()}) == others


async def test_the_events_of_a_send_to_many_are_loaded_together(kit: InboxKit) -> None:
    router = Router()

    @router.on_event(EventType.DELIVERED, EventType.ACCEPTED)
    async def told(event: Event) -> None: ...

    handlers = Handlers(lambda: None)
    handlers.add(router)
    inbox = await kit.inbox(DESK)
    await inbox.send(MANY[:BATCH], "Hi", "Hello")
    await happened(kit, EventType.ACCEPTED, times=BATCH)
    store = kit.runtime.store
    taken = await store.write(
        jobs.claim, "plan", worker=store.worker_id, now=store.clock.now(), limit=BATCH, start=0
    )
    counted = Counted(store)
    await Plan(cast("Store", counted), handlers, kit.runtime.actions).work(taken)
    events = [job for job in taken if job.key.startswith("event:")]
    planned = await store.read(lambda connection: connection.execute(select(run)).all())
    assert (len(planned), counted.looks <= 2) == (len(events), True)
    assert len(events) > BATCH // 2
