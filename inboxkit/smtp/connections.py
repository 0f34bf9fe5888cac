"""Who is connected: the limits in all and a client, and who must make room when it is full."""

from __future__ import annotations

import ipaddress
from collections import Counter, OrderedDict
from itertools import count
from typing import TYPE_CHECKING, Protocol

from .replies import FULL, FULL_FOR_CLIENT, MADE_ROOM

if TYPE_CHECKING:
    from .settings import SmtpSettings

_SILENT_SECONDS = 0.1  # patience, when full, with a client that never sent a command
_IDLE_SECONDS = 5.0  # the same with one that did


class Guest(Protocol):
    """A connection as this module sees it; ``heard_at`` is loop time."""

    peer: str
    heard_at: float

    def dismiss(self, reply: bytes) -> None: ...
    def retire(self) -> None: ...
    def abort(self) -> None: ...


class Connections:
    """The open connections of one listener.

    When all places are taken, the client that has been idle for the longest gives way to a new
    one, so that a flood of idle connections keeps nobody out.
    """

    def __init__(self, settings: SmtpSettings) -> None:
        self.serial = count(1)
        self._settings = settings
        self._trusted = settings.networks()
        self._guests: dict[Guest, str] = {}
        self._clients: Counter[str] = Counter()
        self._silent: OrderedDict[Guest, None] = OrderedDict()
        self._idle: OrderedDict[Guest, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._guests)

    def admit(self, guest: Guest, now: float) -> bytes | None:
        """Take a new connection in; else return the reply that turns it away."""
        client = _client(guest.peer)
        limit = self._settings.max_connections_per_client
        if self._clients[client] >= limit and not self._is_trusted(guest.peer):
            return FULL_FOR_CLIENT
        if len(self._guests) >= self._settings.max_connections and not self._make_room(now):
            return FULL
        self._guests[guest] = client
        self._clients[client] += 1
        self._silent[guest] = None
        return None

    def leave(self, guest: Guest) -> None:
        """Forget a connection; it need not be known."""
        client = self._guests.pop(guest, None)
        if client is None:
            return
        self._clients[client] -= 1
        if not self._clients[client]:
            del self._clients[client]
        self.working(guest)

    def heard(self, guest: Guest) -> None:
        """Note that a command came: ``guest`` is now the last to give way."""
        self._silent.pop(guest, None)
        if guest in self._guests:
            self._idle[guest] = None
            self._idle.move_to_end(guest)

    def working(self, guest: Guest) -> None:
        """Note that ``guest`` is in the middle of a message and must not give way."""
        self._silent.pop(guest, None)
        self._idle.pop(guest, None)

    def retire(self) -> None:
        """Ask every connection to end as soon as it has finished its message."""
        for guest in tuple(self._guests):
            guest.retire()

    def dismiss(self, reply: bytes) -> None:
        """End every connection now."""
        for guest in tuple(self._guests):
            guest.dismiss(reply)

    def abort(self) -> None:
        """Close what is still open."""
        for guest in tuple(self._guests):
            guest.abort()

    def _is_trusted(self, peer: str) -> bool:
        address = ipaddress.ip_address(peer)
        return any(address in network for network in self._trusted)

    def _make_room(self, now: float) -> bool:
        for queue, patience in ((self._silent, _SILENT_SECONDS), (self._idle, _IDLE_SECONDS)):
            longest = next(iter(queue), None)
            if longest is not None and now - longest.heard_at >= patience:
                self.leave(longest)
                longest.dismiss(MADE_ROOM)
                return True
        return False


def _client(peer: str) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 of an IPv6 address."""
    if ":" not in peer:
        return peer
    return str(ipaddress.ip_network((peer, 64), strict=False))
