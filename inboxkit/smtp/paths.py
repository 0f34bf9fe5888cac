"""Reverse-paths and forward-paths: the arguments of MAIL and RCPT (RFC 5321 section 4.1.2).

A regular expression reads what nearly every client sends; what it cannot read goes to
``odd``, aiosmtpd's slower parser, when it is short enough not to cost time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .replies import SmtpRefused

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    OddParser: TypeAlias = Callable[[str], tuple[str | None, str | None]]

_LOCAL = r"[^\x00-\x20\x7f-\xa0<>@\"\\(),:;\[\]]{1,256}"
_QUOTED = r"\"(?:[^\x00-\x1f\x7f-\x9f\"\\]|\\[\x20-\x7e]){0,256}\""
_DOMAIN = r"[A-Za-z0-9_\-.\u00a1-\U0010ffff]{1,255}|\[[A-Za-z0-9:.\-]{2,64}\]"
_PARAMETERS = r"(?:[ \t]+(.*))?"
_MAILBOX = re.compile(rf"<({_LOCAL}|{_QUOTED})@({_DOMAIN})>{_PARAMETERS}")
_NAKED = re.compile(rf"({_LOCAL}|{_QUOTED})@({_DOMAIN}){_PARAMETERS}")
_LOCAL_ONLY = re.compile(rf"<({_LOCAL})>{_PARAMETERS}")
_NULL = re.compile(rf"<>{_PARAMETERS}")
_NEEDLESS_QUOTES = re.compile(r"\"([A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-]+)\"")
_MAX_ADDRESS = 320  # 64 + "@" + 255 octets: RFC 5321 section 4.5.3.1
_MAX_ODD = 320  # the slow parser's time grows with the square of the length


def reverse_path(text: str, odd: OddParser) -> tuple[str, str]:
    """Return the sender, "" for a bounce, and the parameters; raise SmtpRefused."""
    if found := _NULL.fullmatch(text):
        return "", found[1] or ""
    if found := _LOCAL_ONLY.fullmatch(text):  # cron and other programs of the same host
        return found[1], found[2] or ""
    address, parameters = _path(text, odd)
    if address is None:
        raise SmtpRefused(553, "5.1.7", "Malformed sender address")
    return address, parameters


def forward_path(text: str, odd: OddParser, *, hostname: str) -> tuple[str, str]:
    """Return the recipient and the parameters; raise SmtpRefused, also for what asks us to relay.

    The local part stays as written, the domain is lower-cased. ``<postmaster>`` needs no domain
    (RFC 5321 section 4.5.1): it gets ``hostname``. Source routes, ``user%domain@us``,
    ``us!user`` and a quoted address as local part are requests to relay (appendix F.2).
    """
    found = _LOCAL_ONLY.fullmatch(text)
    if found and found[1].lower() == "postmaster":
        return f"{found[1]}@{hostname}", found[2] or ""
    address, parameters = _path(text, odd)
    asked = text if address is None else address.rpartition("@")[0]
    if text.startswith(("<@", "@")) or "!" in asked or "%" in asked or (address and "@" in asked):
        raise SmtpRefused(550, "5.7.1", "Relaying is not allowed")
    if address is None:
        raise SmtpRefused(553, "5.1.3", "Malformed recipient address")
    return address, parameters


def _path(text: str, odd: OddParser) -> tuple[str | None, str]:
    found = _MAILBOX.fullmatch(text) or _NAKED.fullmatch(text)
    parameters = (found[3] or "") if found else ""
    if not found:
        path, bracket, rest = text.partition(">")
        is_closed = bracket and path.startswith("<") and rest[:1] in ("", " ", "\t")
        if is_closed and len(path) <= _MAX_ODD:
            found, parameters = _MAILBOX.fullmatch(f"<{_read_odd(path, odd)}>"), rest.strip()
    if not found:
        return None, ""
    local, domain = found[1], found[2]
    if ".." in domain or domain.strip(".-") != domain or len(local) + len(domain) >= _MAX_ADDRESS:
        return None, ""
    needless = _NEEDLESS_QUOTES.fullmatch(local)
    return f"{needless[1] if needless else local}@{domain.lower()}", parameters


def _read_odd(path: str, odd: OddParser) -> str | None:
    try:
        address, rest = odd(f"{path}>")
    except Exception:  # noqa: BLE001 the standard library's parser also raises IndexError
        return None
    return None if rest else address
