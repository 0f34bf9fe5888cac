"""Sends that a process left in the middle, lost leases, and keys that send once."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, make_url, select, update

from inboxkit import EventType
from inboxkit.errors import UnsupportedFeature
from inboxkit.providers.base import HttpRequest, HttpResponse, Outgoing, Retry, Sent
from inboxkit.providers.mailgun import Mailgun, MailgunConfig
from inboxkit.providers.memory import Memory
from inboxkit.store import backlog, deliveries, events, jobs, sends
from inboxkit.store.limit_tables import circuit
from inboxkit.store.tables import job, message, raw
from inboxkit.tokens import row_id

from .outbox_bench import Bench, Keyed, bench

if TYPE_CHECKING:
    from datetime import datetime

    from inboxkit.providers.registry import AnyProvider
    from inboxkit.store.leased import Job

ANN, BEN = "ann@example.com", "ben@example.com"
NOTHING = HttpResponse(200, body=b'{"items": []}')  # to the question what became of a send


class Modest(Mailgun):
    """A provider that lacks what every message asks for."""

    name = "modest"

    def build_send(self, message: Outgoing, config: MailgunConfig, now: datetime) -> HttpRequest:
        raise UnsupportedFeature("modest has no such feature")


class Broken(Mailgun):
    """A provider whose adapter trips over the answer."""

    name = "broken"

    def parse_send(self, response: Any, message: Outgoing, config: MailgunConfig) -> Sent:
        raise KeyError("id")


class Choosy(Mailgun):
    """A provider that refuses one recipient of a message."""

    name = "choosy"

    def parse_send(self, response: Any, message: Outgoing, config: MailgunConfig) -> Sent:
        return Sent("p-1", recipients={BEN: "not here"}, ids={ANN: "p-ann"})


class Sure(Mailgun):
    """A provider that can tell that it was sent nothing."""

    name = "sure"

    def parse_lookup(self, response: Any, message: Outgoing, config: MailgunConfig) -> Retry:
        return Retry(reason="nothing came")


async def test_a_send_left_in_the_middle_is_asked_about_and_not_repeated(database: str) -> None:
    async with bench(database, Mailgun(), Memory()) as b:
        sent = await b.send()
        await b.leave(sent, "mailgun")
        await b.run()
        assert (await b.state(sent), b.posts, len(b.server.requests)) == ("unknown", 0, 1)


async def test_a_recipient_has_an_id_of_their_own_where_the_provider_gives_one(
    database: str,
) -> None:
    async with bench(database, Choosy()) as b:
        sent = await b.send(ANN, BEN)
        await b.run()
        number = row_id("msg", sent.id)
        read, find = b.kit.runtime.store.read, sends.find_send
        found = [
            await read(partial(find, provider_id=i, provider="choosy")) for i in ("p-ann", "p-1")
        ]
        assert found == [number, number]
        assert await read(sends.provider_ids, number, ANN) == ["p-ann"]


async def test_a_send_that_the_provider_knows_of_was_sent(database: str) -> None:
    async with bench(database, Mailgun()) as b:
        sent = await b.send()
        await b.run()
        await b.leave(sent, "mailgun")
        await b.run()
        assert (await b.state(sent), b.posts) == ("accepted", 1)


@pytest.mark.parametrize("known", [True, False], ids=["known", "not known"])
async def test_a_send_is_asked_about_although_its_bytes_are_damaged(
    database: str, known: bool
) -> None:
    async with bench(database, Mailgun()) as b:
        sent = await b.send()
        if known:
            await b.run()
        await b.leave(sent, "mailgun")
        await damage(b)
        await b.run()
        assert (await b.state(sent), b.posts) == (("accepted", 1) if known else ("unknown", 0))
        await b.drain()
        assert await b.kit.runtime.store.read(backlog.count, ["send"]) == 0


async def damage(b: Bench) -> None:
    change = update(raw).values(data=b"no zstd")
    await b.kit.runtime.store.write(lambda tx: tx.connection.execute(change).rowcount)


async def test_a_send_whose_bytes_are_damaged_is_given_up_and_says_why(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with bench(database, Mailgun()) as b:
        sent = await b.send()
        await damage(b)
        await b.drain()
        row = await b.kit.runtime.store.read(lambda c: c.execute(select(message)).one())
        reason = "cannot be read: a message in the database: ZstdError"
        assert (row.state, row.error) == ("failed", f"given up after 12 attempts: {reason}")
        assert (b.posts, sent.id in caplog.text, "Traceback" in caplog.text) == (0, True, False)


async def test_what_certainly_did_not_arrive_goes_to_the_next_and_counts_as_an_outage(
    database: str,
) -> None:
    async with bench(database, Sure(), Memory()) as b:
        sent = await b.send()
        b.server.drop_next(taken=False)
        await b.run()
        assert (await b.state(sent), b.posts) == ("accepted", 1)
        assert await b.kit.runtime.store.read(failures) == {"sure": 1}


def failures(connection: Connection) -> dict[str, int]:
    rows = connection.execute(select(circuit.c.provider, circuit.c.failures))
    return {row.provider: row.failures for row in rows}


async def test_a_send_left_with_a_provider_that_is_gone_is_unknown(database: str) -> None:
    async with bench(database, Mailgun()) as b:
        sent = await b.send()
        await b.leave(sent, "gone")
        await b.run()
        assert (await b.state(sent), b.server.requests) == ("unknown", [])


@pytest.mark.parametrize(("provider", "posts"), [(Keyed(), 1), (Memory(), 0)], ids=lambda p: "")
async def test_under_a_key_that_sends_once_it_is_repeated(
    database: str, provider: AnyProvider, posts: int
) -> None:
    async with bench(database, Mailgun(), provider) as b:
        sent = await b.send()
        await b.leave(sent, provider.name)
        await b.run()
        assert (await b.state(sent), b.posts) == ("accepted", posts)


async def test_what_a_keyed_provider_may_have_goes_to_no_other(database: str) -> None:
    async with bench(database, Keyed(), Memory()) as b:
        sent = await b.send()
        for _ in range(3):
            b.server.drop_next(taken=True)
            await b.run()
            assert await b.state(sent) == "sending"
        await b.run()
        assert (await b.state(sent), b.posts) == ("accepted", 4)
        assert len({request.body for request in b.server.requests}) == 1


async def test_what_a_keyed_provider_may_have_had_stays_with_it(database: str) -> None:
    async with bench(database, Memory(), Keyed()) as b:
        sent = await b.send()
        await b.leave(sent, "keyed")
        b.server.answer_next(HttpResponse(503))
        await b.run()
        assert (await b.state(sent), b.posts) == ("sending", 1)


async def test_a_keyed_provider_that_broke_down_may_have_it(database: str) -> None:
    async with bench(database, Keyed(), Memory()) as b:
        b.server.answer_next(HttpResponse(500))
        sent = await b.send()
        await b.run()
        assert (await b.state(sent), b.posts) == ("sending", 1)


async def test_what_a_keyed_provider_may_have_is_never_called_failed(database: str) -> None:
    async with bench(database, Keyed()) as b:
        sent = await b.send()
        for _ in range(12):
            b.server.drop_next(taken=True)
            await b.run()
        assert (await b.state(sent), b.posts) == ("unknown", 12)


@pytest.mark.parametrize("status", [429, 503])
async def test_what_a_keyed_provider_did_not_handle_goes_to_the_next(
    database: str, status: int
) -> None:
    async with bench(database, Keyed(), Memory()) as b:
        b.server.answer_next(HttpResponse(status))
        sent = await b.send()
        await b.run()
        assert (await b.state(sent), b.posts) == ("accepted", 1)


@pytest.mark.parametrize("soonest", [0, 1], ids=["the first", "the second"])
async def test_what_nobody_took_is_tried_again_as_soon_as_one_may_be(
    database: str, soonest: int
) -> None:
    async with bench(database, Keyed(), Mailgun()) as b:
        answers = [HttpResponse(429, {"Retry-After": "120"})]
        answers.insert(soonest, HttpResponse(503))
        b.server.answer_next(*answers)
        await b.send()
        await b.run()
        [due] = await b.kit.runtime.store.read(due_times)
        assert b.posts == 2
        assert due - b.kit.clock.now() < timedelta(minutes=1)


def due_times(connection: Connection) -> list[datetime]:
    rows = connection.execute(select(job.c.due_at).where(job.c.kind == "send"))
    return list(rows.scalars())


@pytest.mark.parametrize(
    ("providers", "state", "posts"),
    [([Modest(), Mailgun()], "accepted", 1), ([Modest()], "failed", 0)],
    ids=["another", "none"],
)
async def test_what_one_provider_lacks_the_next_may_have(
    database: str, providers: list[AnyProvider], state: str, posts: int
) -> None:
    async with bench(database, *providers) as b:
        sent = await b.send()
        await b.run()
        assert (await b.state(sent), b.posts) == (state, posts)


async def test_an_adapter_that_breaks_on_the_answer_repeats_nothing(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with bench(database, Broken(), Memory()) as b:
        b.server.answer_next(HttpResponse(200), NOTHING)
        sent = await b.send()
        await b.run()
        assert (await b.state(sent), b.posts) == ("unknown", 1)
    assert "the answer cannot be read" in caplog.text


async def test_whoever_lost_the_lease_sends_nothing(database: str) -> None:
    async with bench(database, Mailgun()) as b:
        sent, store = await b.send(), b.kit.runtime.store
        mine = await b.lease()
        await store.write(jobs.release, [store.worker_id])
        theirs = await b.lease()
        await b.run(mine)
        assert b.posts == 0
        await b.run(theirs)
        assert (await b.state(sent), b.posts) == ("accepted", 1)


async def lost(b: Bench) -> Job:
    """Take the lease of the send that is under way from whoever has it; lease it again."""
    await b.kit.runtime.store.write(jobs.release, [b.kit.runtime.store.worker_id])
    return await b.lease()


@pytest.mark.parametrize(
    ("provider", "ben"), [(Mailgun(), "accepted"), (Choosy(), "rejected")], ids=["all", "but one"]
)
async def test_what_was_sent_is_known_although_the_lease_was_lost_meanwhile(
    database: str, provider: AnyProvider, ben: str
) -> None:
    async with bench(database, provider) as b:
        sent, held, bell = await b.send(ANN, BEN), b.server.hold_next(), b.kit.runtime.store.bell
        b.server.answer_next(NOTHING)
        await b.outbox.work([await b.lease()])
        await held.reached.wait()
        other, done = await lost(b), bell.count("done")
        await b.outbox.work([other])
        await asyncio.wait_for(bell.wait("done", done), 30)
        assert await b.state(sent) == "unknown"
        held.release.set()
        await b.outbox.idle()
        assert await b.deliveries(sent) == {"ann": "accepted", "ben": ben}
        await b.drain()
        assert (await b.state(sent), b.posts) == ("accepted", 1)


async def test_who_takes_over_does_not_send_what_was_sent_after_its_look(database: str) -> None:
    async with bench(database, Mailgun(), send_concurrency=1) as b:
        sent, held, now = await b.send(), b.server.hold_next(), b.kit.clock.now()
        await b.outbox.work([await b.lease()])
        await held.reached.wait()
        other, number = await lost(b), row_id("msg", sent.id)
        await b.kit.runtime.store.write(deliveries.requeue, number, [ANN], at=now)
        await b.outbox.work([other])  # looks, and waits until the first has ended
        held.release.set()
        await b.outbox.idle()
        assert (await b.state(sent), b.posts) == ("accepted", 1)
        assert await b.kit.runtime.store.read(backlog.count, ["send"]) == 0


class Refusals(logging.Handler):
    """Notices when the database refused to record something."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if "locked" in record.getMessage():
            self.seen.set()


