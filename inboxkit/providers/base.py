"""What every provider speaks: the values of the wire. No I/O here or below.

A provider turns a message into a request and the answer into an outcome; a webhook into events and
mail. The runtime does the I/O, so retries, timeouts, limits and logging are written once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ..errors import SendError, UnsupportedFeature
from .hosts import is_listed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from ..values import Address, EventType, File

Transport: TypeAlias = Literal["http", "smtp", "memory"]
Tls: TypeAlias = Literal["starttls", "tls", "none"]


class Feature(StrEnum):
    """What a provider can do; the documented matrix is printed from these."""

    RAW_MIME = "raw_mime"  # takes the message as we composed it
    MESSAGE_ID = "message_id"  # the recipient sees our Message-ID
    CC = "cc"
    BCC = "bcc"
    REPLY_TO = "reply_to"
    HEADERS = "headers"  # any header, beyond In-Reply-To and References
    ATTACHMENTS = "attachments"
    INLINE_IMAGES = "inline_images"
    TAGS = "tags"
    METADATA = "metadata"  # comes back in events
    SCHEDULING = "scheduling"
    TRACKING = "tracking"  # opens and clicks, switched by message
    TEMPLATES = "templates"  # stored at the vendor
    MERGE = "merge"  # variables by recipient
    BATCH = "batch"  # many recipients in one request, each with a mail of their own
    IDEMPOTENCY = "idempotency"  # the same key twice sends once
    LOOKUP = "lookup"  # can be asked whether a message was sent
    EVENTS = "events"
    INBOUND = "inbound"
    INBOUND_RAW = "inbound_raw"  # mail comes in as the bytes that were sent
    SIGNATURES = "signatures"  # webhooks are signed


THREADING = frozenset({"in-reply-to", "references"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message to send, composed already.

    ``mime`` is the whole message (RFC 5322), without Bcc. ``rcpt_to`` is everybody who gets it;
    ``to``, ``cc`` and ``bcc`` name nobody who is not in it. ``headers`` are those beyond the ones
    with a field here: In-Reply-To, References and what the caller added.
    """

    id: str
    message_id: str
    idempotency_key: str
    sender: Address
    mail_from: str
    rcpt_to: tuple[str, ...]
    mime: bytes = field(repr=False)
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    subject: str = field(default="", repr=False)
    text: str = field(default="", repr=False)
    html: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    attachments: tuple[File, ...] = ()
    tag: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    automatic: bool = False  # for vendors that take no header Auto-Submitted (RFC 3834)
    send_at: datetime | None = None
    track_opens: bool | None = None  # None: as the account is set
    track_clicks: bool | None = None
    template: str = ""  # the vendor's name for it
    variables: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    recipient_variables: Mapping[str, Mapping[str, str]] = field(
        default_factory=dict[str, "Mapping[str, str]"], repr=False
    )

    @property
    def features(self) -> frozenset[Feature]:
        """What a provider must be able to do to send this message whole."""
        used = {
            Feature.CC: self.cc,
            Feature.BCC: self.bcc,
            Feature.REPLY_TO: self.reply_to,
            Feature.HEADERS: {name.lower() for name in self.headers} - THREADING,
            Feature.ATTACHMENTS: [f for f in self.attachments if not f.content_id],
            Feature.INLINE_IMAGES: [f for f in self.attachments if f.content_id],
            Feature.TAGS: self.tag,
            Feature.METADATA: self.metadata,
            Feature.SCHEDULING: self.send_at,
            Feature.TRACKING: (self.track_opens, self.track_clicks) != (None, None),
            Feature.TEMPLATES: self.template or self.variables,
            Feature.MERGE: self.recipient_variables,
        }
        return frozenset(feature for feature, value in used.items() if value)


def refuse_unsupported(provider: str, message: Outgoing, capabilities: frozenset[Feature]) -> None:
    """Raise UnsupportedFeature when a message asks for more than a provider can do.

    Tags and metadata are never refused: the store keeps them and gives them back by itself.
    """
    if lacking := message.features - capabilities - {Feature.TAGS, Feature.METADATA}:
        names = ", ".join(sorted(lacking))
        raise UnsupportedFeature(f"{provider} cannot send {message.id}: it has no {names}")


