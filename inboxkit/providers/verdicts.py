"""The verdicts that vendors state on the mail they post, in words of RFC 8601.

What stands in header fields of the mail may be its sender's as well: it counts only where the
account is said to write these fields on every mail (the option ``trust_headers``).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .base import InboundMail

_HEAD_BYTES = 128 * 1024
_FIELD = re.compile(
    rb"^(X-Mailgun-Spf|X-Mailgun-Dkim-Check-Result|X-Mailgun-Sflag):[ \t]*(\w{1,40})", re.I | re.M
)
_WORDS = {  # of vendors -> of RFC 8601
    "gray": "none",
    "processing_failed": "temperror",
    "unknown": "none",
    "error": "temperror",
    "+": "pass",
    "-": "fail",
    "~": "softfail",
    "?": "neutral",
}
_KNOWN = ("none", "pass", "fail", "softfail", "neutral", "policy", "temperror", "permerror")


def stated(**said: str) -> dict[str, str]:
    """Return the verdicts ``spf``, ``dkim`` and ``dmarc`` by their common words, without others."""
    words = {method: value.strip().lower() for method, value in said.items()}
    common = {method: _WORDS.get(value, value) for method, value in words.items()}
    return {method: value for method, value in common.items() if value in _KNOWN}


def unanimous(fields: Iterable[tuple[str, str]], names: Mapping[str, str]) -> dict[str, str]:
    """Return the verdicts of header fields, by method; two fields that differ say nothing."""
    return stated(**_agreed(fields, names))


def _agreed(fields: Iterable[tuple[str, str]], names: Mapping[str, str]) -> dict[str, str]:
    """Return the first words of fields that do not differ, by what ``names`` calls them."""
    found: dict[str, set[str]] = {}
    for name, value in fields:
        method = names.get(name.lower())
        if method:
            found.setdefault(method, set()).add(value.strip().partition(" ")[0])
    return {method: value.pop() for method, value in found.items() if len(value) == 1}


def of_mailgun(mail: InboundMail, fields: Iterable[tuple[str, str]]) -> InboundMail:
    """Return a mail with what Mailgun's spam filter wrote into it, or beside it."""
    head = mail.raw[:_HEAD_BYTES].replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    written = [(name.decode(), value.decode("latin-1")) for name, value in _FIELD.findall(head)]
    every = [*written, *fields]
    names = {"x-mailgun-spf": "spf", "x-mailgun-dkim-check-result": "dkim"}
    flag = _agreed(every, {"x-mailgun-sflag": "spam"}).get("spam", "")
    return replace(mail, verdicts=unanimous(every, names), spam=flag.lower() == "yes")
