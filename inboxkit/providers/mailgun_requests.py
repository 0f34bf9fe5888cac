"""The form by which programs ask Mailgun to send, as Mailgun reads it: messages, messages.mime.

Whoever plays Mailgun's part reads it here: the Fake, and the facade of the HTTP API.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING, Any, cast

from ..parsing import addresses
from ..parsing.mime import decode_headers
from . import forms
from .base import ParseError
from .mime import Piece, rebuild

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from .forms import Field, Form

MOST_BYTES = int(52.4 * 1024 * 1024)
_ADDRESS = "{} parameter is not a valid address. please check documentation"
_MOST_RECIPIENTS = 1000
_IN_HEADER = frozenset(("from", "to", "cc", "bcc", "subject"))
MOST_HEADER_BYTES = 256 * 1024  # it takes a second to read and to write
_MOST_OBJECT_CHARACTERS = 4 * 1024 * 1024  # nothing else is done while one is read


class Refusal(Exception):
    """What Mailgun answers to a request that it does not take."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRequest:
    """What a form asks to be sent. ``mime`` is the mail when it was uploaded whole.

    Addresses are as they were given, ``Ann <ann@example.com>``, one by one.
    """

    sender: str = ""
    to: tuple[str, ...]
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    subject: str = ""
    text: str = field(default="", repr=False)
    html: str = field(default="", repr=False)
    attachments: tuple[Field, ...] = ()
    inline: tuple[Field, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    options: Mapping[str, str] = field(default_factory=dict[str, str])  # o: and t:, whole names
    template: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    recipient_variables: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict[str, "Mapping[str, Any]"], repr=False
    )
    send_at: datetime | None = None
    digest: str = ""  # of all fields: the same request has the same
    mime: bytes = field(default=b"", repr=False)

    @property
    def rcpt_to(self) -> tuple[str, ...]:
        """Everybody who gets it, once: "Duplicate addresses are automatically ignored"."""
        everybody = (*self.to, *self.cc, *self.bcc)
        return tuple(dict.fromkeys(a.email for one in everybody for a in addresses.parse(one)))

    @property
    def is_test(self) -> bool:
        """Whether it is only to be taken, not sent."""
        return is_on(self.options.get("o:testmode", ""))


_ON, _OFF = ("yes", "true", "t", "on", "1", "y"), ("no", "false", "f", "off", "0", "n", "")
_SWITCHES = ("o:testmode", "o:tracking", "o:tracking-opens", "o:tracking-clicks")


def is_on(value: str) -> bool:
    """Whether a switch of Mailgun's is on: yes, true, True, t, on, 1."""
    return value.strip().lower() in _ON


def _check_switches(form: Form) -> None:
    """Refuse a switch that says neither: what is meant as a test must not be sent."""
    for item in form.fields:
        known = (*_ON, *_OFF, *(["htmlonly"] if item.name != "o:testmode" else []))
        if item.name in _SWITCHES and item.text.strip().lower() not in known:
            raise Refusal(400, f"{item.name} parameter is neither yes nor no")


def read(content_type: str, body: bytes, *, is_mime: bool) -> SendRequest:
    """Read the form of a send; raise Refusal with the status and words of Mailgun's."""
    form = read_form(content_type, body, is_mime=is_mime)
    asked = _uploaded(form) if is_mime else _in_parts(form)
    if len(asked.rcpt_to) > _MOST_RECIPIENTS:
        raise Refusal(400, f"Too many recipients, max is {_MOST_RECIPIENTS}")
    return asked


def read_form(content_type: str, body: bytes, *, is_mime: bool = False) -> Form:
    """Return the fields of a request; raise Refusal when they are no form or too many bytes."""
    if len(body) > MOST_BYTES:
        raise Refusal(413, "request size exceeds 52.4MiB limit")
    media_type = forms.parameters(content_type)[0]
    wanted = "multipart/form-data"
    if media_type != wanted and (is_mime or not forms.is_form(content_type)):
        expected = f"Expecting '{wanted}' but got '{media_type}'"
        raise Refusal(400, f"Invalid request content type. {expected}")
    try:
        form = forms.read(content_type, body)
    except ParseError:
        raise Refusal(400, "malformed multipart/form-data request") from None
    head = (f for f in form.fields if f.name in _IN_HEADER or f.name.startswith("h:"))
    if sum(len(f.name) + len(f.data) for f in head) > MOST_HEADER_BYTES:
        raise Refusal(400, f"Recipients, subject and headers are over {MOST_HEADER_BYTES} bytes")
    return form


def composed(asked: SendRequest, now: datetime) -> bytes:
    """Return the mail of a request: what was uploaded, or one made of its parts."""
    if asked.mime:
        return asked.mime
    listed = {
        "From": asked.sender,
        "To": ", ".join(asked.to),
        "Cc": ", ".join(asked.cc),
        "Subject": asked.subject,
        "Date": format_datetime(now),
    }
    headers = {k: v for k, v in listed.items() if v} | dict(asked.headers)
    bodies = [
        Piece(kind, text.encode())
        for kind, text in (("text/plain", asked.text), ("text/html", asked.html))
        if text
    ]
    files = [Piece(f.content_type, f.data, f.filename or "") for f in asked.attachments]
    files += [
        Piece(f.content_type, f.data, f.filename or "", f.filename or "inline")  # its cid
        for f in asked.inline
    ]
    return rebuild(headers.items(), bodies, files)


