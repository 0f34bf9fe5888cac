"""Waits: who gets which message, what is taken, what a timeout tells."""

from __future__ import annotations

import asyncio
import re
import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, update

from inboxkit import ConfigurationError, InboxKit, Message, WaitTimeout, waits
from inboxkit.models import Want
from inboxkit.store.bell import inbox_topic
from inboxkit.store.tables import message

from .mails import ANN, DESK, arrive, code, mail

SHOP = "login@shop.example"


async def test_a_new_inbox_sees_what_came_before_the_wait(kit: InboxKit) -> None:
    inbox = await kit.inbox()
    came = await arrive(kit, to=inbox.address)
    assert await inbox.wait_for_message(timeout=30) == came


async def test_an_inbox_that_was_there_sees_what_comes_from_now_on(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    await arrive(kit, "before")
    inbox = await kit.inbox(DESK)
    came = await arrive(kit, "after")
    assert await inbox.wait_for_message(timeout=30) == came


async def test_an_inbox_found_by_its_client_id_sees_what_comes_from_now_on(kit: InboxKit) -> None:
    made = await kit.inbox(client_id="signup-7")
    await arrive(kit, "before", to=made.address)
    inbox = await kit.inbox(client_id="signup-7")
    assert inbox.address == made.address
    with pytest.raises(WaitTimeout, match=r"; nothing came$"):
        await inbox.wait_for_message(timeout=0)


@pytest.mark.parametrize(("since", "seen"), [(timedelta(minutes=1), True), (timedelta(0), False)])
async def test_since_says_how_far_back_mail_counts(
    kit: InboxKit, since: timedelta, seen: bool
) -> None:
    await kit.inbox(DESK)
    came = await arrive(kit)
    inbox = await kit.inbox(DESK, since=since)
    try:
        found: Message | None = await inbox.wait_for_message(timeout=0)
    except WaitTimeout:
        found = None
    assert found == (came if seen else None)


async def test_since_may_be_a_moment(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    first = await arrive(kit, "first")
    second = await arrive(kit, "second")
    inbox = await kit.inbox(DESK, since=second.received_at)
    assert await inbox.wait_for_message(timeout=30) == second
    assert first.received_at < second.received_at


async def test_a_wait_is_woken_by_what_comes_later(kit: InboxKit) -> None:
    inbox = await kit.inbox(DESK)
    waiting = asyncio.create_task(inbox.wait_for_message(timeout=30))
    await asyncio.sleep(0)
    came = await arrive(kit)
    assert await waiting == came


async def test_what_a_wait_has_refused_it_does_not_ask_about_again(kit: InboxKit) -> None:
    inbox = await kit.inbox(DESK)
    asked: list[tuple[str, object]] = []

    def is_asked_for(message: Message) -> bool:
        asked.append((message.text.strip(), threading.current_thread()))
        return is_third(message)

    waiting = asyncio.create_task(inbox.wait_for_message(timeout=30, when=is_asked_for))
    for text in ("first", "second", "third"):
        await arrive(kit, text)
    assert await waiting
    assert asked == [(text, threading.current_thread()) for text in ("first", "second", "third")]


async def test_a_wait_looks_only_when_something_happened(kit: InboxKit) -> None:
    inbox, looks = await kit.inbox(DESK), list[str]()

    def executed(_connection: Any, _cursor: Any, sql: str, *_rest: Any) -> None:
        if sql.startswith("SELECT") and "taken_at IS NULL" in sql:
            looks.append(sql)

    event.listen(kit.runtime.store.database.writer, "after_cursor_execute", executed)
    waiting = asyncio.create_task(inbox.wait_for_message(timeout=30, subject="Other"))
    await arrive(kit)
    for _ in range(30):  # it would look between these
        await kit.runtime.store.write(lambda _tx: None)
    assert 0 < len(looks) < 10
    await arrive(kit, subject="Other")
    assert await waiting


async def test_messages_are_taken_oldest_first_and_once(kit: InboxKit) -> None:
    inbox = await kit.inbox(DESK)
    came = [await arrive(kit, str(number)) for number in range(3)]
    assert [await inbox.wait_for_message(timeout=30) for _ in came] == came
    with pytest.raises(WaitTimeout):
        await inbox.wait_for_message(timeout=0)


async def test_a_wait_that_fails_says_what_it_was_narrowed_to(kit: InboxKit) -> None:
    inbox = await kit.inbox(DESK)
    await arrive(kit)
    with pytest.raises(WaitTimeout) as caught:
        await inbox.wait_for_link(timeout=0, sender="*@shop.example", host="shop.example")
    asked = f"no link for {DESK} from *@shop.example that leads to shop.example within 0 s; 1 other"
    assert str(caught.value).startswith(asked)


async def test_concurrent_waits_never_get_the_same_message(kit: InboxKit) -> None:
    inbox = await kit.inbox(DESK)
    waiting = [asyncio.create_task(inbox.wait_for_message(timeout=30)) for _ in range(12)]
    await asyncio.sleep(0)
    came = await asyncio.gather(*(arrive(kit, str(number)) for number in range(12)))
    assert sorted(m.id for m in await asyncio.gather(*waiting)) == sorted(m.id for m in came)


async def test_the_newest_code_is_returned_and_older_ones_are_retired(kit: InboxKit) -> None:
    inbox = await kit.inbox(DESK)
    for value in ("111111", "222222", "333333"):
        await code(kit, value)
    assert await inbox.wait_for_otp(timeout=30) == "333333"
    with pytest.raises(WaitTimeout):
        await inbox.wait_for_otp(timeout=0)


async def test_a_code_retires_only_those_of_its_own_sender(kit: InboxKit) -> None:
    inbox = await kit.inbox(DESK)
    await code(kit, "111111", sender="login@bank.example")
    await code(kit, "222222", sender="Login@Shop.example")
    await code(kit, "333333", sender=SHOP)
    assert await inbox.wait_for_otp(timeout=30) == "333333"
    assert await inbox.wait_for_otp(timeout=30) == "111111"
    with pytest.raises(WaitTimeout):
        await inbox.wait_for_otp(timeout=0)


async def test_a_code_retires_no_newer_one(kit: InboxKit) -> None:
    inbox = await kit.inbox(DESK)
    text = "Your verification code is {}."
    await arrive(kit, text.format("111111"), sender=SHOP, subject="First")
    await arrive(kit, text.format("222222"), sender=SHOP, subject="Second")
    first = Want(kind="otp", subject="First")
    assert (await kit.runtime.actions.wait(DESK, first, timeout=30)).otp == "111111"
    assert await inbox.wait_for_otp(timeout=30) == "222222"


async def test_a_wait_keeps_to_its_inbox(kit: InboxKit) -> None:
    desk, other = await kit.inbox(DESK), await kit.inbox("other@inbox.example")
    await code(kit, "111111", to=other.address)
    await (await arrive(kit, to=other.address)).label(add=["blocked"])
    for wait in (desk.wait_for_message, desk.wait_for_otp):
        with pytest.raises(WaitTimeout, match="; nothing came"):
            await wait(timeout=0)
    await code(kit, "222222")
    assert await desk.wait_for_otp(timeout=30) == "222222"
    assert await other.wait_for_otp(timeout=30) == "111111"


@pytest.mark.parametrize(
    ("values", "words"),
    [({"state": "stored"}, "nothing came"), ({"kind": "complaint"}, "1 other message came")],
    ids=["not read yet", "complaint"],
)
async def test_what_is_no_answer_is_not_taken(
    kit: InboxKit, values: dict[str, str], words: str
) -> None:
    inbox = await kit.inbox(DESK)
    await arrive(kit)
    change = update(message).values(**values)
    await kit.runtime.store.write(lambda tx: tx.connection.execute(change))
    with pytest.raises(WaitTimeout, match=f"; {words}"):
        await inbox.wait_for_message(timeout=0)


async def test_a_retired_code_is_not_returned_as_a_message_but_a_letter_is(kit: InboxKit) -> None:
    inbox = await kit.inbox(DESK)
    letter = await arrive(kit, "A letter", sender=SHOP)
    await code(kit, "111111", sender=SHOP)
    await code(kit, "222222", sender=SHOP)
    assert await inbox.wait_for_otp(timeout=30) == "222222"
    assert await inbox.wait_for_message(timeout=30) == letter
    with pytest.raises(WaitTimeout):
        await inbox.wait_for_message(timeout=0)


async def test_links_come_newest_first_and_by_host(kit: InboxKit) -> None:
    inbox = await kit.inbox(DESK)
    for host in ("a.example", "shop.example", "b.example", "[no.example"):
        await arrive(kit, f"Confirm your address: https://{host}/confirm?token=a1b2c3d4e5f6")
    found = await inbox.wait_for_link(timeout=30, host="shop.*")
    assert found.startswith("https://shop.example/confirm")
    for host in ("b.example", "a.example"):
        found = await inbox.wait_for_link(timeout=30, host="?.example")
        assert found.startswith(f"https://{host}/")


def is_third(message: Message) -> bool:
    return "third" in message.text


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({"sender": "*@shop.example"}, 1),
        ({"subject": "your *"}, 1),
        ({"when": is_third}, 2),
        ({"sender": "ann@*", "subject": "Question", "when": is_third}, 2),
    ],
    ids=["sender", "subject", "when", "all"],
)
async def test_filters_choose_the_message(
    kit: InboxKit, filters: dict[str, Any], wanted: int
) -> None:
    inbox = await kit.inbox(DESK)
    came = [
        await arrive(kit, "first"),
        await arrive(kit, "second", sender=SHOP, subject="Your order"),
        await arrive(kit, "third"),
    ]
    assert await inbox.wait_for_message(timeout=30, **filters) == came[wanted]


