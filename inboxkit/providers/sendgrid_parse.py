"""Inbound Parse: a mail as SendGrid posts it, raw or taken apart.

Facts: Twilio SendGrid, "Setting up the Inbound Parse Webhook" (default and raw parameters).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..parsing import addresses
from ..parsing.charsets import decode
from . import payloads
from .base import InboundMail, ParseError
from .mime import Piece, rebuild
from .verdicts import stated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .forms import Form

_MOST_HEADERS = 10_000
_DKIM = re.compile(r"@([\w.-]{1,253}) ?: ?(\w{1,20})")


def mail(form: Form) -> InboundMail:
    """Return the mail of a post; raise ParseError when it holds none."""
    if "email" in form:
        raw = form.all("email")[0].data
    elif "headers" in form:
        raw = _rebuilt(form)
    else:
        raise ParseError("a form with neither email nor headers")
    envelope = _object(form, "envelope")
    told = payloads.texts(envelope.get("to"))
    named = addresses.parse(form.text("to")[:100_000])
    rcpt_to = told or tuple(address.email for address in named)
    if not rcpt_to:
        raise ParseError("a mail without a recipient")
    mail_from = payloads.text(envelope.get("from"), 1_000).strip("<>")
    return InboundMail(
        raw=raw,
        mail_from=mail_from,
        rcpt_to=rcpt_to,
        by_header=not told,
        verdicts=_verdicts(form, envelope),
    )


def _verdicts(form: Form, envelope: dict[str, Any]) -> dict[str, str]:
    """Return the fields ``SPF`` and ``dkim``, the latter such as ``{@a.example : pass}``.

    Two fields of one name say nothing, and SPF nothing without the sender it was about.
    """
    spf, dkim = form.all("SPF"), form.all("dkim")
    results = _DKIM.findall(dkim[0].text[:2_000]) if len(dkim) == 1 else []
    passed = [domain for domain, result in results if result.lower() == "pass"]
    named = {"domain": " ".join(passed).lower()} if passed else {}
    return named | stated(
        spf=spf[0].text if len(spf) == 1 and "from" in envelope else "",
        dkim="pass" if passed else next((result for _, result in results), ""),
    )


def _rebuilt(form: Form) -> bytes:
    named = _object(form, "charsets")

    def text(name: str) -> str:
        found = form.all(name)
        # SendGrid does not convert: each field is in the charset that its part had
        return decode(found[0].data, payloads.text(named.get(name))) if found else ""

    bodies = [
        Piece(kind, text(name).encode())
        for name, kind in (("text", "text/plain"), ("html", "text/html"))
        if name in form
    ]
    return rebuild(_headers(text("headers")), bodies, list(_files(form)))


def _headers(text: str) -> Iterator[tuple[str, str]]:
    """Yield the fields of a header block, unfolded only by ``rebuild``."""
    fields: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        if line[:1] in (" ", "\t") and fields:
            fields[-1] += f"\n{line}"
        elif line:
            fields.append(line)
    for whole in fields[:_MOST_HEADERS]:
        name, colon, value = whole.partition(":")
        if colon:
            yield name.strip(), value.strip()


def _files(form: Form) -> Iterator[Piece]:
    """Yield the files, with the Content-ID that either of two fields gives."""
    told, by_id = _object(form, "attachment-info"), _object(form, "content-ids")
    ids = {field: content_id for content_id, field in by_id.items() if isinstance(field, str)}
    for posted in form.fields:
        if posted.filename is None:
            continue
        about = payloads.mapping(told.get(posted.name))
        yield Piece(
            posted.content_type or payloads.text(about.get("type")),
            posted.data,
            posted.filename or payloads.text(about.get("filename")),
            payloads.text(about.get("content-id")) or ids.get(posted.name, ""),
        )


def _object(form: Form, name: str) -> dict[str, Any]:
    """Return a field that holds a JSON object, {} when it is missing or broken."""
    try:
        return payloads.read_object(form.text(name) or "{}")
    except ParseError:
        return {}
