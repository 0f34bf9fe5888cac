"""Loops: what stops two programs that answer each other, and which event says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from inboxkit import EventType, InboxKit, Message, Router, Settings
from inboxkit.store import events, runs
from inboxkit.testing.settling import settle
from tests.mails import ANN, DESK, arrive, happened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

HELP = "help@shop.example"


def echo() -> Router[[]]:
    router = Router()

    @router.on_message()
    async def answer(message: Message) -> None:
        await message.reply(f"You wrote: {message.reply_text}")

    return router


@pytest.fixture
async def kits(tmp_path: Path) -> AsyncIterator[tuple[InboxKit, InboxKit]]:
    """Two installations that know nothing of each other, each with an echo."""
    one = InboxKit(echo(), database=f"sqlite:///{tmp_path}/one.db")
    two = InboxKit(echo(), database=f"sqlite:///{tmp_path}/two.db")
    async with one, two:
        await one.inbox(DESK)
        await two.inbox(HELP)
        yield one, two


async def last_sent(kit: InboxKit) -> Message:
    return (await happened(kit, EventType.ACCEPTED)).message


async def test_two_echo_bots_stop_after_one_answer_with_an_event(
    kits: tuple[InboxKit, InboxKit],
) -> None:
    one, two = kits
    await arrive(one, sender=HELP)
    answer = await last_sent(one)
    await two.receive(await answer.raw(), mail_from=answer.envelope.mail_from, rcpt_to=[HELP])
    stopped = await happened(two, EventType.LOOP_STOPPED)
    await settle(two, timeout=30)
    assert "auto" in stopped.reason
    assert stopped.message.inbox == HELP
    assert [m.id async for m in two.search("is:outbound")] == []


async def test_an_absence_of_a_person_is_no_loop(kits: tuple[InboxKit, InboxKit]) -> None:
    one, _ = kits
    await arrive(one, headers={"Auto-Submitted": "auto-replied"})
    await settle(one, timeout=30)
    runs_found = await one.runtime.store.read(runs.listed)
    log = {row.type for row in await one.runtime.store.read(events.after, 0)}
    assert [run.state for run in runs_found] == ["withheld"]
    assert EventType.LOOP_STOPPED not in log


async def test_replies_to_one_correspondent_are_capped_over_all_threads(database: str) -> None:
    settings = Settings(database=database, auto_replies_per_correspondent_hour=2)
    async with InboxKit(echo(), settings=settings) as kit:
        await kit.inbox(DESK)
        for number in range(3):
            await arrive(kit, subject=f"Question of many words {number}", sender=ANN)
            await settle(kit, timeout=30)
        with anyio.fail_after(30):
            stopped = await happened(kit, EventType.LOOP_STOPPED)
        assert stopped.reason.startswith("2 automatic replies went to this correspondent")
        await arrive(kit, subject="Another", sender="ben@example.com")
        await settle(kit, timeout=30)
        accepted = [m async for m in kit.search("is:outbound") if m.state == "accepted"]
        assert len(accepted) == 3


@pytest.mark.parametrize(
    ("cap", "same", "words"),
    [
        ("thread", True, "went to this thread"),
        ("correspondent", True, "went to this correspondent"),
        ("inbox", False, "left this inbox"),
    ],
)
async def test_handlers_that_answer_at_the_same_moment_do_not_exceed_a_cap(
    database: str, cap: str, same: bool, words: str
) -> None:
    together, router = Together(8), Router(ordered=False)

    @router.on_message()
    async def answer(message: Message) -> None:
        await together.wait()
        await message.reply("Thank you")

    settings = Settings.model_validate({"database": database, f"auto_replies_per_{cap}_hour": 3})
    async with InboxKit(router, settings=settings) as kit:
        await kit.inbox(DESK)
        first = await arrive(kit, subject="Question of many words")
        for number in range(1, 8):
            cite = {"In-Reply-To": first.message_id} if same else {}
            sender = ANN if same else f"ann{number}@example.com"
            await arrive(
                kit, subject=f"Question of many words {number}", sender=sender, headers=cite
            )
        stopped = await happened(kit, EventType.LOOP_STOPPED, times=5)
        await settle(kit, timeout=30)
        states = sorted([m.state async for m in kit.search("is:outbound")])
    assert stopped.reason == f"3 automatic replies {words} within an hour"
    assert states == ["accepted"] * 3 + ["rejected"] * 5


class Together:
    """Lets everybody go on once so many have come."""

    def __init__(self, number: int) -> None:
        self._missing = number
        self._all = anyio.Event()

    async def wait(self) -> None:
        self._missing -= 1
        if not self._missing:
            self._all.set()
        with anyio.fail_after(30):
            await self._all.wait()
