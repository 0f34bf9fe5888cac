"""What lists say of many addresses at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inboxkit.store import inboxes, lists, verdicts
from inboxkit.store.lists import ListKey
from inboxkit.store.verdicts import Party

if TYPE_CHECKING:
    from inboxkit.store.store import Store


async def add(store: Store, kind: str, entry: str, *, inbox_id: int = 0) -> None:
    pod = "pod_default" if inbox_id else ""
    key = ListKey(direction="receive", list_type=kind, pod_id=pod, inbox_id=inbox_id)
    await store.write(lists.add, key, entry, reason="", now=store.clock.now())


async def test_each_inbox_is_judged_by_its_own_lists(store: Store) -> None:
    now = store.clock.now()
    made = [await store.write(inboxes.create, f"{n}@inbox.example", now=now) for n in "ab"]
    first, second = (inbox.id for inbox in made)
    await add(store, "block", "example.com")
    await add(store, "allow", "ann@example.com", inbox_id=first)

    parties = [
        Party("ann@example.com", first),
        Party("ben@example.com", first),
        Party("ann@example.com", second),
        Party("eve@mail.example.com", second),
        Party(f"eve@{'a.' * 20}example.com", second),
        Party("eve@myexample.com", second),
        Party("", second),
    ]
    found = await store.read(verdicts.refusals, "receive", parties)
    assert set(found) == set(parties[1:5])
    assert await store.read(verdicts.refusals, "reply", parties) == {}


@pytest.mark.parametrize(
    "sender",
    [
        *("Ann@B\xfccher.Example", "ann@mail.b\xfccher.example", "j\xfc@b\xfccher.example"),
        *("ann@xn--bcher-kva.example", "ann@xn--bcher-kva.example."),
    ],
)
async def test_a_domain_is_known_in_each_way_it_is_written(store: Store, sender: str) -> None:
    made = await store.write(inboxes.create, "a@inbox.example", now=store.clock.now())
    await add(store, "block", "xn--bcher-kva.example")
    party = Party(sender, made.id)
    assert await store.read(verdicts.refusals, "receive", [party])


async def test_an_inbox_takes_its_lists_with_it(store: Store) -> None:
    made = await store.write(inboxes.create, "a@inbox.example", now=store.clock.now())
    await add(store, "block", "example.com", inbox_id=made.id)
    await store.write(lists.remove_all, made.id)
    assert not await store.read(lists.any_of, ["receive"])
