"""The sandbox: its people, its clock, what it waits for, and what a broken runtime looks like."""

from __future__ import annotations

import asyncio
import smtplib
import sys
import threading
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from inboxkit import (
    ConfigurationError,
    Event,
    EventType,
    Message,
    Retries,
    Router,
    Suppressed,
    Thread,
    WaitTimeout,
)
from tests.mails import ANN, DESK, mail

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from inboxkit.testing import Sandbox


def test_a_sync_test_uses_it_too(sandbox: Sandbox) -> None:
    async def story() -> str:
        inbox = await sandbox.inbox(DESK)
        await sandbox.person(ANN).send(inbox.address, "Hi", "Your code is 123456.")
        return await inbox.wait_for_otp(timeout=30)

    assert asyncio.run(story()) == "123456"
    assert list(sandbox.outbox) == []


async def test_the_outbox_shows_what_searches_leave_out(sandbox: Sandbox) -> None:
    sent = await (await sandbox.inbox(DESK)).send(ANN, "Hi")
    await sent.label(add="trash")
    assert list(sandbox.outbox) == [sent]
    assert await sandbox.person(ANN).next_message() == sent


async def test_blocking_code_in_the_tests_own_loop_does_not_deadlock(sandbox: Sandbox) -> None:
    inbox = await sandbox.inbox(DESK)
    with smtplib.SMTP(sandbox.smtp_host, sandbox.smtp_port, timeout=30) as client:
        client.sendmail(ANN, [DESK], mail("sent while this loop stands still"))
    assert "stands still" in (await inbox.wait_for_message(timeout=30)).text


async def test_handlers_run_in_the_loop_and_thread_of_the_runtime(sandbox: Sandbox) -> None:
    router, seen = Router(), list[object]()

    @router.on_message()
    async def where(message: Message) -> None:
        seen.extend([asyncio.get_running_loop(), threading.current_thread().name])

    sandbox.include(router)
    await sandbox.person(ANN).send(DESK)
    await sandbox.settle()
    assert seen[0] is not asyncio.get_running_loop()
    assert seen[1] == "inboxkit-test"


async def test_a_person_reads_answers_and_quotes(sandbox: Sandbox) -> None:
    router = Router()

    @router.on_message(to="desk@*")
    async def ask(message: Message) -> None:
        await message.reply("Which size?\nS, M or L?", tag="size")

    @router.on_reply(tag="size")
    async def thank(message: Message) -> None:
        await message.reply(f"Thanks: {message.reply_text}.")

    sandbox.include(router)
    ann = sandbox.person(ANN)
    await ann.send(DESK, "A shirt", "Do you have it in blue?")
    asked = await ann.next_message()
    arrived = await ann.reply(asked, "L")
    assert (arrived.reply_text, arrived.thread_id) == ("L", asked.thread_id)
    assert "> Which size?" in arrived.text
    assert arrived.answers == asked
    assert (await ann.next_message()).text.strip() == "Thanks: L."


async def test_what_a_person_sends_is_read_when_send_returns(sandbox: Sandbox) -> None:
    ann = sandbox.person(ANN)
    for number in range(10):
        got = await ann.send(DESK, f"Subject {number}", f"text {number}", attach={"a": b"b"})
        assert (got.state, got.subject, got.text.strip()) == (
            "parsed",
            f"Subject {number}",
            f"text {number}",
        )
        assert await got.attachments[0].read() == b"b"


async def test_a_person_may_set_any_header(sandbox: Sandbox) -> None:
    headers = {"Message-ID": "<own@example.com>", "From": "Ann <ann@work.example>"}
    got = await sandbox.person(ANN).send(DESK, headers=headers)
    assert (got.message_id, got.sender.email) == ("<own@example.com>", "ann@work.example")


async def test_a_person_who_gets_nothing_sees_what_was_sent_to_others(sandbox: Sandbox) -> None:
    inbox = await sandbox.inbox(DESK)
    await inbox.send("bob@example.com", "For Bob")
    await sandbox.settle()
    with pytest.raises(WaitTimeout, match=r"nothing was sent to ann@example\.com") as caught:
        await sandbox.person(ANN).next_message(timeout=0.01)
    assert [m.subject for m in caught.value.arrived] == ["For Bob"]
    assert b"For Bob" in await caught.value.arrived[0].raw()


async def test_a_wait_in_vain_names_the_handler_that_failed(sandbox: Sandbox) -> None:
    router = Router()

    @router.on_message(to="*")
    async def answer(message: Message) -> None:
        raise LookupError("no such order")

    sandbox.include(router)
    await sandbox.inbox(DESK)
    ann = sandbox.person(ANN)
    await ann.send(DESK, "Order 7")
    await sandbox.settle()
    with pytest.raises(WaitTimeout, match=r"answer failed: LookupError: no such order"):
        await ann.next_message(timeout=0.01)


