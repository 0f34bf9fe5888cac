"""Webhooks of a domain: what is refused, as they are by now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .mailgun import DOMAIN, Mailgun, shop

if TYPE_CHECKING:
    from collections.abc import Iterator

HOOKS = f"/v4/domains/{DOMAIN}/webhooks"
URLS = ["https://a.example/", "https://b.example/", "https://c.example/"]


@pytest.fixture(scope="module")
def mailgun() -> Iterator[Mailgun]:
    with shop() as running:
        yield Mailgun(running)


def add(mailgun: Mailgun, url: str) -> int:
    return mailgun.ask("POST", HOOKS, url=url, event_types="opened").status


def test_no_more_than_three_are_kept_and_none_is_made_twice(mailgun: Mailgun) -> None:
    assert [add(mailgun, url) for url in (*URLS, "https://d.example/")] == [200, 200, 200, 400]
    old = f"/v3/domains/{DOMAIN}/webhooks"
    assert mailgun.ask("POST", old, id="opened", url=URLS[0]).status == 400
    assert mailgun.ask("PUT", f"{old}/clicked", url=URLS[0]).status == 404
    assert mailgun.ask("DELETE", f"{old}/opened").status == 200
    assert mailgun.ask("DELETE", f"{old}/opened").status == 404
