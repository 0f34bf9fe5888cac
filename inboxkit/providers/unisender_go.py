"""Unisender Go (and UniOne, the same API): sending by email/send and status webhooks; no inbound.

Facts: its Web API reference 1.87 and its pages on statuses and on copies.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from ..errors import UnsupportedFeature
from ..outbound_headers import encoded_words
from . import fitting, payloads, unisender_go_events
from .addressing import (
    SPECIALS,
    ascii_header,
    html,
    in_header,
    named,
    one_reply_to,
    subject,
    variables,
)
from .answers import failure, json_object, lost, said
from .base import (
    Feature,
    HttpRequest,
    HttpResponse,
    ParseError,
    Refused,
    Retry,
    Sent,
    Transport,
    Unknown,
    Unverified,
    Verified,
    refuse_unsupported,
)
from .options import Options
from .parts import Most
from .submission import encoded

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ..values import File
    from .addressing import Named
    from .base import (
        InboundMail,
        Outgoing,
        ProviderEvent,
        Response,
        SendOutcome,
        WebhookRequest,
    )

_MOST_RECIPIENTS = 500
_MOST_IN_A_FIELD = 10  # each of To, Cc and blind copies
_FURTHEST = timedelta(hours=24)
_MOST_METADATA = 10
_METADATA_BYTES = 4000
_STATUSES = {401: "credentials", 403: "account", 404: "settings"}
_FAULTS = {
    "204": "recipient",  # every address is invalid, unavailable or unsubscribed
    "206": "settings",
    "1574": "settings",
}
_OVER_LIMIT = ("901", "906")  # of the day
_SENT_BEFORE = "1573"  # the same idempotence_key within a minute
# headers that are sent if the account may; all others without X- are ignored
_KNOWN_HEADERS = ("in-reply-to", "references")
_BEHAVIOUR = ("auto-submitted", "thread-index", "thread-topic", "precedence")
_REFUSED_IN_NAMES = frozenset(",<>@")  # of To and Cc, quoted or not
_AUTH = re.compile(r"[0-9a-f]{32}")
_LACKING = (
    Feature.RAW_MIME,
    Feature.MESSAGE_ID,
    Feature.IDEMPOTENCY,  # a key holds for a minute only
    Feature.LOOKUP,
    Feature.INBOUND,
    Feature.INBOUND_RAW,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnisenderGoConfig:
    """The account or project: its key, its data centre, and the key that its webhooks carry."""

    api_key: str = field(repr=False)
    api_url: str
    webhook_key: str = field(repr=False)
    skip_unsubscribe: bool = False


class UnisenderGo:
    """Unisender Go: sends, and tells what became of it."""

    name = "unisender_go"
    transport: Transport = "http"
    most = Most(
        to=_MOST_IN_A_FIELD, cc=_MOST_IN_A_FIELD, bcc=_MOST_IN_A_FIELD, blind=_MOST_RECIPIENTS
    )
    capabilities = frozenset(Feature) - frozenset(_LACKING)

    def configure(self, options: Mapping[str, str]) -> UnisenderGoConfig:
        """Check the settings.

        ``api_key`` and ``api_url`` (of the data centre, as far as ``/api/v1``) must be there.
        Besides: ``webhook_key`` (where the webhook belongs to another project than ``api_key``),
        ``skip_unsubscribe`` (yes for accounts that may leave the footer out).
        """
        read = Options(self.name, options)
        if not read.text("api_url"):
            raise read.error("api_url", "is missing")
        api_key = read.required("api_key")
        config = UnisenderGoConfig(
            api_key=api_key,
            api_url=read.url("api_url", ""),
            webhook_key=read.text("webhook_key", api_key),
            skip_unsubscribe=read.flag("skip_unsubscribe"),
        )
        read.done()
        return config

    def build_send(
        self, message: Outgoing, config: UnisenderGoConfig, now: datetime
    ) -> HttpRequest:
        """Return the call that has the mail composed there, under a Message-ID of its own."""
        refuse_unsupported(self.name, message, self.capabilities)
        if len(message.rcpt_to) > _MOST_RECIPIENTS:
            raise UnsupportedFeature(f"{self.name} takes 500 recipients: {message.id}")
        if message.send_at and message.send_at > now + _FURTHEST:
            raise UnsupportedFeature(f"{self.name} schedules a day ahead, {message.id} is later")
        headers = {"X-API-KEY": config.api_key, "Content-Type": "application/json"}
        body = json.dumps({"message": _message(message, config)}).encode()
        url = f"{config.api_url}/email/send.json"
        return HttpRequest(method="POST", url=url, headers=headers, body=body)

    def parse_send(
        self, response: Response, message: Outgoing, config: UnisenderGoConfig
    ) -> SendOutcome:
        """Classify an answer; it names whom it does not send to, and why."""
        if not isinstance(response, HttpResponse):
            return Unknown("an SMTP reply to an HTTP request")
        answer, reason = json_object(response), said(response, "message")
        code = payloads.text(answer.get("code"))
        if code == _SENT_BEFORE:
            return Sent()
        if code in _OVER_LIMIT:
            return Retry(reason=reason)
        if code in _FAULTS and response.status < 500:
            return Refused(reason, _FAULTS[code])
        job = payloads.text(answer.get("job_id"))
        if response.status != 200 or not job:
            return failure(response, reason, _STATUSES)
        failed = payloads.mapping(answer.get("failed_emails"))
        refused = {to: payloads.text(failed.get(to)) for to in message.rcpt_to if to in failed}
        # a duplicate is sent once
        return Sent(job, recipients={k: v for k, v in refused.items() if v != "duplicate"})

    def transport_error(self, request_sent: bool, reason: str) -> Retry | Unknown:
        """Say what a broken connection means; an idempotence key holds for a minute only."""
        return lost(request_sent, reason)

    def verify(
        self, request: WebhookRequest, config: UnisenderGoConfig, now: datetime
    ) -> Verified | Unverified:
        """Check ``auth``: the MD5 of the body with the key in place of it.

        The body must be one JSON value, so nothing can be appended to a known one.
        """
        try:
            auth = payloads.read_object(request.body).get("auth")
        except ParseError as error:
            return Unverified(str(error))
        if not isinstance(auth, str) or not _AUTH.fullmatch(auth):
            return Unverified("not signed")
        given = auth.encode()
        if not hmac.compare_digest(sign(config.webhook_key, request.body, given), auth):
            return Unverified("wrong auth: the webhook is of another account or project")
        return Verified(hashlib.sha256(request.body).hexdigest())

    def parse_events(
        self, request: WebhookRequest, config: UnisenderGoConfig
    ) -> tuple[ProviderEvent, ...]:
        """Return the events of a webhook, which may hold many or one."""
        return unisender_go_events.events(request)

    def parse_inbound(
        self, request: WebhookRequest, config: UnisenderGoConfig
    ) -> tuple[InboundMail, ...]:
        """Return nothing: Unisender Go takes no mail in."""
        return ()


def sign(key: str, body: bytes, auth: bytes) -> str:
    """Return the ``auth`` of a webhook body in which ``auth`` stands for the key, as yet."""
    signed = body.replace(auth, key.encode("utf-8", "replace"), 1)
    return hashlib.md5(signed, usedforsecurity=False).hexdigest()


def _message(message: Outgoing, config: UnisenderGoConfig) -> dict[str, Any]:
    mails = named(message)
    fields: dict[str, Any] = {
        "recipients": [r for mail in mails for r in _recipients(message, mail)],
        "headers": _headers(message, mails),
        "tags": [message.tag[:50]] if message.tag else [],
        "global_metadata": fitting.metadata(
            {name[:64]: value[:1024] for name, value in message.metadata.items()},
            size=_METADATA_BYTES,
            entries=_MOST_METADATA,
        ),
        "idempotence_key": _key(message.idempotency_key),
        "template_id": message.template,
    }
    return _given(fields) | _content(message) | _switches(message, config)


def _content(message: Outgoing) -> dict[str, Any]:
    reply_to = one_reply_to(UnisenderGo.name, message)
    return _given(
        {
            "subject": subject(message),
            "from_email": message.sender.email,
            "from_name": message.sender.name,
            "reply_to": reply_to.email if reply_to else "",
            "reply_to_name": _reply_to_name(reply_to.name) if reply_to else "",
            "body": _given({"plaintext": message.text, "html": html(message)}),
            "attachments": [_file(f, message) for f in message.attachments if not f.content_id],
            "inline_attachments": [_file(f, message) for f in message.attachments if f.content_id],
        }
    )


def _reply_to_name(name: str) -> str:
    """Return a name of Reply-To, the one field in which it is neither encoded nor quoted there."""
    return encoded_words(name) if not name.isascii() or SPECIALS & set(name) else name


def _switches(message: Outgoing, config: UnisenderGoConfig) -> dict[str, Any]:
    at, opens, clicks = message.send_at, message.track_opens, message.track_clicks
    has_variables = message.template or message.variables or message.recipient_variables
    switches = {
        # else "{{" in a text would be read as a variable
        "template_engine": None if has_variables else "none",
        "skip_unsubscribe": 1 if config.skip_unsubscribe else None,
        "track_read": None if opens is None else int(opens),
        "track_links": None if clicks is None else int(clicks),
        "options": {"send_at": f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"} if at else None,
    }
    return {name: value for name, value in switches.items() if value is not None}


def _recipients(message: Outgoing, mail: Named) -> list[dict[str, Any]]:
    people = (*mail.to, *mail.cc, *mail.bcc)
    own = variables(message, mail) if len(people) == 1 else dict(message.variables)
    return [
        {"email": person.email}
        | _given({"substitutions": own | ({"to_name": person.name[:78]} if person.name else {})})
        for person in people
    ]


def _headers(message: Outgoing, mails: tuple[Named, ...]) -> dict[str, str]:
    """Return the headers that it takes; raise UnsupportedFeature for those that it ignores."""
    headers: dict[str, str] = {}
    for name, value in message.headers.items():
        lowered = name.lower()
        if lowered.startswith(("x-", "list-")) or lowered in _KNOWN_HEADERS:
            headers[name] = ascii_header(value)
        elif lowered not in _BEHAVIOUR:
            raise UnsupportedFeature(f"{UnisenderGo.name} takes no header {name}: {message.id}")
    if len(mails) != 1:  # everybody gets a mail with nobody else in it
        return headers
    mail = mails[0]
    if max(map(len, (mail.to, mail.cc, mail.bcc))) > _MOST_IN_A_FIELD:
        raise UnsupportedFeature(f"{UnisenderGo.name} takes 10 recipients in a field: {message.id}")
    shown = {"To": mail.to, "Cc": mail.cc}
    written = {n: [in_header(a, encode=_REFUSED_IN_NAMES) for a in who] for n, who in shown.items()}
    return headers | _given({name: ", ".join(who) for name, who in written.items()})


def _file(file: File, message: Outgoing) -> dict[str, str]:
    name = file.content_id or file.filename  # an image is cited by its name
    if "/" in name:
        raise UnsupportedFeature(f"{UnisenderGo.name} takes no / in a file's name: {message.id}")
    kind = file.content_type or "application/octet-stream"
    return {"type": kind, "name": name, "content": encoded(file.data)}


def _key(key: str) -> str:
    return key if len(key) <= 64 else hashlib.sha256(key.encode()).hexdigest()


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value}
