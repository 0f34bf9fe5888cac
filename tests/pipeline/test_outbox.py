"""The outbox through real providers: Mailgun's Fake over HTTP, a relay over SMTP."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from inboxkit import EventType, InboxKit, Message
from inboxkit.clock import Clock
from inboxkit.providers.base import HttpResponse
from inboxkit.router import Router
from inboxkit.settings import Settings
from inboxkit.store.tables import raw
from inboxkit.tokens import row_id

from .mailgun import OPTIONS, Account, account
from .sending import SENDER

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from inboxkit.store.transactions import Tx

ANN, BEN, EVE = "ann@example.com", "ben@example.com", "eve@example.com"
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def mailgun() -> AsyncIterator[Account]:
    async with account() as opened:
        yield opened


# what goes out


async def test_a_send_reaches_the_provider_once_with_its_bytes(mailgun: Account) -> None:
    sent = await mailgun.send(ANN, cc=BEN, bcc=EVE, tag="size", metadata={"order": "42"})
    [caught] = mailgun.fake.caught
    assert caught.mime == await (await mailgun.sandbox.message(sent.id)).raw()
    assert (caught.message_id, caught.rcpt_to) == (sent.message_id, (ANN, BEN, EVE))
    assert (caught.tags, caught.metadata["order"]) == (("size",), "42")
    assert await mailgun.deliveries(sent) == dict.fromkeys((ANN, BEN, EVE), "accepted")
    assert await mailgun.happened(sent) == ["queued", "accepted", "accepted", "accepted"]


async def test_metadata_comes_back_as_it_was_given(mailgun: Account) -> None:
    sent = await mailgun.send(metadata={"order": "42"})
    router, seen = Router(), list[Any]()

    @router.on_event(EventType.DELIVERED)
    async def delivered(event: Any) -> None:
        seen.append((event.data["metadata"], event.message.metadata))

    mailgun.sandbox.include(router)
    await mailgun.post(await mailgun.event(EventType.DELIVERED, sent))
    await mailgun.sandbox.settle()
    assert seen == [({"order": "42"}, {"order": "42"})]


@pytest.mark.parametrize("written", [ANN, "Ann@example.com"], ids=["the same", "in capitals"])
async def test_suppressed_recipients_are_left_out_and_the_rest_is_sent(
    mailgun: Account, written: str
) -> None:
    await mailgun.post(await mailgun.event(EventType.BOUNCED, await mailgun.send(ANN)))
    await mailgun.sandbox.settle()
    sent = await mailgun.send(written, BEN)
    assert mailgun.fake.caught[-1].rcpt_to == (BEN,)
    assert await mailgun.deliveries(sent) == {written: "rejected", BEN: "accepted"}
    assert await mailgun.state(sent) == "accepted"


async def test_who_is_suppressed_while_a_send_waits_does_not_get_it(mailgun: Account) -> None:
    first = await mailgun.send(ANN)
    later = await mailgun.send(ANN, at=mailgun.runner.clock.now() + MINUTE)
    await mailgun.post(await mailgun.event(EventType.COMPLAINED, first))
    await mailgun.sandbox.advance(MINUTE)
    assert (await mailgun.state(later), len(mailgun.server.requests)) == ("rejected", 1)


# when


async def test_a_scheduled_send_leaves_at_its_time(mailgun: Account) -> None:
    sent = await mailgun.send(at=mailgun.runner.clock.now() + timedelta(hours=2))
    await mailgun.sandbox.advance(timedelta(hours=1, minutes=59))
    assert (await mailgun.state(sent), mailgun.server.requests) == ("scheduled", [])
    await mailgun.sandbox.advance(MINUTE)
    assert (await mailgun.state(sent), len(mailgun.server.requests)) == ("accepted", 1)


async def test_a_scheduled_send_survives_a_restart(database: str) -> None:
    clock = Clock()
    async with InboxKit(settings=Settings(database=database), clock=clock) as kit:
        inbox = await kit.inbox("bot@inbox.example")
        sent = await inbox.send(ANN, "Later", at=clock.now() + timedelta(days=1))
    clock.advance(timedelta(days=1))
    async with InboxKit(settings=Settings(database=database), clock=clock) as kit:
        await state_becomes(kit, sent, "accepted")


async def test_a_send_whose_bytes_are_damaged_holds_up_no_other(database: str) -> None:
    clock = Clock()
    async with InboxKit(settings=Settings(database=database), clock=clock) as kit:
        inbox, at = await kit.inbox("bot@inbox.example"), clock.now() + timedelta(days=1)
        damaged, sound = [await inbox.send(ANN, f"Mail {n}", at=at) for n in (1, 2)]

        def damage(tx: Tx) -> None:
            mine = raw.c.message_id == row_id("msg", damaged.id)
            tx.connection.execute(update(raw).where(mine).values(data=b"no zstd"))

        await kit.runtime.store.write(damage)
        clock.advance(timedelta(days=1))
        await state_becomes(kit, sound, "accepted")
        assert (await kit.message(damaged.id)).state != "accepted"


async def state_becomes(kit: InboxKit, sent: Message, state: str) -> None:
    bell = kit.runtime.notify.bell
    async with asyncio.timeout(30):
        while True:
            seen = bell.count("any")
            if (await kit.message(sent.id)).state == state:
                return
            await bell.wait("any", seen, timeout=1)


async def test_failures_are_tried_again_ever_more_slowly(mailgun: Account) -> None:
    for status in (503, 500, 503):
        mailgun.fake.fail_next(status)
    sent = await mailgun.send()
    pauses = [await mailgun.due_in("send")]
    for _ in range(2):
        await mailgun.sandbox.advance(pauses[-1])
        pauses.append(await mailgun.due_in("send"))
    assert pauses == [timedelta(seconds=s) for s in (2, 6, 18)]
    assert await mailgun.error(sent) == "503 Internal Server Error"
    await mailgun.sandbox.advance(pauses[-1])
    assert (await mailgun.state(sent), await mailgun.error(sent)) == ("accepted", "")


async def test_a_send_that_never_goes_out_is_given_up_with_an_event(mailgun: Account) -> None:
    for _ in range(20):
        mailgun.fake.fail_next(503)
    sent = await mailgun.send()
    await mailgun.sandbox.advance(timedelta(days=7))
    assert (await mailgun.state(sent), len(mailgun.server.requests)) == ("failed", 12)
    assert (await mailgun.error(sent)).startswith("given up after 12 attempts: 503 ")
    assert await mailgun.happened(sent) == ["queued", "failed"]


async def test_retry_after_is_honoured_and_holds_back_other_messages(mailgun: Account) -> None:
    mailgun.server.answer_next(HttpResponse(429, {"Retry-After": "120"}))
    first = await mailgun.send(ANN)
    second = await mailgun.send(BEN)
    await mailgun.sandbox.advance(timedelta(seconds=119))
    assert len(mailgun.server.requests) == 1
    await mailgun.sandbox.advance(timedelta(seconds=1))
    assert [await mailgun.state(m) for m in (first, second)] == ["accepted", "accepted"]
    assert len(mailgun.server.requests) == 3


# what cannot be sent


async def test_a_message_that_is_refused_fails_at_once(mailgun: Account) -> None:
    mailgun.server.answer_next(HttpResponse(400, body=b'{"message": "no such template"}'))
    sent = await mailgun.send()
    assert (await mailgun.state(sent), await mailgun.error(sent)) == (
        "failed",
        "400 no such template",
    )
    assert len(mailgun.server.requests) == 1


@pytest.mark.parametrize(
    ("status", "fault"), [(401, "credentials"), (402, "account"), (404, "settings")]
)
async def test_a_wrong_setup_fails_no_message(
    mailgun: Account, caplog: pytest.LogCaptureFixture, status: int, fault: str
) -> None:
    mailgun.server.answer_next(HttpResponse(status), HttpResponse(status))
    sent = await mailgun.send(ANN)
    assert await mailgun.due_in("send") == timedelta(minutes=5)
    other = await mailgun.send(BEN)  # waits too, without a request
    assert (await mailgun.state(sent), len(mailgun.server.requests)) == ("queued", 1)
    assert await mailgun.error(sent) == f"provider mailgun: {fault}: {status}"
    [error] = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert error.startswith(f"provider mailgun: {fault}: {status}; ")
    await mailgun.sandbox.advance(timedelta(minutes=30))
    assert [await mailgun.state(m) for m in (sent, other)] == ["accepted", "accepted"]


@asynccontextmanager
async def both() -> AsyncGenerator[Account]:
    """Send through Mailgun, and through a memory provider when that certainly failed."""
    async with account(provider=("mailgun", "memory")) as opened:
        yield opened


@pytest.mark.parametrize(
    ("status", "provider", "state"),
    [(503, "memory", "accepted"), (401, "memory", "accepted"), (400, "mailgun", "failed")],
)
async def test_the_next_provider_is_tried_when_this_one_certainly_did_not_send(
    status: int, provider: str, state: str
) -> None:
    async with both() as opened:
        opened.server.answer_next(HttpResponse(status))
        sent = await opened.send()
        assert await opened.state(sent) == state
        assert await provider_of(opened, sent) == provider


async def test_a_provider_that_pauses_is_passed_over_meanwhile() -> None:
    async with both() as opened:
        opened.server.answer_next(HttpResponse(401))
        await opened.send()
        second = await opened.send()
        assert (await provider_of(opened, second), len(opened.server.requests)) == ("memory", 1)
        await opened.sandbox.advance(timedelta(minutes=6))
        third = await opened.send()
        assert await provider_of(opened, third) == "mailgun"


async def provider_of(opened: Account, sent: Message) -> str:
    return str((await opened.row(sent)).provider)


# what may have been sent


async def test_an_unknown_outcome_is_never_repeated(mailgun: Account) -> None:
    mailgun.server.drop_next(taken=False)
    sent = await mailgun.send()
    assert await mailgun.state(sent) == "unknown"
    assert "disconnected" in await mailgun.error(sent)  # not what the question came to
    assert await mailgun.happened(sent) == ["queued", "send_unknown"]
    await mailgun.sandbox.advance(timedelta(days=2))
    assert await mailgun.state(sent) == "unknown"
    assert [r.method for r in mailgun.server.requests if r.method == "POST"] == ["POST"]


async def test_an_unknown_outcome_goes_to_no_other_provider() -> None:
    async with both() as opened:
        opened.server.drop_next(taken=False)
        sent = await opened.send()
        assert (await opened.state(sent), await provider_of(opened, sent)) == ("unknown", "mailgun")


async def test_a_provider_that_can_be_asked_settles_a_broken_connection(mailgun: Account) -> None:
    mailgun.server.drop_next(taken=True)
    sent = await mailgun.send()
    assert (await mailgun.state(sent), len(mailgun.fake.caught)) == ("accepted", 1)
    assert await mailgun.happened(sent) == ["queued", "accepted"]


async def test_a_provider_is_asked_again_as_its_log_may_be_late(mailgun: Account) -> None:
    mailgun.server.drop_next(taken=True)
    mailgun.server.answer_next(HttpResponse(200, body=b'{"items": []}'))
    sent = await mailgun.send()
    assert await mailgun.state(sent) == "unknown"
    await mailgun.sandbox.advance(MINUTE)
    assert (await mailgun.state(sent), await mailgun.error(sent)) == ("accepted", "")
    assert len(mailgun.fake.caught) == 1


async def test_late_events_settle_an_unknown_send(mailgun: Account) -> None:
    mailgun.server.drop_next(taken=True)
    mailgun.server.answer_next(HttpResponse(200, body=b'{"items": []}'))
    sent = await mailgun.send()
    await mailgun.post(await mailgun.event(EventType.DELIVERED, sent))
    await mailgun.sandbox.advance(timedelta(days=1))
    assert await mailgun.state(sent) == "delivered"
    assert await mailgun.happened(sent) == ["queued", "send_unknown", "delivered"]
    assert len([r for r in mailgun.server.requests if r.method == "POST"]) == 1


async def test_a_stop_lets_a_send_under_way_end(mailgun: Account, database: str) -> None:
    options = {"mailgun": {**OPTIONS, "base_url": mailgun.server.url}}
    settings = Settings(
        database=database, provider=("mailgun",), domain="shop.example", options=options
    )
    held, kits = mailgun.server.hold_next(), AsyncExitStack()
    kit = await kits.enter_async_context(InboxKit(settings=settings))
    sent = await (await kit.inbox(SENDER)).send(ANN, "Size", "Which size?")
    await held.reached.wait()
    stopping = asyncio.create_task(kits.aclose())
    for _ in range(50):  # let it cancel what it cancels
        await asyncio.sleep(0)
    held.release.set()
    await stopping
    async with InboxKit(settings=settings) as kit:
        assert (await kit.message(sent.id)).state == "accepted"


# secrets


async def test_logs_and_reprs_hold_no_secret(
    mailgun: Account, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    mailgun.server.answer_next(HttpResponse(401), HttpResponse(503))
    sent = await mailgun.send(text="canary-1", metadata={"order": "canary-2"})
    await mailgun.sandbox.advance(timedelta(hours=1))
    await mailgun.post(await mailgun.event(EventType.DELIVERED, sent))
    await mailgun.sandbox.settle()
    shown = caplog.text + repr(await mailgun.sandbox.message(sent.id)) + repr(mailgun.runner.kit)
    authorization = mailgun.server.requests[0].header("authorization")
    for secret in ("canary", *OPTIONS.values(), authorization):
        assert secret == "shop.example" or secret not in shown
