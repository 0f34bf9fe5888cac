"""A restored copy holds back what its original may have done since."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from inboxkit import InboxKit, Message, Router
from inboxkit.store import holds, resolutions, runs
from inboxkit.store.holds import Held
from inboxkit.testing.settling import advance, settle
from inboxkit.tokens import row_id
from tests.mails import ANN, DESK, mail

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