async def test_a_wait_in_vain_names_the_mail_that_no_handler_takes(sandbox: Sandbox) -> None:
    router = Router()

    @router.on_message(to="orders@*", subject="Order*")
    async def answer(message: Message) -> None:
        """Take the order and answer nothing."""

    sandbox.include(router)
    ann = sandbox.person(ANN)
    await ann.send("orders@inbox.example", "Order 7")
    await ann.send("orders@inbox.example", "Question")
    with pytest.raises(WaitTimeout) as caught:
        await ann.next_message(timeout=0.01)
    said = "; no handler takes 'Question' to orders@inbox.example"
    assert str(caught.value).endswith(f"within 0.01 s{said}")


async def test_a_failed_wait_lists_what_did_arrive(sandbox: Sandbox) -> None:
    inbox = await sandbox.inbox(DESK)
    await sandbox.person(ANN).send(DESK, "An invoice", "Nothing to confirm.")
    with pytest.raises(
        WaitTimeout, match=r"'An invoice' to desk@inbox\.example from ann@example\.com"
    ) as caught:
        await inbox.wait_for_otp(timeout=0.01)
    assert b"Nothing to confirm." in await caught.value.arrived[0].raw()


async def test_a_wait_that_is_cancelled_here_takes_nothing_there(sandbox: Sandbox) -> None:
    inbox = await sandbox.inbox(DESK)
    with anyio.move_on_after(0.05):
        await inbox.wait_for_message(timeout=30)
    came = await sandbox.person(ANN).send(DESK)
    assert await inbox.wait_for_message(timeout=30) == came


async def test_a_hundred_waits_at_once(sandbox: Sandbox) -> None:
    inbox = await sandbox.inbox(DESK)
    waits = [asyncio.create_task(inbox.wait_for_message(timeout=30)) for _ in range(100)]
    ann = sandbox.person(ANN)
    came = await ann.send(DESK)
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    (done,) = [wait for wait in waits if wait.done()]
    assert done.result() == came
    for wait in waits:
        wait.cancel()
    await asyncio.wait(waits)


