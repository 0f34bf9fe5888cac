"""Mail that somebody labels before it is read: reading it gives the same label, and goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from inboxkit.store import messages, readings
from inboxkit.store.inboxes import PAUSED
from inboxkit.store.tables import label

from .arriving import mail, parsed, rows
from .sending import NOW, transaction

if TYPE_CHECKING:
    from collections.abc import Callable

    from inboxkit.store.unread import Reading


def as_spam(reading: Reading) -> Reading:
    return replace(reading, labels=("spam", "unauthenticated"))


def to_a_paused_inbox(reading: Reading) -> Reading:
    return replace(reading, job=replace(reading.job, data={PAUSED: True}))


@pytest.mark.parametrize(
    ("change", "early", "others"),
    [(as_spam, "spam", {"unauthenticated"}), (to_a_paused_inbox, "blocked", set[str]())],
    ids=["spam", "blocked"],
)
def test_a_label_that_is_there_before_the_mail_is_read_stays(
    database: str, change: Callable[[Reading], Reading], early: str, others: set[str]
) -> None:
    with transaction(database) as tx:
        [first, other] = [change(one) for one in parsed(tx, mail("one"), mail("two"))]
        messages.set_labels(tx, first.stored.id, add=[early], remove=(), now=NOW)
        readings.record(tx, [first, other])
        assert {row.state for row in rows(tx.connection).values()} == {"parsed"}
        found = {tuple(row) for row in tx.connection.execute(select(label))}
        ids = (first.stored.id, other.stored.id)
        assert found == {(row_id, name) for row_id in ids for name in {early, *others}}
