"""Looking names up in DNS: what inboxkit asks, and the one that really asks (extra ``auth``)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from .errors import ConfigurationError, RemoteError

if TYPE_CHECKING:
    from collections.abc import Sequence

_SECONDS = 10.0


class Resolver(Protocol):
    """Answers from DNS; what is not there is empty. Raises RemoteError when it cannot tell."""

    def txt(self, name: str) -> Sequence[str]:
        """Return the TXT records of a name, their pieces joined (RFC 7208 section 3.3)."""
        ...

    def mx(self, name: str) -> Sequence[tuple[int, str]]:
        """Return the mail servers of a name with their preference, without a final dot."""
        ...


class DnsResolver:
    """Asks the system's name servers, or those given as ``HOST`` or ``HOST:PORT``, each time anew.

    Blocks: call it in a thread.
    """

    def __init__(self, servers: Sequence[str] = ()) -> None:
        self._servers = tuple(servers)

    def txt(self, name: str) -> Sequence[str]:
        """See Resolver."""
        return [b"".join(r.strings).decode("utf-8", "replace") for r in self._ask(name, "TXT")]

    def mx(self, name: str) -> Sequence[tuple[int, str]]:
        """See Resolver."""
        records = self._ask(name, "MX")
        return sorted((r.preference, str(r.exchange).rstrip(".").lower()) for r in records)

    def _ask(self, name: str, kind: str) -> Any:
        try:
            errors: Any = import_module("dns.exception")  # only who verifies a domain needs it
            library: Any = import_module("dns.resolver")
        except ImportError:
            raise ConfigurationError(
                "looking up DNS needs a library: pip install 'inboxkit[auth]'"
            ) from None
        try:
            opened = of_servers(self._servers)
            return opened.resolve(name, kind, lifetime=_SECONDS, search=False)
        except (library.NXDOMAIN, library.NoAnswer):
            return []
        except (errors.DNSException, ValueError) as error:
            raise RemoteError(f"DNS does not tell the {kind} records of {name}: {error}") from error


def of_servers(servers: Sequence[str]) -> Any:
    """Return dnspython's resolver that asks these servers; without any, those of the system.

    Raise ImportError without the extra ``auth``.
    """
    resolver = import_module("dns.resolver").Resolver(configure=not servers)
    if servers:
        resolver.nameservers = [_server(one) for one in servers]
    return resolver


def _server(address: str) -> Any:
    """Return a name server; one with a port of its own is written ``HOST:PORT``."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or (":" in host and not host.endswith("]")):
        return address.strip("[]")
    return import_module("dns.nameserver").Do53Nameserver(host.strip("[]"), int(port))
