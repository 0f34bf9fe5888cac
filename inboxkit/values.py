"""The small frozen values: addresses, envelopes, verdicts, files, drafts and the enums."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

from .errors import ConfigurationError, SendError

Pattern: TypeAlias = str | re.Pattern[str]  # a glob ("support@*") or a compiled regex
_SPECIALS = frozenset('()<>[]:;@\\,."')  # RFC 5322 section 3.2.3
_MARK = re.compile(r'\\.|[",;<>()]', re.DOTALL)
_CLOSES = {'"': '"', "<": ">", "(": ")"}
Recipients: TypeAlias = str | Sequence[str]
NO_UNICODE = "it holds half a character (a surrogate), which is no Unicode"
_LONGEST_SECONDS = 36_500 * 86_400.0  # nobody means more, and clocks end
Files: TypeAlias = "File | Path | str | Sequence[File | Path | str]"


class EventType(StrEnum):
    """What happened to a message; the delivery life cycle and a few of our own."""

    RECEIVED = "received"
    QUEUED = "queued"
    ACCEPTED = "accepted"
    SENT = "sent"
    DELIVERED = "delivered"
    DEFERRED = "deferred"
    BOUNCED = "bounced"
    REJECTED = "rejected"
    FAILED = "failed"
    COMPLAINED = "complained"
    OPENED = "opened"
    CLICKED = "clicked"
    UNSUBSCRIBED = "unsubscribed"
    SEND_UNKNOWN = "send_unknown"
    HANDLER_FAILED = "handler_failed"
    LOOP_STOPPED = "loop_stopped"
    WEBHOOK_DISABLED = "webhook_disabled"
    DOMAIN_VERIFIED = "domain_verified"
    UNKNOWN = "unknown"


class Kind(StrEnum):
    """Who or what wrote a message."""

    HUMAN = "human"
    AUTO_REPLY = "auto_reply"
    LIST = "list"
    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    CHALLENGE = "challenge"


class Direction(StrEnum):
    """Whether a message came in or goes out."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


@dataclass(frozen=True, slots=True)
class Address:
    """An address and its display name (RFC 5322 section 3.4)."""

    email: str
    name: str = ""

    def __str__(self) -> str:
        """Return the readable form, nothing encoded: ``Ann <ann@example.com>``."""
        if not self.name:
            return self.email
        quoted = self.name.replace("\\", "\\\\").replace('"', '\\"')
        name = f'"{quoted}"' if _SPECIALS & set(self.name) else self.name
        return f"{name} <{self.email}>"


@dataclass(frozen=True, slots=True)
class Envelope:
    """The SMTP envelope (RFC 5321 section 2.3.1); ``mail_from`` is "" for a bounce."""

    mail_from: str
    rcpt_to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Auth:
    """The verdicts of SPF, DKIM and DMARC: pass, fail, none and so on (RFC 8601 section 2.7).

    ``domain`` is that of From when one of them proves it. ``reason`` says why nothing was checked,
    or who stated the verdicts when it was not this server.
    """

    spf: str = "none"
    dkim: str = "none"
    dmarc: str = "none"
    domain: str = ""
    reason: str = ""

    @property
    def passed(self) -> bool:
        """Whether an aligned domain was authenticated."""
        return bool(self.domain) and (self.dmarc == "pass" or "pass" in (self.spf, self.dkim))


