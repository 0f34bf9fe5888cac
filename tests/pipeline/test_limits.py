"""Limits at work: rates, slots and circuits that all processes share; sends nobody knows about."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from inboxkit import EventType
from inboxkit.errors import NotFound, SendError
from inboxkit.providers.base import HttpResponse
from inboxkit.store import limits, resolutions
from inboxkit.store.tables import job
from inboxkit.tokens import row_id

from .mailgun import Account, account
from .sending import SENDER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from inboxkit import Message

ANN = "ann@example.com"
HOUR = timedelta(hours=1)
NOTHING = HttpResponse(200, body=b'{"items": []}')  # to the question what became of a send
DOWN = HttpResponse(503)


@pytest.fixture
async def mailgun() -> AsyncIterator[Account]:
    async with account() as opened:
        yield opened


def posts(opened: Account) -> int:
    return len([request for request in opened.server.requests if request.method == "POST"])


# rates


async def test_sends_leave_as_the_rate_lets_them() -> None:
    async with account(send_rates={"mailgun": "1/m"}) as opened:
        sent = [await opened.send(ANN) for _ in range(3)]
        assert (posts(opened), await opened.error(sent[1])) == (1, "waits its turn at mailgun")
        await opened.sandbox.advance(timedelta(seconds=59))
        assert posts(opened) == 1
        await opened.sandbox.advance(timedelta(seconds=1))
        assert posts(opened) == 2
        await opened.sandbox.advance(timedelta(seconds=60))
        assert [await opened.state(m) for m in sent] == ["accepted"] * 3


async def test_waiting_for_its_turn_is_no_failed_attempt() -> None:
    async with account(send_rates={"mailgun": "1/h"}) as opened:
        for _ in range(3):
            await opened.send(ANN)
        rows = await opened.rows(select(job.c.attempts).where(job.c.kind == "send"))
        assert [row.attempts for row in rows] == [0, 0]


async def test_who_waits_for_its_turn_goes_to_no_other_provider() -> None:
    rates = {"mailgun": "1/m"}
    async with account(provider=("mailgun", "memory"), send_rates=rates) as opened:
        sent = [await opened.send(ANN) for _ in range(2)]
        assert await opened.error(sent[1]) == "waits its turn at mailgun"
        await opened.sandbox.advance(timedelta(minutes=1))
        assert ([await opened.state(m) for m in sent], posts(opened)) == (["accepted"] * 2, 2)


# circuits


async def outage(opened: Account, count: int = 5) -> list[Message]:
    opened.server.answer_next(*[DOWN] * count)
    return [await opened.send(f"user{n}@example.com") for n in range(count)]


async def test_an_outage_is_noticed_once_for_all_sends(mailgun: Account) -> None:
    await outage(mailgun)
    sent = await mailgun.send(ANN)
    assert (await mailgun.state(sent), posts(mailgun)) == ("queued", 5)
    assert await mailgun.error(sent) == "waits until provider mailgun takes messages again"


async def test_when_it_is_over_everything_goes_out(mailgun: Account) -> None:
    sent = [*await outage(mailgun), await mailgun.send(ANN)]
    await mailgun.sandbox.advance(timedelta(seconds=31))
    assert [await mailgun.state(m) for m in sent] == ["accepted"] * 6


async def pause(opened: Account, provider: str, pause: timedelta) -> None:
    """Let another process learn that a provider wants to be left alone."""
    store, now = opened.sandbox.kit.runtime.store, opened.runner.clock.now()
    told = partial(limits.pause, provider=provider, until=now + pause, now=now, reason="told so")
    await opened.runner.acall(store.write, told)


async def test_what_another_process_has_learned_holds_here(mailgun: Account) -> None:
    await pause(mailgun, "mailgun", HOUR)
    sent = await mailgun.send(ANN)
    assert (await mailgun.error(sent), posts(mailgun)) == ("told so", 0)
    await mailgun.sandbox.advance(HOUR)
    assert await mailgun.state(sent) == "accepted"


async def test_the_next_provider_takes_over_while_one_is_down() -> None:
    async with account(provider=("mailgun", "memory")) as opened:
        await outage(opened)
        sent = await opened.send(ANN)
        assert ((await opened.row(sent)).provider, posts(opened)) == ("memory", 5)


@pytest.mark.parametrize("soonest", ["mailgun", "memory"])
async def test_where_all_pause_a_send_waits_for_the_soonest(soonest: str) -> None:
    async with account(provider=("mailgun", "memory")) as opened:
        for name in ("mailgun", "memory"):
            await pause(opened, name, HOUR if name == soonest else 2 * HOUR)
        await opened.send(ANN)
        assert await opened.due_in("send") == HOUR


# unknown


async def lose(opened: Account) -> Message:
    """Send a message of which nobody can tell whether it was sent."""
    opened.server.drop_next(taken=True)
    opened.server.answer_next(*[NOTHING] * 4)
    sent = await opened.send(ANN)
    await opened.sandbox.advance(2 * HOUR)
    assert await opened.state(sent) == "unknown"
    return sent


async def resolve(opened: Account, sent: Message, how: Any) -> list[str]:
    async def work() -> list[str]:
        kit = opened.sandbox.kit
        store, number = kit.runtime.store, row_id("msg", sent.id)
        return await store.write(resolutions.by_hand, number, how, now=kit.clock.now())

    found = await opened.runner.acall(work)
    await opened.sandbox.settle()
    return found


async def test_a_send_may_be_declared_sent(mailgun: Account) -> None:
    sent = await lose(mailgun)
    assert await resolve(mailgun, sent, "sent") == [ANN]
    assert (await mailgun.state(sent), posts(mailgun)) == ("accepted", 1)
    assert await mailgun.happened(sent) == ["queued", "send_unknown", "accepted"]


async def test_a_send_may_be_sent_once_more(mailgun: Account) -> None:
    sent = await lose(mailgun)
    await resolve(mailgun, sent, "retry")
    assert (await mailgun.state(sent), posts(mailgun)) == ("accepted", 2)


async def test_what_is_known_cannot_be_resolved(mailgun: Account) -> None:
    sent = await mailgun.send(ANN)
    with pytest.raises(SendError, match="its outcome is known"):
        await resolve(mailgun, sent, "retry")


async def test_what_is_no_send_cannot_be_resolved(mailgun: Account) -> None:
    came = await mailgun.sandbox.person(ANN).send(SENDER, "Hi", "Hello")
    with pytest.raises(NotFound, match="no send msg_"):
        await resolve(mailgun, came, "sent")


@pytest.mark.parametrize(("policy", "count"), [("sent", 1), ("retry", 2)])
async def test_a_policy_settles_what_stays_unknown(policy: str, count: int) -> None:
    async with account(unknown_sends=policy) as opened:
        opened.server.drop_next(taken=True)
        opened.server.answer_next(*[NOTHING] * 4)
        sent = await opened.send(ANN)
        await opened.sandbox.advance(4 * HOUR)
        assert (await opened.state(sent), posts(opened)) == ("accepted", count)


async def test_events_settle_it_before_the_policy_does() -> None:
    async with account(unknown_sends="retry") as opened:
        opened.server.drop_next(taken=True)
        opened.server.answer_next(*[NOTHING] * 4)
        sent = await opened.send(ANN)
        await opened.post(await opened.event(EventType.DELIVERED, sent))
        await opened.sandbox.advance(4 * HOUR)
        assert (await opened.state(sent), posts(opened)) == ("delivered", 1)