async def test_a_match_is_found_behind_hundreds_that_nobody_took(kit: InboxKit) -> None:
    inbox = await kit.inbox(DESK)
    accept = kit.runtime.accept
    letters = [mail(str(number)) for number in range(230)]
    await asyncio.gather(*(accept.mail(m, mail_from=ANN, rcpt_to=[DESK]) for m in letters))
    await arrive(kit, "this one", sender=SHOP)
    found = await inbox.wait_for_message(timeout=30, sender=SHOP)
    assert found.text.strip() == "this one"


async def test_an_exception_of_when_reaches_the_caller(kit: InboxKit) -> None:
    inbox = await kit.inbox(DESK)
    await arrive(kit)
    with pytest.raises(ZeroDivisionError):
        await inbox.wait_for_message(timeout=30, when=lambda m: bool(1 / 0))
    assert await inbox.wait_for_message(timeout=30)


async def test_a_timeout_lists_what_did_arrive(kit: InboxKit) -> None:
    inbox = await kit.inbox(DESK)
    came = await arrive(kit, subject="An invoice", sender="billing@shop.example")
    with pytest.raises(WaitTimeout) as caught:
        await inbox.wait_for_otp(timeout=0.01, sender="*@shop.example")
    assert caught.value.arrived == (came,)
    assert f"no otp for {DESK}" in str(caught.value)
    assert f"'An invoice' to {DESK} from billing@shop.example (human)" in str(caught.value)
    assert "within 0.01 s; 1 other message came\n" in str(caught.value)


