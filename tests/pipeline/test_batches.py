"""Sends that share a request: each with an outcome of its own, none sent twice."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from inboxkit.providers.registry import PROVIDERS, batching
from inboxkit.store.limit_tables import circuit
from inboxkit.testing.vendors import VENDORS

from .test_every_vendor import DAY, sending

if TYPE_CHECKING:
    from inboxkit import Message
    from inboxkit.testing import Fakes
    from inboxkit.testing.fakes import FakeAccount

    from .sending import Sending

JOINING = sorted(name for name in VENDORS if batching(PROVIDERS[name]) is not None)
NAMES = ["postmark", *(pytest.param(n, marks=pytest.mark.long) for n in JOINING if n != "postmark")]
PEOPLE = ("ann", "ben", "cat", "dan", "eve")


async def queued(opened: Sending) -> list[Message]:
    """Send to everybody by itself, all of it due at one moment, and let that moment come."""
    at = opened.runner.clock.now() + timedelta(minutes=1)
    sent = [await opened.send(f"{person}@example.com", at=at) for person in PEOPLE]
    await opened.sandbox.advance(timedelta(minutes=1))
    return sent


async def states(opened: Sending, sent: list[Message]) -> set[str]:
    return {await opened.state(one) for one in sent}


def posts(account: FakeAccount) -> int:
    return len([request for request in account.requests if request.method == "POST"])


def got(account: FakeAccount) -> list[str]:
    return sorted(to.partition("@")[0] for caught in account.sent for to in caught.rcpt_to)


@pytest.mark.parametrize("name", NAMES)
async def test_sends_that_are_due_together_share_a_request(fake_provider: Fakes, name: str) -> None:
    account = fake_provider(name)
    async with sending(name, fake_provider) as opened:
        sent = await queued(opened)
        assert await states(opened, sent) == {"accepted"}
        ids = [(await opened.row(one)).provider_id for one in sent]
    assert (posts(account), got(account)) == (1, list(PEOPLE))
    assert len(set(ids)) == len(PEOPLE)
    assert set(ids) == {caught.id for caught in account.sent}


@pytest.mark.parametrize("name", NAMES)
async def test_a_batch_whose_answer_is_lost_is_never_sent_again(
    fake_provider: Fakes, name: str
) -> None:
    account = fake_provider(name)
    account.drop_next(taken=True)
    async with sending(name, fake_provider) as opened:
        sent = await queued(opened)
        await opened.sandbox.advance(DAY)
        # who can be asked what became of each is asked
        known = {"postmark": "accepted", "mailjet": "accepted", "mailtrap": "unknown"}
        assert await states(opened, sent) == {known[name]}
    assert (posts(account), got(account)) == (1, list(PEOPLE))


@pytest.mark.parametrize("name", NAMES)
async def test_a_batch_that_comes_too_soon_is_sent_later(fake_provider: Fakes, name: str) -> None:
    account = fake_provider(name)
    account.fail_next(429)
    async with sending(name, fake_provider) as opened:
        sent = await queued(opened)
        assert await states(opened, sent) == {"queued"}
        await opened.sandbox.advance(DAY)
        assert await states(opened, sent) == {"accepted"}
    assert got(account) == list(PEOPLE)


async def test_a_batch_refused_as_a_whole_leaves_one_by_one(fake_provider: Fakes) -> None:
    account = fake_provider("postmark")
    account.fail_next(413)
    async with sending("postmark", fake_provider) as opened:
        sent = await queued(opened)
        assert await states(opened, sent) == {"accepted"}
    assert (posts(account), got(account)) == (1 + len(PEOPLE), list(PEOPLE))


async def test_one_that_the_vendor_refuses_is_lost_alone(fake_provider: Fakes) -> None:
    account = fake_provider("postmark")
    async with sending("postmark", fake_provider) as opened:
        first = await opened.send("cat@example.com")
        account.event("bounced", account.sent[0])  # from now on the vendor sends her nothing
        sent = await queued(opened)
        found = [await opened.state(one) for one in sent]
    assert found == ["accepted", "accepted", "rejected", "accepted", "accepted"]
    assert (first.id in {one.id for one in sent}, posts(account)) == (False, 2)


@pytest.mark.parametrize("dropped", [False, True], ids=["an answer", "no answer"])
async def test_a_request_of_many_fails_once(fake_provider: Fakes, dropped: bool) -> None:
    account = fake_provider("postmark")
    async with sending("postmark", fake_provider) as opened:
        if dropped:
            account.drop_next(taken=False)
        else:
            account.fail_next(503)
        sent = await queued(opened)
        assert await states(opened, sent) == {"unknown" if dropped else "queued"}
        assert [row.failures for row in await opened.rows(select(circuit))] == [1]
