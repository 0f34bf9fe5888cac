"""Drafts in the database: found by their labels, changed by one at a time, sent by their job."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from inboxkit.store import backlog, drafts, inboxes, jobs
from inboxkit.store.drafts import DraftRecord
from inboxkit.store.pages import Page
from inboxkit.store.reach import EVERYTHING, Reach
from inboxkit.tokens import new_id
from inboxkit.values import File

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from inboxkit.store.store import Store

FILE = File("a.txt", b"abc", "text/plain")


async def drafted(store: Store, *labels: str, send_at: datetime | None = None) -> DraftRecord:
    now = store.clock.now()
    owner = await store.write(inboxes.create, "desk@inbox.example", now=now)
    wanted = DraftRecord(
        id=new_id(),
        inbox_id=owner.id,
        inbox=owner.address,
        labels=labels,
        text="Hello\nyou",
        send_at=send_at,
        send_status="scheduled" if send_at else "",
        created_at=now,
        updated_at=now,
    )
    return await store.write(drafts.create, wanted, [FILE])


def is_due(connection: Connection, known: DraftRecord) -> bool:
    return jobs.is_known(connection, drafts.KIND, str(known.id))


async def test_labels_are_matched_whole(store: Store) -> None:
    made = await drafted(store, "größe", 'a"b')
    for label, count in (("größe", 1), ("größ", 0), ('a"b', 1), ("a", 0), ("%", 0)):
        found = await store.read(drafts.listed, EVERYTHING, Page(5), labels=[label])
        assert len(found) == count, label
    assert await store.read(drafts.find, Reach(inbox_id=made.inbox_id), made.id) == made
    assert await store.read(drafts.find, Reach(inbox_id=1), made.id) is None


async def test_who_changes_what_has_changed_is_told(store: Store) -> None:
    made = await drafted(store)
    now = store.clock.now()
    first = await store.write(drafts.change, made, {"text": "One"}, add=[FILE], now=now)
    assert first is not None and (first.preview, len(first.files)) == ("One", 2)
    assert await store.write(drafts.change, made, {"text": "Two"}, now=now) is None
    assert not await store.write(drafts.remove, made)
    assert (await store.read(drafts.files, first))[1].data == b"abc"
    assert await store.write(drafts.remove, first)
    assert await store.read(drafts.file, first.files[0].id) is None


async def test_the_job_follows_the_time(store: Store) -> None:
    now = store.clock.now()
    made = await drafted(store, send_at=now + timedelta(hours=1))
    assert await store.read(is_due, made)
    assert await store.read(backlog.next_due, [drafts.KIND]) == made.send_at
    moved = await store.write(drafts.change, made, {"send_at": None}, now=now)
    assert moved is not None and not await store.read(is_due, moved)
    again = {"send_at": now + timedelta(hours=2)}
    later = await store.write(drafts.change, moved, again, now=now)
    assert later is not None and await store.read(is_due, later)
    await store.write(drafts.remove_all, made.inbox_id)
    assert not await store.read(is_due, later)


async def test_a_failure_is_kept_unless_the_draft_has_changed(store: Store) -> None:
    made = await drafted(store, send_at=store.clock.now())
    old = replace(made, updated_at=made.updated_at - timedelta(seconds=1))
    await store.write(drafts.fail, old, "old", store.clock.now())
    assert await store.read(drafts.by_id, made.id) == made
    await store.write(drafts.fail, made, "no", store.clock.now())
    failed = await store.read(drafts.by_id, made.id)
    assert failed is not None and (failed.send_status, failed.error) == ("failed", "no")