@pytest.mark.sqlite
async def test_an_answer_is_recorded_however_late_the_database_takes_it(
    database: str, request: pytest.FixtureRequest
) -> None:
    refusals, log = Refusals(), logging.getLogger("inboxkit.pipeline")
    log.addHandler(refusals)
    request.addfinalizer(lambda: log.removeHandler(refusals))
    async with bench(database, Mailgun()) as b:
        sent, held = await b.send(), b.server.hold_next()
        write = b.kit.runtime.store.write
        await write(lambda tx: tx.connection.exec_driver_sql("PRAGMA busy_timeout=1"))
        await b.outbox.work([await b.lease()])
        await held.reached.wait()
        other = sqlite3.connect(make_url(database).database or "", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        held.release.set()
        await asyncio.wait_for(refusals.seen.wait(), 30)
        other.close()
        await b.outbox.idle()
        assert (await b.state(sent), len(b.server.requests)) == ("accepted", 1)


async def test_events_that_came_first_end_the_send(database: str) -> None:
    async with bench(database, Mailgun()) as b:
        sent, store = await b.send(), b.kit.runtime.store
        now = b.kit.clock.now()
        outcome = deliveries.Outcome(type=EventType.DELIVERED, at=now)
        await store.write(deliveries.happened, row_id("msg", sent.id), outcome, now=now)
        await b.run()
        assert (await b.state(sent), b.posts) == ("delivered", 0)
        assert await store.read(backlog.count, ["send"]) == 0


NO_TEXTS: dict[str, tuple[Any, str]] = {
    "a number": ({"order": 42}, "metadata.order: a text (str) is wanted, not int"),
    "null": ({"order": None}, "metadata.order: a text (str) is wanted, not NoneType"),
    "no mapping": (["order"], "metadata: a mapping is wanted, not list"),
}


@pytest.mark.parametrize(("stored", "why"), NO_TEXTS.values(), ids=NO_TEXTS)
async def test_a_send_whose_metadata_is_no_text_fails_once_and_says_so(
    database: str, stored: Any, why: str
) -> None:
    async with bench(database, Mailgun(), Memory()) as b:
        store = b.kit.runtime.store
        number = row_id("msg", (await b.send()).id)
        change = update(message).values(metadata=stored)
        await store.write(lambda tx: tx.connection.execute(change).rowcount)
        await b.run()
        row = await store.read(lambda c: c.execute(select(message)).one())
        assert (row.state, row.error) == ("failed", f"{why}; it can never leave; send it anew")
        assert (b.posts, await store.read(backlog.count, ["send"])) == (0, 0)
        told = await store.read(events.of_message, number)
        assert [e.reason_class for e in told if e.type == EventType.FAILED] == ["unsendable"]
