"""What a database knows of itself, as two write it at the same moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.store import facts, mailgun_webhooks, token_keys

from .at_once import behind

if TYPE_CHECKING:
    from inboxkit.store.store import Store
    from inboxkit.store.transactions import Tx


def urls(_before: object) -> dict[str, list[str]]:
    return {"delivered": ["https://hooks.example/"]}


async def test_a_fact_is_what_was_written_last(store: Store) -> None:
    def write(tx: Tx) -> list[str | None]:
        facts.put(tx.connection, "color", "red")
        facts.put(tx.connection, "color", "green")
        seen = [facts.get(tx.connection, "color"), facts.first(tx.connection, "color", "blue")]
        facts.remove(tx, "color")
        return [*seen, facts.get(tx.connection, "color")]

    assert await store.write(write) == ["green", "green", None]


async def test_it_is_replaced_while_it_is_what_was_seen(store: Store) -> None:
    def write(tx: Tx) -> tuple[bool, bool, str]:
        first = facts.first(tx.connection, "place", "1")
        moved = facts.replace(tx, "place", first, "2")
        return moved, facts.replace(tx, "place", "1", "3"), facts.first(tx.connection, "place", "4")

    assert await store.write(write) == (True, False, "2")


@pytest.mark.postgres
async def test_of_two_first_starts_both_have_the_secret_of_the_first(store: Store) -> None:
    def forget(tx: Tx) -> None:
        facts.remove(tx, "secret")

    await store.write(forget)
    made = list[bytes]()
    second = await behind(
        store, lambda tx: made.append(token_keys.identity(tx)), store.write(token_keys.identity)
    )
    assert [second] == made


@pytest.mark.postgres
async def test_of_two_first_webhooks_neither_is_refused_nor_moves_the_place(store: Store) -> None:
    def of(domain: str) -> dict[str, Any]:
        return {"domain": domain, "changes": urls, "now": store.clock.now(), "base": ""}

    def first(tx: Tx) -> None:
        mailgun_webhooks.change(tx, **of("a.example"))
        facts.replace(tx, "mailgun_cursor", "0", "7")

    await behind(store, first, store.write(mailgun_webhooks.change, **of("b.example")))
    assert await store.read(mailgun_webhooks.cursor) == 7
    assert set(await store.read(mailgun_webhooks.everything)) == {"a.example", "b.example"}
