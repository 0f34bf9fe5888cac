"""Records looked up where the settings say, and each time anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from anyio import to_thread

from inboxkit.errors import RemoteError
from inboxkit.resolving import DnsResolver
from tests.authentication.name_server import serving

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.authentication.zone import Records

LONG = "v=DKIM1; p=" + "A" * 400
RECORDS: Records = {
    ("shop.example", "TXT"): ["v=spf1 -all", LONG],
    ("shop.example", "MX"): ["20 b.shop.example.", "10 MX.shop.example."],
}


async def texts(resolver: DnsResolver, name: str) -> Sequence[str]:
    return await to_thread.run_sync(resolver.txt, name)


async def test_records_come_from_the_servers_that_are_named() -> None:
    async with serving(RECORDS) as (_, address):
        resolver = DnsResolver([address])
        assert sorted(await texts(resolver, "shop.example")) == [LONG, "v=spf1 -all"]
        assert await texts(resolver, "none.example") == []
        hosts = await to_thread.run_sync(resolver.mx, "shop.example")
    assert hosts == [(10, "mx.shop.example"), (20, "b.shop.example")]


async def test_a_record_that_was_added_is_seen_at_once() -> None:
    async with serving({}) as (server, address):
        resolver = DnsResolver([address])
        assert await texts(resolver, "shop.example") == []
        server.records = RECORDS
        assert len(await texts(resolver, "shop.example")) == 2


def test_what_is_no_server_cannot_tell() -> None:
    with pytest.raises(RemoteError, match=r"the TXT records of shop\.example"):
        DnsResolver(["no address"]).txt("shop.example")
