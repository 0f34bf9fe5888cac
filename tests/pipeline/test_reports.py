"""Delivery reports that come by mail: whom they suppress, and for whom."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from inboxkit import EventType, InboxKit, Suppressed
from inboxkit.settings import checked
from inboxkit.store.tables import inbox, suppression
from inboxkit.testing.reports import bounce

from ..mails import DESK, happened

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from inboxkit import Event, Inbox, Message
    from inboxkit.store.transactions import Tx

ANN, MALLORY = "ann@mx.example", "mallory@mx.example"
OTHER = "other@inbox.example"
MINUTE = timedelta(minutes=1)
POD = "pod_0000000000042"
VERDICT = "Authentication-Results: mx.ours.example; dkim=pass header.d={}\r\n"
PROVEN = VERDICT.format("mx.example")
COMPLAINT = (
    (
        b"multipart/report; report-type=delivery-status",
        b"multipart/report; report-type=feedback-report",
    ),
    (
        b"message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n",
        b"message/feedback-report\r\n",
    ),
    (
        b"Final-Recipient: rfc822; ",
        b"Feedback-Type: abuse\r\nVersion: 1\r\nUser-Agent: x/1\r\nOriginal-Rcpt-To: ",
    ),
)


@dataclass
class Desk:
    """A kit with an inbox, and the reports that come to it."""

    kit: InboxKit
    inbox: Inbox

    async def reported(
        self,
        sent: Message,
        *,
        head: str = "",
        mail_from: str = "",
        to: str = DESK,
        swap: Sequence[tuple[bytes, bytes]] = (),
    ) -> Event:
        """Let a report on Ann come in; return its event."""
        raw = bounce(await sent.raw(), sender=DESK, recipient=ANN)
        for old, new in swap:
            raw = raw.replace(old, new)
        raw = head.encode() + raw
        await self.kit.receive(raw, mail_from=mail_from, rcpt_to=[to])
        type_ = EventType.BOUNCED if b"delivery-status" in raw else EventType.COMPLAINED
        return await happened(self.kit, type_)

    async def move(self) -> None:
        """Put the inbox into a pod of its own."""

        def work(tx: Tx) -> None:
            mine = update(inbox).where(inbox.c.address == DESK)
            tx.connection.execute(mine.values(pod_id=POD))

        await self.kit.runtime.store.write(work)

    async def suppressed(self) -> list[tuple[str, str]]:
        """Return who is suppressed, and for which mail."""
        query = select(suppression.c.address, suppression.c.domain)
        rows = await self.kit.runtime.store.read(lambda c: c.execute(query).all())
        return [(row.address, row.domain) for row in rows]


@asynccontextmanager
async def desk(database: str) -> AsyncGenerator[Desk, None]:
    settings = checked({"database": database, "trusted_forwarders": {"mx.ours.example": "local"}})
    async with InboxKit(settings=settings) as kit:
        yield Desk(kit, await kit.inbox(DESK))


async def test_the_only_recipient_of_a_send_is_suppressed_for_all(database: str) -> None:
    async with desk(database) as opened:
        event = await opened.reported(await opened.inbox.send(ANN, "Hi"))
        assert await opened.suppressed() == [(ANN, "")]
        assert "doubt" not in event.data
        with pytest.raises(Suppressed):
            await opened.inbox.send(ANN, "Again")


FORGED: dict[str, dict[str, Any]] = {
    "by a null sender": {},
    "by a recipient": {"mail_from": MALLORY},
    "by a recipient of the same domain, proven": {
        "head": PROVEN,
        "swap": ((b"mailer-daemon@mx.example", MALLORY.encode()),),
    },
    "by a recipient whose name begins like a mail server's, proven": {
        "head": PROVEN,
        "swap": ((b"mailer-daemon@mx.example", b"postmaster.mallory@mx.example"),),
    },
    "by another's mail server, proven": {
        "head": VERDICT.format("evil.example"),
        "swap": ((b"mailer-daemon@mx.example", b"mailer-daemon@evil.example"),),
    },
    "as if proven, by whoever wrote the field": {"head": PROVEN.replace("ours", "theirs")},
    "as a complaint": {"swap": COMPLAINT},
}


@pytest.mark.parametrize("how", FORGED)
async def test_one_of_several_recipients_cannot_have_another_one_suppressed(
    database: str, how: str
) -> None:
    async with desk(database) as opened:
        sent = await opened.inbox.send([ANN, MALLORY], "Contract")
        event = await opened.reported(sent, **FORGED[how])
        assert event.recipient == ANN
        assert event.data["doubt"].startswith("of several recipients")
        assert await opened.suppressed() == []


async def test_the_reply_address_proves_nothing(database: str) -> None:
    async with desk(database) as opened:
        sent = await opened.inbox.send([ANN, MALLORY], "Contract")
        await opened.reported(sent, to=sent.reply_to[0].email)
        assert await opened.suppressed() == []


async def test_a_mail_server_of_the_recipients_domain_is_believed(database: str) -> None:
    async with desk(database) as opened:
        sent = await opened.inbox.send([ANN, MALLORY], "Contract")
        await opened.reported(sent, head=PROVEN)
        assert await opened.suppressed() == [(ANN, "")]


async def test_a_pods_mail_suppresses_for_the_pod_only(database: str) -> None:
    async with desk(database) as opened:
        await opened.move()
        first = await opened.inbox.send(ANN, "Hi")
        await happened(opened.kit, EventType.ACCEPTED)  # a report may come before
        await opened.reported(first)
        assert await opened.suppressed() == [(ANN, POD)]
        with pytest.raises(Suppressed):
            await opened.inbox.send(ANN, "Again")
        other = await opened.kit.inbox(OTHER)
        sent = await other.send(ANN, "Hi")
        assert (await happened(opened.kit, EventType.ACCEPTED, times=2)).message == sent


async def test_what_waits_goes_by_its_pods_entries(database: str) -> None:
    async with desk(database) as opened:
        await opened.move()
        later = await opened.inbox.send(ANN, "Later", at=opened.kit.clock.now() + MINUTE)
        await opened.reported(await opened.inbox.send(ANN, "Hi"))
        opened.kit.clock.advance(MINUTE)
        opened.kit.runtime.store.bell.ring(("send",))
        refused = await happened(opened.kit, EventType.REJECTED)
        assert (refused.message, refused.reason_class) == (later, "suppressed")


async def test_a_token_of_another_inbox_tells_of_no_send(database: str) -> None:
    async with desk(database) as opened:
        other = await opened.kit.inbox(OTHER)
        token = (await other.send(ANN, "Hi")).reply_to[0].email.rpartition("@")[0].partition("+")[2]
        sent = await opened.inbox.send(ANN, "Hi")
        event = await opened.reported(sent, to=DESK.replace("@", f"+{token}@"))
        assert event.message == sent
