"""A send to more recipients than a request takes: in parts, none twice and none lost."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from inboxkit import EventType
from inboxkit.providers.base import HttpResponse
from inboxkit.providers.mailgun import Mailgun
from inboxkit.providers.memory import Memory
from inboxkit.providers.parts import Most
from inboxkit.store import backlog, deliveries, departures, jobs, looks, progress, suppressions
from inboxkit.store.sends import find_send
from inboxkit.store.tables import delivery, message
from inboxkit.tokens import row_id

from .outbox_bench import Bench, Keyed, bench
from .test_every_vendor import sending

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from inboxkit import Message
    from inboxkit.store.transactions import Tx
    from inboxkit.testing import Fakes

FIVE = tuple(f"{name}@example.com" for name in ("a", "b", "c", "d", "e"))
NOTHING = HttpResponse(200, body=b'{"items": []}')  # to the question what became of a part


class Small(Mailgun):
    """Mailgun, if it took two recipients at once."""

    most = Most(everybody=2, blind=2)


class SmallKeyed(Keyed):
    """The same, if keys sent once."""

    most = Most(everybody=2, blind=2)


@asynccontextmanager
async def five(database: str, *providers: Any) -> AsyncGenerator[tuple[Bench, Message]]:
    """Queue a send to five recipients, which makes three parts."""
    async with bench(database, *providers) as b:
        yield b, await b.send(*FIVE)


def parts(b: Bench) -> list[str]:
    """Return whom each message was for that the provider took, by the part before the @."""
    return ["".join(to[0] for to in caught.rcpt_to) for caught in b.fake.caught]


async def test_every_part_is_a_request_of_its_own_under_one_message_id(database: str) -> None:
    async with five(database, Small()) as (b, sent):
        await b.run()
        assert parts(b) == ["ab", "cd", "e"]
        assert {caught.message_id for caught in b.fake.caught} == {sent.message_id}
        assert await b.deliveries(sent) == dict.fromkeys("abcde", "accepted")
        assert await b.kit.runtime.store.read(backlog.count, ["send"]) == 0


@pytest.mark.sqlite
async def test_a_part_that_is_unknown_is_not_repeated_and_holds_up_no_other(database: str) -> None:
    async with five(database, Small()) as (b, sent):
        b.server.answer_next(HttpResponse(200), NOTHING)
        await b.drain()
        assert parts(b) == ["cd", "e"]
        states = await b.deliveries(sent)
        assert states == dict.fromkeys("ab", "unknown") | dict.fromkeys("cde", "accepted")


@pytest.mark.sqlite
async def test_what_became_of_a_part_is_not_what_became_of_another(database: str) -> None:
    async with five(database, Small()) as (b, sent):
        b.server.answer_next(HttpResponse(200), NOTHING)
        await b.run()
        b.server.drop_next(taken=True)  # the second part, which the event log tells of
        await b.drain()
        states = await b.deliveries(sent)
        assert states == dict.fromkeys("ab", "unknown") | dict.fromkeys("cde", "accepted")
        assert parts(b) == ["cd", "e"]


@pytest.mark.sqlite
async def test_a_part_that_has_to_wait_sends_no_other_again(database: str) -> None:
    async with five(database, Small()) as (b, sent):
        b.server.answer_next(HttpResponse(503))
        await b.drain()
        assert parts(b) == ["ab", "cd", "e"]
        assert await b.deliveries(sent) == dict.fromkeys("abcde", "accepted")


@pytest.mark.sqlite
async def test_a_part_that_is_refused_is_lost_alone(database: str) -> None:
    async with five(database, Small()) as (b, sent):
        b.server.answer_next(HttpResponse(400))
        await b.drain()
        states = await b.deliveries(sent)
        assert states == dict.fromkeys("ab", "failed") | dict.fromkeys("cde", "accepted")


@pytest.mark.sqlite
async def test_the_next_provider_gets_the_part_that_the_first_did_not_send(database: str) -> None:
    async with five(database, Keyed(), Small()) as (b, sent):
        b.server.answer_next(HttpResponse(503), HttpResponse(503))
        await b.run()
        assert parts(b) == []
        assert await b.deliveries(sent) == dict.fromkeys("abcde", "queued")
        await b.drain()
        assert parts(b) == ["abcde"]


@pytest.mark.sqlite
async def test_who_is_in_no_part_of_the_next_provider_is_sent_to_afterwards(database: str) -> None:
    async with five(database, Keyed(), Small()) as (b, sent):
        b.server.answer_next(HttpResponse(503))
        await b.run()
        assert parts(b) == ["ab", "cde"]
        assert await b.deliveries(sent) == dict.fromkeys("abcde", "accepted")


@pytest.mark.sqlite
async def test_what_is_left_of_a_send_stays_with_the_provider_that_has_the_unknown_part(
    database: str,
) -> None:
    async with five(database, Small(), Memory()) as (b, sent):
        b.server.answer_next(HttpResponse(200), NOTHING)
        await b.run()
        b.server.answer_next(HttpResponse(503))
        await b.drain()
        assert parts(b) == ["cd", "e"]
        assert (await b.kit.runtime.store.read(provider_of, sent)) == "mailgun"


def provider_of(connection: Any, sent: Message) -> str:
    query = select(message.c.provider).where(message.c.id == row_id("msg", sent.id))
    return str(connection.execute(query).scalar_one())


@pytest.mark.sqlite
async def test_a_part_is_asked_about_although_nobody_else_may_be_written_to(database: str) -> None:
    async with five(database, Small()) as (b, sent):
        b.server.answer_next(HttpResponse(200), NOTHING)
        await b.run()

        def block(tx: Tx) -> None:
            for address in FIVE[2:]:
                suppressions.add(tx, address, reason="manual", now=b.kit.clock.now())

        await b.kit.runtime.store.write(block)
        await b.drain()  # it ends
        states = await b.deliveries(sent)
        assert states == dict.fromkeys("ab", "unknown") | dict.fromkeys("cde", "rejected")
        assert (len(b.server.requests) - b.posts, b.posts) == (5, 1)


@pytest.mark.sqlite
async def test_what_every_provider_refused_to_take_is_given_up_for_everybody(database: str) -> None:
    async with five(database, Keyed(), Small()) as (b, sent):
        b.server.answer_next(*[HttpResponse(503)] * 24)
        for _ in range(12):
            await b.run()
        assert await b.deliveries(sent) == dict.fromkeys("abcde", "failed")
        assert (b.posts, await b.kit.runtime.store.read(backlog.count, ["send"])) == (24, 0)


async def left(b: Bench, sent: Message, *states: str, provider: str) -> None:
    """Leave a send as a process does that dies between two parts, or in one."""
    store, at = b.kit.runtime.store, b.kit.clock.now()
    job = await b.lease()
    look = (await store.read(looks.look, [row_id("msg", sent.id)], store.blobs))[int(job.key)]

    def die(tx: Tx) -> None:
        for number, state in enumerate(states):
            pair = FIVE[2 * number : 2 * number + 2]
            step = progress.Start(job, look.row, pair, provider, at, number + 1)
            departures.proceed(tx, [step])
            mine = delivery.c.recipient.in_(pair)
            tx.connection.execute(update(delivery).where(mine).values(state=state))

    await store.write(die)
    await store.write(jobs.release, [store.worker_id])


@pytest.mark.sqlite
async def test_a_crash_between_two_parts_repeats_none(database: str) -> None:
    async with five(database, Small()) as (b, sent):
        await left(b, sent, "accepted", provider="mailgun")
        await b.drain()
        assert parts(b) == ["cd", "e"]
        assert await b.deliveries(sent) == dict.fromkeys("abcde", "accepted")


async def test_a_crash_in_a_part_leaves_that_part_unknown_and_sends_the_rest(database: str) -> None:
    async with five(database, Small()) as (b, sent):
        await left(b, sent, "accepted", "sending", provider="mailgun")
        await b.drain()
        assert parts(b) == ["e"]
        states = await b.deliveries(sent)
        assert states == dict.fromkeys("abe", "accepted") | dict.fromkeys("cd", "unknown")


async def test_under_a_key_a_part_is_repeated_as_it_was_whatever_events_told(database: str) -> None:
    async with five(database, SmallKeyed()) as (b, sent):
        await left(b, sent, "accepted", "sending", provider="keyed")
        now = b.kit.clock.now()
        told = deliveries.Outcome(type=EventType.DELIVERED, at=now, recipient=FIVE[2])
        store = b.kit.runtime.store
        await store.write(deliveries.happened, row_id("msg", sent.id), told, now=now)
        await b.drain()
        assert parts(b) == ["cd", "e"]
        assert (await b.deliveries(sent))["c"] == "delivered"


@pytest.mark.sqlite
async def test_a_key_that_has_expired_is_not_used_again(database: str) -> None:
    class Forgetful(Keyed):
        key_lasts = timedelta(hours=24)

    async with bench(database, Forgetful()) as b:
        sent = await b.send()
        b.server.drop_next(taken=True)
        await b.run()
        assert await b.state(sent) == "sending"
        b.server.answer_next(NOTHING)
        await b.run()  # two days later
        assert (await b.state(sent), b.posts) == ("unknown", 1)


@pytest.mark.sqlite
async def test_a_key_is_used_again_while_the_provider_knows_it(database: str) -> None:
    class Lasting(Keyed):
        key_lasts = timedelta(days=3)

    async with bench(database, Lasting()) as b:
        sent = await b.send()
        for _ in range(2):
            b.server.drop_next(taken=True)
            await b.run()
        assert (await b.state(sent), b.posts) == ("sending", 2)
        b.server.answer_next(NOTHING)
        await b.run()  # four days after the first request, though two after the last one
        assert (await b.state(sent), b.posts) == ("unknown", 2)


@pytest.mark.sqlite
async def test_an_event_finds_a_send_by_the_id_of_any_part(database: str) -> None:
    async with five(database, Small()) as (b, sent):
        own = [HttpResponse(200, body=b'{"id": "<p%d@x>"}' % n) for n in range(3)]
        b.server.answer_next(*own)
        await b.run()

        def find(connection: Any) -> set[int | None]:
            ids = (f"<p{n}@x>" for n in range(3))
            return {find_send(connection, provider_id=i, provider="mailgun") for i in ids}

        assert await b.kit.runtime.store.read(find) == {row_id("msg", sent.id)}


@pytest.mark.parametrize(
    "name",
    ["mailersend", *(pytest.param(n, marks=pytest.mark.long) for n in ("postmark", "resend"))],
)
async def test_more_than_a_vendor_takes_at_once_reach_everybody_once(
    fake_provider: Fakes, name: str
) -> None:
    everybody = [f"person{n}@example.com" for n in range(51)]
    async with sending(name, fake_provider) as opened:
        sent = await opened.send(*everybody, bcc=("eve@example.com",))
        assert set((await opened.deliveries(sent)).values()) == {"accepted"}
    got = [to for caught in fake_provider(name).sent for to in caught.rcpt_to]
    assert sorted(got) == sorted([*everybody, "eve@example.com"])
    assert len(fake_provider(name).sent) > 1
