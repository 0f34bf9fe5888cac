"""Sends: keys, times, suppressions, hostile headers, injection, loops and caps."""

from __future__ import annotations

from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit import (
    EventType,
    File,
    InboxKit,
    KeyReused,
    Message,
    NotFound,
    Router,
    SendError,
    Settings,
    Suppressed,
)
from inboxkit.store import events, inboxes, runs, suppressions
from inboxkit.testing.settling import settle

from .mails import ANN, DESK, arrive, happened, mail

if TYPE_CHECKING:
    from inboxkit import Inbox
    from inboxkit.testing import Sandbox

BOB = "bob@example.com"


@pytest.fixture
async def desk(kit: InboxKit) -> Inbox:
    return await kit.inbox(DESK)


async def sent_by(kit: InboxKit) -> list[Message]:
    return [m async for m in kit.search("is:outbound")]


# keys


async def test_the_same_key_returns_the_first_send_and_sends_no_more(
    kit: InboxKit, desk: Inbox
) -> None:
    first = await desk.send(ANN, "Order", "It is on its way.", key="order-42")
    await happened(kit, EventType.ACCEPTED)
    again = await desk.send(ANN, "Order", "It is on its way.", key="order-42")
    assert (again, again.state) == (first, "accepted")
    assert await sent_by(kit) == [first]


@pytest.mark.parametrize(
    "other",
    [
        {"subject": "Other"},
        {"text": "Other"},
        {"to": BOB},
        {"html": "<p>Other</p>"},
        {"cc": BOB},
        {"bcc": BOB},
        {"attachments": [File("a.txt", b"other")]},
    ],
    ids=lambda value: next(iter(value)),
)
async def test_a_key_with_other_content_is_refused(
    kit: InboxKit, desk: Inbox, other: dict[str, Any]
) -> None:
    given: dict[str, Any] = {"to": ANN, "subject": "Order", "text": "It is on its way."}
    await desk.send(**given, key="order-42")
    with pytest.raises(KeyReused, match="order-42"):
        await desk.send(**given | other, key="order-42")
    assert len(await sent_by(kit)) == 1


async def test_a_key_belongs_to_its_inbox(kit: InboxKit, desk: Inbox) -> None:
    other = await kit.inbox("other@inbox.example")
    await desk.send(ANN, "Order", key="order-42")
    await other.send(BOB, "Another", key="order-42")
    assert len(await sent_by(kit)) == 2


async def test_without_a_key_the_same_is_sent_twice(kit: InboxKit, desk: Inbox) -> None:
    for _ in range(2):
        await desk.send(ANN, "Order", "It is on its way.")
    assert len(await sent_by(kit)) == 2


# times


# suppressions


async def suppress(kit: InboxKit, *addresses: str) -> None:
    for address in addresses:
        now = kit.clock.now()
        await kit.runtime.store.write(suppressions.add, address, reason="bounced", now=now)


@pytest.mark.parametrize("to", [[ANN], [ANN.upper()], [ANN, BOB]], ids=["one", "case", "all"])
async def test_a_send_to_nobody_but_suppressed_people_is_refused(
    kit: InboxKit, desk: Inbox, to: list[str]
) -> None:
    await suppress(kit, ANN, BOB)
    with pytest.raises(Suppressed, match=r"\(bounced\).*inboxkit suppressions remove"):
        await desk.send(to, "Hi")
    assert await sent_by(kit) == []


async def test_a_send_to_some_suppressed_people_goes_to_the_others(
    kit: InboxKit, desk: Inbox
) -> None:
    await suppress(kit, ANN)
    sent = await desk.send([ANN, BOB], "Hi")
    refused = await happened(kit, EventType.REJECTED)
    taken = await happened(kit, EventType.ACCEPTED)
    assert (refused.recipient, refused.reason_class, refused.message) == (ANN, "suppressed", sent)
    assert (taken.recipient, taken.message) == (BOB, sent)


