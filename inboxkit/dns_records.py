"""The DNS records by which a domain receives here and is believed when it sends; are they there?

MX (RFC 5321 section 5), SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 7489).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .resolving import Resolver

MISSING, INVALID, VALID = "MISSING", "INVALID", "VALID"
NOT_STARTED, PENDING, VERIFIED = "NOT_STARTED", "PENDING", "VERIFIED"
_PRIORITY = 10
_MOST_TXT = 255  # of one piece of a TXT record (RFC 1035 section 3.3)


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """A record that must be there. ``reason`` says what is wrong with what was found."""

    type: str
    name: str
    value: str
    status: str = MISSING
    priority: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a domain is used for. ``host`` is where this server is reached and sends from."""

    domain: str
    host: str
    selector: str
    dkim: str
    inbound: bool = True
    subdomains: bool = False


def host_for(domain: str, hostname: str) -> str:
    """Return where mail for a domain is to be sent: a server that has no full name gets one."""
    host = hostname.lower()
    return host if "." in host else f"mail.{domain}"


def records(wanted: Wanted) -> list[DnsRecord]:
    """Return the records that a domain needs."""
    domain = wanted.domain
    names = [domain] if wanted.inbound else []
    names += [f"*.{domain}"] if wanted.inbound and wanted.subdomains else []
    return [
        *(DnsRecord("MX", name, wanted.host, priority=_PRIORITY) for name in names),
        DnsRecord("TXT", domain, f"v=spf1 a:{wanted.host} ~all"),
        DnsRecord("TXT", f"{wanted.selector}._domainkey.{domain}", wanted.dkim),
        DnsRecord("TXT", f"_dmarc.{domain}", "v=DMARC1; p=none"),
    ]


def checked(record: DnsRecord, resolver: Resolver) -> DnsRecord:
    """Return a record with what DNS says of it; raise RemoteError when DNS does not answer."""
    if record.type == "MX":
        # Whatever stands below a name with an asterisk is one of those it is for.
        name = record.name.replace("*", "inboxkit-check", 1)
        return _judged(record, [host for _, host in resolver.mx(name)], _is_host(record))
    version = record.value.partition(";")[0].partition(" ")[0].lower()
    found = [text for text in resolver.txt(record.name) if _version(text) == version]
    judged = _judged(record, found, _MATCHES.get(version, _is_dkim)(record))
    if judged.status == VALID and len(found) > 1:  # RFC 7208 section 4.5, RFC 7489 section 6.6.3
        return replace(record, status=INVALID, reason="duplicate_records")
    return judged


def status(found: Sequence[DnsRecord]) -> str:
    """Return what the records of a domain come to."""
    states = {record.status for record in found}
    if states == {VALID}:
        return VERIFIED
    return INVALID if INVALID in states else PENDING


def zone_file(domain: str, found: Sequence[DnsRecord]) -> str:
    """Return the records as a zone file (RFC 1035 section 5)."""
    lines = [f"$ORIGIN {domain}.", "$TTL 3600"]
    for record in found:
        value = f"{record.priority} {record.value}." if record.type == "MX" else _pieces(record)
        lines.append(f"{record.name}.\tIN\t{record.type}\t{value}")
    return "\n".join(lines) + "\n"


def _pieces(record: DnsRecord) -> str:
    text = record.value.replace("\\", "\\\\").replace('"', '\\"')
    cut = (text[start : start + _MOST_TXT] for start in range(0, len(text), _MOST_TXT))
    return " ".join(f'"{piece}"' for piece in cut)


def _judged(record: DnsRecord, found: Sequence[str], fits: Callable[[str], bool]) -> DnsRecord:
    if not found:
        return replace(record, status=MISSING, reason="")
    if not any(fits(text) for text in found):
        return replace(record, status=INVALID, reason="value_mismatch")
    return replace(record, status=VALID, reason="")


def _version(text: str) -> str:
    return text.strip().partition(";")[0].strip().partition(" ")[0].lower()


def _is_host(record: DnsRecord) -> Callable[[str], bool]:
    return lambda host: host.rstrip(".").lower() == record.value.lower()


def _is_spf(record: DnsRecord) -> Callable[[str], bool]:
    """Others may be allowed beside us, and we may be allowed by ``mx`` or another ``a``."""
    ours = record.value.split()[1].lower()
    return lambda text: any(word.lstrip("+") in (ours, "mx") for word in text.lower().split()[1:])


def _is_dmarc(record: DnsRecord) -> Callable[[str], bool]:
    """Any policy is one: how strict it is is the owner's matter."""
    return lambda text: _tags(text).get("p", "") in ("none", "quarantine", "reject")


def _is_dkim(record: DnsRecord) -> Callable[[str], bool]:
    ours = _tags(record.value)["p"]
    return lambda text: "".join(_tags(text).get("p", "").split()) == ours


def _tags(text: str) -> dict[str, str]:
    """Return the tags of a record (RFC 6376 section 3.2)."""
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs if name.strip()}


_MATCHES = {"v=spf1": _is_spf, "v=dmarc1": _is_dmarc, "v=dkim1": _is_dkim}
