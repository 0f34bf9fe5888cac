"""Where requests that others ask for may go: to public addresses, and to what the settings allow.

A name is resolved once and the connection goes to the very address that was checked, so a name
server that answers differently the second time (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import errno
import socket
import unicodedata
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

from aiohttp import TCPConnector, ThreadedResolver
from aiohttp.abc import AbstractResolver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import ClientRequest, ClientTimeout
    from aiohttp.abc import ResolveResult
    from aiohttp.tracing import Trace

Network: TypeAlias = IPv4Network | IPv6Network

LOOPBACK = ("127.0.0.0/8", "::1/128")
EVERYWHERE = ("0.0.0.0/0", "::/0")  # for a URL that whoever runs the process gives it
# IANA IPv4 Special-Purpose Address Registry (RFC 6890), multicast (RFC 5771) and class E.
_NOT_PUBLIC_4 = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
# Only 2000::/3 is given out for public use (RFC 4291 section 2.4). What holds an IPv4 address
# (mapped, NAT64, Teredo, 6to4) would lead round the list above.
_PUBLIC_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    IPv6Network(block) for block in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
_LOCAL_NAMES = ("localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback")
_LOCAL_SUFFIXES = (".localhost", ".local", ".internal", ".localdomain", ".home.arpa")
_MOST_URL_CHARACTERS = 2_048


class BlockedTarget(OSError):
    """A request would go where it must not; says where, and why."""

    def __init__(self, reason: str) -> None:
        super().__init__(errno.EACCES, reason)

    def __str__(self) -> str:
        return str(self.strerror)


class Guard:
    """Tells where a request may go: public addresses, and the ``allowed`` networks."""

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        self._allowed: tuple[Network, ...] = tuple(ip_network(block) for block in allowed)

    def permits(self, address: str) -> bool:
        """Whether an IP address may be connected to; False for what is no address."""
        try:
            found = ip_address(address)
        except ValueError:
            return False
        if isinstance(found, IPv6Address) and found.scope_id:
            return False
        return any(found in block for block in self._allowed) or _is_public(found)

    def check_url(self, url: str) -> None:
        """Raise BlockedTarget for a URL that is refused whatever its name resolves to."""
        if len(url) > _MOST_URL_CHARACTERS or not url.isprintable():
            raise BlockedTarget("the URL is too long, or holds control characters")
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise BlockedTarget("the URL cannot be read") from None
        if parts.scheme.lower() not in ("http", "https") or not host:
            raise BlockedTarget("the URL is not http:// or https:// with a host")
        if parts.username is not None:
            raise BlockedTarget("the URL holds a user name; give such things as headers")
        self.check_host(host)

    def check_host(self, host: str) -> None:
        """Raise BlockedTarget for a local name, and for an address that may not be connected to."""
        name = _plain(host)
        address = _literal(name)
        if address is not None:
            if not self.permits(address):
                raise BlockedTarget(f"{host} is not a public address")
        elif _is_local(name) and not self._allows_loopback():
            raise BlockedTarget(f"{host} is a name of this machine or of a private network")

    def _allows_loopback(self) -> bool:
        return self.permits("127.0.0.1") or self.permits("::1")


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in block for block in _NOT_PUBLIC_4)
    return address in _PUBLIC_6 and not any(address in block for block in _NOT_PUBLIC_6)


def _plain(host: str) -> str:
    """Return a host as name servers would see it: full-width letters and full stops are folded."""
    folded = unicodedata.normalize("NFKC", host).replace("\u3002", ".").lower()
    return folded.strip("[]").rstrip(".")


def _literal(host: str) -> str | None:
    """Return the address that a host spells, also as ``0177.1``, ``0x7f000001`` or a number."""
    if ":" in host:
        return host
    try:
        return socket.inet_ntoa(socket.inet_aton(host)) if host.isascii() else None
    except OSError:
        return None


def _is_local(name: str) -> bool:
    return name in _LOCAL_NAMES or name.endswith(_LOCAL_SUFFIXES)


class GuardedResolver(AbstractResolver):
    """Resolves names and refuses one of which any address may not be connected to."""

    def __init__(self, guard: Guard, resolver: AbstractResolver | None = None) -> None:
        self._guard = guard
        self._resolver = resolver or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name; raise BlockedTarget."""
        found = await self._resolver.resolve(host, port, family)
        for answer in found:
            if not self._guard.permits(answer["host"]):
                raise BlockedTarget(f"{host} is not at a public address")
        return found

    async def close(self) -> None:
        """Close the resolver."""
        await self._resolver.close()


class GuardedConnector(TCPConnector):
    """Connects to what a Guard permits. Also what a redirect leads to is checked anew."""

    def __init__(
        self, guard: Guard, *, resolver: AbstractResolver | None = None, limit: int = 100
    ) -> None:
        checked = GuardedResolver(guard, resolver)
        super().__init__(resolver=checked, use_dns_cache=False, limit=limit, force_close=True)  # pyright: ignore[reportUnknownMemberType] - aiohttp's type of socket_factory
        self._guard = guard

    async def connect(self, req: ClientRequest, traces: list[Trace], timeout: ClientTimeout) -> Any:
        """Return a connection; raise BlockedTarget. Addresses in a URL meet no resolver."""
        self._guard.check_host(req.url.raw_host or "")
        return await super().connect(req, traces, timeout)
