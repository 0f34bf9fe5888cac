"""Downloads: what a webhook only points at, fetched from the provider's own hosts."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ..egress import Guard
from ..providers.base import FetchPlan, InboundMail, ParseError, ProviderEvent
from ..providers.hosts import is_local, split
from ..providers.registry import fetching
from .transport import NotDelivered, Transport

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .configured import Configured

Told = InboundMail | ProviderEvent
_MOST = 100  # downloads for one webhook


class NotFetched(Exception):
    """The provider did not give what it told of; it may later."""


async def followed(chosen: Configured, found: Sequence[Told | FetchPlan]) -> list[Told]:
    """Return what a webhook told, its downloads made. Raise NotFetched or ParseError."""
    if not any(isinstance(item, FetchPlan) for item in found):
        return [item for item in found if not isinstance(item, FetchPlan)]
    hosts = [host for item in found if isinstance(item, FetchPlan) for host in item.hosts]
    transport = Transport(guard=guard_of(hosts))
    try:
        return await _follow(transport, chosen, found)
    finally:
        await transport.close()


def guard_of(hosts: Iterable[str]) -> Guard | None:
    """Return what keeps downloads out of private networks.

    None when the settings place the provider in one: only they name a local host in full.
    """
    named = any(is_local(host) for host in hosts if not host.startswith("."))
    return None if named else Guard()


async def _follow(
    transport: Transport, chosen: Configured, found: Sequence[Told | FetchPlan]
) -> list[Told]:
    told: list[Told] = []
    waiting, fetched = deque(found), 0
    while waiting:
        item = waiting.popleft()
        if not isinstance(item, FetchPlan):
            told.append(item)
            continue
        fetched += 1
        if fetched > _MOST:
            raise ParseError(f"it calls for more than {_MOST} downloads")
        waiting.extendleft(reversed(await _fetch(transport, chosen, item)))
    return told


async def _fetch(
    transport: Transport, chosen: Configured, plan: FetchPlan
) -> Sequence[Told | FetchPlan]:
    reader = fetching(chosen.provider)
    if reader is None:
        raise ParseError("it calls for a download that nothing reads")
    parts = split(plan.url)
    host = "an unusable URL" if parts is None else parts.hostname
    if not plan.is_allowed:
        raise ParseError(f"it calls for a download from {host}, which is not allowed")
    try:
        response = await transport.fetch(plan)
    except NotDelivered as error:
        raise NotFetched(f"{host}: {error.reason}") from error
    if response.status >= 400:  # what is stored may not be there yet, a key may be put right
        raise NotFetched(f"{host} answered {response.status}")
    if len(response.body) > plan.max_bytes:
        raise ParseError(f"the download from {host} is larger than {plan.max_bytes} bytes")
    return reader.parse_fetched(plan, response, chosen.config)
