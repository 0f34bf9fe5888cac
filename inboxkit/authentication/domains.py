"""Which domains belong together: the alignment of DMARC (RFC 7489 section 3.1)."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

_LONGEST = 255  # RFC 1035 section 2.3.4


def domain_of(address: str) -> str:
    """Return the domain of an address in lower case, "" when it has none."""
    return ascii_form(address.rpartition("@")[2]) if "@" in address else ""


def ascii_form(domain: str) -> str:
    """Return a domain as the DNS writes it: lower case, IDNA, no full stop at the end."""
    plain = domain.strip().rstrip(".").lower()
    if plain.isascii() or len(plain) > _LONGEST:  # encoding takes quadratic time
        return plain
    try:
        return plain.encode("idna").decode("ascii")
    except UnicodeError:
        return plain


def aligned(domain: str, sender: str, *, strict: bool = False) -> bool:
    """Whether a domain that was proven stands for the domain of From.

    Relaxed, it needs the same organization. Without the public suffix list, which the extra
    ``auth`` brings, only the very same domain is enough.
    """
    if not domain or not sender:
        return False
    if domain == sender or strict:
        return domain == sender
    return organization(domain) == organization(sender)


@lru_cache(maxsize=4096)
def organization(domain: str) -> str:
    """Return the domain that an organization registered: ``a.example.co.uk`` -> ``example.co.uk``.

    A public suffix, such as ``co.uk``, is its own.
    """
    suffixes = _suffixes()
    return (suffixes.privatesuffix(domain) or domain) if suffixes is not None else domain


@lru_cache(maxsize=1)
def _suffixes() -> Any:
    if find_spec("publicsuffixlist") is None:
        return None
    return import_module("publicsuffixlist").PublicSuffixList()
