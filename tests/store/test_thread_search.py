"""Threads are found by their newest message that matches, page by page, each once."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from inboxkit.store import conversations, search
from inboxkit.store.pages import Page
from inboxkit.store.query import parse_query
from inboxkit.store.reach import EVERYTHING, Reach
from inboxkit.tokens import row_id
from tests.mails import ANN, DESK, mail

if TYPE_CHECKING:
    from inboxkit import InboxKit
    from inboxkit.store.query import Query

THREADS, ROUNDS = 5, 4
OTHER = "other@inbox.example"


async def fill(kit: InboxKit) -> dict[int, int]:
    """Let threads talk in turns, of gardens but for each third mail; return the newest hits."""
    newest: dict[int, int] = {}
    for number in range(THREADS * ROUNDS):
        name = number % THREADS
        headers = {"References": f"<root{name}@example.com>"}
        text = "cellar" if number % 3 == 2 else "The garden is green."
        raw = mail(text, subject=f"Talk {name}", headers=headers)
        message = await kit.receive(raw, mail_from=ANN, rcpt_to=[DESK])
        if "garden" in text:
            newest[row_id("thd", message.thread_id)] = row_id("msg", message.id)
    return newest


async def pages(kit: InboxKit, query: Query, page: Page[int]) -> list[tuple[int, int]]:
    """Return all pages as (thread, hit)."""
    shown: list[tuple[int, int]] = []
    after = page.after
    while True:
        asked = Page(page.size, after, page.ascending)
        rows = await kit.runtime.store.read(conversations.found, EVERYTHING, query, asked)
        shown += [(conversation.id, hit) for hit, conversation in rows[: page.size]]
        if len(rows) <= page.size:
            return shown
        after = rows[page.size - 1][0]


@pytest.mark.parametrize("ascending", [False, True], ids=["newest first", "oldest first"])
@pytest.mark.parametrize("size", [1, 2, 50])
async def test_every_thread_is_found_once_at_its_newest_hit(
    kit: InboxKit, size: int, ascending: bool
) -> None:
    await kit.inbox(DESK)
    newest = await fill(kit)

    query = parse_query("garden", now=kit.clock.now())
    found = await pages(kit, query, Page(size, ascending=ascending))

    assert dict(found) == newest
    assert len(found) == len(newest)
    assert all((a < b) is ascending for (_, a), (_, b) in pairwise(found))


async def test_the_word_of_another_inbox_finds_nothing_of_it(kit: InboxKit) -> None:
    """A mail may hold the word by which the index tells inboxes."""
    await kit.inbox(DESK)
    other = await kit.runtime.store.read(lambda c: c)  # replaced below
