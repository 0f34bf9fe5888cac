"""Where requests may go: every spelling of a private address, and names that lead to one."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from inboxkit.egress import LOOPBACK, BlockedTarget, Guard, GuardedConnector
from tests.http.receiver import Receiver, receiving

if TYPE_CHECKING:
    from collections.abc import Iterator

PRIVATE = """
0.0.0.0 10.0.0.1 100.64.0.1 100.127.255.254 127.0.0.1 127.1.2.3 169.254.169.254 172.16.0.1
172.31.255.255 192.0.0.1 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.1
203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
:: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:7f00:1 64:ff9b::7f00:1 64:ff9b::8.8.8.8
64:ff9b:1::1 100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:db8::1 2002:7f00:1::
2002:c0a8:101::1 3fff::1 5f00::1 fc00::1 fd12:3456::1 fe80::1 fe80::1%eth0 2606:4700::1%1 fec0::1
ff02::1
""".split()
PUBLIC = "8.8.8.8 1.1.1.1 100.63.0.1 100.128.0.1 172.32.0.1 2606:4700::1111 2a00:1450::1".split()
SPELLINGS = """
127.1 0177.0.0.1 0x7f.0.0.1 2130706433 0x7f000001 017700000001 127.0.0.1. [::1] 0 [::ffff:127.0.0.1]
[0:0:0:0:0:ffff:7f00:1] localhost LOCALHOST. a.localhost:80 metadata.internal printer.local
[fe80::1%25eth0] \uff11\uff12\uff17.0.0.1 127\u30020\u30020\u30021
""".split()
SENSELESS = [
    *("ftp://example.com/", "file:///etc/passwd", "//example.com/", "http://", "", "http:///x"),
    *("http://ann@example.com/", "http://a:b@example.com/", "http://[::1", "http://a:99999/"),
    "http://example.com/\r\nX: 1",
    "http://example.com/" + "a" * 3_000,
]


def is_refused(guard: Guard, url: str) -> bool:
    try:
        guard.check_url(url)
    except BlockedTarget:
        return True
    return False


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    assert not Guard().permits(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_permitted(address: str) -> None:
    assert Guard().permits(address)


@pytest.mark.parametrize("url", [*(f"http://{h}/" for h in SPELLINGS), *SENSELESS], ids=ascii)
def test_urls_that_lead_nowhere_public_are_refused(url: str) -> None:
    assert is_refused(Guard(), url)


@pytest.mark.parametrize("url", ["https://example.com/hook?a=1", "http://8.8.8.8:8080/"])
def test_ordinary_urls_pass(url: str) -> None:
    assert not is_refused(Guard(), url)


def test_a_network_can_be_allowed_and_no_more_than_that() -> None:
    guard = Guard(["10.1.0.0/16"])
    assert not is_refused(guard, "http://10.1.2.3/")
    assert not guard.permits("10.2.0.1") and not guard.permits("::ffff:10.1.2.3")
    assert is_refused(guard, "http://localhost/")
    for loopback in (LOOPBACK, ["127.0.0.0/8"], ["::1/128"]):
        assert not is_refused(Guard(loopback), "http://localhost:8025/")


class Answers(AbstractResolver):
    """A name server whose answers differ each time, as one that rebinds."""

    def __init__(self, *addresses: str, port: int = 0) -> None:
        self.left = list(addresses)
        self._port = port

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host, host=one, port=port, family=socket.AF_INET, proto=0, flags=0
            )
            for one in self.left.pop(0).split(",")
        ]

    async def close(self) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


async def refusal(url: str, connector: GuardedConnector) -> str:
    async with aiohttp.ClientSession(connector=connector) as session:
        try:
            async with session.post(url, data=b"{}") as answer:
                return f"reached: {answer.status}"
        except (aiohttp.ClientError, OSError) as error:
            return str(error)


@pytest.mark.parametrize("addresses", ["127.0.0.1", "8.8.8.8,127.0.0.1"], ids=["local", "mixed"])
async def test_a_name_at_a_private_address_is_refused(receiver: Receiver, addresses: str) -> None:
    connector = GuardedConnector(Guard(), resolver=Answers(addresses))
    said = await refusal(f"http://rebind.example:{receiver.server_port}/", connector)
    assert "not at a public address" in said and receiver.posts.empty()


async def test_the_connection_goes_to_the_address_that_was_checked(receiver: Receiver) -> None:
    answers = Answers("127.0.0.1", "10.0.0.1")
    connector = GuardedConnector(Guard(LOOPBACK), resolver=answers)
    url = f"http://rebind.example:{receiver.server_port}/"
    async with aiohttp.ClientSession(connector=connector) as session:
        async with session.post(url, data=b"{}") as answer:
            assert answer.status == 200
        assert answers.left == ["10.0.0.1"]  # asked once
        with pytest.raises(aiohttp.ClientConnectorError, match="not at a public address"):
            await session.post(url, data=b"{}")


async def test_an_address_in_a_url_is_refused_though_no_name_is_resolved(
    receiver: Receiver,
) -> None:
    said = await refusal(receiver.url, GuardedConnector(Guard()))
    assert "not a public address" in said and receiver.posts.empty()


async def test_what_a_redirect_leads_to_is_checked_too(receiver: Receiver) -> None:
    receiver.statuses = [307]
    guard = Guard(["127.0.0.1/32"])
    connector = GuardedConnector(guard, resolver=Answers("127.0.0.1"))
    async with aiohttp.ClientSession(connector=connector) as session:
        url = f"http://good.example:{receiver.server_port}/"
        async with session.post(url, data=b"{}", allow_redirects=False) as answer:
            location = answer.headers["location"].replace("127.0.0.1", "127.0.0.2")
        with pytest.raises(aiohttp.ClientError, match=r"127\.0\.0\.2 is not a public"):
            await session.post(location, data=b"{}")
