"""Handlers called for real: retries, order, outcomes, staged sends, dead letters."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from inboxkit import (
    Event,
    EventType,
    Message,
    Reject,
    Retries,
    RetryLater,
    Router,
    SkipHandler,
    WaitTimeout,
)
from inboxkit.store import jobs, runs

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from inboxkit.testing import Sandbox

FAST = Retries(attempts=3, first=timedelta(seconds=20))


async def run_states(sandbox: Sandbox) -> list[tuple[str, str]]:
    async def look() -> list[tuple[str, str]]:
        rows = await sandbox.kit.runtime.store.read(runs.listed)
        return [(row.handler.rpartition(".")[2], row.state) for row in reversed(rows)]

    return await asyncio.to_thread(lambda: sandbox._runner.call(look))  # pyright: ignore[reportPrivateUsage] - Runs have no public Python name


async def write(sandbox: Sandbox, to: str = "bot@inbox.example", text: str = "Hello") -> None:
    await sandbox.person("ann@example.com").send(to, "Question", text)
    await sandbox.settle()


async def test_a_failing_handler_sends_nothing_and_is_tried_again(sandbox: Sandbox) -> None:
    router, calls = Router(retries=FAST), list[str]()

    @router.on_message(to="bot@*")
    async def flaky(message: Message) -> None:
        calls.append(message.id)
        await message.reply("Here you are.")
        if len(calls) < 3:
            raise RuntimeError("not yet")

    sandbox.include(router)
    await write(sandbox)
    assert (len(calls), len(sandbox.outbox)) == (1, 0)
    await sandbox.advance(timedelta(minutes=5))
    assert len(calls) == 3
    assert [m.text.strip() for m in sandbox.outbox] == ["Here you are."]


async def test_the_next_of_a_lane_is_called_with_what_the_one_before_has_changed(
    sandbox: Sandbox,
) -> None:
    router, called = Router(), list[Message]()

    @router.on_message()
    async def labels(message: Message) -> None:
        called.append(message)
        await message.label(add=["seen"])

    @router.on_event(EventType.RECEIVED)
    async def later(event: Event) -> None:
        assert event.message is not None
        called.append(event.message)

    sandbox.include(router)
    await write(sandbox)
    first, second = called
    assert ("seen" in first.labels, "seen" in second.labels) == (False, True)


async def test_a_handler_that_never_works_ends_as_failed_with_an_event(sandbox: Sandbox) -> None:
    router, seen = Router(retries=FAST), list[Event]()

    @router.on_message()
    async def broken(message: Message) -> None:
        raise ValueError("no luck")

    @router.on_event(EventType.HANDLER_FAILED)
    async def failed(event: Event) -> None:
        seen.append(event)

    sandbox.include(router)
    await write(sandbox)
    await sandbox.advance(timedelta(hours=1))
    assert [e.reason.endswith("ValueError: no luck") for e in seen] == [True]
    assert ("broken", "failed") in await run_states(sandbox)


async def test_a_run_that_ends_its_process_is_called_at_other_times_and_at_last_no_more(
    sandbox: Sandbox,
) -> None:
    router, calls, others, told = Router(), list[str](), list[str](), list[str]()
    store = sandbox.kit.runtime.store

    @router.on_message(to="poison@*")
    async def deadly(message: Message) -> None:
        calls.append(message.id)
        await store.write(jobs.release, [store.worker_id])  # as when the process has died

    @router.on_message(to="bot@*")
    async def harmless(message: Message) -> None:
        others.append(message.id)

    @router.on_event(EventType.HANDLER_FAILED)
    async def failed(event: Event) -> None:
        told.append(event.reason)

    sandbox.include(router)
    await write(sandbox, to="poison@inbox.example")
    assert len(calls) == 2  # the first time it may have been anybody's fault
    await write(sandbox)
    assert len(others) == 1
    await sandbox.advance(timedelta(minutes=3))
    assert len(calls) == 5
    assert ("deadly", "failed") in await run_states(sandbox)
    assert ["begun 5 times and never ended" in reason for reason in told] == [True]


async def test_a_send_that_can_never_be_taken_ends_its_run_at_once(sandbox: Sandbox) -> None:
    router, calls = Router(retries=FAST), list[int]()

    @router.on_message()
    async def twice(message: Message) -> None:
        calls.append(1)
        await message.reply("One", key="answer")
        await message.reply("Another", key="answer")

    sandbox.include(router)
    await write(sandbox)
    assert ("twice", "failed") in await run_states(sandbox)
    await sandbox.advance(timedelta(hours=1))
    assert (len(calls), len(sandbox.outbox)) == (1, 0)


async def test_a_run_that_sends_for_an_inbox_that_is_gone_ends_at_once_and_says_so(
    sandbox: Sandbox,
) -> None:
    router, calls, told = Router(retries=FAST), list[int](), list[Event]()

    @router.on_message(to="bot@*")
    async def forward(message: Message) -> None:
        calls.append(1)
        other = await sandbox.kit.inbox("sales@inbox.example")
        await other.send(to="ben@example.com", subject="A lead", text=message.text)
        await sandbox.kit.runtime.actions.delete_inbox(other.address)

    @router.on_event(EventType.HANDLER_FAILED)
    async def note(event: Event) -> None:
        told.append(event)

    sandbox.include(router)
    await write(sandbox)
    await sandbox.advance(timedelta(hours=1))
    assert (len(calls), len(sandbox.outbox)) == (1, 0)
    assert ("forward", "failed") in await run_states(sandbox)
    why = "InboxGone: the inbox was deleted meanwhile: sales@inbox.example"
    assert [event.reason.endswith(why) for event in told] == [True]


async def test_a_handler_that_hangs_is_cancelled_and_tried_again(sandbox: Sandbox) -> None:
    router, calls = Router(retries=FAST, timeout=0.1), list[int]()

    @router.on_message()
    async def slow(message: Message) -> None:
        calls.append(1)
        if len(calls) == 1:
            await asyncio.Event().wait()

    sandbox.include(router)
    await write(sandbox)
    await sandbox.advance(timedelta(minutes=1))
    assert len(calls) == 2
    assert await run_states(sandbox) == [("slow", "done")]


async def test_skip_offers_the_message_to_the_next_match_without_its_sends(
    sandbox: Sandbox,
) -> None:
    router = Router()

    @router.on_message(to="bot@*")
    async def first(message: Message) -> None:
        await message.reply("from the first")
        raise SkipHandler

    @router.on_message()
    async def second(message: Message) -> None:
        await message.reply("from the second")

    sandbox.include(router)
    await write(sandbox)
    assert [m.text.strip() for m in sandbox.outbox] == ["from the second"]
    assert await run_states(sandbox) == [("first", "skipped"), ("second", "done")]


async def test_retry_later_waits_as_long_as_it_says(sandbox: Sandbox) -> None:
    router, calls = Router(), list[int]()

    @router.on_message()
    async def later(message: Message) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise RetryLater(timedelta(hours=2), "the office is closed")

    sandbox.include(router)
    await write(sandbox)
    await sandbox.advance(timedelta(hours=1))
    assert len(calls) == 1
    await sandbox.advance(timedelta(hours=1))
    assert len(calls) == 2


async def test_reject_ends_the_run_and_sends_nothing(sandbox: Sandbox) -> None:
    router = Router()

    @router.on_message()
    async def refuses(message: Message) -> None:
        await message.reply("never seen")
        raise Reject("not for us")

    sandbox.include(router)
    await write(sandbox)
    await sandbox.advance(timedelta(days=2))
    assert list(sandbox.outbox) == []
    assert await run_states(sandbox) == [("refuses", "rejected")]


async def test_messages_of_one_thread_are_handled_one_at_a_time_in_order(
    sandbox: Sandbox,
) -> None:
    router, order, inside = Router(), list[str](), list[int]()

    @router.on_message(to="bot@*")
    async def ordered(message: Message) -> None:
        inside.append(1)
        assert len(inside) == 1, "two handlers of one thread at once"
        await asyncio.sleep(0)
        order.append(message.subject)
        inside.pop()

    sandbox.include(router)
    ann = sandbox.person("ann@example.com")
    first = await ann.send("bot@inbox.example", "Subject of many words 0")
    cite = {"In-Reply-To": first.message_id}
    for number in range(1, 6):
        await ann.send("bot@inbox.example", f"Subject of many words {number}", headers=cite)
    await sandbox.settle()
    assert order == [f"Subject of many words {n}" for n in range(6)]


async def test_a_router_matches_once_and_routers_are_independent(sandbox: Sandbox) -> None:
    one, two, calls = Router(), Router(), list[str]()

    @one.on_message(to="bot@*")
    async def narrow(message: Message) -> None:
        calls.append("narrow")

    @one.on_message()
    async def wide(message: Message) -> None:
        calls.append("wide")

    @two.on_message(sender="ann@*")
    async def other(message: Message) -> None:
        calls.append("other")

    sandbox.include(one)
    sandbox.include(two)
    await write(sandbox)
    assert sorted(calls) == ["narrow", "other"]


async def test_automatic_mail_is_withheld_and_says_so(sandbox: Sandbox) -> None:
    router, calls = Router(), list[str]()

    @router.on_message()
    async def answers(message: Message) -> None:
        calls.append(message.id)

    sandbox.include(router)
    ann = sandbox.person("ann@example.com")
    headers = {"Auto-Submitted": "auto-replied"}
    await ann.send("bot@inbox.example", "Out of office", "I am away.", headers=headers)
    await sandbox.settle()
    assert calls == []
    assert await run_states(sandbox) == [("answers", "withheld")]


async def test_a_resource_is_entered_once_and_handed_over(sandbox: Sandbox) -> None:
    entered = list[str]()

    @asynccontextmanager
    async def open_list() -> AsyncGenerator[list[str]]:
        entered.append("in")
        yield entered

    router = Router(resource=open_list)

    @router.on_message()
    async def notes(message: Message, notebook: list[str]) -> None:
        notebook.append(message.subject)

    sandbox.include(router)
    await write(sandbox)
    await write(sandbox)
    assert entered == ["in", "Question", "Question"]


async def test_a_timeout_of_its_own_is_not_taken_for_the_handlers(sandbox: Sandbox) -> None:
    router, seen = Router(retries=Retries(attempts=1)), list[str]()

    @router.on_message()
    async def waits(message: Message) -> None:
        raise WaitTimeout("no answer of the other side")

    @router.on_event(EventType.HANDLER_FAILED)
    async def failed(event: Event) -> None:
        seen.append(event.reason)

    sandbox.include(router)
    await write(sandbox)
    [why] = seen
    assert ("no answer of the other side" in why, "took longer" in why) == (True, False)
