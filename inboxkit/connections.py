"""Who is connected: the limits in all and a client, and who must make room when it is full.

For every port alike; what is spoken on a connection is its own affair.
"""

from __future__ import annotations

import ipaddress
from collections import Counter, OrderedDict
from enum import Enum, auto
from typing import TYPE_CHECKING, Generic, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_SILENT_SECONDS = 0.1  # patience, when full, with a client that never asked for anything
_IDLE_SECONDS = 5.0  # the same with one that did


class Full(Enum):
    """Why a connection is turned away."""

    FOR_ALL = auto()
    FOR_CLIENT = auto()


class Guest(Protocol):
    """A connection as this module sees it; ``heard_at`` is loop time."""

    peer: str
    heard_at: float

    def give_way(self) -> None: ...


G = TypeVar("G", bound=Guest)


class Connections(Generic[G]):
    """The open connections of one port; clients in ``trusted`` networks are not counted singly.

    When all places are taken, the client that has been idle for the longest gives way to a new
    one, so that a flood of idle connections keeps nobody out.
    """

    def __init__(self, most: int, *, per_client: int, trusted: Sequence[Network] = ()) -> None:
        self._most = most
        self._per_client = per_client
        self._trusted = trusted
        self._guests: dict[G, str] = {}
        self._clients: Counter[str] = Counter()
        self._silent: OrderedDict[G, None] = OrderedDict()
        self._idle: OrderedDict[G, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._guests)

    def __iter__(self) -> Iterator[G]:
        return iter(tuple(self._guests))

    def admit(self, guest: G, now: float) -> Full | None:
        """Take a new connection in; else return why it must be turned away."""
        client = client_of(guest.peer)
        if self._clients[client] >= self._per_client and not self._is_trusted(guest.peer):
            return Full.FOR_CLIENT
        if len(self._guests) >= self._most and not self._make_room(now):
            return Full.FOR_ALL
        self._guests[guest] = client
        self._clients[client] += 1
        self._silent[guest] = None
        return None

    def leave(self, guest: G) -> None:
        """Forget a connection; it need not be known."""
        client = self._guests.pop(guest, None)
        if client is None:
            return
        self._clients[client] -= 1
        if not self._clients[client]:
            del self._clients[client]
        self.working(guest)

    def heard(self, guest: G) -> None:
        """Note that a command came or was done: ``guest`` is now the last to give way."""
        self._silent.pop(guest, None)
        if guest in self._guests:
            self._idle[guest] = None
            self._idle.move_to_end(guest)

    def working(self, guest: G) -> None:
        """Note that ``guest`` is in the middle of something and must not give way."""
        self._silent.pop(guest, None)
        self._idle.pop(guest, None)

    def _is_trusted(self, peer: str) -> bool:
        address = ipaddress.ip_address(peer)
        return any(address in network for network in self._trusted)

    def _make_room(self, now: float) -> bool:
        for queue, patience in ((self._silent, _SILENT_SECONDS), (self._idle, _IDLE_SECONDS)):
            longest = next(iter(queue), None)
            if longest is not None and now - longest.heard_at >= patience:
                self.leave(longest)
                longest.give_way()
                return True
        return False


def client_of(peer: str) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 of an IPv6 address."""
    if ":" not in peer:
        return peer
    return str(ipaddress.ip_network((peer, 64), strict=False))


def peer_of(peername: Sequence[str] | None) -> str:
    """Return an IP address without its scope, and an IPv4 address as such."""
    address = peername[0].partition("%")[0] if peername else "0.0.0.0"
    return address.removeprefix("::ffff:") if "." in address else address
