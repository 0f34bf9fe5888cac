"""Mail that Mailtrap only tells of: first its description is fetched, then its bytes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from ..parsing import addresses
from . import payloads
from .answers import json_object
from .base import FetchPlan, InboundMail, ParseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .base import HttpResponse

# the second is what the sample of the documentation says
_NAMES = ("inbound.message_received", "inbound_message_received")
_TEST_INBOX = "1"  # of the post that "Test your integration" makes
_STORAGE = ".amazonaws.com"  # signed URLs of S3, which need no key
_RETURN_PATH = re.compile(rb"^return-path:[ \t]*<?([^<>\r\n]{0,320})", re.IGNORECASE | re.MULTILINE)
_HEAD_BYTES = 16 * 1024


def events(body: bytes) -> tuple[dict[str, Any], ...]:
    """Return the events of a post, in either format of a webhook: JSON, or a JSON object a line."""
    try:
        return _listed(payloads.read_object(body))
    except ParseError:
        lines = [line for line in body.split(b"\n") if line.strip()]
        if len(lines) < 2:
            raise
        return tuple(payloads.read_object(line) for line in lines)


def is_inbound(event: Mapping[str, Any]) -> bool:
    """Whether an event tells of inbound mail."""
    return event.get("event") in _NAMES


def told(found: Iterable[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    """Return inbox and id of each mail that events tell of; those of a test post are none."""
    pairs = [
        (payloads.text(one.get("inbox_id")), payloads.text(one.get("message_id")))
        for one in found
        if is_inbound(one)
    ]
    return tuple((inbox, one) for inbox, one in pairs if inbox != _TEST_INBOX and inbox and one)


def description(inbox: str, message: str, url: str, token: str) -> FetchPlan:
    """Return where a mail is described."""
    path = f"inboxes/{quote(inbox, safe='')}/messages/{quote(message, safe='')}"
    return FetchPlan(
        url=f"{url}/api/inbound/{path}",
        hosts=(urlsplit(url).hostname or "",),
        then="description",
        headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
        data={"event_id": f"{inbox}/{message}"},
    )


def download(plan: FetchPlan, response: HttpResponse, url: str) -> FetchPlan:
    """Return where the bytes of a described mail are; raise ParseError."""
    described = json_object(response)
    recipients = tuple(dict.fromkeys(_people(described, "to", "cc", "bcc")))
    if not recipients:
        raise ParseError("inbound mail without a recipient")
    return FetchPlan(
        url=payloads.text(described.get("raw_message_url"), 5_000),
        hosts=(_STORAGE, urlsplit(url).hostname or ""),
        then="raw",
        data={
            **plan.data,
            "mail_from": next(_people(described, "from"), ""),
            "rcpt_to": recipients,
        },
    )


def mail(plan: FetchPlan, response: HttpResponse) -> InboundMail:
    """Return a mail whose bytes were fetched; its envelope is what its header and text say."""
    head = response.body[:_HEAD_BYTES].replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    found = _RETURN_PATH.search(head)
    return InboundMail(
        raw=response.body,
        mail_from=found[1].decode("utf-8", "replace").strip() if found else plan.data["mail_from"],
        rcpt_to=plan.data["rcpt_to"],
        by_header=True,
        event_id=plan.data["event_id"],
    )


def _listed(payload: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    if "event" in payload:
        return (payload,)
    if "events" not in payload:
        raise ParseError("JSON without events")
    return payloads.objects(payload["events"])


def _people(described: Mapping[str, Any], *names: str) -> Iterator[str]:
    for name in names:
        for value in payloads.texts(described.get(name)):
            yield from (address.email for address in addresses.parse(value))
