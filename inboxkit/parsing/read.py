"""The whole reading of one message: guard, decode, then what its words mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import ConfigurationError
from ..values import Address, Kind
from . import (
    addresses,
    automatic,
    bounces,
    calendar,
    charsets,
    codes,
    dates,
    guard,
    hidden,
    identifiers,
    links,
    mime,
    reply,
)
from .attachments import attachments
from .model import (
    ActionLink,
    CalendarEvent,
    Code,
    Headers,
    Limits,
    Mail,
    ParsedMessage,
    Reply,
    Report,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")
_CALENDAR = frozenset(("text/calendar", "application/ics"))
_REPORTS = frozenset((Kind.BOUNCE, Kind.COMPLAINT))
_LIMITED = "limit: "


def parse(raw: bytes, *, mail_from: str | None = None, limits: Limits = Limits()) -> ParsedMessage:
    """Read a message from its bytes; never raises, but ConfigurationError for what is no bytes.

    ``mail_from`` is the SMTP sender where it is known; "" marks a bounce. ``state`` is "limited"
    when a limit was exceeded and "failed" when something broke, and ``defects`` say what; all
    that could be read is there in either case.
    """
    given: Any = raw
    if not isinstance(given, (bytes, bytearray)):
        kind = type(given).__name__
        raise ConfigurationError(f"parse: bytes are wanted, not {kind}: read a file in binary mode")
    return _Reading(raw, limits).message(mail_from)


class _Reading:
    """One message on its way from bytes to words; a step that breaks leaves the others alone."""

    def __init__(self, raw: bytes, limits: Limits) -> None:
        self._raw = raw
        self._limits = limits
        self._broken: list[str] = []
        self._mail = self._decode()
        self._fields: dict[str, tuple[str, ...]] = {}
        for name, value in self._mail.headers.fields:
            name = name.lower()
            self._fields[name] = (*self._fields.get(name, ()), value)
        self._text = self._mail.text[: limits.text_bytes]
        self._html = self._mail.html[: limits.html_bytes]
        self._subject = self._first("subject")

    def message(self, mail_from: str | None) -> ParsedMessage:
        """Return what was read."""
        mail, text, html = self._mail, self._text, self._html
        kind, reason = self._try(automatic.classify, (Kind.HUMAN, ""), mail, mail_from=mail_from)
        seen, found_hidden = self._try(hidden.visible_text, (text, False), text, html)
        return ParsedMessage(
            headers=mail.headers,
            message_id=self._id("message-id"),
            in_reply_to=self._id("in-reply-to"),
            references=identifiers.references(self._all("references"), self._all("in-reply-to")),
            thread_index="".join(self._first("thread-index").split()),
            subject=self._subject,
            senders=self._addresses("from"),
            to=self._addresses("to"),
            cc=self._addresses("cc"),
            reply_to=self._addresses("reply-to"),
            date=self._try(dates.parse, None, self._first("date")),
            text=mail.text,
            html=mail.html,
            reply=self._reply(),
            visible_text=seen,
            hidden_text=found_hidden,
            code=self._code(kind),
            links=self._links(kind),
            kind=kind,
            kind_reason=reason,
            report=self._try(bounces.read_report, Report(), mail) if kind in _REPORTS else Report(),
            attachments=self._try(attachments, (), mail),
            calendar=self._calendar(),
            state=self._state(),
            defects=(*mail.defects, *self._broken),
            size=len(self._raw),
        )

    def _code(self, kind: Kind) -> Code | None:
        if kind in _REPORTS:  # what it returns is a mail of ours
            return None
        found = codes.find_code
        return self._try(found, None, self._text, subject=self._subject, html=self._html)

    def _links(self, kind: Kind) -> tuple[ActionLink, ...]:
        if kind in _REPORTS:
            return ()
        found = links.find_links
        return self._try(found, (), self._text, html=self._html, subject=self._subject)

    def _decode(self) -> Mail:
        exceeded = self._try(guard.check, None, self._raw, self._limits)
        if exceeded is None and not self._broken:
            mail = self._try(mime.decode, None, self._raw, self._limits)
            if mail is not None:
                return mail
        headers = self._try(mime.decode_headers, Headers(), self._raw)
        return Mail(headers, defects=(_LIMITED + exceeded,) if exceeded else ())

    def _reply(self) -> Reply:
        text = self._text if self._mail.has_text or not self._html else ""
        return self._try(reply.split_reply, Reply(self._text), text, self._html)

    def _calendar(self) -> CalendarEvent | None:
        for part in self._mail.parts:
            if part.content_type in _CALENDAR:
                text = charsets.decode(part.data[: self._limits.text_bytes], part.charset)
                return self._try(calendar.parse, None, text)
        return None

    def _state(self) -> str:
        if self._broken:
            return "failed"
        limited = any(defect.startswith(_LIMITED) for defect in self._mail.defects)
        return "limited" if limited else "parsed"

    def _first(self, name: str) -> str:
        values = self._fields.get(name)
        return values[0] if values else ""

    def _id(self, name: str) -> str:
        return next(iter(identifiers.parse(self._first(name))), "")

    def _all(self, name: str) -> tuple[str, ...]:
        return self._fields.get(name, ())

    def _addresses(self, name: str) -> tuple[Address, ...]:
        values = self._fields.get(name, ())
        none: tuple[Address, ...] = ()
        if len(values) == 1:
            return self._try(addresses.parse, none, values[0])
        return tuple(one for value in values for one in self._try(addresses.parse, none, value))

    def _try(self, step: Callable[..., _T], otherwise: _T, *args: object, **named: object) -> _T:
        try:
            return step(*args, **named)
        except Exception as error:  # noqa: BLE001  foreign input: the other steps go on
            self._broken.append(f"{step.__name__}: {type(error).__name__}")
            return otherwise
