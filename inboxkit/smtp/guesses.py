"""Failed logins, counted a client: whoever goes on guessing waits longer each time."""

from __future__ import annotations

import logging
from collections import OrderedDict
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from ..connections import client_of

if TYPE_CHECKING:
    from datetime import datetime

    from ..clock import Clock

log = logging.getLogger("inboxkit.smtp")
_FREE = 10  # failures that cost nothing: people mistype, and programs have old passwords
_LONGEST = timedelta(minutes=15)
_FORGOTTEN_AFTER = timedelta(hours=1)
_MOST_CLIENTS = 10_000


class _Past(NamedTuple):
    failures: int
    last_at: datetime
    waits_until: datetime


class Guesses:
    """Who failed to log in, and until when each of them is not listened to.

    A right password wins nothing back, or whoever has one account could guess on for others.
    """

    def __init__(self, clock: Clock, *, most_clients: int = _MOST_CLIENTS) -> None:
        self._clock = clock
        self._most_clients = most_clients
        self._clients: OrderedDict[str, _Past] = OrderedDict()

    def __len__(self) -> int:
        return len(self._clients)

    def must_wait(self, peer: str) -> bool:
        """Whether a client may not try again yet."""
        past = self._clients.get(client_of(peer))
        if past is None:
            return False
        # A clock that was set back since makes nobody wait until it comes round again.
        return past.last_at <= self._clock.now() < past.waits_until

    def failed(self, peer: str) -> None:
        """Count a failed login; after a few of them each doubles the time to wait."""
        client, now = client_of(peer), self._clock.now()
        past = self._clients.pop(client, None)
        failures = 1
        if past is not None and now < past.last_at + _FORGOTTEN_AFTER:
            failures += past.failures
        self._clients[client] = _Past(failures, now, now + _wait(failures))
        if failures == _FREE:
            log.warning("%d failed logins from %s: it has to wait from now on", failures, client)
        if len(self._clients) > self._most_clients:
            self._clients.popitem(last=False)


def _wait(failures: int) -> timedelta:
    if failures < _FREE:
        return timedelta(0)
    return min(_LONGEST, timedelta(seconds=2 ** min(failures - _FREE, 20)))
