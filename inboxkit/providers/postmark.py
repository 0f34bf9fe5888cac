"""Postmark: sending by /email, status webhooks and inbound mail, all JSON.

Facts: Postmark's developer documentation (email API, messages API, webhooks, inbound; 2026).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ..errors import UnsupportedFeature
from ..parsing import addresses
from . import batches, payloads, postmark_posts, recipients
from .answers import failure, json_object, lost, retry_after, said
from .base import (
    Feature,
    HttpRequest,
    HttpResponse,
    Refused,
    Retry,
    Sent,
    Transport,
    Unknown,
    refuse_unsupported,
)
from .basic_auth import Login, login, unsigned
from .batches import Batch
from .options import Options
from .parts import Most
from .submission import encoded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ..values import File
    from .base import (
        InboundMail,
        Outgoing,
        ProviderEvent,
        Response,
        SendOutcome,
        Unverified,
        Verified,
        WebhookRequest,
    )

_URL = "https://api.postmarkapp.com"
_MOST_RECIPIENTS, _MOST_IN_A_BATCH = 50, 500  # "any collection of TO, CC, and BCC"
_MOST_METADATA, _LONGEST_NAME, _LONGEST_VALUE = 10, 20, 80  # support article "metadata"
_INACTIVE = "inactive addresses:"  # in the Message of a success and of error 406
_FAULTS = {401: "credentials", 403: "account", 404: "settings"}
_PASSING = (100, 429)  # ErrorCode of a maintenance, and of too many requests
_ERRORS = {  # ErrorCode, API overview
    10: "credentials",
    400: "settings",  # sender signature not found
    401: "settings",  # sender signature not confirmed
    405: "account",  # not allowed to send
    406: "recipient",
    412: "account",  # pending
    413: "account",  # may not send
    1235: "settings",  # no such message stream
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PostmarkConfig:
    """The server (Postmark's word for a project) and who may post webhooks."""

    server_token: str = field(repr=False)
    login: Login | None = None
    message_stream: str = ""
    api_url: str = _URL
    trust_headers: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every request."""
        return {"X-Postmark-Server-Token": self.server_token, "Accept": "application/json"}


class Postmark:
    """Postmark, both ways."""

    name = "postmark"
    transport: Transport = "http"
    most = Most(everybody=_MOST_RECIPIENTS, blind=_MOST_RECIPIENTS)
    most_bytes = 10 * 1024 * 1024
    batch = Batch(_MOST_IN_A_BATCH)
    # MESSAGE_ID is not promised: X-PM-KeepID is asked for, but is no part of the reference
    capabilities = frozenset(Feature) - {
        Feature.RAW_MIME,
        Feature.MESSAGE_ID,
        Feature.SCHEDULING,
        Feature.MERGE,
        Feature.BATCH,
        Feature.IDEMPOTENCY,
        Feature.SIGNATURES,
    }

    def configure(self, options: Mapping[str, str]) -> PostmarkConfig:
        """Check the settings.

        ``server_token`` and ``webhook_password`` must be there, the latter unless ``insecure``
        is yes. Besides: ``webhook_user``, ``message_stream``, ``api_url``, ``trust_headers``.
        """
        read = Options(self.name, options)
        config = PostmarkConfig(
            server_token=read.required("server_token"),
            login=login(read),
            message_stream=read.text("message_stream"),
            api_url=read.url("api_url", _URL),
            trust_headers=read.flag("trust_headers"),
        )
        read.done()
        return config

    def build_send(self, message: Outgoing, config: PostmarkConfig, now: datetime) -> HttpRequest:
        """Return the request; it asks Postmark to keep our Message-ID."""
        refuse_unsupported(self.name, message, self.capabilities)
        if message.variables and not message.template:
            raise UnsupportedFeature(f"postmark fills in only templates: {message.id}")
        path = "email/withTemplate" if message.template else "email"
        return _post(config, path, json.dumps(_body(message, config)).encode())

    def batch_entry(self, message: Outgoing, config: PostmarkConfig) -> bytes:
        """Return a message as one of a batch."""
        refuse_unsupported(self.name, message, self.capabilities)
        return json.dumps(_body(message, config)).encode()

    def build_batch(self, entries: Sequence[bytes], config: PostmarkConfig) -> HttpRequest:
        """Return the request that sends several messages."""
        return _post(config, "email/batch", b"[%s]" % b",".join(entries))

    def parse_batch(
        self, response: HttpResponse, messages: Sequence[Outgoing], config: PostmarkConfig
    ) -> Sequence[SendOutcome] | None:
        """Classify the answer to a batch, which has one for each message, in their order."""
        answers = payloads.listed(response.body) if response.status == 200 else []
        return batches.outcomes(self, response, answers, messages, config)

    def parse_send(
        self, response: Response, message: Outgoing, config: PostmarkConfig
    ) -> SendOutcome:
        """Classify an answer by its ErrorCode first, then by its status.

        500 leaves open what happened; 503 is an outage that took nothing.
        """
        if not isinstance(response, HttpResponse):
            return Unknown("an SMTP reply to an HTTP request")
        answer, reason = json_object(response), said(response, "Message")
        error = answer.get("ErrorCode", 0)
        provider_id = payloads.text(answer.get("MessageID"))
        if response.status == 200 and error == 0 and provider_id:
            return Sent(provider_id, _aliases(provider_id, message), _inactive(answer, message))
        if error in _PASSING and response.status < 500:
            return Retry(retry_after(response), reason)
        if isinstance(error, int) and error in _ERRORS and response.status < 500:
            return Refused(reason, _ERRORS[error])
        if response.status == 200 and error:
            return Refused(reason)
        return failure(response, reason, _FAULTS)

    def transport_error(self, request_sent: bool, reason: str) -> Retry | Unknown:
        """Say what a broken connection means; Postmark has no idempotency keys."""
        return lost(request_sent, reason)

    def build_lookup(self, message: Outgoing, config: PostmarkConfig, now: datetime) -> HttpRequest:
        """Search for the metadata that names this message, among the mail of one recipient.

        So the other parts of it are not found.
        """
        query = {"count": "25", "offset": "0", "recipient": message.rcpt_to[0]}
        if name := _own_name(message):
            query[f"metadata_{name}"] = message.id
        url = f"{config.api_url}/messages/outbound?{urlencode(query)}"
        return HttpRequest(method="GET", url=url, headers=config.headers)

    def parse_lookup(
        self, response: HttpResponse, message: Outgoing, config: PostmarkConfig
    ) -> Sent | Retry | Unknown:
        """Sent when it is listed; an absent one proves nothing, as the list lags behind."""
        for item in payloads.objects(json_object(response).get("Messages")):
            provider_id = payloads.text(item.get("MessageID"))
            mine = message.id in payloads.mapping(item.get("Metadata")).values()
            if response.status == 200 and provider_id and mine:
                return Sent(provider_id, _aliases(provider_id, message))
        return Unknown(f"{response.status} this message is not listed")

    def verify(
        self, request: WebhookRequest, config: PostmarkConfig, now: datetime
    ) -> Verified | Unverified:
        """Check user and password of the webhook's URL: Postmark signs nothing."""
        return config.login.verify(request) if config.login else unsigned(request)

    def parse_events(
        self, request: WebhookRequest, config: PostmarkConfig
    ) -> tuple[ProviderEvent, ...]:
        """Return the one event of a status webhook."""
        payload = payloads.read_object(request.body)
        return () if postmark_posts.is_mail(payload) else (postmark_posts.event(payload),)

    def parse_inbound(
        self, request: WebhookRequest, config: PostmarkConfig
    ) -> tuple[InboundMail, ...]:
        """Return the mail: its RawEmail if the server includes it, else rebuilt from the fields."""
        payload = payloads.read_object(request.body)
        if not postmark_posts.is_mail(payload):
            return ()
        mail = postmark_posts.mail(payload)
        stated = postmark_posts.verdicts(payload) if config.trust_headers else {}
        return (replace(mail, verdicts=stated),)


def _aliases(provider_id: str, message: Outgoing) -> tuple[str, str]:
    """Return what replies may cite: our id, or Postmark's own where X-PM-KeepID has no effect.

    The host behind it was seen to be ``mtasv.net``, and is not documented.
    """
    return message.message_id, f"<{provider_id}@"


def _post(config: PostmarkConfig, path: str, body: bytes) -> HttpRequest:
    headers = {**config.headers, "Content-Type": "application/json"}
    return HttpRequest(method="POST", url=f"{config.api_url}/{path}", headers=headers, body=body)


def _body(message: Outgoing, config: PostmarkConfig) -> dict[str, Any]:
    people = recipients.fields(message, "postmark", _MOST_RECIPIENTS, blind=True)
    if len(message.rcpt_to) > _MOST_RECIPIENTS:
        raise UnsupportedFeature(f"postmark takes {_MOST_RECIPIENTS} recipients: {message.id}")
    kept = {"X-PM-KeepID": "true", "Message-ID": message.message_id}
    fields: dict[str, Any] = {
        "From": recipients.written(message.sender),
        "To": ", ".join(people["to"]),
        "Cc": ", ".join(people["cc"]),
        "Bcc": ", ".join(people["bcc"]),
        "ReplyTo": ", ".join(map(recipients.written, message.reply_to)),
        "Headers": [{"Name": n, "Value": v} for n, v in {**message.headers, **kept}.items()],
        "Attachments": [_attachment(file) for file in message.attachments],
        "Tag": message.tag,
        "Metadata": _metadata(message),
        "MessageStream": config.message_stream,
    }
    fields = {name: value for name, value in fields.items() if value}
    fields |= _template(message) if message.template else _content(message)
    if message.track_opens is not None:
        fields["TrackOpens"] = message.track_opens
    if message.track_clicks is not None:
        fields["TrackLinks"] = "HtmlAndText" if message.track_clicks else "None"
    return fields


def _content(message: Outgoing) -> dict[str, Any]:
    # one of the bodies must be there and not be empty
    text = message.text or ("" if message.html else "\n")
    bodies = {"TextBody": text, "HtmlBody": message.html}
    return {"Subject": message.subject, **{n: body for n, body in bodies.items() if body}}


def _template(message: Outgoing) -> dict[str, Any]:
    """Name a template by id or alias; it brings subject and bodies of its own."""
    name = message.template
    numeric = name.isascii() and name.isdigit()
    named = {"TemplateId": int(name)} if numeric else {"TemplateAlias": name}
    return {**named, "TemplateModel": dict(message.variables)}


def _attachment(file: File) -> dict[str, str]:
    found = {
        "Name": file.filename,
        "Content": encoded(file.data),
        "ContentType": file.content_type or "application/octet-stream",
    }
    return {**found, "ContentID": f"cid:{file.content_id}"} if file.content_id else found


def _own_name(message: Outgoing) -> str:
    """Return the name of the metadata that holds the message's own id."""
    return next((name for name, value in message.metadata.items() if value == message.id), "")


def _metadata(message: Outgoing) -> dict[str, str]:
    """Return what Postmark takes of the metadata, the message's own id first.

    The rest is no reason to refuse the message: the store has it.
    """
    fitting = [
        (name, value)
        for name, value in message.metadata.items()
        if len(name) <= _LONGEST_NAME and len(value) <= _LONGEST_VALUE
    ]
    fitting.sort(key=lambda item: item[1] != message.id)
    return dict(fitting[:_MOST_METADATA])


def _inactive(answer: Mapping[str, Any], message: Outgoing) -> dict[str, str]:
    """Return whom Postmark skipped, by the words of its Message."""
    words = payloads.text(answer.get("Message"), 20_000)
    skipped = {a.email.lower() for a in addresses.parse(_listed(words))}
    reason = "Postmark holds it inactive after a bounce or a complaint"
    return {to: reason for to in message.rcpt_to if to.lower() in skipped}


def _listed(words: str) -> str:
    """Return the addresses between "inactive addresses:" and the sentence after them."""
    return words.partition(_INACTIVE)[2].partition(". ")[0].strip().rstrip(".")
