"""What is counted for whom, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from inboxkit.store import measures
from inboxkit.store.measures import Span
from inboxkit.store.reach import EVERYTHING, Reach
from tests.mails import DESK, arrive

if TYPE_CHECKING:
    from inboxkit import InboxKit, Message

AMOUNTS = ("message_count", "thread_count", "storage_bytes")


def today(kit: InboxKit) -> Span:
    now, day = kit.runtime.store.clock.now(), timedelta(days=1)
    return Span(now - day, now + day, 2 * day)


async def labelled(kit: InboxKit, *labels: str) -> Message:
    came = await arrive(kit)
    await came.label(add=labels)
    return came


async def test_what_carries_a_forbidden_label_is_not_measured(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    await labelled(kit, "trash")
    seen = await labelled(kit, "mine")
    store, span = kit.runtime.store, today(kit)
    for reach, wanted in ((EVERYTHING, (2, 2)), (Reach(forbidden=("trash", "spam")), (1, 1))):
        found = [(await store.read(measures.usage, reach, n, span))[1][0] for n in AMOUNTS]
        assert (*found[:2], found[2] > seen.size) == (*wanted, reach is EVERYTHING)
        kinds = await store.read(measures.events, reach, ["received"], span)
        assert kinds == {"received": {0: wanted[0]}}


async def threads(kit: InboxKit) -> int:
    found = kit.runtime.store.read(measures.usage, EVERYTHING, "thread_count", today(kit))
    return (await found)[1][0]


async def test_threads_that_are_one_are_counted_once(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    names = [(await arrive(kit, subject=subject)).message_id for subject in ("Lids", "Boxes")]
    assert await threads(kit) == 2
    await arrive(kit, subject="Both", headers={"References": " ".join(names)})
    assert await threads(kit) == 1


async def test_mail_with_two_labels_is_counted_under_the_first(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    await arrive(kit)
    await labelled(kit, "unauthenticated", "spam")
    await labelled(kit, "unauthenticated")
    store, span = kit.runtime.store, today(kit)
    found = {
        name: await store.read(measures.received_with, EVERYTHING, name, span)
        for name in measures.VARIANTS
    }
    assert found == {"spam": {0: 1}, "blocked": {}, "unauthenticated": {0: 1}}
