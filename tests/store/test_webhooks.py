"""Stored webhooks: once each, and kept for as long as one could be replayed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from inboxkit.store import backlog, webhooks

from .sending import NOW, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit.store.transactions import Tx

DAY = timedelta(days=1)


@pytest.fixture
def tx(database: str) -> Iterator[Tx]:
    with transaction(database) as opened:
        yield opened


def keep(
    tx: Tx, dedupe: str | None, *, at: datetime = NOW, provider: str = "mailgun"
) -> int | None:
    return webhooks.store(
        tx,
        provider=provider,
        dedupe=dedupe,
        method="POST",
        url="http://inbox.example/webhooks/mailgun",
        headers={},
        body=b"{}",
        now=at,
    )


def test_a_request_is_stored_once(tx: Tx) -> None:
    assert keep(tx, "token-1") is not None
    assert keep(tx, "token-1") is None
    assert keep(tx, "token-1", provider="postal") is not None
    assert [keep(tx, None) is None, keep(tx, "") is None] == [False, False]
    assert backlog.count(tx.connection, ["webhook"]) == 4


def test_only_what_is_done_and_old_is_forgotten(tx: Tx) -> None:
    rows = {state: keep(tx, state, at=NOW - 8 * DAY) for state in ("done", "failed", "stored")}
    rows["young"] = keep(tx, "young", at=NOW - 6 * DAY)
    for state in ("done", "failed", "young"):
        webhooks.settle(tx, rows[state] or 0, "failed" if state == "failed" else "done")
    assert webhooks.forget(tx, NOW - 7 * DAY) == 1
    kept = [name for name, row in rows.items() if webhooks.by_id(tx.connection, row or 0)]
    assert kept == ["failed", "stored", "young"]


def test_forgetting_goes_in_steps(tx: Tx) -> None:
    for number in range(5):
        webhooks.settle(tx, keep(tx, str(number)) or 0, "done")
    assert [webhooks.forget(tx, NOW + DAY, limit=2) for _ in range(4)] == [2, 2, 1, 0]