async def test_a_hard_bounce_by_mail_suppresses(sandbox: Sandbox) -> None:
    inbox = await sandbox.inbox(DESK)
    sent = await inbox.send("gone@example.com", "Hi")
    await sandbox.emit(EventType.BOUNCED, sent)
    with pytest.raises(Suppressed, match=r"gone@example\.com"):
        await inbox.send("gone@example.com", "Again")


# what cannot become a mail


@pytest.mark.parametrize(
    "given",
    [
        {"subject": "Hi\r\nBcc: eve@example.com"},
        {"subject": "Hi\nBcc: eve@example.com"},
        {"subject": "Hi\x00"},
        {"to": "ann@example.com\r\nBcc: eve@example.com"},
        {"to": "Ann\r\nBcc: <eve@example.com>"},
        {"cc": "ann@example.com>, <eve@example.com"},
        {"bcc": "a b@example.com"},
        {"reply_to": "x@y.example\r\nX: y"},
        {"headers": {"X-A": "b\r\nBcc: eve@example.com"}},
        {"headers": {"X-A\r\nBcc": "eve@example.com"}},
        {"headers": {"X A": "b"}},
        {"headers": {"Bcc": "eve@example.com"}},
        {"headers": {"From": "eve@example.com"}},
        {"headers": {"Message-ID": "<x@y.example>"}},
        {"attachments": [File("a.png", b"", content_id="x>\r\nX: y")], "html": "<p>"},
        {"to": ""},
        {"to": []},
        {"to": "nobody"},
        {"attachments": "nosuch.pdf"},
        {"attachments": ["."]},
    ],
)
async def test_what_would_inject_or_cannot_be_a_mail_is_refused(
    kit: InboxKit, desk: Inbox, given: dict[str, Any]
) -> None:
    draft: dict[str, Any] = {"to": ANN, "subject": "Hi", "text": "Hello"}
    with pytest.raises(SendError):
        await desk.send(**draft | given)
    assert await sent_by(kit) == []


async def test_several_addresses_in_one_text_are_refused_with_the_way_out(desk: Inbox) -> None:
    with pytest.raises(SendError, match=r"'a@x\.org, b@x\.org': give each address by itself"):
        await desk.send("a@x.org, b@x.org", "Hi")


@pytest.mark.parametrize(
    "name",
    [
        *("eve@evil.example,", "eve@evil.example:", "Bcc: eve@evil.example"),
        *("<eve@evil.example>", "eve@evil.example(", "<eve@evil.example>("),
    ],
)
async def test_a_name_adds_no_recipient_and_takes_nobodys_place(
    kit: InboxKit, desk: Inbox, name: str
) -> None:
    with pytest.raises(SendError, match="give each address by itself"):
        await desk.send(f"{name} <{ANN}>", "Hi", "Hello")
    assert await sent_by(kit) == []


async def test_in_quotes_a_name_may_hold_anything(desk: Inbox) -> None:
    sent = await desk.send(f'"Doe, Ann: eve@evil.example" <{ANN}>', "Hi", "Hello")
    assert [(one.email, one.name) for one in sent.to] == [(ANN, "Doe, Ann: eve@evil.example")]


async def test_a_path_that_cannot_be_read_is_named(desk: Inbox) -> None:
    with pytest.raises(SendError, match=r"attachments: nosuch\.pdf: No such file"):
        await desk.send(ANN, "Hi", attachments=["nosuch.pdf"])


async def test_a_name_or_file_name_that_is_odd_is_encoded_not_refused(
    kit: InboxKit, desk: Inbox
) -> None:
    files = [File('a"\r\nX-Evil: 1;\u202egnp.exe', b"data")]
    sent = await desk.send('"Müller; \\"Ann\\", <x>" <ann@example.com>', "Hi 🙂", attachments=files)
    made = message_from_bytes(await sent.raw(), policy=policy.default)
    assert [a.email for a in sent.to] == [ANN]
    assert made["X-Evil"] is None
    assert made["Subject"] == "Hi 🙂"


