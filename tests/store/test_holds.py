"""A restored copy holds back what its original may have done since."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from inboxkit import InboxKit, Message, Router
from inboxkit.store import drafts, holds, jobs, resolutions, runs
from inboxkit.store.drafts import DraftRecord
from inboxkit.store.holds import Held
from inboxkit.store.tables import job, label, message
from inboxkit.testing.settling import advance, settle
from inboxkit.tokens import row_id
from tests.mails import ANN, DESK, mail

from .sending import NOW, stored, transaction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inboxkit.inbox import Inbox

SOON = timedelta(minutes=5)


def answering(calls: list[str]) -> Router[...]:
    router = Router()

    @router.on_message(to="desk@*")
    async def answer(message: Message) -> None:
        calls.append(message.subject)
        await message.reply("Here you are.")

    return router


async def take(kit: InboxKit, subject: str) -> None:
    await kit.runtime.accept.mail(mail(subject=subject), mail_from=ANN, rcpt_to=[DESK])


async def left_behind(database: str, *subjects: str) -> Held:
    """Leave mail that nobody has read, a send that is due and one that is not; hold it back."""
    kit = InboxKit(database=database)
    kit.only_look()
    async with kit:
        desk: Inbox = await kit.inbox(DESK)
        for subject in subjects:
            await take(kit, subject)
        await desk.send(ANN, "Now", "Hello")
        await desk.send(ANN, "Later", "Hello", at=kit.clock.now() + SOON)
        return await kit.runtime.store.write(holds.hold, kit.clock.now())


async def states(kit: InboxKit) -> dict[str, str]:
    return {found.subject: found.state async for found in kit.search()}


async def test_what_waited_is_neither_sent_nor_handled_and_what_is_scheduled_leaves(
    database: str,
) -> None:
    calls = list[str]()
    held = await left_behind(database, "Unread")
    assert held == Held(sends=1, runs=0, messages=1, drafts=0, reminders=0)
    async with InboxKit(answering(calls), database=database) as kit:
        await settle(kit, timeout=30)
        assert await states(kit) == {"Unread": "parsed", "Now": "unknown", "Later": "scheduled"}
        assert [m.subject async for m in kit.search("label:held")] == ["Unread"]
        await advance(kit, SOON, timeout=30)
        assert (await states(kit))["Later"] == "accepted"
    assert not calls


async def test_a_person_lets_a_send_that_was_held_back_leave(database: str) -> None:
    await left_behind(database)
    async with InboxKit(answering([]), database=database) as kit:
        (now,) = [m async for m in kit.search("state:unknown")]
        store = kit.runtime.store
        await store.write(resolutions.by_hand, row_id("msg", now.id), "retry", now=kit.clock.now())
        await settle(kit, timeout=30)
        assert (await states(kit))["Now"] == "accepted"


async def test_runs_that_waited_have_failed_and_can_be_begun_again(database: str) -> None:
    calls, router = list[str](), Router()

    @router.on_message(to="desk@*")
    async def fails(_: Message) -> None:
        raise RuntimeError("not now")

    async with InboxKit(router, database=database) as kit:
        await kit.inbox(DESK)
        await take(kit, "Tried")
        while not [r for r in await listed(kit) if r == "retrying"]:
            await kit.runtime.store.bell.wait("none", 0, timeout=0.01)
    looking = InboxKit(database=database)
    looking.only_look()
    async with looking:
        held = await looking.runtime.store.write(holds.hold, looking.clock.now())
        assert (held.runs, await listed(looking)) == (1, ["failed"])
    async with InboxKit(answering(calls), database=database) as kit:
        await settle(kit, timeout=30)
        assert await listed(kit) == ["failed"]
    assert not calls


async def listed(kit: InboxKit) -> Sequence[str]:
    return [run.state for run in await kit.runtime.store.read(runs.listed)]


def test_what_handlers_drafts_and_reminders_would_do_now_is_held_back(database: str) -> None:
    with transaction(database) as tx:
        number = stored(tx, ANN, state="sent")
        inbox = tx.connection.execute(select(message.c.inbox_id)).scalar_one()
        tx.connection.execute(delete(job))
        draft = DraftRecord(
            id=7, inbox_id=inbox, inbox="", send_at=NOW, created_at=NOW, updated_at=NOW
        )
        drafts.create(tx, draft, [])
        for kind, key in (("plan", str(number)), ("plan", "event:5"), ("timer", "1:1")):
            jobs.put(tx, [jobs.new_job(kind, key, inbox_id=inbox, due_at=NOW)])
        jobs.put(tx, [jobs.new_job("plan", "sent:6", inbox_id=inbox, due_at=NOW)])
        jobs.put(tx, [jobs.new_job("timer", "2:1", inbox_id=inbox, due_at=NOW + SOON)])
        held = holds.hold(tx, NOW)
        assert held == Held(sends=0, runs=0, messages=1, drafts=1, reminders=1)
        assert set(tx.connection.execute(select(job.c.key)).scalars()) == {"sent:6", "2:1"}
        assert tx.connection.execute(select(label.c.message_id)).scalars().all() == [number]
        kept = drafts.by_id(tx.connection, 7)
        assert kept is not None and (kept.send_status, kept.send_at) == ("failed", NOW)
