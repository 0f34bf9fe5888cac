"""Which hosts a request may go to: an allow-list for downloads, and what counts as local."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

_LOCAL_SUFFIXES = (".localhost", ".local", ".internal", ".test")  # RFC 6761, 6762, ICANN 2024


def is_local(host: str) -> bool:
    """Whether a host is this machine or its own network, where plain http gives nothing away."""
    host = host.lower().strip("[]")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return bool(host) and ("." not in host or host.endswith(_LOCAL_SUFFIXES))
    return address.is_loopback or address.is_private


def split(url: str) -> SplitResult | None:
    """Return the parts of an absolute http or https URL without credentials, else None."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if usable and "@" not in parts.netloc else None


def is_safe(url: str) -> bool:
    """Whether a URL may carry a secret: https, or http to a local host."""
    parts = split(url)
    return parts is not None and (parts.scheme == "https" or is_local(parts.hostname or ""))


def is_listed(url: str, hosts: Iterable[str]) -> bool:
    """Whether a URL is safe and its host is listed; ``.example.com`` lists all names under it."""
    parts = split(url)
    if parts is None or not is_safe(url):
        return False
    host = (parts.hostname or "").lower().rstrip(".")
    return any(host.endswith(h) if h.startswith(".") else host == h for h in map(str.lower, hosts))
