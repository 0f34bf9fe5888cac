"""Certificates of vendors that sign with them: fetched once, kept for a day."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import anyio

from .downloads import NotFetched, guard_of
from .transport import NotDelivered, Transport

if TYPE_CHECKING:
    from datetime import datetime

    from ..clock import Clock
    from ..providers.base import FetchPlan, HttpResponse

_KEPT = timedelta(days=1)
_MOST = 32  # certificates; a vendor has one or two at a time
_AT_ONCE = 4  # anybody can make us ask for one, before we know who it is


class Certificates:
    """Fetches what signatures are checked with, and remembers what came."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[str, tuple[datetime, HttpResponse]] = {}
        self._few = anyio.Semaphore(_AT_ONCE)

    async def get(self, plan: FetchPlan) -> HttpResponse:
        """Return the certificate; raise NotFetched when its host does not give it now."""
        if not plan.is_allowed:
            raise NotFetched("a certificate from a host that is not allowed")
        async with self._few:
            until, known = self._known.get(plan.url, (None, None))
            if until and known and self._clock.now() < until:
                return known
            response = await _fetched(plan)
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[plan.url] = (self._clock.now() + _KEPT, response)
        return response


async def _fetched(plan: FetchPlan) -> HttpResponse:
    transport = Transport(guard=guard_of(plan.hosts))
    try:
        response = await transport.fetch(plan)
    except NotDelivered as error:
        raise NotFetched(f"a certificate: {error.reason}") from error
    finally:
        await transport.close()
    if response.status != 200 or len(response.body) > plan.max_bytes:
        raise NotFetched(f"a certificate: its host answered {response.status}")
    return response
