"""Authentication-Results (RFC 8601): what a server says it found out about a mail.

Reading it says nothing of whether it may be believed: any sender can write such a field.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .conclusion import NOTHING, Proof, believe, best, word
from .domains import ascii_form, domain_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from ..values import Auth

_LONGEST = 16 * 1024
_DOMAINS = {  # where a method says which domain it is about
    "spf": ("smtp.mailfrom", "smtp.helo"),
    "dkim": ("header.d", "header.i"),
    "dmarc": ("header.from",),
}


@dataclass(frozen=True, slots=True)
class Stated:
    """The verdicts of one server on one mail."""

    authserv_id: str
    spf: Proof = NOTHING
    dkim: tuple[Proof, ...] = ()
    dmarc: Proof = NOTHING

    def judged(self, sender: str) -> Auth:
        """Return the verdicts held against the domain of From."""
        return believe(sender, spf=self.spf, dkim=self.dkim, dmarc=self.dmarc, by=self.authserv_id)


def parse(value: str, by: str = "") -> Stated | None:
    """Read the value of a field, None when it names no server; ``by`` takes that name's place."""
    parts = list(_parts(value[:_LONGEST]))
    words = parts[0].split() if parts else []
    if not words:
        return None
    found: dict[str, list[Proof]] = {}
    for part in parts[1:]:
        method, proof = _result(part)
        if method in _DOMAINS:
            found.setdefault(method, []).append(proof)
    return Stated(
        by or words[0].lower(),
        best(found.get("spf", ())),
        tuple(found.get("dkim", ())),
        best(found.get("dmarc", ())),
    )


def own(fields: Sequence[tuple[str, str]], ids: Collection[str]) -> Stated | None:
    """Return what a server of ours wrote on top of a mail, None when it wrote nothing.

    Only what stands above the second Received was there when it took the mail (RFC 8601 section 5):
    a field with its name further down came with the mail, and is a forgery or an older hop's.
    """
    hops = 0
    for name, value in fields:
        lower = name.lower()
        hops += lower == "received"
        if hops > 1:
            return None
        stated = parse(value) if lower == "authentication-results" else None
        if stated is not None and stated.authserv_id in ids:
            return stated
    return None


def _result(part: str) -> tuple[str, Proof]:
    """Return the method of a ``method=result property=value ...``, and what it proves."""
    pairs = dict(_pairs(part))
    if not pairs:
        return "", Proof()
    method, result = next(iter(pairs.items()))
    method = method.partition("/")[0]
    values = (pairs.get(name, "") for name in _DOMAINS.get(method, ()))
    value = next(filter(None, values), "")
    return method, Proof(word(result), domain_of(value) if "@" in value else ascii_form(value))


def _pairs(part: str) -> Iterator[tuple[str, str]]:
    """Yield names and values, also of one that is written with spaces around its ``=``."""
    spaced = " ".join(part.split())
    for term in spaced.replace(" =", "=").replace("= ", "=").split():
        name, separator, value = term.partition("=")
        if separator:
            yield name.lower(), value


def _parts(value: str) -> Iterator[str]:
    """Yield what semicolons part; comments are left out, and quotes taken off."""
    part: list[str] = []
    depth, quoted, escaped = 0, False, False
    for char in value:
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
            continue
        elif char == '"' and not depth:
            quoted = not quoted
            continue
        elif not quoted and char in "()":
            depth = max(0, depth + (1 if char == "(" else -1))
            char = " "
        elif not quoted and not depth and char == ";":
            yield "".join(part)
            part = []
            continue
        if not depth:
            part.append("_" if quoted and (char.isspace() or char in "=;") else char)
    yield "".join(part)
