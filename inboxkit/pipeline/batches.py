"""Joins sends that are ready at the same moment, where a provider takes many in one request.

Each of them stays a send of its own: written down before the request, and answered for by itself.
"""

from __future__ import annotations

import logging
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
from anyio import lowlevel

from ..providers.base import Unknown
from .transport import NotDelivered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..providers.base import HttpResponse, Outgoing, SendOutcome
    from ..providers.batches import Batching
    from .configured import Configured
    from .transport import Transport

log = logging.getLogger("inboxkit.outbox")


@dataclass(frozen=True, slots=True)
class Joined:
    """What came of one message of a request of many; None when there was no answer to read.

    ``shared``: the answer is another message's too, which stands for what it says of the provider.
    """

    outcome: SendOutcome
    response: HttpResponse | None = None
    shared: bool = False


@dataclass(slots=True, eq=False)
class _Waiting:
    """A message that waits for the others of its request, and then for its answer."""

    message: Outgoing
    entry: bytes
    done: anyio.Event = field(default_factory=anyio.Event)
    taken: bool = False
    alone: bool = False
    came_to: Joined = Joined(Unknown("the request was broken off"))
    error: NotDelivered | None = None


class Batches:
    """Makes requests of many messages; ``turns`` bounds how many requests are under way."""

    def __init__(self, transport: Transport, turns: anyio.CapacityLimiter) -> None:
        self._transport = transport
        self._turns = turns
        self._waiting: defaultdict[str, deque[_Waiting]] = defaultdict(deque)

    async def carry(
        self, chosen: Configured, joining: Batching[Any], message: Outgoing, entry: bytes
    ) -> Joined | None:
        """Send a message with others; None when it is to be sent by itself. Raise NotDelivered.

        The first one to get a turn takes along whoever waits by then.
        """
        mine, waiting = _Waiting(message, entry), self._waiting[chosen.provider.name]
        waiting.append(mine)
        await lowlevel.checkpoint()  # those begun in one transaction come at the same moment
        while not mine.taken:  # a group may be full before it comes to this message
            async with self._turns:
                if not mine.taken:
                    await self._send(chosen, joining, _group(waiting, joining))
        await mine.done.wait()
        if mine.error is not None:
            raise mine.error
        return None if mine.alone else mine.came_to

    async def _send(
        self, chosen: Configured, joining: Batching[Any], group: Sequence[_Waiting]
    ) -> None:
        try:
            if len(group) == 1:
                group[0].alone = True
            else:
                await self._together(chosen, joining, group)
        except NotDelivered as error:
            for one in group:
                one.error = NotDelivered(
                    error.reason, request_sent=error.request_sent, shared=one is not group[0]
                )
        except Exception as error:
            log.exception("a batch of %d sends: the answer cannot be read", len(group))
            for one in group:
                reason = f"the answer cannot be read: {type(error).__name__}"
                one.came_to = Joined(Unknown(reason))
        finally:
            for one in group:
                one.done.set()

    async def _together(
        self, chosen: Configured, joining: Batching[Any], group: Sequence[_Waiting]
    ) -> None:
        request = joining.build_batch([one.entry for one in group], chosen.config)
        response = await self._transport.http(request)
        messages = [one.message for one in group]
        outcomes = joining.parse_batch(response, messages, chosen.config)
        if outcomes is None:
            for one in group:
                one.alone = True
            return
        for one, outcome in zip(group, outcomes, strict=True):
            one.came_to = Joined(outcome, response, shared=one is not group[0])


def _group(waiting: deque[_Waiting], joining: Batching[Any]) -> list[_Waiting]:
    """Take the messages of the next request, oldest first."""
    group = [waiting.popleft()]
    size = len(group[0].entry)
    while (
        waiting
        and len(group) < joining.batch.most
        and size + len(waiting[0].entry) <= joining.batch.most_bytes
    ):
        group.append(waiting.popleft())
        size += len(group[-1].entry)
    for one in group:
        one.taken = True
    return group