async def test_advance_does_what_falls_due_on_the_way_at_its_time(sandbox: Sandbox) -> None:
    router, seen = Router(), list[tuple[str, int]]()
    start = sandbox.kit.clock.now()

    def note(name: str) -> None:
        seen.append((name, (sandbox.kit.clock.now() - start) // timedelta(days=1)))

    @router.on_message()
    async def ask(message: Message) -> None:
        await message.reply("Which size?", tag="size")

    @router.on_no_reply(tag="size", after=timedelta(days=2), repeat=2)
    async def remind(thread: Thread) -> None:
        note("remind")
        await thread.send("Still there?", at=sandbox.kit.clock.now() + timedelta(days=1))

    sandbox.include(router)
    await sandbox.person(ANN).send(DESK)
    await sandbox.advance(timedelta(days=30))
    assert seen == [("remind", 2), ("remind", 4)]
    days = [(m.date - start) // timedelta(days=1) for m in sandbox.outbox if m.date]
    assert days == [0, 2, 4]


async def test_advance_moves_due_times_and_no_lease(sandbox: Sandbox) -> None:
    kit = sandbox.kit
    before = kit.clock.beat()
    await sandbox.advance(timedelta(days=300))
    assert kit.clock.beat() - before < timedelta(minutes=1)
    assert kit.clock.now() - before >= timedelta(days=300)
    router, calls = Router(), list[datetime]()

    @router.on_message()
    async def note(message: Message) -> None:
        calls.append(message.received_at)

    sandbox.include(router)
    await sandbox.person(ANN).send(DESK)
    await sandbox.settle()
    assert len(calls) == 1
    assert calls[0] - before >= timedelta(days=300)


async def test_settle_says_what_is_left(sandbox: Sandbox) -> None:
    router, entered, gate = Router(), threading.Event(), threading.Event()

    @router.on_message()
    async def slow(message: Message) -> None:
        entered.set()
        await anyio.to_thread.run_sync(gate.wait, 20)

    sandbox.include(router)
    await sandbox.person(ANN).send(DESK)
    assert await anyio.to_thread.run_sync(entered.wait, 20)
    try:
        with pytest.raises(WaitTimeout, match=r"not settle within 0\.1 s; left: {'run leased': 1}"):
            await sandbox.settle(timeout=0.1)
    finally:
        gate.set()
    await sandbox.settle()


async def test_emit_reports_what_became_of_a_send(sandbox: Sandbox) -> None:
    router, seen = Router(), list[Event]()

    @router.on_event(EventType.BOUNCED, EventType.OPENED)
    async def note(event: Event) -> None:
        seen.append(event)

    sandbox.include(router)
    inbox = await sandbox.inbox(DESK)
    sent = await inbox.send("gone@example.com", "Hi")
    opened = await sandbox.emit(EventType.OPENED, sent)
    bounced = await sandbox.emit(EventType.BOUNCED, sent, reason="no such user")
    assert [e.type for e in seen] == ["opened", "bounced"]
    assert (bounced.recipient, bounced.hard, bounced.reason) == (
        "gone@example.com",
        True,
        "no such user",
    )
    assert (await opened.message.thread()).id == sent.thread_id
    with pytest.raises(Suppressed):
        await inbox.send("gone@example.com", "Again")


async def test_emit_is_for_what_was_sent(sandbox: Sandbox) -> None:
    got = await sandbox.person(ANN).send(DESK)
    with pytest.raises(ConfigurationError, match="came in"):
        await sandbox.emit(EventType.BOUNCED, got)


async def test_what_cannot_be_is_refused_and_changes_nothing(sandbox: Sandbox) -> None:
    wrong: Any = "nosuch"
    sent = await (await sandbox.inbox(DESK)).send(ANN, "Hi", "Hello")
    with pytest.raises(ConfigurationError, match=r"emit\('nosuch'\): there is no such event"):
        await sandbox.emit(wrong, sent)
    with pytest.raises(ConfigurationError, match="'nosuch' is no Router"):
        sandbox.include(wrong)
    for by in (wrong, timedelta(days=-1)):
        with pytest.raises(ConfigurationError, match="is no time ahead"):
            await sandbox.advance(by)
    await sandbox.settle()


async def test_everything_it_hands_out_works_in_the_tests_loop(sandbox: Sandbox) -> None:
    inbox = await sandbox.inbox(DESK)
    got = await sandbox.person(ANN).send(DESK, "Hi", "text", attach={"a.txt": b"data"})
    thread = await got.thread()
    await thread.update(seen=1)
    await got.label(add=["urgent"])
    reply = await got.reply("Yes.")
    await got.forward("boss@example.com")
    await thread.send("And this.")
    assert [m.id async for m in inbox.search("label:urgent")] == [got.id]
    assert [m.id for m in await thread.messages()][:2] == [got.id, reply.id]
    assert (await (await sandbox.message(got.id)).thread()).state == {"seen": 1}
    assert (await got.forensics())["received"] == []
    await inbox.delete()
    assert list(sandbox.outbox) == []


@asynccontextmanager
async def opened_scope() -> AsyncGenerator[str]:
    async with anyio.create_task_group():
        yield "open"


async def test_a_resource_may_hold_a_task_group(sandbox: Sandbox) -> None:
    router, seen = Router(resource=opened_scope), list[str]()

    @router.on_message()
    async def note(message: Message, state: str) -> None:
        seen.append(state)

    sandbox.include(router)
    await sandbox.person(ANN).send(DESK)
    await sandbox.settle()
    assert seen == ["open"]


async def test_a_handler_that_exits_fails_and_the_runtime_goes_on(sandbox: Sandbox) -> None:
    router = Router(retries=Retries(attempts=1))

    @router.on_message(subject="exit")
    async def leaves(message: Message) -> None:
        sys.exit(3)

    @router.on_message()
    async def answers(message: Message) -> None:
        await message.reply("Still here.")

    sandbox.include(router)
    ann = sandbox.person(ANN)
    await ann.send(DESK, "exit")
    await ann.send(DESK, "stay")
    assert (await ann.next_message()).text.strip() == "Still here."


async def test_a_handler_that_asks_the_sandbox_itself_is_told(sandbox: Sandbox) -> None:
    router, errors = Router(), list[str]()

    @router.on_message()
    async def asks(message: Message) -> None:
        try:
            len(sandbox.outbox)
        except RuntimeError as error:
            errors.append(str(error))

    sandbox.include(router)
    await sandbox.person(ANN).send(DESK)
    await sandbox.settle()
    assert errors == ["called from a handler, whose loop would wait for itself"]


async def test_a_long_mail_is_read_in_a_process_of_its_own(sandbox: Sandbox) -> None:
    got = await sandbox.person(ANN).send(DESK, "Long", "word " * 100_000)
    assert (got.state, len(got.text) > 450_000) == ("parsed", True)


async def test_a_file_has_the_type_of_its_name_in_a_mail_and_in_an_answer(sandbox: Sandbox) -> None:
    await sandbox.inbox(DESK)
    ann = sandbox.person(ANN)
    files = {"a.csv": b"a,b\n", "b.png": b"\x89PNG", "c.tar.gz": b"z", "d": b"d"}
    types = ["text/csv", "image/png", "application/octet-stream", "application/octet-stream"]
    got = await ann.send(DESK, "Files", "text", attach=files)
    assert [file.content_type for file in got.attachments] == types
    await got.reply("Thanks.")
    back = await ann.reply(
        await ann.next_message(), "More.", attach={"e.pdf": b"%PDF-1"}, headers={"X-Try": "2"}
    )
    assert [file.content_type for file in back.attachments] == ["application/pdf"]
    assert back.thread_id == got.thread_id and back.headers.get("X-Try") == "2"