def refuse_too_large(provider: str, message: str, size: int, most: int | None) -> None:
    """Raise SendError when a message of ``size`` bytes is more than a vendor can take.

    Files are a third larger in base64, and not every vendor says whether it counts that: nothing
    is refused that it might take.
    """
    if most is not None and size * 7 // 10 > most:
        raise SendError(
            f"{provider} takes messages of at most {most} bytes, and {message} would have {size}: "
            "send less, or a link to it"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request to make; redirects are not to be followed. Its repr shows no secret."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    timeout: float = 30.0

    def header(self, name: str, default: str = "") -> str:
        """Return a header, whatever the case of its name."""
        return _header(self.headers, name, default)

    def __repr__(self) -> str:
        return _repr(self, self.method, self.url.split("?")[0], self.headers, self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpRequest:
    """A message to hand to an SMTP server (RFC 5321, 6409)."""

    host: str
    port: int
    mail_from: str
    rcpt_to: tuple[str, ...]
    mime: bytes = field(repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    tls: Tls = "starttls"
    timeout: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """A message that is kept here instead of being sent."""

    mime: bytes = field(repr=False)
    mail_from: str
    rcpt_to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """The answer to a HttpRequest."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""

    def header(self, name: str, default: str = "") -> str:
        """Return a header, whatever the case of its name."""
        return _header(self.headers, name, default)

    def __repr__(self) -> str:
        return _repr(self, str(self.status), "", self.headers, self.body)


@dataclass(frozen=True, slots=True)
class SmtpResponse:
    """The last reply of an SMTP session; ``refused`` holds the reply to each refused RCPT TO.

    ``code`` is 0 when there was no such reply, as when every recipient was refused.
    """

    code: int
    text: str = ""
    refused: Mapping[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took the message.

    ``aliases`` are Message-IDs that replies will cite, with angle brackets; one that ends in ``@``
    knows only the local part, as the vendor adds a domain of its own. ``recipients`` were refused
    for good, ``deferred`` for a while: only these are to be tried again. Both give the reason.
    ``ids`` is under which id the events of each recipient name the message, where these differ.
    """

    provider_id: str = ""
    aliases: tuple[str, ...] = ()
    recipients: Mapping[str, str] = field(default_factory=dict[str, str])
    deferred: Mapping[str, str] = field(default_factory=dict[str, str])
    ids: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider will never take this message. ``reason_class`` says whose fault it is.

    ``message``, ``recipient``: this one is at fault. ``account``, ``credentials``, ``settings``:
    every other message will be refused too until somebody changes that.
    """

    reason: str
    reason_class: str = "message"


@dataclass(frozen=True, slots=True)
class Retry:
    """Certainly not sent: try again, not before ``after`` if the provider named a time."""

    after: timedelta | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """May have been sent: look it up or wait for events, never blindly repeat it."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRequest:
    """A request of a vendor to us. Header names are in lower case; ``url`` is the public one."""

    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    query: str = ""
    body: bytes = b""
    url: str = ""

    def header(self, name: str, default: str = "") -> str:
        """Return a header, whatever the case of its name."""
        return _header(self.headers, name, default)

    def __repr__(self) -> str:
        return _repr(self, self.method, "", self.headers, self.body)


@dataclass(frozen=True, slots=True)
class Verified:
    """The request is the vendor's. When ``dedupe_id`` was seen before, answer 200 and stop."""

    dedupe_id: str = ""


@dataclass(frozen=True, slots=True)
class Unverified:
    """Not to be trusted; ``status`` is the answer that suits how the vendor retries."""

    reason: str
    status: int = 401


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchPlan:
    """A download that a webhook calls for; redirects are not to be followed.

    ``then`` names the step that reads the answer, "" when nothing follows. ``data`` is what that
    step needs to know; it lives in memory only, as the webhook itself is what was stored.
    """

    url: str
    hosts: tuple[str, ...]
    then: str = ""
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    max_bytes: int = 64 * 1024 * 1024

    @property
    def is_allowed(self) -> bool:
        """Whether the URL is on the list; one that is not must never be fetched."""
        return is_listed(self.url, self.hosts)

    def __repr__(self) -> str:
        return _repr(self, self.method, self.url.split("?")[0], self.headers, self.body)


@dataclass(frozen=True, slots=True)
class NeedsFetch:
    """The signature can be checked only with what ``plan`` brings (a certificate)."""

    plan: FetchPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEvent:
    """One event for one recipient.

    ``data`` holds what there is of ``name`` (the vendor's), ``metadata``, ``tags``, ``url``,
    ``ip``, ``user_agent``, ``code``, ``status`` (RFC 3463) and, when it is unknown, ``payload``.
    """

    type: EventType
    at: datetime
    recipient: str = ""
    provider_id: str = ""
    message_id: str = ""  # with angle brackets
    hard: bool = False
    reason_class: str = ""
    reason: str = ""
    event_id: str = ""
    data: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundMail:
    """A mail that came in through the vendor; ``mail_from`` is "" for a bounce.

    ``by_header``: the vendor does not tell whom it took the mail for, so ``rcpt_to`` is whom the
    mail names, people elsewhere among them.

    ``verdicts`` are the vendor's own, in words of RFC 8601, of what no sender can forge: ``spf``,
    ``dkim``, ``dmarc``, and ``domain``, the domains whose signature passed; without what it does
    not state. ``spam``: its filter calls the mail spam.
    """

    raw: bytes = field(repr=False)
    mail_from: str
    rcpt_to: tuple[str, ...]
    event_id: str = ""
    by_header: bool = False
    verdicts: Mapping[str, str] = field(default_factory=dict[str, str])
    spam: bool = False


class ParseError(ValueError):
    """A webhook cannot be read. It is to be stored and shown, and answered with 200."""


Response: TypeAlias = HttpResponse | SmtpResponse
SendOutcome: TypeAlias = Sent | Refused | Retry | Unknown


def _header(headers: Mapping[str, str], name: str, default: str) -> str:
    wanted = name.lower()
    return next((v for n, v in headers.items() if n.lower() == wanted), default)


def _repr(value: object, first: str, url: str, headers: Mapping[str, str], body: bytes) -> str:
    words = [first, url, f"headers={sorted(headers)}" if headers else "", f"{len(body)} bytes"]
    return f"{type(value).__name__}({' '.join(filter(None, words))})"
