"""Look-ups in the DNS, as checks of mail need them: counted, limited in time, replaceable in tests.

Blocking: for worker threads. dnspython comes with the extra ``auth``, imported when first used.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from ..resolving import of_servers

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_LOOKUPS = 60  # of one mail; SPF alone may ask 10 names for 10 hosts each (RFC 7208 4.6.4)
_LONGEST_LOOKUP = 5.0
_CACHED = 10_000
_FAILURES = 1_000
_FAILURE_SECONDS = 30.0


class Unanswered(Exception):
    """A name server did not answer in time, or failed; the answer may be there later."""


class Resolver(Protocol):
    """Asks the DNS for the records of a kind: TXT, A, AAAA, MX or PTR."""

    def lookup(self, name: str, kind: str, *, timeout: float) -> Sequence[str]:
        """Return the records, () when there are none; raise Unanswered.

        A TXT record is one text, each byte a character (Latin-1); an MX record is ``10 host``.
        """
        ...


class NameServers:
    """Asks the system's name servers, or those given as ``HOST`` or ``HOST:PORT``."""

    def __init__(self, servers: Sequence[str] = ()) -> None:
        self._servers = tuple(servers)
        self._resolver: Any = None
        self._failed: OrderedDict[tuple[str, str], float] = OrderedDict()

    def lookup(self, name: str, kind: str, *, timeout: float) -> Sequence[str]:
        """Return the records of a name, from the cache as long as they live; raise Unanswered."""
        asked = (name.lower(), kind)
        if self._failed.get(asked, 0.0) > time.monotonic():
            raise Unanswered(f"{kind} of {name}: no answer a moment ago")
        try:
            return self._ask(name, kind, timeout)
        except Unanswered:
            self._remember(asked)
            raise

    def _remember(self, asked: tuple[str, str]) -> None:
        """A domain whose name server is silent must not hold up each of its mails anew."""
        self._failed[asked] = time.monotonic() + _FAILURE_SECONDS
        while len(self._failed) > _FAILURES:
            self._failed.popitem(last=False)

    def _ask(self, name: str, kind: str, timeout: float) -> Sequence[str]:
        library: Any = import_module("dns.resolver")
        errors: Any = import_module("dns.exception")
        try:
            answer = self._opened(library).resolve(name, kind, lifetime=timeout, search=False)
        except (library.NXDOMAIN, library.NoAnswer):
            return ()
        except (errors.Timeout, library.NoNameservers, library.NoResolverConfiguration) as error:
            raise Unanswered(f"{kind} of {name}: {type(error).__name__}") from error
        except (errors.DNSException, ValueError):  # no name that can be asked for
            return ()
        return tuple(_text(record, kind) for record in answer)

    def _opened(self, library: Any) -> Any:
        if self._resolver is None:
            resolver = of_servers(self._servers)
            resolver.cache = library.LRUCache(_CACHED)
            self._resolver = resolver
        return self._resolver


class Budget:
    """A resolver for one mail, which answers for so many seconds and so many names only.

    The seconds begin with the first look-up: before that a library may have to be loaded.
    """

    def __init__(self, resolver: Resolver, seconds: float) -> None:
        self._resolver = resolver
        self._seconds = seconds
        self._end: float | None = None
        self._left = _MOST_LOOKUPS

    def lookup(self, name: str, kind: str, *, timeout: float = _LONGEST_LOOKUP) -> Sequence[str]:
        """Return the records of a name; raise Unanswered, also when the budget is spent."""
        now = time.monotonic()
        if self._end is None:
            self._end = now + self._seconds
        seconds = min(timeout, self._end - now)
        if seconds <= 0 or self._left <= 0:
            raise Unanswered(f"{kind} of {name}: too many look-ups, or too slow ones")
        self._left -= 1
        return self._resolver.lookup(name, kind, timeout=seconds)


def _text(record: Any, kind: str) -> str:
    if kind == "TXT":
        return b"".join(record.strings).decode("latin-1")
    if kind == "MX":
        return f"{record.preference} {record.exchange.to_text(omit_final_dot=True)}"
    return str(record.to_text()).rstrip(".")
