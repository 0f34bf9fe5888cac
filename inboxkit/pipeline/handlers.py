"""The routers that this process has loaded, with what their resources gave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError
from ..matching import equal_patterns
from ..store import queues
from .places import Places

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..router import Handler, Router

_NONE = object()


@dataclass(frozen=True, slots=True)
class Loaded:
    """A router in use: the arguments that follow the item, and its places for calls."""

    router: Router[...]
    arguments: tuple[Any, ...]
    places: Places

    @property
    def is_serial(self) -> bool:
        """Whether a call begins only when all that the one before it did is stored."""
        return self.router.concurrency == 1


class Handlers:
    """Finds handlers by id; routers may be added while the runtime is up.

    ``reopened`` is called when a router whose Runs were left out is ``full`` no more.
    """

    def __init__(self, reopened: Callable[[], None]) -> None:
        self._reopened = reopened
        self._loaded: list[Loaded] = []
        self._by_id: dict[str, tuple[Loaded, Handler]] = {}

    @property
    def routers(self) -> tuple[Router[...], ...]:
        """The routers, in the order they were added."""
        return tuple(loaded.router for loaded in self._loaded)

    def add(self, router: Router[...], resource: Any = _NONE) -> None:
        """Add a router; raise ConfigurationError when two would take the same messages."""
        for handler in router.handlers:
            if handler.id in self._by_id:
                raise ConfigurationError(f"{handler.id} is loaded twice")
        check_patterns([*self.routers, router])
        arguments = () if router.resource is None and resource is _NONE else (resource,)
        places = Places(router.concurrency, self._reopened)
        loaded = Loaded(router, arguments, places)
        self._loaded.append(loaded)
        self._by_id |= {h.id: (loaded, h) for h in router.handlers}

    @property
    def waiting(self) -> int:
        """How many Runs wait for a place in their router."""
        return sum(loaded.places.waiting for loaded in self._loaded)

    def full(self) -> frozenset[int]:
        """Return the marks of the handlers that cannot be called now: of them nothing is taken."""
        full = [loaded.router for loaded in self._loaded if loaded.places.leave_out()]
        return frozenset(queues.mark(h.id) for router in full for h in router.handlers)

    def find(self, handler_id: str) -> tuple[Loaded, Handler] | None:
        """Return a handler with its router, None when it is not loaded here."""
        return self._by_id.get(handler_id)


def check_patterns(routers: list[Router[...]]) -> None:
    """Raise ConfigurationError when two routers have equal ``on_message`` patterns."""
    for first, second in equal_patterns(routers):
        raise ConfigurationError(
            f"{first.id} and {second.id} take the same messages ({first.filters}); "
            "every message would be answered twice: change one of the patterns"
        )
