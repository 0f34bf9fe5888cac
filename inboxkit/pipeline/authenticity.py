"""Whether the sender of a mail is who From says: found out once, when the mail is first read.

What a provider or a trusted forwarder states costs nothing; own look-ups are made in threads.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import anyio
from anyio import CapacityLimiter

from .. import known
from ..authentication import results, verdicts
from ..authentication.domains import domain_of
from ..authentication.resolver import NameServers, Resolver
from ..authentication.verification import Delivered, missing_library, verify
from ..blocking import in_thread
from ..egress import Guard
from ..errors import ConfigurationError
from ..settings import LOCAL
from ..store.blobs import Unreadable
from ..tokens import public_id
from ..values import Auth
from .faults import fault

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Network, IPv6Network

    from ..parsing.model import ParsedMessage
    from ..settings import Settings
    from ..store.blobs import Blobs
    from ..store.unread import Stored

log = logging.getLogger("inboxkit.authenticity")
UNAUTHENTICATED = "unauthenticated"
SPAM = "spam"  # the label, and where the trace says that a provider's filter calls it so
_THREADS = 16
_GRACE_SECONDS = 5.0  # for hashing, beyond what look-ups may take
_INTERNET = Guard()


class Authenticity:
    """Says what ``message.auth`` is: at once where it can, else by ``verify``."""

    def __init__(
        self,
        settings: Settings,
        blobs: Blobs,
        *,
        resolver: Resolver | None = None,
        missing: str | None = None,
    ) -> None:
        self._settings = settings
        self._blobs = blobs
        self._resolver = resolver or NameServers(settings.dns_servers)
        self._threads = CapacityLimiter(_THREADS)
        self._forwarders = {
            name.lower(): blocks.split() for name, blocks in settings.trusted_forwarders.items()
        }
        self._sealers = frozenset(name.lower() for name in settings.arc_sealers)
        self._missing = missing_library() if missing is None else missing
        if self._missing and settings.authenticate == "always":
            raise ConfigurationError(
                f"authenticate: always needs {self._missing}; pip install 'inboxkit[auth]'"
            )

    def labels(self, item: Stored, auth: Auth) -> tuple[str, ...]:
        """Return the labels of a mail that is read for the first time."""
        if item.auth or "imported" in item.trace:
            return ()
        asked = self._settings.unauthenticated == "label"
        unproven = (UNAUTHENTICATED,) if asked and not auth.passed else ()
        return (SPAM, *unproven) if item.trace.get(SPAM) else unproven

    async def verify(self, item: Stored, parsed: ParsedMessage) -> Auth:
        """Return the verdicts of look-ups, made in a thread; never raises."""
        seconds = self._settings.authenticate_seconds
        try:
            async with self._threads:
                with anyio.fail_after(seconds + _GRACE_SECONDS):
                    return await in_thread(self._check, item, parsed, abandon_on_cancel=True)
        except TimeoutError:
            return Auth("temperror", "temperror", "temperror", "", "it took too long")
        except Unreadable as error:
            return Auth(reason=f"store: {error}"[:500])
        except Exception as error:  # noqa: BLE001 - foreign input; the mail is read all the same
            log.error("message %s: %s", public_id("msg", item.id), fault(error))
            return Auth(reason=f"cannot be checked: {type(error).__name__}")

    def _check(self, item: Stored, parsed: ParsedMessage) -> Auth:
        mail = Delivered(
            raw=self._blobs.unpack(item.packed),
            sender=domain_of(parsed.sender.email),
            peer=str(item.trace["peer"]),
            helo=str(item.trace.get("helo", "")),
            mail_from=item.mail_from,
        )
        seconds = self._settings.authenticate_seconds
        return verify(mail, self._resolver, sealers=self._sealers, seconds=seconds)

    def known(self, item: Stored, parsed: ParsedMessage) -> Auth | None:
        """Return the verdicts that need no look-up, None when it takes one."""
        if item.auth:  # read again: keys and records may have changed since it came
            return known.auth(item.auth)
        if parsed.state != "parsed":  # over a limit; beyond it checks may take any time
            return Auth(reason="it was not read whole")
        sender = domain_of(parsed.sender.email)
        if len(parsed.senders) != 1 or not sender:
            return Auth(reason="From names nobody, or more than one")
        provider = item.trace.get("provider")
        if provider:
            return self._of_provider(item, parsed, sender, str(provider))
        stated = results.own(parsed.headers.fields, self._believed(item))
        if stated is not None:
            return stated.judged(sender)
        reason = self._reason(item)
        return Auth(reason=reason) if reason else None

    def _of_provider(self, item: Stored, parsed: ParsedMessage, sender: str, provider: str) -> Auth:
        stated: Mapping[str, str] = item.trace.get("verdicts") or {}
        if not stated:
            return Auth(reason=f"{provider} states no verdict")
        return verdicts.judged(
            stated,
            sender,
            item.mail_from,
            written=parsed.headers.get("From"),
            signed=parsed.headers.all("DKIM-Signature"),
            by=provider,
        )

    def _believed(self, item: Stored) -> set[str]:
        """Return whose Authentication-Results are believed of whoever brought a mail."""
        peer = str(item.trace.get("peer", "")) or LOCAL
        if peer == LOCAL and item.trace:  # imported, or from a provider
            return set()
        return {name for name, blocks in self._forwarders.items() if _is_in(peer, tuple(blocks))}

    def _reason(self, item: Stored) -> str:
        """Return why a mail is not checked, "" when it is."""
        peer = str(item.trace.get("peer", ""))
        if self._settings.authenticate == "never":
            return "authenticate is never"
        if "imported" in item.trace:
            return "it was imported"
        if not peer:
            return "it did not come by SMTP"
        if self._settings.authenticate == "auto" and not _INTERNET.permits(peer):
            return "its client is not on the internet"
        if self._missing:
            return f"{self._missing} is not installed: pip install 'inboxkit[auth]'"
        return ""


def stored(auth: Auth) -> dict[str, str]:
    """Return verdicts as they are stored; one without a reason has no key for it."""
    said = {"spf": auth.spf, "dkim": auth.dkim, "dmarc": auth.dmarc, "domain": auth.domain}
    return {**said, "reason": auth.reason} if auth.reason else said


@lru_cache(maxsize=4096)
def _is_in(peer: str, blocks: tuple[str, ...]) -> bool:
    if peer == LOCAL:
        return LOCAL in blocks
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    return any(address in network for network in map(_network, blocks) if network is not None)


def _network(block: str) -> IPv4Network | IPv6Network | None:
    return None if block == LOCAL else ip_network(block)
