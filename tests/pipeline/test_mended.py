"""A provider whose settings were wrong, once somebody has put them right and started anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from inboxkit.pipeline.mended import try_anew
from inboxkit.providers.base import HttpResponse
from inboxkit.store.limit_tables import circuit
from inboxkit.store.tables import job

from .mailgun import Account, account

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from inboxkit.store.transactions import Tx

ANN, BEN, EVE = "ann@example.com", "ben@example.com", "eve@example.com"
REFUSED = HttpResponse(401)


@pytest.fixture
async def mailgun() -> AsyncIterator[Account]:
    async with account() as opened:
        yield opened


async def start_anew(opened: Account) -> None:
    """Do what a start does; the sandbox's database ends with its process."""
    await opened.runner.acall(try_anew, opened.sandbox.kit.runtime.store)
    await opened.sandbox.settle()


async def test_what_waited_leaves_at_the_next_start(mailgun: Account) -> None:
    mailgun.server.answer_next(REFUSED)
    sent = [await mailgun.send(to) for to in (ANN, BEN, EVE)]
    assert len(mailgun.server.requests) == 1
    await start_anew(mailgun)
    assert [await mailgun.state(m) for m in sent] == ["accepted"] * 3


def delay(tx: Tx) -> None:
    """Have what was refused wait for longer than its provider is paused."""
    tx.connection.execute(update(job).values(due_at=datetime.now(UTC) + timedelta(hours=5)))


async def test_what_was_refused_more_often_than_others_leaves_too(mailgun: Account) -> None:
    mailgun.server.answer_next(REFUSED)
    sent = await mailgun.send(ANN)
    await mailgun.runner.acall(mailgun.sandbox.kit.runtime.store.write, delay)
    await start_anew(mailgun)
    assert await mailgun.state(sent) == "accepted"


async def test_where_they_are_still_wrong_one_send_tries(mailgun: Account) -> None:
    mailgun.server.answer_next(REFUSED, REFUSED)
    sent = [await mailgun.send(to) for to in (ANN, BEN, EVE)]
    await start_anew(mailgun)
    assert [await mailgun.state(m) for m in sent] == ["queued"] * 3
    assert len(mailgun.server.requests) == 2
    assert await mailgun.error(sent[2]) == "provider mailgun: credentials: 401"


async def test_a_pause_that_a_provider_asked_for_goes_on(mailgun: Account) -> None:
    mailgun.server.answer_next(HttpResponse(429, headers={"Retry-After": "600"}))
    sent = [await mailgun.send(to) for to in (ANN, BEN)]
    await start_anew(mailgun)
    assert [await mailgun.state(m) for m in sent] == ["queued"] * 2
    assert len(mailgun.server.requests) == 1
    assert len(await mailgun.rows(select(circuit))) == 1
