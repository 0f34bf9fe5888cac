"""Sends with a time: they leave when it has come, and say until then that they wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from inboxkit import EventType, Inbox, InboxKit, SendError

from .mails import ANN, DESK, happened

if TYPE_CHECKING:
    from inboxkit.testing import Sandbox


@pytest.fixture
async def desk(kit: InboxKit) -> Inbox:
    return await kit.inbox(DESK)


async def test_a_scheduled_send_goes_out_when_it_is_due(sandbox: Sandbox) -> None:
    inbox = await sandbox.inbox(DESK)
    due = sandbox.kit.clock.now() + timedelta(hours=2)
    sent = await inbox.send(ANN, "Reminder", at=due)
    assert (sent.state, [*sent.labels], [*sandbox.outbox]) == ("scheduled", ["scheduled"], [])
    await sent.label(add=["scheduled", "vip"])
    await sandbox.advance(timedelta(hours=1, minutes=59))
    assert list(sandbox.outbox) == []
    await sandbox.advance(timedelta(minutes=1))
    [left] = sandbox.outbox
    assert (left.id, left.state, sorted(left.labels)) == (sent.id, "accepted", ["sent", "vip"])


async def test_a_time_that_is_past_sends_now(kit: InboxKit, desk: Inbox) -> None:
    sent = await desk.send(ANN, "Late", at=datetime(2020, 1, 1, tzinfo=UTC))
    assert sent.state in ("queued", "sending", "accepted")
    assert (await happened(kit, EventType.ACCEPTED)).message == sent


async def test_a_time_without_a_zone_is_refused(kit: InboxKit, desk: Inbox) -> None:
    with pytest.raises(SendError, match=r"at=.*time zone"):
        await desk.send(ANN, "When?", at=datetime(2030, 1, 1))
    assert [m async for m in kit.search("is:outbound")] == []
