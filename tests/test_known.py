"""What a newer release beside us has stored, or a newer server has answered, ends no reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from inboxkit import Auth, EventType, InboxKit, Kind, known
from inboxkit.store.tables import event, message
from tests.mails import DESK, arrive, happened

if TYPE_CHECKING:
    from inboxkit.store.transactions import Tx


def changed_by_a_newer_release(tx: Tx) -> None:
    """Give what is stored a kind, a verdict and an event that this release does not know."""
    verdicts = {"spf": "pass", "dkim": "none", "dmarc": "none", "domain": "", "bimi": "pass"}
    tx.connection.execute(update(message).values(kind="survey", auth=verdicts))
    tx.connection.execute(update(event).values(type="snoozed"))


async def test_mail_and_events_of_a_newer_release_are_read(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    came = await arrive(kit, "How was it?")
    await kit.runtime.store.write(changed_by_a_newer_release)
    seen = (await happened(kit, EventType.UNKNOWN)).message
    assert (seen.id, seen.kind, seen.auth.spf) == (came.id, Kind.AUTO_REPLY, "pass")
    assert [found.id async for found in kit.search("how")] == [came.id]


@pytest.mark.parametrize("name", list(EventType))
def test_events_of_this_release_are_known(name: str) -> None:
    assert known.event_type(name) == name


@pytest.mark.parametrize("name", list(Kind))
def test_kinds_of_this_release_are_known(name: str) -> None:
    assert known.kind(name) == name


def test_an_older_server_says_fewer_verdicts() -> None:
    assert known.auth({"spf": "fail"}) == Auth(spf="fail")
