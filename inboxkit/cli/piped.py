"""A mail as programs pipe it to sendmail: taken apart, completed, and put together for SMTP. Pure.

What it says is left as it is: bytes of any charset, lines of any length, fields in their order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from email.utils import format_datetime, formataddr, make_msgid
from typing import TYPE_CHECKING

from ..values import entries

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

_LINE_END = re.compile(rb"\r\n|\r|\n")
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
_RECIPIENTS = ("to", "cc", "bcc")
_SECRET = ("bcc", "resent-bcc")
_PLAIN = re.compile(r'[^"<>()\[\]:;\\]*')  # nothing but addresses, names and commas
_REFUSED = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_EMAIL = r'[^\s<>()\[\]@,:;"\\]+@[^\s<>()@,;"\\]+'
_ADDRESS = re.compile(_EMAIL)
_ONE = rf"({_EMAIL}|[\w.+=~-]{{1,64}})"  # or a name of this domain
# As nearly all are written: alone, or in angle brackets behind a name.
_USUAL = re.compile(rf'{_ONE}|(?:"(?:[^"\\]|\\.)*"[ \t]*|[^"<>()\[\]@,:;\\]*)<{_ONE}>', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Piped:
    """A mail: its header fields with their folding, and its body; lines end with LF."""

    fields: Sequence[bytes] = field(repr=False)
    body: bytes = field(repr=False)

    def values(self, name: str) -> Iterator[str]:
        """Iterate over the values of the fields of a name, in lower case, unfolded."""
        for one in self.fields:
            if _name(one) == name:
                value = one.partition(b":")[2].replace(b"\n", b"").strip()
                try:
                    yield value.decode()
                except UnicodeDecodeError:
                    yield value.decode("latin-1")

    def addressed(self, domain: str) -> list[str]:
        """Return whom the header names; of a mail that was resent the last ones.

        Names without a domain get this one. Raise ValueError for what is no address.
        """
        resent = any(_name(one).startswith("resent-") for one in self.fields)
        names = [f"resent-{name}" if resent else name for name in _RECIPIENTS]
        lists = [value for name in names for value in self.values(name)]
        return [one for value in lists for one in people(value, domain)]


def read(raw: bytes, *, dot_ends: bool) -> Piped:
    """Take a mail apart; ``dot_ends``: it ends at a line that holds a dot alone.

    A first line of an mbox is left out. What begins with no field has no header.
    """
    lines = _LINE_END.split(raw)
    if dot_ends and b"." in lines:
        lines = [*lines[: lines.index(b".")], b""]
    if lines[0].startswith(b"From "):
        lines = lines[1:]
    fields: list[bytes] = []
    for place, line in enumerate(lines):
        if fields and line[:1] in (b" ", b"\t"):
            fields[-1] += b"\n" + line
        elif _FIELD.fullmatch(line):
            fields.append(line)
        else:
            return Piped(fields, b"\n".join(lines[place if line else place + 1 :]))
    return Piped(fields, b"")


def people(value: str, domain: str) -> list[str]:
    """Return the addresses of a list; names without a domain get this one. Raise ValueError."""
    if _REFUSED.search(value):
        raise ValueError(f"{value[:80]!r} holds control characters, or is not UTF-8")
    given = [one for entry in entries(value) if (one := entry.strip())]
    usual = [match[1] or match[2] for one in given if (match := _USUAL.fullmatch(one))]
    found = [one if "@" in one else f"{one}@{domain}" for one in usual]
    if len(found) == len(given):
        return found
    if _PLAIN.fullmatch(value):
        raise ValueError(f"{value[:80]!r} is not a list of addresses")
    return list(dict.fromkeys((*found, *_parsed(value))))


def _parsed(value: str) -> list[str]:
    """Return the addresses of a list with groups, comments, or mistakes in it."""
    from ..parsing import addresses  # slow to import, and few mails need it

    found = [_checked(one.email) for one in addresses.parse(value)]
    if not found and "<" in value:
        raise ValueError(f"{value[:80]!r} names no address")
    return found


def _checked(address: str) -> str:
    if not _ADDRESS.fullmatch(address):
        raise ValueError(f"{address[:80]!r} is not an address")
    return address


def completed(mail: Piped, *, sender: str, name: str, domain: str, now: datetime) -> Piped:
    """Return a mail with From, Date and Message-ID, where it had none, and without Bcc."""
    fields = [one for one in mail.fields if _name(one) not in _SECRET]
    known = {_name(one) for one in fields}
    made = {
        "from": f"From: {_author(sender, name)}",
        "date": f"Date: {format_datetime(now)}",
        "message-id": f"Message-ID: {make_msgid(domain=domain)}",
    }
    added = [line.encode() for key, line in made.items() if key not in known]
    return replace(mail, fields=[*added, *fields])


def wire(mail: Piped) -> bytes:
    """Return a mail as SMTP carries it, its lines ended by CRLF; dots are not stuffed yet."""
    whole = b"\n".join((*mail.fields, b"", mail.body))
    return whole.removesuffix(b"\n").replace(b"\n", b"\r\n") + b"\r\n"


def _author(sender: str, name: str) -> str:
    if not name:
        return sender
    lent = "<a@b>"  # formataddr takes no address beyond ASCII
    return formataddr((name, lent[1:-1])).removesuffix(lent) + f"<{sender}>"


def _name(one: bytes) -> str:
    """Return the name of a field in lower case."""
    return one.partition(b":")[0].rstrip().lower().decode("ascii")
