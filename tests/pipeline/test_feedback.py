"""Webhooks through the real app: events in any order, mail, downloads, and what cannot be read."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import aiohttp
import anyio
import pytest
from sqlalchemy import select, update

from inboxkit import Event, EventType, Message
from inboxkit.pipeline.janitor import Janitor
from inboxkit.providers.base import HttpResponse, WebhookRequest
from inboxkit.providers.forms import Field
from inboxkit.router import Retries, Router
from inboxkit.store.tables import delivery, message, webhook
from inboxkit.testing.posting import post
from inboxkit.values import Auth
from tests.providers.mailgun_account import form_post, json_post, signature_block

from .mailgun import OPTIONS, Account, account
from .test_every_vendor import sending

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from inboxkit.store.transactions import Tx
    from inboxkit.testing import Fakes, Sandbox

    from .sending import Sending

ANN, BEN, BOT = "ann@example.com", "ben@example.com", "bot@shop.example"
MAIL = (
    b"From: Ann <ann@example.com>\r\nTo: bot@shop.example\r\nSubject: caf\xe9\r\n"
    b"Message-ID: <m1@example.com>\r\n\r\nHello \xff\r\n"
)
KINDS = [
    EventType.DEFERRED,
    EventType.DELIVERED,
    EventType.OPENED,
    EventType.CLICKED,
    EventType.UNSUBSCRIBED,
    EventType.COMPLAINED,
]


@pytest.fixture
async def mailgun() -> AsyncIterator[Account]:
    async with account() as opened:
        yield opened


def noting(mailgun: Account, *kinds: EventType) -> list[str]:
    """Include a handler of these events and return what it will have seen."""
    router, seen = Router(), list[str]()

    @router.on_event(*kinds)
    async def note(event: Event) -> None:
        seen.append(str(event.type))

    mailgun.sandbox.include(router)
    return seen


# events


@pytest.mark.parametrize("seed", range(3))
async def test_events_out_of_order_and_repeated_end_alike(mailgun: Account, seed: int) -> None:
    sent = await mailgun.send(ANN)
    seen = noting(mailgun, *KINDS, EventType.ACCEPTED, EventType.REJECTED)
    posts = [await mailgun.event(kind, sent) for kind in (*KINDS, EventType.ACCEPTED)]
    again = posts * 2
    random.Random(seed).shuffle(again)
    assert {await mailgun.post(post) for post in again} == {200}
    await mailgun.sandbox.settle()
    assert await mailgun.state(sent) == "complained"
    assert await mailgun.suppressed() == [(ANN, "complained")]
    assert sorted(seen) == sorted(map(str, KINDS))  # accepted: the send's answer told that
    assert await mailgun.webhooks() == [("done", "")] * len(posts)


@pytest.mark.parametrize(
    ("kind", "hard", "state"),
    [
        *((EventType.BOUNCED, hard, "bounced") for hard in (True, False)),
        (EventType.REJECTED, False, "rejected"),
    ],
)
async def test_what_is_lost_is_told_once(
    mailgun: Account, kind: EventType, hard: bool, state: str
) -> None:
    sent = await mailgun.send(ANN)
    seen = noting(mailgun, kind)
    post = await mailgun.event(kind, sent, hard=hard)
    assert [await mailgun.post(post), await mailgun.post(post)] == [200, 200]
    await mailgun.sandbox.settle()
    assert (await mailgun.state(sent), seen) == (state, [state])
    assert await mailgun.suppressed() == ([(ANN, "bounced")] if hard else [])


async def test_an_event_about_somebody_elses_send_only_suppresses(mailgun: Account) -> None:
    [caught] = (await mailgun.send(ANN), mailgun.fake.caught)[1]
    foreign = replace(caught, message_id="<other@app.example>", metadata={})
    await mailgun.post(mailgun.fake.event(EventType.BOUNCED, foreign, BEN))
    await mailgun.sandbox.settle()
    assert await mailgun.webhooks() == [("done", "1 events of unknown sends")]
    assert await mailgun.suppressed() == [(BEN, "bounced")]


@pytest.mark.parametrize(
    ("kind", "entries"),
    [
        (EventType.BOUNCED, list[tuple[str, str]]()),
        (EventType.DELIVERED, list[tuple[str, str]]()),
        (EventType.COMPLAINED, [(BEN, "complained")]),
        (EventType.UNSUBSCRIBED, [(BEN, "unsubscribed")]),
    ],
    ids=["soft bounce", "delivered", "complaint", "unsubscription"],
)
async def test_of_somebody_elses_send_only_what_lasts_suppresses(
    mailgun: Account, kind: EventType, entries: list[tuple[str, str]]
) -> None:
    await mailgun.send(ANN)
    foreign = replace(mailgun.fake.caught[0], message_id="<other@app.example>", metadata={})
    await mailgun.post(mailgun.fake.event(kind, foreign, BEN, hard=False))
    await mailgun.sandbox.settle()
    assert await mailgun.suppressed() == entries


async def test_of_the_headers_of_a_webhook_no_secret_is_kept(mailgun: Account) -> None:
    post = await mailgun.event(EventType.DELIVERED, await mailgun.send(ANN))
    secret = {"Authorization": "Basic c2VjcmV0", "Cookie": "s=1", "X-Kept": "yes"}
    secret["Proxy-Authorization"] = secret["Authorization"]
    await mailgun.post(replace(post, headers={**post.headers, **secret}))
    [row] = await mailgun.rows(select(webhook.c.headers))
    assert row.headers["x-kept"] == "yes"
    assert row.headers.keys().isdisjoint(("authorization", "proxy-authorization", "cookie"))


@pytest.mark.parametrize("learned", [True, False])
async def test_an_event_that_is_faster_than_the_answer_waits_for_it_once(
    fake_provider: Fakes, learned: bool
) -> None:
    account = fake_provider("scaleway")
    async with sending("scaleway", fake_provider) as opened:
        sent = await opened.send(ANN)
        [known] = await opened.rows(select(delivery.c.provider_id))
        await remember(opened, None)
        url = f"{opened.sandbox.url}/webhooks/scaleway"
        async with aiohttp.ClientSession() as session:
            await post(session, account.event(EventType.DELIVERED, account.sent[0]), url)
        await opened.sandbox.settle()
        assert await opened.due_in("webhook") == timedelta(minutes=1)
        if learned:
            await remember(opened, known.provider_id)
        await opened.sandbox.advance(timedelta(minutes=1))
        assert await opened.state(sent) == ("delivered" if learned else "accepted")
        told = "" if learned else "1 events of unknown sends"
        assert await opened.webhooks() == [("done", told)]


async def remember(opened: Sending, provider_id: str | None) -> None:
    """Let the send be known under this id of the provider."""

    def change(tx: Tx) -> None:
        for table in (message, delivery):
            tx.connection.execute(update(table).values(provider_id=provider_id))

    store = opened.sandbox.kit.runtime.store
    await opened.runner.acall(store.write, change)


@pytest.mark.parametrize("id_", ["msg_0000000000007", "thd_0000000000007", "nonsense"])
async def test_an_id_in_metadata_that_names_no_send_is_passed_over(
    mailgun: Account, id_: str
) -> None:
    sent = await mailgun.send(ANN)
    odd = replace(mailgun.fake.caught[0], metadata={"inboxkit_id": id_})
    await mailgun.post(mailgun.fake.event(EventType.DELIVERED, odd, ANN))
    await mailgun.sandbox.settle()
    assert await mailgun.state(sent) == "delivered"


async def test_the_id_in_metadata_finds_a_send_whose_message_id_was_replaced(
    mailgun: Account,
) -> None:
    sent = await mailgun.send(ANN)
    renamed = replace(mailgun.fake.caught[0], message_id="<new@mail.vendor.example>")
    await mailgun.post(mailgun.fake.event(EventType.DELIVERED, renamed, ANN))
    await mailgun.sandbox.settle()
    assert await mailgun.state(sent) == "delivered"
    reply = MAIL.replace(b"\r\n\r\n", b"\r\nIn-Reply-To: <new@mail.vendor.example>\r\n\r\n", 1)
    await mailgun.post(mailgun.fake.inbound(reply, recipient=sent.inbox, mail_from=ANN))
    await mailgun.sandbox.settle()
    answered = await received(mailgun, sent.inbox)
    assert answered.answers == sent
    assert answered.thread_reason.startswith("alias ")


# mail


async def received(mailgun: Account, address: str) -> Message:
    [found] = [m async for m in (await mailgun.sandbox.inbox(address)).search("is:inbound")]
    return found


async def test_mail_comes_in_byte_for_byte_and_once(mailgun: Account) -> None:
    for _ in range(2):  # a vendor's second try has a token of its own
        post = mailgun.fake.inbound(MAIL, recipient=BOT, mail_from=ANN)
        assert [await mailgun.post(post), await mailgun.post(post)] == [200, 200]
    await mailgun.sandbox.settle()
    message = await received(mailgun, BOT)
    assert await message.raw() == MAIL
    assert (message.envelope.mail_from, message.envelope.rcpt_to) == (ANN, (BOT,))


async def test_mail_in_pieces_is_put_together(mailgun: Account) -> None:
    post = mailgun.fake.inbound(MAIL, recipient=BOT, mail_from=ANN, mime=False)
    await mailgun.post(post)
    await mailgun.sandbox.settle()
    message = await received(mailgun, BOT)
    assert (message.message_id, message.sender.email) == ("<m1@example.com>", ANN)


async def test_mail_for_nobody_is_kept_as_unrouted() -> None:
    async with account(any_recipient=False) as mailgun:
        await mailgun.post(mailgun.fake.inbound(MAIL, recipient=BOT, mail_from=ANN))
        await mailgun.sandbox.settle()
        assert "unrouted" in (await received(mailgun, "unrouted@shop.example")).labels


async def test_mail_for_an_unknown_recipient_among_known_ones_is_kept_too() -> None:
    async with account(any_recipient=False) as mailgun:
        await mailgun.runner.acall(mailgun.sandbox.kit.inbox, BOT)
        both = f"{BOT}, nobody@shop.example"
        await mailgun.post(mailgun.fake.inbound(MAIL, recipient=both, mail_from=ANN))
        await mailgun.sandbox.settle()
        assert "unrouted" not in (await received(mailgun, BOT)).labels
        kept = await received(mailgun, "unrouted@shop.example")
    assert "unrouted" in kept.labels
    assert kept.envelope.rcpt_to == (BOT, "nobody@shop.example")


# downloads


def stored_mail(mailgun: Account, url: str) -> WebhookRequest:
    """Return the post of a route that only tells where the mail is."""
    signed = signature_block(str(int(mailgun.runner.clock.now().timestamp())), "t" * 50)
    fields = {"recipient": BOT, "sender": ANN, "message-url": url, **signed}
    return form_post(*(Field(name, value.encode()) for name, value in fields.items()))


BROUGHT = HttpResponse(200, body=json.dumps({"body-mime": MAIL.decode("latin-1")}).encode())


@pytest.mark.parametrize("failures", [0, 1, 3])
async def test_mail_that_is_only_told_of_is_fetched(mailgun: Account, failures: int) -> None:
    mailgun.server.answer_next(*[HttpResponse(503)] * failures, BROUGHT)
    url = f"{mailgun.server.url}/v3/domains/shop.example/messages/x"
    assert await mailgun.post(stored_mail(mailgun, url)) == 200
    await mailgun.sandbox.advance(timedelta(minutes=failures * 5))
    assert (await received(mailgun, BOT)).message_id == "<m1@example.com>"
    assert [r.method for r in mailgun.server.requests] == ["GET"] * (failures + 1)
    assert await mailgun.webhooks() == [("done", "")]


async def test_a_slow_download_holds_up_no_later_webhook(mailgun: Account) -> None:
    other, held = await mailgun.sandbox.inbox("other@shop.example"), mailgun.server.hold_next()
    await mailgun.post(stored_mail(mailgun, f"{mailgun.server.url}/x"))
    with anyio.fail_after(30):
        await held.reached.wait()
    await mailgun.post(mailgun.fake.inbound(MAIL, recipient=other.address, mail_from=ANN))
    try:
        assert (await other.wait_for_message(timeout=10)).subject
    finally:
        held.release.set()


async def test_a_failing_download_is_tried_ever_more_slowly(mailgun: Account) -> None:
    mailgun.server.answer_next(HttpResponse(404), HttpResponse(404))
    await mailgun.post(stored_mail(mailgun, f"{mailgun.server.url}/x"))
    await mailgun.sandbox.settle()
    assert await mailgun.due_in("webhook") == timedelta(seconds=10)
    await mailgun.sandbox.advance(timedelta(seconds=10))
    assert await mailgun.due_in("webhook") == timedelta(seconds=30)


async def test_a_download_that_never_comes_is_kept_as_failed(mailgun: Account) -> None:
    mailgun.server.answer_next(*[HttpResponse(503)] * 20)
    await mailgun.post(stored_mail(mailgun, f"{mailgun.server.url}/x"))
    await mailgun.sandbox.advance(timedelta(days=3))
    [(state, error)] = await mailgun.webhooks()
    assert (state, error) == ("failed", "given up after 10 attempts: 127.0.0.1 answered 503")


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://evil.example/x?token=canary", "evil.example"),
        ("http://169.254.169.254/latest", "169.254.169.254"),
        ("http://api.mailgun.net/plain", "api.mailgun.net"),
        ("file:///etc/passwd", "an unusable URL"),
    ],
)
async def test_a_download_from_elsewhere_is_never_made(
    mailgun: Account, caplog: pytest.LogCaptureFixture, url: str, host: str
) -> None:
    assert await mailgun.post(stored_mail(mailgun, url)) == 200
    await mailgun.sandbox.settle()
    error = f"it calls for a download from {host}, which is not allowed"
    assert await mailgun.webhooks() == [("failed", error)]
    assert "canary" not in caplog.text


async def test_a_redirect_is_not_a_download(mailgun: Account) -> None:
    mailgun.server.answer_next(HttpResponse(302, {"Location": "/other"}), BROUGHT)
    await mailgun.post(stored_mail(mailgun, f"{mailgun.server.url}/x"))
    await mailgun.sandbox.settle()
    [(state, _)] = await mailgun.webhooks()
    assert (state, len(mailgun.server.requests)) == ("failed", 1)


# what cannot be read


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        ({}, "JSON without event-data"),
        ({"event-data": {"event": "delivered", "timestamp": "soon"}}, ""),
        ({"event-data": {"event": "teleported", "recipient": ANN}}, ""),
    ],
    ids=["no event", "no time", "unknown name"],
)
async def test_a_webhook_that_cannot_be_read_is_kept_and_answered(
    mailgun: Account, payload: dict[str, object], error: str
) -> None:
    signed = signature_block(str(int(mailgun.runner.clock.now().timestamp())), "t" * 50)
    assert await mailgun.post(json_post({"signature": signed, **payload})) == 200
    await mailgun.sandbox.settle()
    expected = ("failed", error) if error else ("done", "1 events of unknown sends")
    assert await mailgun.webhooks() == [expected]


async def test_old_webhooks_are_forgotten(mailgun: Account) -> None:
    sent = await mailgun.send(ANN)
    await mailgun.post(await mailgun.event(EventType.DELIVERED, sent))
    await mailgun.sandbox.advance(timedelta(days=8))
    kit = mailgun.sandbox.kit
    janitor = Janitor(kit.runtime.store, kit.settings)
    assert await mailgun.runner.acall(janitor.forget_webhooks) == 1
    assert await mailgun.webhooks() == []


# handlers of events


async def test_a_failing_handler_of_failures_does_not_feed_itself(sandbox: Sandbox) -> None:
    router, calls = Router(retries=Retries(attempts=2, first=timedelta(seconds=1))), list[str]()

    @router.on_message()
    async def broken(message: Message) -> None:
        raise RuntimeError("no")

    @router.on_event(EventType.HANDLER_FAILED)
    async def broken_too(event: Event) -> None:
        calls.append(event.reason)
        raise RuntimeError("no either")

    sandbox.include(router)
    await sandbox.person(ANN).send("bot@inbox.example", "Hi", "Hello")
    await sandbox.advance(timedelta(days=1))
    assert len(calls) == 2
    assert all("broken:" in reason for reason in calls)


@pytest.mark.parametrize(
    ("trusted", "auth"),
    [
        ("yes", Auth("pass", "none", "none", "example.com", "stated by mailgun")),
        ("no", Auth(reason="mailgun states no verdict")),
    ],
)
async def test_a_vendors_verdict_is_the_messages(trusted: str, auth: Auth) -> None:
    options = {**OPTIONS, "trust_headers": trusted}
    async with account(options={"mailgun": options}) as mailgun:
        raw = b"X-Mailgun-Spf: Pass\r\n" + MAIL
        await mailgun.post(mailgun.fake.inbound(raw, recipient=BOT, mail_from=ANN))
        await mailgun.sandbox.settle()
        message = await received(mailgun, BOT)

    assert message.auth == auth