def merged(text: str, variables: Mapping[str, Any], *, most: int) -> str:
    """Return a text with ``%recipient.name%`` filled in; what has no value stays as it is.

    Raise Refusal when more than ``most`` characters would come of it.
    """
    first, *pieces = text.split("%recipient.")
    filled, size, written = [first], len(first), dict[str, str]()
    for piece in pieces:
        name, percent, rest = piece.partition("%")
        if percent and name in variables:
            if name not in written:
                written[name] = _written(variables[name])
            filled += (written[name], rest)
        else:
            filled += ("%recipient.", piece)
        size += len(filled[-2]) + len(filled[-1])
        if size > most:
            raise Refusal(400, f"recipient-variables make a field of over {most} characters")
    return "".join(filled)


def _written(value: object) -> str:
    """Return a variable as a mail shows it: what is no text as in the JSON that it came in."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)


def _uploaded(form: Form) -> SendRequest:
    if "message" not in form:
        raise Refusal(400, "message parameter is missing")
    if form.all("message")[0].filename is None:
        raise Refusal(400, "'message' parameter is not a file")
    mime = form.all("message")[0].data
    sender = decode_headers(mime).get("from")
    return SendRequest(sender=sender, to=people(form, "to"), mime=mime, **_wishes(form))


def _in_parts(form: Form) -> SendRequest:
    if not form.text("from"):
        raise Refusal(400, "from parameter is missing")
    if not addresses.parse(form.text("from")):
        raise Refusal(400, _ADDRESS.format("from"))
    if not any(form.text(name) for name in ("text", "html", "amp-html", "template")):
        names = "'text', 'html', 'amp-html' or 'template'"
        raise Refusal(400, f"Need at least one of {names} parameters specified")
    return SendRequest(
        sender=", ".join(form.texts("from")),
        to=people(form, "to"),
        cc=people(form, "cc"),
        bcc=people(form, "bcc"),
        subject=", ".join(form.texts("subject")),
        text=form.text("text"),
        html=form.text("html"),
        attachments=form.all("attachment"),
        inline=form.all("inline"),
        headers=_prefixed(form, "h:"),
        **_wishes(form),
    )


def _wishes(form: Form) -> dict[str, Any]:
    """Return the fields that both forms have."""
    _check_switches(form)
    variables = _object(form, "t:variables") or _object(form, "h:X-Mailgun-Variables")
    return {
        "tags": form.texts("o:tag"),
        "metadata": _prefixed(form, "v:"),
        "options": {f.name: f.text for f in form.fields if f.name.startswith(("o:", "t:"))},
        "template": form.text("template"),
        "variables": variables,
        "recipient_variables": _recipient_variables(form),
        "send_at": _delivery_time(form),
        "digest": _digest(form),
    }


def _digest(form: Form) -> str:
    digest = hashlib.sha256()
    for item in form.fields:
        head = f"{item.name}\0{item.filename}\0{len(item.data)}\0"
        digest.update(head.encode("utf-8", "replace"))
        digest.update(item.data)
    return digest.hexdigest()


def people(form: Form, name: str) -> tuple[str, ...]:
    """Return the addresses of a field, one by one; raise Refusal for what is none."""
    found: list[str] = []
    for value in filter(None, form.texts(name)):
        parsed = addresses.parse(value)
        if not parsed or not all("@" in address.email for address in parsed):
            raise Refusal(400, _ADDRESS.format(name))
        found += (str(address) for address in parsed)
    if name == "to" and not found:
        raise Refusal(400, "to parameter is missing")
    return tuple(dict.fromkeys(found))


def _prefixed(form: Form, prefix: str) -> dict[str, str]:
    return {f.name[len(prefix) :]: f.text for f in form.fields if f.name.startswith(prefix)}


def _object(form: Form, name: str) -> dict[str, Any]:
    text = form.text(name)
    if len(text) > _MOST_OBJECT_CHARACTERS:
        raise Refusal(400, f"{name} parameter is over {_MOST_OBJECT_CHARACTERS} characters")
    try:
        found: object = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Refusal(400, f"{name} parameter is not a valid JSON object")
    return cast("dict[str, Any]", found)


def _recipient_variables(form: Form) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for address, values in _object(form, "recipient-variables").items():
        if not isinstance(values, dict):
            raise Refusal(400, "recipient-variables parameter is not an object of objects")
        found[address.lower()] = cast("dict[str, Any]", values)
    return found


def _delivery_time(form: Form) -> datetime | None:
    text = form.text("o:deliverytime")
    try:
        found = parsedate_to_datetime(text) if text else None
    except (ValueError, TypeError, OverflowError):
        raise Refusal(400, "invalid delivery time format") from None
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found