async def test_a_timeout_says_what_earlier_waits_have_taken(kit: InboxKit) -> None:
    inbox = await kit.inbox(DESK)
    await arrive(kit, "Your code is 482913.", subject="Log in")
    await arrive(kit, "Hello")
    assert await inbox.wait_for_otp(timeout=30) == "482913"
    with pytest.raises(WaitTimeout, match="; 2 other messages came, 1 of them taken by earlier"):
        await inbox.wait_for_link(timeout=0)


@pytest.mark.parametrize(
    ("number", "taken", "words"),
    [
        (0, 0, "nothing came"),
        (1, 0, "1 other message came"),
        (1, 1, "1 other message came, taken by an earlier wait"),
        (2, 2, "2 other messages came, taken by earlier waits"),
        (3, 1, "3 other messages came, 1 of them taken by earlier waits"),
    ],
)
def test_what_came_is_told_in_words(number: int, taken: int, words: str) -> None:
    assert waits.came(number, taken) == words


@pytest.mark.parametrize(
    ("sender", "meant"),
    [
        ("shop.example", "*@shop.example"),
        ("shop", "shop@*"),
        ("The Shop <*@shop.example>", "*@shop.example"),
    ],
)
async def test_a_sender_that_no_mail_can_have_is_refused(
    kit: InboxKit, sender: str, meant: str
) -> None:
    inbox = await kit.inbox(DESK)
    for wait in (inbox.wait_for_message, inbox.wait_for_otp, inbox.wait_for_link):
        with pytest.raises(ConfigurationError, match=re.escape(f'write sender="{meant}"')):
            await wait(timeout=0, sender=sender)


