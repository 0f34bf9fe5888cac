"""Who sent a mail that comes without its envelope: out of a file or a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..parsing import addresses

if TYPE_CHECKING:
    from ..parsing.model import Headers


def sender_of(head: Headers) -> str:
    """Return the envelope's sender as Return-Path says it, else the address in From.

    An empty Return-Path is the null sender of reports (RFC 5321 section 4.5.5); a missing one is
    not, and a mail that a person wrote must not be taken for a report.
    """
    if "Return-Path" in head:
        return head.get("Return-Path").strip("<> \t\r\n")
    found = addresses.parse(head.get("From")) or addresses.parse(head.get("Sender"))
    return found[0].email if found else ""