async def test_a_paused_inbox_sends_nothing(kit: InboxKit, desk: Inbox) -> None:
    store = kit.runtime.store
    found = await store.read(inboxes.require, DESK)
    await store.write(lambda tx: inboxes.touch(tx, found.id, kit.clock.now(), status="paused"))
    with pytest.raises(SendError, match="is paused"):
        await desk.send(ANN, "Hi")


async def test_an_inbox_that_is_gone_sends_nothing(kit: InboxKit, desk: Inbox) -> None:
    await desk.delete()
    with pytest.raises(NotFound, match=r"no inbox desk@inbox\.example"):
        await desk.send(ANN, "Hi")


HOSTILE = {
    "folded subject": b"Subject: a\r\n b\r\n\tc\r\n",
    "bare CR in subject": b"Subject: a\rBcc: eve@example.com\r\n",
    "encoded newline": b"Subject: =?utf-8?q?a=0D=0ABcc:_eve@example.com?=\r\n",
    "raw eight bit": b"Subject: caf\xe9 \xff\r\n",
    "long subject": b"Subject: " + b"word " * 2_000 + b"\r\n",
    "odd message id": b"Message-ID: no brackets at all <<>> \r\n",
    "long message id": b"Message-ID: <" + b"x" * 5_000 + b"@example.com>\r\n",
    "evil message id": b"Message-ID: <a\r\n b@c> Bcc: eve@example.com\r\n",
    "long references": b"References: " + b"<a@b.example>\r\n " * 3_000 + b"<c@d.example>\r\n",
    "odd references": b"References: =?utf-8?q?=3Ca=0D=0AX:_y=3E?= \xff\r\n",
    "encoded reply-to": b"Reply-To: =?utf-8?q?Ann=0D=0ABcc:_x?= <ann@example.com>\r\n",
    "group reply-to": b"Reply-To: undisclosed: ann@example.com;\r\n",
    "thread index": b"Thread-Index: ////\r\nThread-Topic: a\r\n b\r\n",
}


