"""A message as the listener hands it over: its envelope, its bytes and who brought it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import BinaryIO, Literal, TypeAlias

Protocol: TypeAlias = Literal["SMTP", "ESMTP", "ESMTPS", "ESMTPA", "ESMTPSA"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One message that a client has sent and that nobody has accepted yet.

    ``body`` is the content itself or, above ``spool_bytes``, a file at its beginning that is
    closed as soon as it was accepted or refused. ``size`` and ``sha256`` are those of the body.
    ``mail_from`` is "" for a bounce, ``auth_user`` is "" without AUTH, ``peer`` is an IP address
    and ``protocol`` the word for a Received field (RFC 3848).
    """

    mail_from: str
    rcpt_to: tuple[str, ...]
    body: bytes | BinaryIO = field(repr=False)
    size: int
    sha256: str
    peer: str
    helo: str
    protocol: Protocol
    auth_user: str = ""
    smtputf8: bool = False
