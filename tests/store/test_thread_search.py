"""Threads are found by their newest message that matches, page by page, each once."""

from __future__ import annotations

from itertools import pairwise, product
from typing import TYPE_CHECKING

from sqlalchemy import update

from inboxkit import EventType
from inboxkit.store import conversations, inboxes, search
from inboxkit.store.pages import Page
from inboxkit.store.query import parse_query
from inboxkit.store.reach import EVERYTHING, Reach
from inboxkit.store.tables import message
from inboxkit.tokens import row_id
from tests.mails import ANN, DESK, happened, mail

if TYPE_CHECKING:
    from inboxkit import InboxKit
    from inboxkit.store.query import Query

THREADS, ROUNDS = 5, 4
OTHER = "other@inbox.example"


async def fill(kit: InboxKit) -> None:
    """Let threads talk in turns, of gardens but for each third mail."""
    for number in range(THREADS * ROUNDS):
        name = number % THREADS
        headers = {"References": f"<root{name}@example.com>"}
        text = "cellar" if number % 3 == 2 else "The garden is green."
        raw = mail(text, subject=f"Talk {name}", headers=headers)
        await kit.runtime.accept.mail(raw, mail_from=ANN, rcpt_to=[DESK])
    await happened(kit, EventType.RECEIVED, times=THREADS * ROUNDS)


async def newest_hits(kit: InboxKit) -> dict[int, int]:
    """Return the newest message about gardens of each thread, by looking at all messages."""
    hits = [m async for m in kit.search() if "garden" in m.text]
    return {row_id("thd", m.thread_id): row_id("msg", m.id) for m in reversed(hits)}


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


async def test_every_thread_is_found_once_at_its_newest_hit(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    await fill(kit)
    newest = await newest_hits(kit)
    query = parse_query("garden", now=kit.clock.now())

    for size, ascending in product((1, 2, 50), (False, True)):
        found = await pages(kit, query, Page(size, ascending=ascending))

        assert dict(found) == newest
        assert len(found) == len(newest) == THREADS
        assert all((a < b) is ascending for (_, a), (_, b) in pairwise(found))


async def test_a_thread_is_found_at_a_hit_that_is_all_that_is_asked_for(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    await fill(kit)
    *_, oldest = [m async for m in kit.search("garden")]
    await oldest.label(add=["vip"])
    query = parse_query("garden label:vip", now=kit.clock.now())
    hit = (row_id("thd", oldest.thread_id), row_id("msg", oldest.id))
    assert await pages(kit, query, Page(9)) == [hit]


async def test_a_thread_is_found_at_its_newest_hit_that_is_not_hidden(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    await fill(kit)
    shown = await newest_hits(kit)
    for hit in [m async for m in kit.search("garden")]:
        if row_id("msg", hit.id) in shown.values():
            await hit.label(add=["spam"])
    query = parse_query("garden", now=kit.clock.now())
    page: Page[int] = Page(THREADS, ascending=True)
    for hidden, is_newest in (((), True), (("spam",), False)):
        rows = await kit.runtime.store.read(
            conversations.found, EVERYTHING, query, page, hidden=hidden
        )
        found = {conversation.id: hit for hit, conversation in rows}
        assert (found.keys(), found == shown) == (shown.keys(), is_newest)


async def test_the_word_of_another_inbox_finds_nothing_of_it(kit: InboxKit) -> None:
    """A mail may hold the word by which SQLite's index tells inboxes."""
    for address in (DESK, OTHER):
        await kit.inbox(address)
    mine = await kit.runtime.store.read(inboxes.require, DESK)
    spoof = mail(f"garden inboxkitof{mine.id}", to=OTHER)
    await kit.receive(spoof, mail_from=ANN, rcpt_to=[OTHER])

    query = parse_query("garden", now=kit.clock.now())
    reach = Reach(None, mine.id)
    assert await kit.runtime.store.read(search.page, reach, query, Page(9)) == []
    assert len(await kit.runtime.store.read(search.page, EVERYTHING, query, Page(9))) == 1


async def test_a_query_of_unwanted_words_only_finds_the_others(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    for text in ("garden", "cellar"):
        await kit.receive(mail(text), mail_from=ANN, rcpt_to=[DESK])

    found = [m.text.strip() async for m in kit.search("-garden")]

    assert found == ["cellar"]


async def test_what_is_not_read_yet_is_not_listed(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    await kit.receive(mail("garden"), mail_from=ANN, rcpt_to=[DESK])
    store, unread = kit.runtime.store, update(message).values(thread_id=None)
    for is_read in (True, False):
        for text in ("", "garden", "is:inbound"):
            query = parse_query(text, now=kit.clock.now())
            found = await store.read(search.page, EVERYTHING, query, Page(9))
            assert len(found) == is_read
        await store.write(lambda tx: tx.connection.execute(unread))