@pytest.mark.parametrize("head", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_mail_with_hostile_headers_can_be_answered(
    kit: InboxKit, desk: Inbox, head: bytes
) -> None:
    raw = b"From: ann@example.com\r\nTo: desk@inbox.example\r\n" + head + b"\r\nHello\r\n"
    got = await kit.receive(raw, mail_from=ANN, rcpt_to=[DESK])
    for sent in (await got.reply("Yes."), await got.forward("boss@example.com")):
        made = message_from_bytes(await sent.raw(), policy=policy.compat32)
        assert made["Bcc"] is None
        assert made["X"] is None
        assert len(made.get_all("Subject", [])) == 1
        assert all(len(line) <= 998 for line in (await sent.raw()).split(b"\r\n"))


# loops


def echo_router(*, auto_replies: bool) -> Router[[]]:
    router = Router()

    @router.on_message(auto_replies=auto_replies)
    async def echo(message: Message) -> None:
        await message.reply(f"You wrote: {message.reply_text}")

    return router


@pytest.mark.parametrize(
    ("auto_replies", "stopped_by"), [(False, "withheld"), (True, EventType.LOOP_STOPPED)]
)
async def test_two_inboxes_that_answer_each_other_stop(
    database: str, auto_replies: bool, stopped_by: str
) -> None:
    async with InboxKit(echo_router(auto_replies=auto_replies), database=database) as kit:
        one = await kit.inbox("one@inbox.example")
        await kit.inbox("two@inbox.example")
        await one.send("two@inbox.example", "Hello", "Who is there?")
        await settle(kit, timeout=30)
        assert [m.inbox.partition("@")[0] for m in await delivered(kit)] == ["two", "one"]
        log = {row.type for row in await kit.runtime.store.read(events.after, 0)}
        states = {run.state for run in await kit.runtime.store.read(runs.listed)}
        assert stopped_by in log | states


async def test_a_reply_that_would_come_back_to_its_own_inbox_is_stopped(database: str) -> None:
    async with InboxKit(echo_router(auto_replies=True), database=database) as kit:
        inbox = await kit.inbox(DESK)
        await inbox.send(DESK, "Hello me", "Echo?")
        await settle(kit, timeout=30)
        assert len(await delivered(kit)) == 1


async def delivered(kit: InboxKit) -> list[Message]:
    return [m for m in await sent_by(kit) if m.state == "accepted"]


@pytest.mark.parametrize(
    ("headers", "stopped"),
    [
        ({}, ""),
        ({"Auto-Submitted": "no"}, ""),
        ({"Auto-Submitted": "auto-replied"}, "Auto-Submitted"),
        ({"Precedence": "bulk"}, "Precedence"),
        ({"Precedence": "junk"}, "Precedence"),
        ({"List-Id": "<garden.lists.example>"}, "list mail"),
        ({"List-Unsubscribe": "<mailto:u@example.com>"}, "list mail"),
        ({"X-Auto-Response-Suppress": "All"}, "automatic"),
        ({"X-Loop": "help@example.com"}, "automatic"),
        ({"X-Autoreply": "yes"}, "automatic"),
        ({"Return-Path": "<>"}, ""),
        ({"Reply-To": "noreply@example.com"}, "takes no replies"),
    ],
    ids=str,
)
async def test_a_handler_never_answers_automatic_mail(
    database: str, headers: dict[str, str], stopped: str
) -> None:
    async with InboxKit(echo_router(auto_replies=True), database=database) as kit:
        await kit.inbox(DESK)
        await arrive(kit, headers=headers)
        event = await happened(kit, EventType.LOOP_STOPPED if stopped else EventType.ACCEPTED)
        assert stopped in event.reason
        assert event.message.state == ("rejected" if stopped else "accepted")


@pytest.mark.parametrize(
    ("caps", "threads"),
    [({"auto_replies_per_thread_hour": 3}, 1), ({"auto_replies_per_inbox_hour": 3}, 5)],
    ids=["thread", "inbox"],
)
async def test_automatic_replies_are_capped(
    database: str, caps: dict[str, int], threads: int
) -> None:
    settings = Settings(database=database, **caps)  # type: ignore[arg-type]
    async with InboxKit(echo_router(auto_replies=True), settings=settings) as kit:
        await kit.inbox(DESK)
        first = await arrive(kit, subject="Question of many words 0")
        for number in range(1, 5):
            cite = {"In-Reply-To": first.message_id} if threads == 1 else {}
            await arrive(kit, subject=f"Question of many words {number}", headers=cite)
        event = await happened(kit, EventType.LOOP_STOPPED, times=2)
        assert "3 automatic replies" in event.reason
        assert len([m for m in await sent_by(kit) if m.state != "rejected"]) == 3


async def test_a_person_may_answer_what_a_program_must_not(kit: InboxKit, desk: Inbox) -> None:
    got = await arrive(kit, headers={"Auto-Submitted": "auto-replied"})
    sent = await got.reply("Thank you anyway.")
    assert (await happened(kit, EventType.ACCEPTED)).message == sent


async def test_an_automatic_reply_says_that_it_is_one(database: str) -> None:
    async with InboxKit(echo_router(auto_replies=False), database=database) as kit:
        await kit.inbox(DESK)
        await kit.receive(mail(), mail_from=ANN, rcpt_to=[DESK])
        sent = (await happened(kit, EventType.ACCEPTED)).message
        raw = (await sent.raw()).lower()
        assert b"auto-submitted: auto-replied" in raw
        assert (await kit.runtime.store.read(runs.listed))[0].state == "done"
