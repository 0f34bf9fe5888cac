"""Drafts that two are at: what was changed, sent or deleted meanwhile is looked at again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select

from inboxkit.drafting import Drafting
from inboxkit.errors import NotFound, SendError
from inboxkit.store import drafts, inboxes, jobs, purge, sends
from inboxkit.store.api_tables import draft_file
from inboxkit.store.departing import Changed, Departure
from inboxkit.store.drafts import DraftRecord
from inboxkit.store.idempotency import Claim
from inboxkit.store.tables import draft, job
from inboxkit.tokens import new_id
from inboxkit.values import File

from .at_once import behind
from .sending import ANN, BEN, NOW, staged

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from inboxkit import InboxKit, Message
    from inboxkit.store.leased import Job
    from inboxkit.store.store import Store
    from inboxkit.store.transactions import Tx

CONTRACT = File("contract.pdf", b"%PDF", "application/pdf")
DAY = timedelta(days=1)


def record(inbox_id: int, **more: Any) -> DraftRecord:
    return DraftRecord(
        id=new_id(),
        inbox_id=inbox_id,
        inbox="",
        to=(ANN,),
        created_at=NOW,
        updated_at=NOW,
        **more,
    )


def numbers(connection: Connection) -> list[int]:
    """Return how many drafts there are, files of drafts, and jobs."""
    counts = (select(func.count()).select_from(table) for table in (draft, draft_file, job))
    return [connection.execute(count).scalar_one() for count in counts]


@pytest.mark.postgres
async def test_a_draft_goes_with_its_inbox_that_is_deleted(store: Store) -> None:
    owner = await store.write(inboxes.create, "desk@inbox.example", now=NOW)
    wanted = record(owner.id, send_at=NOW, send_status=drafts.SCHEDULED)

    def create(tx: Tx) -> None:
        drafts.create(tx, wanted, [CONTRACT])

    await behind(store, create, store.write(purge.inbox, owner.id))
    assert await store.read(numbers) == [0, 0, 0]


async def test_no_draft_is_made_in_an_inbox_that_was_deleted(store: Store) -> None:
    with pytest.raises(NotFound, match="the inbox was deleted"):
        await store.write(drafts.create, record(7), [CONTRACT])
    assert await store.read(numbers) == [0, 0, 0]


async def test_a_draft_that_failed_is_another_version(store: Store) -> None:
    item = await store.write(staged, ANN)
    made = await store.write(drafts.create, record(item.row["inbox_id"]), [])

    assert await store.write(drafts.fail, made, "refused", made.updated_at)

    failed = await store.read(drafts.by_id, made.id)
    assert failed is not None and failed.updated_at > made.updated_at
    assert not await store.write(drafts.remove, made)


async def test_a_change_that_is_refused_changes_nothing(store: Store) -> None:
    item = await store.write(staged, ANN)
    made = await store.write(drafts.create, record(item.row["inbox_id"]), [CONTRACT])
    kept = await store.write(drafts.change, made, {"subject": "Mine"}, now=NOW)
    more: dict[str, Any] = {"add": [File("b.txt", b"b")], "remove": [made.files[0].id], "now": NOW}
    assert await store.write(drafts.change, made, {"subject": "Yours"}, **more) is None

    assert kept is not None and await store.read(drafts.by_id, made.id) == kept
    assert [file.data for file in await store.read(drafts.files, kept)] == [CONTRACT.data]
    assert (await store.read(numbers))[:2] == [1, 1]


@pytest.mark.postgres
async def test_a_draft_sent_twice_at_once_under_one_idempotency_key_is_answered_alike(
    store: Store,
) -> None:
    item = await store.write(staged, ANN)
    made = await store.write(drafts.create, record(item.row["inbox_id"]), [])
    again = replace(item, row={**item.row, "id": new_id()})
    first, second = [
        Departure(made, (), NOW, Claim("sends", "key", "print", NOW + DAY)) for _ in range(2)
    ]
    sent = await behind(
        store, lambda tx: first.store(tx, [item]), store.write(second.store, [again])
    )
    assert (sent, second.said) == ([item.id], first.said)
    assert await store.read(sends.outbound, again.id) is None


@pytest.mark.postgres
async def test_a_change_that_commits_first_keeps_what_was_looked_at_from_leaving(
    store: Store,
) -> None:
    item = await store.write(staged, ANN)
    seen = await store.write(drafts.create, record(item.row["inbox_id"]), [])
    departure = Departure(seen, (), NOW)

    def change(tx: Tx) -> None:
        assert drafts.change(tx, seen, {"subject": "Other"}, now=NOW)

    with pytest.raises(Changed):
        await behind(store, change, store.write(departure.store, [item]))
    assert await store.read(sends.outbound, item.id) is None


class Refused(Drafting):
    """Is refused a draft, whose owner corrects it and puts it off at that moment."""

    async def send(self, departure: Departure) -> Message:
        now = self._store.clock.now()
        changes = {"to": [BEN], "send_at": now + DAY, "send_status": drafts.SCHEDULED}
        assert await self._store.write(drafts.change, departure.draft, changes, now=now)
        raise SendError("nobody of these may be written to")


async def test_a_draft_put_off_while_its_sending_fails_is_sent_at_its_new_time(
    kit: InboxKit,
) -> None:
    store, due = kit.runtime.store, kit.clock.now() + DAY
    owner = await store.write(inboxes.create, "desk@inbox.example", now=NOW)
    wanted = record(owner.id, send_at=due, send_status=drafts.SCHEDULED)
    await store.write(drafts.create, wanted, [])

    def lease(tx: Tx) -> list[Job]:  # before its time, or the kit's own step would have it
        return jobs.claim(tx, drafts.KIND, worker=store.worker_id, now=due, limit=1, start=0)

    taken = await store.write(lease)
    kit.clock.advance(DAY)
    await Refused(store, kit.runtime.actions).work(taken)
    after = await store.read(drafts.by_id, wanted.id)
    assert after is not None and (after.to, after.send_status) == ((BEN,), drafts.SCHEDULED)
    assert await store.read(jobs.is_known, drafts.KIND, str(wanted.id))


@pytest.mark.postgres
@pytest.mark.parametrize("was_put_off", [True, False], ids=["put off", "taken back"])
async def test_a_draft_that_is_put_off_once_more_as_its_time_is_looked_at_keeps_the_last_time(
    kit: InboxKit, was_put_off: bool
) -> None:
    store, due = kit.runtime.store, kit.clock.now() + DAY
    owner = await store.write(inboxes.create, "desk@inbox.example", now=NOW)
    wanted = record(owner.id, send_at=due, send_status=drafts.SCHEDULED)
    made = await store.write(drafts.create, wanted, [])

    def lease(tx: Tx) -> list[Job]:
        return jobs.claim(tx, drafts.KIND, worker=store.worker_id, now=due, limit=1, start=0)

    taken = await store.write(lease)
    later = {"send_at": due + DAY} if was_put_off else {"send_at": None, "send_status": ""}
    changed = await store.write(drafts.change, made, later, now=due)
    assert changed is not None

    def change(tx: Tx) -> None:
        again = {"send_at": due, "send_status": drafts.SCHEDULED}
        assert drafts.change(tx, changed, again, now=due + DAY)

    await behind(store, change, Drafting(store, kit.runtime.actions).work(taken))
    times = await store.read(lambda c: c.execute(select(job.c.due_at, job.c.state)).all())
    assert [tuple(row) for row in times] == [(due, "ready")]