async def test_a_timeout_of_an_empty_inbox_says_so(kit: InboxKit) -> None:
    inbox = await kit.inbox(DESK)
    with pytest.raises(WaitTimeout, match="nothing came"):
        await inbox.wait_for_message(timeout=0.01)


async def test_bounces_are_no_answer_to_a_wait(kit: InboxKit) -> None:
    inbox = await kit.inbox(DESK)
    headers = {"Auto-Submitted": "auto-replied"}
    report = mail("Undelivered", sender="mailer-daemon@mx.example", headers=headers)
    report = report.replace(b"text/plain", b"multipart/report; report-type=delivery-status", 1)
    await kit.receive(report, mail_from="", rcpt_to=[DESK])
    with pytest.raises(WaitTimeout):
        await inbox.wait_for_message(timeout=0)


async def test_a_wait_for_a_reply_returns_the_reply(kit: InboxKit) -> None:
    inbox = await kit.inbox(DESK)
    sent = await inbox.send(ANN, "Size?", "Which size?")
    await arrive(kit, "something else")
    came = await arrive(kit, "L", subject="Re: Size?", headers={"In-Reply-To": sent.message_id})
    found = await sent.wait_for_reply(timeout=30)
    assert found == came
    assert found.answers == sent


async def test_each_reply_is_returned_once(kit: InboxKit) -> None:
    inbox = await kit.inbox(DESK)
    sent = await inbox.send(ANN, "Size?", "Which size?")
    cite = {"In-Reply-To": sent.message_id}
    came = [await arrive(kit, text, subject="Re: Size?", headers=cite) for text in "LM"]
    assert [await sent.wait_for_reply(timeout=30) for _ in came] == came
    with pytest.raises(WaitTimeout, match=f"no reply of {ANN}"):
        await sent.wait_for_reply(timeout=0)


async def test_a_missing_reply_lists_what_did_arrive(kit: InboxKit) -> None:
    inbox = await kit.inbox(DESK)
    await arrive(kit, "Earlier", subject="Before it was sent")
    sent = await inbox.send(ANN, "Size?", "Which size?")
    await arrive(kit, "Other", subject="Another matter", sender="bob@example.com")
    with pytest.raises(WaitTimeout, match=r"'Another matter' to .* from bob@example\.com") as late:
        await sent.wait_for_reply(timeout=0.01)
    assert [one.subject for one in late.value.arrived] == ["Another matter"]


def test_a_million_inboxes_share_a_bounded_number_of_bells() -> None:
    assert len({inbox_topic(number) for number in range(0, 1_000_000, 37)}) <= 1024
