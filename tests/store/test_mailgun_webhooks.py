"""Mailgun's webhooks: of two that change those of one domain at once, neither undoes the other."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from inboxkit.store import mailgun_webhooks

from .at_once import behind
from .sending import NOW

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inboxkit.store.store import Store
    from inboxkit.store.transactions import Tx

DOMAIN = "shop.example"


def add(tx: Tx, url: str) -> dict[str, list[str]]:
    def more(known: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
        return {"opened": [*known.get("opened", ()), url]}

    return mailgun_webhooks.change(tx, DOMAIN, more, now=NOW, base="http://localhost")


@pytest.mark.postgres
async def test_two_urls_that_are_added_at_once_are_both_kept(store: Store) -> None:
    await store.write(add, "https://a.example/")
    first = partial(add, url="https://b.example/")
    known = await behind(store, first, store.write(add, "https://c.example/"))
    assert known == {"opened": [f"https://{name}.example/" for name in "abc"]}