@dataclass(frozen=True, slots=True)
class File:
    """A file to send; with ``content_id`` set it is an inline image, cited as ``cid:``."""

    filename: str
    data: bytes = field(repr=False)
    content_type: str = ""
    content_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderOptions:
    """What a provider is to do with a message beyond carrying it, where it can.

    ``track_opens`` and ``track_clicks`` are switched for this message; None: as its account is set.
    ``template`` is one that is stored at the provider, by its name or id there, filled in with
    ``variables``, and for each address with ``recipient_variables``. A provider that lacks what is
    asked for refuses the message; the setting ``unsupported`` can have tracking left out instead.
    """

    track_opens: bool | None = None
    track_clicks: bool | None = None
    template: str = ""
    variables: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    recipient_variables: Mapping[str, Mapping[str, str]] = field(
        default_factory=dict[str, "Mapping[str, str]"], repr=False
    )

    def given(self) -> dict[str, Any]:
        """Return what was asked for, as JSON takes it; {} for nothing."""
        plain = {
            "track_opens": self.track_opens,
            "track_clicks": self.track_clicks,
            "template": self.template or None,
            "variables": dict(self.variables) or None,
            "recipient_variables": {to: dict(v) for to, v in self.recipient_variables.items()}
            or None,
        }
        return {name: value for name, value in plain.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a caller wants sent, before it has a Message-ID or a place in a thread."""

    to: tuple[str, ...] = ()
    subject: str = ""
    text: str = field(default="", repr=False)
    html: str = field(default="", repr=False)
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    reply_to: tuple[str, ...] = ()
    attachments: tuple[File, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    tag: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    key: str | None = None
    at: datetime | None = None
    options: ProviderOptions = ProviderOptions()


@dataclass(frozen=True, slots=True)
class WebhookResponse:
    """What to answer a provider's webhook with."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def recipients(value: Recipients) -> tuple[str, ...]:
    """Return one address or many as a tuple; ``check_given`` refuses what is neither."""
    given: Any = value
    return tuple(given) if _is_list(given) else (given,)


def files(given: Files) -> tuple[File, ...]:
    """Read what is to be attached: Files, and files at a path, one or many; raise SendError."""
    listed = given if _is_list(given) else (given,)
    return tuple(_file(one) for one in listed)


def _is_list(given: Any) -> TypeGuard[Iterable[Any]]:
    return isinstance(given, Iterable) and not isinstance(given, (str, bytes, bytearray, Mapping))


def check_given(draft: Draft, sender: str) -> None:
    """Raise SendError that names what is of a wrong type: no checker need have seen the call.

    What is stored as it came would fail only later, in the background.
    """
    at: Any = draft.at
    options: Any = draft.options
    wrong = next(_wrong_texts(draft), "")
    if at is not None and not isinstance(at, datetime):
        wrong = f"at: a datetime is wanted, not {_type(at)}"
    elif at is not None and at.tzinfo is None:
        wrong = f"at={at} has no time zone"
    elif at is not None and not _is_in_calendar(at):
        wrong = f"at={at} is outside the calendar of UTC"
    elif not isinstance(options, ProviderOptions):
        wrong = f"options: ProviderOptions(...) is wanted, not {_type(options)}"
    elif draft.key == "":
        wrong = "key: it is empty, and would be one key for all; None is no key"
    if wrong:
        raise SendError(f"send from {sender}: {wrong}")


def _wrong_texts(draft: Draft) -> Iterator[str]:
    """Yield what is wrong with what must be a text, or a table of texts."""
    for name in ("headers", "metadata"):
        table: Any = getattr(draft, name)
        if not isinstance(table, Mapping):
            yield f"{name}: a mapping is wanted, not {_type(table)}"
            return
    for name, value in _texts(draft):
        if not isinstance(value, str):
            yield f"{name}: a text (str) is wanted, not {_type(value)}"
        elif not is_unicode(value):
            yield f"{name}: {NO_UNICODE}"


def _texts(draft: Draft) -> Iterator[tuple[str, object]]:
    """Yield what must be a text, each with its name."""
    for name in ("subject", "text", "html", "tag"):
        yield name, getattr(draft, name)
    if draft.key is not None:
        yield "key", draft.key
    for name in ("to", "cc", "bcc", "reply_to"):
        yield from ((name, value) for value in getattr(draft, name))
    for name in ("headers", "metadata"):
        table: Mapping[object, object] = getattr(draft, name)
        for key, value in table.items():
            yield f"the key {key!r} of {name}", key
            yield f"{name}.{key}", value


def is_unicode(text: str) -> bool:
    """Whether a text can be stored and sent: bytes that nobody decoded leave halves of characters.

    ``os.listdir`` and ``sys.argv`` give such.
    """
    return text.isascii() or text.encode("utf-8", "replace").decode() == text


def check_text(name: str, text: Any) -> None:
    """Raise ConfigurationError for what is no text, or cannot be stored as one."""
    if not isinstance(text, str):
        raise ConfigurationError(f"{name}={text!r} must be a text (str)")
    if not is_unicode(text):
        raise ConfigurationError(f"{name}={text!r}: {NO_UNICODE}")


def check_search(query: Any, limit: Any) -> None:
    """Raise ConfigurationError for a query that is no text, and a limit that is no number."""
    check_text("search: query", query)
    if limit is not None and not isinstance(limit, int):
        raise ConfigurationError(f"search: limit={limit!r} must be a whole number")


def seconds(timeout: Any) -> float:
    """Return a timeout; raise ConfigurationError for what is no number of seconds."""
    if isinstance(timeout, (int, float)) and timeout == timeout:
        return min(timeout, _LONGEST_SECONDS)
    raise ConfigurationError(f"timeout={timeout!r} is no number of seconds, such as 30")


def _is_in_calendar(at: datetime) -> bool:
    try:
        at.astimezone(UTC)
    except OverflowError:
        return False
    return True


def _type(value: object) -> str:
    """Return the name of a value's type, and where the text is that was meant."""
    name = type(value).__name__
    meant = {"Address": "email", "Inbox": "address", "SyncInbox": "address"}.get(name)
    return f"{name}; write its .{meant}" if meant else name


def _file(one: Any) -> File:
    if isinstance(one, (Path, str)):
        path = Path(one)
        try:
            return _named(File(path.name, path.read_bytes()))
        except OSError as error:
            raise SendError(f"attachments: {path}: {error.strerror or error}") from error
        except ValueError as error:  # NUL, or a half of a character that no file's name has
            raise SendError(f"attachments: {str(path)!r}: {error}") from error
    if not isinstance(one, File):
        kind = type(one).__name__
        raise SendError(f"attachments: a path or a File(name, data) is wanted, not {kind}")
    data: Any = one.data
    if isinstance(data, str):
        raise SendError(f"attachments: {one.filename!r}: its data is no bytes; encode the text")
    return _named(one)


def _named(file: File) -> File:
    """Return a file; raise SendError for one whose name or type is no text."""
    for name in ("filename", "content_type", "content_id"):
        text: Any = getattr(file, name)
        if not isinstance(text, str):
            raise SendError(f"attachments: {name}: a text (str) is wanted, not {_type(text)}")
        if not is_unicode(text):
            raise SendError(f"attachments: {name}={text!r}: {NO_UNICODE}")
    return file


def entries(listed: str, marks: str = ",") -> Iterator[str]:
    """Iterate over what these marks part in a list of addresses, as it is written.

    A mark in quotes, angle brackets or a comment parts nothing (RFC 5322 section 3.4).
    """
    begin, waits_for = 0, ""
    for mark in _MARK.finditer(listed):
        if waits_for:
            waits_for = "" if mark[0] == waits_for else waits_for
        elif mark[0] in marks:
            yield listed[begin : mark.start()]
            begin = mark.end()
        else:
            waits_for = _CLOSES.get(mark[0], "")
    yield listed[begin:]
