"""SPF (RFC 7208): whether a server may send for the domain of the envelope's sender."""

from __future__ import annotations

import warnings
from functools import cache
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any

from .conclusion import Proof, word
from .domains import ascii_form, domain_of
from .resolver import Unanswered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .resolver import Budget

_LONGEST_RECORD = 4_096
_MOST_VOID = 2  # look-ups without an answer (section 4.6.4)
_LOADING = Lock()  # filters of warnings belong to the whole process


def check(peer: str, helo: str, mail_from: str, names: Budget) -> Proof:
    """Return the verdict on an envelope; a bounce is judged by its HELO name (section 2.4)."""
    domain = domain_of(mail_from) if mail_from else ascii_form(helo)
    if not domain or "." not in domain:
        return Proof()
    library = _library()
    identity = f"{mail_from.rpartition('@')[0]}@{domain}" if mail_from else ""
    try:
        result = _query(library, peer, identity, helo or domain, names)
    except Unanswered:
        result = "temperror"
    except Exception:  # noqa: BLE001 - foreign input in a foreign library, which raises anything
        result = "permerror"
    return Proof(word(result), domain)


@cache
def _library() -> Any:
    """Return pyspf; compiling it warns of its strings, an error where warnings are errors."""
    with _LOADING, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module("spf")


def _query(library: Any, peer: str, identity: str, helo: str, names: Budget) -> str:
    def dns(
        query: Any, name: str, qtype: str, cnames: object = None, ignore_void: bool = False
    ) -> list[Any]:
        """Take the place of pyspf's own look-ups, which go by a global resolver."""
        found = _records(names, str(name), qtype)
        if not found and not ignore_void:
            query.void_lookups += 1
            if query.void_lookups > _MOST_VOID:
                raise library.PermError("too many look-ups without an answer")
        return found

    made = type("Query", (library.query,), {"dns": dns})
    result, _, _ = made(i=peer, s=identity, h=helo).check()
    return str(result)


def _records(names: Budget, name: str, kind: str) -> list[Any]:
    """Return records in the form that pyspf reads."""
    labels = name.rstrip(".").split(".")
    if not all(0 < len(label) < 64 for label in labels) or kind == "SPF":
        return []
    found: Sequence[str] = names.lookup(".".join(labels).lower(), kind)
    if kind == "TXT":
        return [[text.encode("latin-1")] for text in found if len(text) <= _LONGEST_RECORD]
    if kind == "MX":
        pairs = (text.partition(" ") for text in found)
        return [(int(preference), host) for preference, _, host in pairs]
    return list(found)
