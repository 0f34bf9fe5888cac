"""Threads as who may not see some of their messages sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inboxkit.store import conversations
from inboxkit.store.reach import EVERYTHING, Reach
from inboxkit.tokens import row_id
from tests.mails import DESK, arrive

if TYPE_CHECKING:
    from inboxkit import InboxKit


@pytest.mark.parametrize(
    ("reach", "preview", "count"),
    [(EVERYTHING, "second", 2), (Reach(forbidden=["spam"]), "first", 1)],
)
async def test_a_thread_is_shown_without_its_hidden_messages(
    kit: InboxKit, reach: Reach, preview: str, count: int
) -> None:
    await kit.inbox(DESK)
    first = await arrive(kit, "first")
    second = await arrive(kit, "second", headers={"In-Reply-To": first.message_id})
    await second.label(add=["spam"])
    found = await kit.runtime.store.read(
        conversations.find, reach, row_id("thd", first.thread_id or "")
    )
    assert found is not None
    assert (found.preview, found.message_count) == (preview, count)
    assert found.size == first.size + (second.size if count == 2 else 0)
    assert ("spam" in found.labels) == (count == 2)
