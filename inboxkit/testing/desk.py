"""One vendor's counter: requests go to its Fake, with the faults that real vendors have."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

import anyio
from aiohttp import web

from ..providers.base import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, MutableSequence

    from ..providers.fakes.fake import Caught, Fake

FaultKind: TypeAlias = Literal["status", "drop", "hang", "delay"]
_HANG_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one request. ``taken``: its message goes out all the same.

    ``status`` answers so and takes nothing; ``drop`` breaks the connection; ``hang`` never answers;
    ``delay`` answers after so many seconds.
    """

    kind: FaultKind
    status: int = 503
    taken: bool = False
    seconds: float = 2.0


# By local part, up to a plus sign; what becomes of taken messages is in providers/fakes/fake.py.
_BY_ADDRESS = {
    "ratelimit": Fault("status", status=429),
    "error": Fault("status", status=503),
    "drop": Fault("drop", taken=True),
    "hang": Fault("hang", taken=True),
    "delay": Fault("delay"),
}


@dataclass(frozen=True, slots=True)
class Hold:
    """A request that is kept waiting: ``reached`` says that it came, ``release`` lets it go on."""

    reached: anyio.Event = field(default_factory=anyio.Event)
    release: anyio.Event = field(default_factory=anyio.Event)


class Desk:
    """Answers the requests for one Fake.

    ``scout`` makes another Fake of the same account: it tells whom a request is for, so that an
    address such as ``ratelimit@example.com`` can be refused before the Fake has seen it.
    """

    def __init__(
        self,
        fake: Fake,
        requests: MutableSequence[HttpRequest],
        *,
        scout: Callable[[], Fake] | None = None,
        keep: Callable[[Caught], Awaitable[None]] | None = None,
    ) -> None:
        self.fake = fake
        self.requests = requests
        self.next: deque[HttpResponse | Fault | Hold] = deque()
        self._scout = scout
        self._keep = keep

    def renew(self) -> None:
        """Put a new Fake of the account in place; what was caught is kept."""
        if self._scout is not None:
            before, self.fake = self.fake, self._scout()
            cast("list[Caught]", self.fake.caught).extend(before.caught)

    async def answer(self, request: web.Request, url: str) -> web.Response:
        """Answer a request that was made for ``url``, as the vendor sees it."""
        asked = HttpRequest(
            method=request.method, url=url, headers=dict(request.headers), body=await request.read()
        )
        self.requests.append(asked)
        step = self.next.popleft() if self.next else self._fault(asked)
        if isinstance(step, Hold):
            step.reached.set()
            await step.release.wait()
            step = None
        if isinstance(step, Fault):
            return await self._failed(request, asked, step)
        return _web(step or await self._handled(asked))

    async def _failed(self, request: web.Request, asked: HttpRequest, fault: Fault) -> web.Response:
        if fault.kind == "status":
            self.fake.fail_next(fault.status)
            return _web(self.fake.handle(asked))
        if fault.kind == "delay":
            await anyio.sleep(fault.seconds)
            return _web(await self._handled(asked))
        if fault.taken:
            await self._handled(asked)
        if fault.kind == "hang":
            await anyio.sleep(_HANG_SECONDS)
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)  # nobody hears it

    async def _handled(self, asked: HttpRequest) -> HttpResponse:
        known = len(self.fake.caught)
        answer = self.fake.handle(asked)
        if self._keep is not None:
            for caught in self.fake.caught[known:]:
                await self._keep(caught)
        return answer

    def _fault(self, asked: HttpRequest) -> Fault | None:
        """Return the fault that a recipient's address asks for."""
        if self._scout is None or not any(word.encode() in asked.body for word in _BY_ADDRESS):
            return None
        scout = self._scout()
        scout.handle(asked)
        return next(_faults(scout), None)


def _faults(scout: Fake) -> Iterator[Fault]:
    for caught in scout.caught:
        for recipient in caught.rcpt_to:
            local = recipient.partition("@")[0].partition("+")[0].lower()
            if local in _BY_ADDRESS:
                yield _BY_ADDRESS[local]


def _web(answer: HttpResponse) -> web.Response:
    return web.Response(status=answer.status, headers=dict(answer.headers), body=answer.body)
