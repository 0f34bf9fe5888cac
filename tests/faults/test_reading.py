"""Mail that is slow or damaged: it is kept and marked, and holds up nobody else for long."""

from __future__ import annotations

import secrets
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from inboxkit import InboxKit
from inboxkit.parsing import Limits
from inboxkit.pipeline.pace import Pace
from inboxkit.pipeline.read import Read
from inboxkit.store import jobs
from inboxkit.store.tables import event, job, message
from tests.mails import ANN, DESK, mail

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Connection

LONG = b"Subject: long\r\n\r\n" + b"a b c\r\n" * 50_000  # for the parser that can be ended


@pytest.fixture
async def looking(database: str) -> AsyncIterator[InboxKit]:
    """A kit that takes mail in and leaves the work to others."""
    kit = InboxKit(database=database)
    kit.only_look()
    async with kit:
        await kit.inbox(DESK)
        yield kit


async def take(kit: InboxKit, raw: bytes, to: str = DESK) -> None:
    await kit.runtime.accept.mail(raw, mail_from=ANN, rcpt_to=[to])


async def work(kit: InboxKit, limits: Limits, *, slice_seconds: float = 60) -> None:
    """Read all that waits, as one batch; each look at it comes to one mail."""
    store = kit.runtime.store
    read = Read(store, Pace(), limits, slice_seconds=slice_seconds, glance_seconds=0)
    await read.work(
        await store.write(jobs.claim, "read", worker=1, now=store.clock.now(), limit=32, start=0)
    )
    await read.close()


async def states(kit: InboxKit) -> dict[str, str]:
    return {found.subject: found.state async for found in kit.search()}


def waiting(connection: Connection) -> list[tuple[str, int]]:
    query = select(job.c.state, job.c.attempts).where(job.c.kind == "read")
    return [(row.state, row.attempts) for row in connection.execute(query)]


def told(connection: Connection) -> list[str]:
    """Return the subjects of what was read, as it was read."""
    query = select(message.c.subject).join(event, event.c.message_id == message.c.id)
    return list(connection.execute(query.order_by(event.c.seq)).scalars())


async def test_a_flood_of_slow_mail_is_left_for_later_when_its_time_is_up(
    looking: InboxKit,
) -> None:
    for number in range(3):
        await take(looking, LONG.replace(b"long", b"long %d" % number))
    await take(looking, mail(subject="quick"))
    await work(looking, Limits(), slice_seconds=0)
    found = await states(looking)
    assert (found["quick"], found["long 0"]) == ("parsed", "parsed")
    assert await looking.runtime.store.read(waiting) == [("ready", 0)] * 2


async def test_what_takes_its_time_at_a_glance_holds_up_no_other_inbox(looking: InboxKit) -> None:
    await looking.inbox("help@inbox.example")
    for number in range(3):
        await take(looking, mail("a word " * 1_000, subject=f"many {number}"))
    await take(looking, mail("Your code is 482913", subject="code"), to="help@inbox.example")
    await work(looking, Limits(), slice_seconds=0)
    assert (await states(looking))["code"] == "parsed"
    assert await looking.runtime.store.read(waiting) == [("ready", 0)] * 3
    for left in (2, 1, 0):  # each time the next one, however little time there is
        await work(looking, Limits(), slice_seconds=0)
        assert await looking.runtime.store.read(waiting) == [("ready", 0)] * left
    assert await looking.runtime.store.read(told) == ["code", "many 0", "many 1", "many 2"]


async def test_what_a_glance_did_not_come_to_is_read_in_the_same_batch(looking: InboxKit) -> None:
    for number in range(3):
        await take(looking, mail(subject=f"many {number}"))
    await work(looking, Limits())
    assert await looking.runtime.store.read(waiting) == []


async def test_a_mail_whose_file_is_gone_is_marked_and_the_others_are_read(
    looking: InboxKit,
) -> None:
    await take(looking, mail(subject="gone", files={"a.bin": secrets.token_bytes(200_000)}))
    await take(looking, mail(subject="here"))
    folder = looking.runtime.store.files_folder
    assert folder is not None
    for file in folder.rglob("*.zst"):
        file.unlink()
    await work(looking, Limits())
    assert sorted((await states(looking)).items()) == [("", "failed"), ("here", "parsed")]


@pytest.mark.parametrize("size", [100_000, 300_000], ids=["at a glance", "slowly"])
async def test_mail_whose_file_cannot_be_read_now_holds_up_no_other(
    looking: InboxKit, size: int
) -> None:
    await take(looking, mail(subject="away", files={"a.bin": secrets.token_bytes(size)}))
    [file] = (looking.runtime.store.files_folder or Path()).rglob("*.zst")
    kept = file.rename(file.with_suffix(".kept"))
    file.mkdir()  # opening it fails, as on a bad disk
    await take(looking, LONG)
    await take(looking, mail(subject="here"))
    await work(looking, Limits())
    assert await states(looking) == {"": "stored", "long": "parsed", "here": "parsed"}
    assert await looking.runtime.store.read(waiting) == [("ready", 1)]

    file.rmdir()
    kept.rename(file)
    looking.runtime.store.clock.advance(timedelta(minutes=1))
    await work(looking, Limits())
    assert (await states(looking))["away"] == "parsed"


async def test_of_a_huge_text_the_beginning_is_kept_and_the_rest_is_told(
    looking: InboxKit,
) -> None:
    await take(looking, b"Subject: huge\r\n\r\n" + b"word and word\r\n" * 30_000)
    await work(looking, Limits(text_bytes=1_000))
    [huge] = [m async for m in looking.search()]
    assert (huge.state, len(huge.text)) == ("parsed", 1_000)
    assert "text: only its first 1000 characters are kept" in huge.defects
    assert len(await huge.raw()) > 400_000
