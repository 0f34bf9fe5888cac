"""Looking names up in DNS: what inboxkit asks, and the one that really asks (extra ``auth``)."""

from __future__ import annotations

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
    """Asks the servers that this machine is set up with. Blocks: call it in a thread."""

    def txt(self, name: str) -> Sequence[str]:
        """See Resolver."""
        return [b"".join(r.strings).decode("utf-8", "replace") for r in _ask(name, "TXT")]

    def mx(self, name: str) -> Sequence[tuple[int, str]]:
        """See Resolver."""
        found = [(r.preference, str(r.exchange).rstrip(".").lower()) for r in _ask(name, "MX")]
        return sorted(found)


def _ask(name: str, kind: str) -> Any:
    try:
        from dns.exception import DNSException  # only who verifies a domain needs it
        from dns.resolver import NXDOMAIN, NoAnswer, resolve
    except ImportError:
        raise ConfigurationError(
            "looking up DNS needs a library: pip install 'inboxkit[auth]'"
        ) from None
    try:
        return resolve(name, kind, lifetime=_SECONDS, search=False)
    except (NXDOMAIN, NoAnswer):
        return []
    except DNSException as error:
        raise RemoteError(f"DNS does not tell the {kind} records of {name}: {error}") from error
