"""Mail that Brevo posts in pieces, each of its files to be fetched by a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from . import payloads
from .base import FetchPlan, InboundMail, ParseError
from .mime import Piece, rebuild
from .parsed_mail import body, header, header_pairs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .base import HttpResponse


def step(
    mail: dict[str, Any], fetched: Sequence[HttpResponse], api_url: str, api_key: str
) -> InboundMail | FetchPlan:
    """Return the mail when all its files were fetched, else the way to the next one."""
    files = [
        f
        for f in payloads.objects(mail.get("Attachments"))
        if payloads.text(f.get("DownloadToken"))
    ]
    if len(fetched) >= len(files):
        return _mail(mail, [_piece(f, r) for f, r in zip(files, fetched, strict=False)])
    token = payloads.text(files[len(fetched)].get("DownloadToken"), 2_000)
    return FetchPlan(
        url=f"{api_url}/v3/inbound/attachments/{quote(token, safe='')}",
        hosts=(urlsplit(api_url).hostname or "",),
        then="file",
        headers={"api-key": api_key},
        data={"mail": mail, "files": tuple(fetched)},
    )


def _piece(file: dict[str, Any], response: HttpResponse) -> Piece:
    # the header names the charset, the field does not
    content_type = response.header("content-type") or payloads.text(file.get("ContentType"))
    return Piece(
        content_type,
        response.body,
        payloads.text(file.get("Name")) or "attachment",
        payloads.text(file.get("ContentID")),
    )


def _mail(mail: dict[str, Any], files: list[Piece]) -> InboundMail:
    headers = list(header_pairs(mail.get("Headers")))
    texts = {"text/plain": mail.get("RawTextBody"), "text/html": mail.get("RawHtmlBody")}
    bodies = [Piece(kind, body(text)) for kind, text in texts.items() if text]
    recipients = tuple(dict.fromkeys(_recipients(mail, headers)))
    if not headers or not recipients:
        raise ParseError("inbound mail without headers or without a recipient")
    sender = header(headers, "Return-Path")
    if sender is None:
        sender = _address(mail.get("From"))
    return InboundMail(
        raw=rebuild(headers, bodies, files),
        mail_from=payloads.text(sender, 1_000).strip("<> "),
        rcpt_to=recipients,
        by_header=True,
        event_id=next(iter(payloads.texts(mail.get("Uuid"))), ""),
    )


def _recipients(mail: dict[str, Any], headers: list[tuple[str, str]]) -> Iterator[str]:
    """Yield whom it came for: the envelope as far as there is one, else whom the mail names."""
    delivered = [v.strip("<> ") for n, v in headers if n.lower() == "delivered-to"]
    listed = [_address(one) for one in payloads.objects(mail.get("Recipients"))]
    found = [payloads.text(one) for one in (*delivered, *listed)]
    if not any(found):
        found = [_address(p) for name in ("To", "Cc") for p in payloads.objects(mail.get(name))]
    yield from (address for address in found if "@" in address)


def _address(value: object) -> str:
    return payloads.text(payloads.mapping(value).get("Address"))
