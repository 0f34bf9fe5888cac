from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from anyio import to_thread

from inboxkit.authentication import resolver
from inboxkit.authentication.resolver import Budget, NameServers, Unanswered
from tests.authentication.name_server import serving
from tests.authentication.zone import Zone, public_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.authentication.zone import Records

RECORDS: Records = {
    ("shop.example", "TXT"): ["v=spf1 -all", public_record()],
    ("shop.example", "MX"): ["10 mx.shop.example."],
    ("shop.example", "A"): ["192.0.2.1", "192.0.2.2"],
    ("7.100.51.198.in-addr.arpa", "PTR"): ["mx.shop.example."],
    ("silent.example", "TXT"): None,
}


async def ask(servers: NameServers, name: str, kind: str) -> Sequence[str]:
    seconds = 0.5 if RECORDS.get((name, kind), []) is None else 30
    return await to_thread.run_sync(lambda: servers.lookup(name, kind, timeout=seconds))


@pytest.mark.parametrize(
    ("name", "kind", "found"),
    [
        ("shop.example", "TXT", ["v=spf1 -all", public_record()]),
        ("shop.example", "MX", ["10 mx.shop.example"]),
        ("shop.example", "A", ["192.0.2.1", "192.0.2.2"]),
        ("7.100.51.198.in-addr.arpa", "PTR", ["mx.shop.example"]),
        ("none.example", "TXT", []),
        ("shop..example", "TXT", []),
        ("x" * 64 + ".example", "TXT", []),
        ("a." * 200, "TXT", []),
    ],
)
async def test_records(name: str, kind: str, found: list[str]) -> None:
    async with serving(RECORDS) as (_, address):
        assert sorted(await ask(NameServers([address]), name, kind)) == sorted(found)


async def test_answers_are_kept() -> None:
    async with serving(RECORDS) as (server, address):
        servers = NameServers([address])
        for _ in range(2):
            await ask(servers, "shop.example", "TXT")
            await ask(servers, "none.example", "TXT")

    assert sorted(server.asked) == [("none.example", "TXT"), ("shop.example", "TXT")]


async def test_a_silent_name_is_not_asked_for_again_at_once() -> None:
    async with serving(RECORDS) as (server, address):
        servers = NameServers([address])
        with pytest.raises(Unanswered):
            await ask(servers, "silent.example", "TXT")
        asked = len(server.asked)
        with pytest.raises(Unanswered, match="a moment ago"):
            await ask(servers, "silent.example", "TXT")

    assert len(server.asked) == asked


def test_the_seconds_of_a_mail_begin_with_its_first_look_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passed = [0.0]
    monkeypatch.setattr(resolver, "time", SimpleNamespace(monotonic=lambda: passed[0]))
    names = Budget(Zone({("a.example", "A"): ["192.0.2.1"]}), 10.0)
    passed[0] = 60.0  # a library was loaded
    assert names.lookup("a.example", "A") == ["192.0.2.1"]
    passed[0] = 70.0
    with pytest.raises(Unanswered):
        names.lookup("a.example", "A")
