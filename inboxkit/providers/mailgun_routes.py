"""Mail that a Mailgun route posts: a form with the bytes of the mail, or with its parsed pieces."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from . import payloads
from .base import InboundMail, ParseError
from .mime import Piece, rebuild

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .forms import Form

# what must not be ambiguous: the headers of the mail, an outsider's, are posted beside it
_CONTROL = ("sender", "recipient", "body-mime", "body-plain", "message-headers", "message-url")


def is_mail(form: Form) -> bool:
    """Whether a form is a mail, or says where one is stored; a legacy event has no sender."""
    content = ("body-mime", "body-plain", "message-headers", "message-url")
    return ("sender" in form or "event" not in form) and any(name in form for name in content)


def mail(form: Form) -> InboundMail | None:
    """Return the mail of a form, or None when it has to be fetched; raise ParseError.

    ``store(notify=...)`` posts no attachments, only the URL of the stored mail.
    """
    for name in _CONTROL:
        if len({field.data for field in form.all(name)}) > 1:
            raise ParseError(f"two different fields {name}")
    if raw := form.all("body-mime"):
        return _enveloped(form, raw[0].data)
    return None if "message-url" in form else _enveloped(form, _rebuilt(form))


def stored(form: Form, mime: str) -> InboundMail:
    """Return the mail that a form told of, when its text has been fetched."""
    return _enveloped(form, mime.encode("utf-8", "replace"))


def _enveloped(form: Form, raw: bytes) -> InboundMail:
    recipients = form.text("recipient") or form.text("recipients")
    return InboundMail(
        raw=raw,
        mail_from=payloads.text(form.text("sender"), 1_000).strip("<> "),
        rcpt_to=tuple(filter(None, (one.strip("<> \t\r\n") for one in recipients.split(",")))),
        event_id=form.text("token"),
    )


def _rebuilt(form: Form) -> bytes:
    ids = dict(_content_ids(form.text("content-id-map", "{}")))
    bodies = [Piece("text/plain", field.data) for field in form.all("body-plain")[:1]]
    bodies += [Piece("text/html", field.data) for field in form.all("body-html")]
    files = [
        Piece(field.content_type, field.data, field.filename, ids.get(field.name, ""))
        for field in form.fields
        if field.filename is not None
    ]
    return rebuild(tuple(_headers(form)), bodies, files)


def _headers(form: Form) -> Iterator[tuple[str, str]]:
    if "message-headers" not in form:
        yield from (("From", form.text("from")), ("Subject", form.text("subject")))
        return
    pairs = payloads.read(form.text("message-headers"))
    if not isinstance(pairs, list):
        raise ParseError("message-headers is not a list")
    for pair in cast("list[object]", pairs):
        match pair:
            case [str(name), str(value)]:
                yield name, value
            case _:
                raise ParseError("message-headers is not a list of pairs")


def _content_ids(text: str) -> Iterator[tuple[str, str]]:
    """Yield file field and Content-ID; two files may have the same Content-ID, hence the pairs."""
    try:
        pairs: object = json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError):
        raise ParseError("content-id-map is not JSON") from None
    for pair in cast("list[object]", pairs) if isinstance(pairs, list) else []:
        match pair:
            case (str(content_id), str(name)):
                yield name, content_id
            case _:
                raise ParseError("content-id-map is not an object of texts")
