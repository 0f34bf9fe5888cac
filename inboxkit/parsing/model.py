"""What parsing takes and gives: limits, the decoded mail, and the parsed message. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..values import Address, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a message is read before it is marked ``limited`` (bytes, counts, seconds)."""

    message_bytes: int = 25 * 1024 * 1024
    header_bytes: int = 128 * 1024
    header_fields: int = 1_000
    field_bytes: int = 96 * 1024
    content_field_bytes: int = 4 * 1024
    boundary_lines: int = 2_000
    containers: int = 50
    lines: int = 500_000
    html_bytes: int = 1024 * 1024
    text_bytes: int = 1024 * 1024
    seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Headers:
    """The decoded header fields in order, names as written; look-ups ignore case."""

    fields: tuple[tuple[str, str], ...] = ()

    def get(self, name: str, default: str = "") -> str:
        """Return the first field of that name, or ``default``."""
        wanted = name.lower()
        return next((v for n, v in self.fields if n.lower() == wanted), default)

    def all(self, name: str) -> tuple[str, ...]:
        """Return every field of that name, in order."""
        wanted = name.lower()
        return tuple(v for n, v in self.fields if n.lower() == wanted)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.all(name))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.fields)


@dataclass(frozen=True, slots=True)
class Part:
    """One leaf of the MIME tree, transfer encoding removed (RFC 2045)."""

    content_type: str  # declared, lower case, without parameters
    data: bytes = field(repr=False)
    headers: Headers = field(default=Headers(), repr=False)
    charset: str = ""
    filename: str = ""
    disposition: str = ""
    content_id: str = ""  # without angle brackets
    container: str = ""  # content type of the nearest multipart above, "" at the root


@dataclass(frozen=True, slots=True)
class Mail:
    """A decoded mail before its words are interpreted: what ``mime.decode`` gives.

    ``parts`` are all leaves in order, the text ones included. A message/rfc822 part is one leaf
    whose data are the bytes of the inner message; nothing of it is in ``text`` or ``html``.
    """

    headers: Headers
    text: str = field(default="", repr=False)  # from text/plain; from HTML when there is none
    html: str = field(default="", repr=False)
    parts: tuple[Part, ...] = ()
    content_type: str = "text/plain"
    report_type: str = ""  # the report-type parameter of multipart/report (RFC 6522)
    has_text: bool = False  # whether ``text`` came from a text part rather than from the HTML
    defects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """The new words of a reply, without quotes; the signature apart."""

    text: str = field(repr=False)
    signature: str = field(default="", repr=False)
    html: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Code:
    """A one-time code; confidence 0 to 1, and the rule that found it."""

    value: str = field(repr=False)
    confidence: float
    reason: str


@dataclass(frozen=True, slots=True)
class ActionLink:
    """A link that the reader is asked to follow; purpose is verify, login, reset or invite."""

    url: str = field(repr=False)
    confidence: float
    purpose: str
    reason: str


@dataclass(frozen=True, slots=True)
class Bounce:
    """One failed recipient of a delivery report (RFC 3464) or complaint (RFC 5965).

    ``reason`` is a class such as user_unknown, mailbox_full, blocked, expired, policy, content,
    rate_limited, host_unknown, other; it decides ``hard``, never the word "permanent" alone.
    """

    recipient: str
    status: str = ""  # RFC 3463, such as 5.1.1
    reason: str = "other"
    hard: bool = False
    diagnostic: str = field(default="", repr=False)
    action: str = "failed"  # failed, delayed, delivered (RFC 3464 section 2.3.3), or complained


@dataclass(frozen=True, slots=True)
class Report:
    """What a bounce or a complaint says, and which message of ours it is about."""

    bounces: tuple[Bounce, ...] = ()
    original_message_id: str = ""  # with angle brackets
    original_recipient: str = ""


@dataclass(frozen=True, slots=True)
class CalendarEvent:
    """The event of a text/calendar part (RFC 5545)."""

    method: str = ""
    uid: str = ""
    summary: str = ""
    start: str = ""
    end: str = ""
    location: str = ""
    organizer: str = ""


@dataclass(frozen=True, slots=True)
class ParsedAttachment:
    """A file of a message. ``index`` finds it again in the same bytes.

    A message/rfc822 is a file too: ``parse`` reads its ``data`` like any other message.
    """

    index: int
    filename: str
    safe_name: str
    content_type: str
    sniffed_type: str
    size: int
    sha256: str
    inline: bool
    content_id: str
    data: bytes = field(repr=False)
    dimensions: tuple[int, int] | None = None  # of a picture, in pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedMessage:
    """Everything read from the bytes of one message. Never raises to get here.

    ``state`` is parsed, limited (a limit was exceeded; headers only) or failed (the parser broke).
    """

    state: str = "parsed"
    headers: Headers = Headers()
    message_id: str = ""  # with angle brackets, "" when there is none
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    thread_index: str = ""  # base64 as it came (Outlook)
    subject: str = ""
    senders: tuple[Address, ...] = ()  # every address of every From field
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    date: datetime | None = None
    text: str = field(default="", repr=False)
    html: str = field(default="", repr=False)
    reply: Reply = Reply("")
    visible_text: str = field(default="", repr=False)
    hidden_text: bool = False
    code: Code | None = None
    links: tuple[ActionLink, ...] = ()
    kind: Kind = Kind.HUMAN
    kind_reason: str = ""
    report: Report = Report()
    attachments: tuple[ParsedAttachment, ...] = ()
    calendar: CalendarEvent | None = None
    defects: tuple[str, ...] = ()
    size: int = 0

    @property
    def sender(self) -> Address:
        """The first From address; empty when the mail names none."""
        return self.senders[0] if self.senders else Address("")
