"""Sends that share a request: each with an outcome of its own, none sent twice."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from sqlalchemy import select

from inboxkit.clock import Clock
from inboxkit.pipeline.batches import Batches
from inboxkit.pipeline.configured import Configured
from inboxkit.pipeline.transport import NotDelivered, Transport
from inboxkit.providers.base import HttpRequest, HttpResponse, Outgoing, Sent
from inboxkit.providers.batches import Batch
from inboxkit.providers.fakes.mailgun import MailgunFake
from inboxkit.providers.mailgun import Mailgun, MailgunConfig
from inboxkit.providers.registry import PROVIDERS, batching
from inboxkit.store.limit_tables import circuit
from inboxkit.testing.fake_provider import FakeProvider
from inboxkit.testing.vendors import VENDORS

from .mailgun import OPTIONS
from .test_every_vendor import DAY, sending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inboxkit import Message
    from inboxkit.providers.base import SendOutcome
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


class Joining(Mailgun):
    """A vendor that takes many messages in one request, and notes which came together."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.groups: list[list[int]] = []

    def batch_entry(self, message: Outgoing, config: MailgunConfig) -> bytes:
        raise NotImplementedError("the entries are given")

    def build_batch(self, entries: Sequence[bytes], config: MailgunConfig) -> HttpRequest:
        self.groups.append([len(entry) for entry in entries])
        return HttpRequest(method="POST", url=config.base_url)

    def parse_batch(
        self, response: HttpResponse, messages: Sequence[Outgoing], config: MailgunConfig
    ) -> Sequence[SendOutcome]:
        if response.status != 200:
            raise KeyError("id")
        return [Sent(str(number)) for number, _ in enumerate(messages)]


class Other(Joining):
    """Another vendor of the kind."""

    name = "other"


async def carried(vendor: Joining, sizes: Sequence[int], *, status: int = 200) -> list[str]:
    """Send messages of so many bytes at once; return what came of those that shared a request."""
    fake = MailgunFake(Mailgun().configure(OPTIONS), Clock().now)
    found: dict[int, str] = {}
    async with FakeProvider(fake) as server:
        server.answer_next(*[HttpResponse(status)] * len(sizes))
        chosen = Configured(vendor, vendor.configure({**OPTIONS, "base_url": server.url}))
        transport = Transport()
        batches = Batches(transport, anyio.CapacityLimiter(1))

        async def one(number: int, message: Any) -> None:
            entry = b"x" * sizes[number]
            joined = await batches.carry(chosen, vendor, message, entry)
            if joined is not None:
                found[number] = type(joined.outcome).__name__

        async with anyio.create_task_group() as tasks:
            for number in range(len(sizes)):
                tasks.start_soon(one, number, None)
        await transport.close()
    return [found.get(number, "alone") for number in range(len(sizes))]


@pytest.mark.parametrize(
    ("most", "sizes", "groups"),
    [
        (2, [1, 1, 1], [[1, 1]]),
        (9, [6, 4, 1], [[6, 4]]),
        (9, [6, 5], []),
        (9, [3, 3, 3, 2, 1], [[3, 3, 3], [2, 1]]),
        (9, [20, 1, 1], [[1, 1]]),
    ],
    ids=["number", "bytes", "one too many", "sum", "too large by itself"],
)
async def test_a_request_holds_as_much_as_the_vendor_takes(
    most: int, sizes: list[int], groups: list[list[int]]
) -> None:
    vendor = Joining(Batch(most, most_bytes=10))
    came = await carried(vendor, sizes)
    assert vendor.groups == groups
    assert came.count("Sent") == sum(map(len, groups))


async def test_where_the_answer_cannot_be_read_nobody_knows_what_became_of_any() -> None:
    came = await carried(Joining(Batch(9)), [1, 1, 1], status=500)
    assert came == ["Unknown"] * 3


async def test_where_nobody_is_there_nothing_was_sent_and_one_counts_it() -> None:
    vendor, transport = Joining(Batch(9)), Transport()
    nowhere = vendor.configure({**OPTIONS, "base_url": "http://127.0.0.1:9"})
    chosen, batches = Configured(vendor, nowhere), Batches(transport, anyio.CapacityLimiter(1))
    found: list[tuple[bool, bool]] = []

    async def one(message: Any) -> None:
        with pytest.raises(NotDelivered) as caught:
            await batches.carry(chosen, vendor, message, b"x")
        found.append((caught.value.request_sent, caught.value.shared))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(one, None)
    await transport.close()
    assert sorted(found) == [(False, False), (False, True), (False, True)]


async def test_sends_of_two_vendors_share_no_request() -> None:
    vendors, transport = (Joining(Batch(9)), Other(Batch(9))), Transport()
    batches = Batches(transport, anyio.CapacityLimiter(1))

    async def one(vendor: Joining, message: Any, size: int) -> None:
        nowhere = vendor.configure({**OPTIONS, "base_url": "http://127.0.0.1:9"})
        with pytest.raises(NotDelivered):
            await batches.carry(Configured(vendor, nowhere), vendor, message, b"x" * size)

    async with anyio.create_task_group() as tasks:
        for size in (1, 2, 1, 2):
            tasks.start_soon(one, vendors[size - 1], None, size)
    await transport.close()
    assert [vendor.groups for vendor in vendors] == [[[1, 1]], [[2, 2]]]
