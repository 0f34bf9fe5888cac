"""A mail as JSON APIs take it, in fields: what Fakes of such vendors turn into MIME."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, cast

from .. import base64_text
from ..parsing import addresses
from ..values import Address
from . import payloads
from .mime import Piece, rebuild

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """The fields of a send request; addresses as they were written."""

    sender: str
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    reply_to: tuple[str, ...] = ()
    subject: str = field(default="", repr=False)
    text: str = field(default="", repr=False)
    html: str = field(default="", repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    files: tuple[Piece, ...] = ()

    @property
    def rcpt_to(self) -> tuple[str, ...]:
        """Everybody who gets the mail, each once."""
        return tuple(dict.fromkeys(a.email for a in parsed((*self.to, *self.cc, *self.bcc))))

    def mime(self, message_id: str, at: datetime) -> bytes:
        """Return what the recipients get, under this Message-ID."""
        own = [(n, v) for n, v in self.headers if n.lower() not in ("message-id", "date")]
        headers = {
            "From": self.sender,
            "To": ", ".join(self.to),
            "Cc": ", ".join(self.cc),
            "Reply-To": ", ".join(self.reply_to),
            "Subject": self.subject,
            "Date": format_datetime(at),
            "Message-ID": message_id,
        }
        bodies = [("text/plain", self.text), ("text/html", self.html)]
        return rebuild(
            [*((n, v) for n, v in headers.items() if v), *own],
            [Piece(kind, body.encode()) for kind, body in bodies if body],
            self.files,
        )


def parsed(values: Iterable[str]) -> tuple[Address, ...]:
    """Return every address of some fields."""
    return tuple(address for value in values for address in addresses.parse(value))


def written(person: Mapping[str, Any]) -> str:
    """Return an object with ``email`` and ``name`` as an address field has it, "" for nobody."""
    email = payloads.text(person.get("email"))
    return str(Address(email, payloads.text(person.get("name")))) if "@" in email else ""


def listed(value: object) -> tuple[str, ...]:
    """Return a field that is one text or a list of texts."""
    values = cast("list[object]", value) if isinstance(value, list) else [value]
    return tuple(str(v) for v in values if v)


def decoded(content: object) -> bytes:
    """Return what base64, or a list of bytes, stands for; raise ValueError for anything else."""
    try:
        if isinstance(content, list):
            return bytes(cast("list[int]", content))
        return base64_text.decode(content if isinstance(content, str) else "!")
    except (TypeError, ValueError):
        raise ValueError("no base64") from None


def encoded(data: bytes) -> str:
    """Return bytes in base64."""
    return base64_text.encode(data)
