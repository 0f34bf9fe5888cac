"""Mandrill (Mailchimp Transactional): sending by messages/send-raw, status webhooks, inbound mail.

Facts: Mailchimp's developer pages on webhooks, SMTP headers and metadata; its Python client 1.4.1.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from . import fitting, forms, mandrill_events, payloads, seven_bit
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

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from .base import (
        InboundMail,
        Outgoing,
        ProviderEvent,
        Response,
        SendOutcome,
        WebhookRequest,
    )

TEST_KEY = "test-webhook"  # signs the empty post that checks a new URL (help page "verified")
_METADATA_BYTES = 200  # "limited to 200 bytes of JSON-encoded data"
_API = "https://mandrillapp.com/api/1.0"
_TAG_LENGTH = 50
_FAULTS = {
    "Invalid_Key": "credentials",
    "PaymentRequired": "account",
    "PoorReputation": "account",
    "Unknown_Subaccount": "settings",
    "Unknown_Template": "message",
    "ValidationError": "message",
}
_STATUSES = {401: "credentials", 402: "account", 403: "account", 404: "settings"}
# why a recipient is turned away at once, where it is not the recipient's fault
_OURS = {"unsigned": "settings", "invalid-sender": "settings", "test-mode-limit": "account"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MandrillConfig:
    """The account: its key, the keys of its webhooks and where these are posted to."""

    api_key: str = field(repr=False)
    api_url: str = _API
    webhook_keys: tuple[str, ...] = field(default=(), repr=False)
    webhook_url: str = ""
    subaccount: str = ""
    return_path_domain: str = ""


class Mandrill:
    """Mandrill, both ways."""

    name = "mandrill"
    transport: Transport = "http"
    capabilities = frozenset(Feature) - {Feature.IDEMPOTENCY}

    def configure(self, options: Mapping[str, str]) -> MandrillConfig:
        """Check the settings.

        ``api_key`` must be there, and ``webhook_key`` (several by comma) unless ``insecure`` says
        that webhooks are taken unsigned. Besides: ``webhook_url`` (exactly as entered at Mandrill,
        when a proxy hides it), ``subaccount``, ``return_path_domain``, ``api_url``.
        """
        read = Options(self.name, options)
        config = MandrillConfig(
            api_key=read.required("api_key"),
            api_url=read.url("api_url", _API),
            webhook_keys=tuple(read.text("webhook_key").replace(",", " ").split()),
            webhook_url=read.text("webhook_url"),
            subaccount=read.text("subaccount"),
            return_path_domain=read.text("return_path_domain"),
        )
        if not read.flag("insecure") and not config.webhook_keys:
            raise read.error("webhook_key", "is missing; insecure = yes takes webhooks unsigned")
        if not (config.subaccount + config.return_path_domain).isprintable():
            raise read.error("subaccount", "and return_path_domain must be one line each")
        read.done()
        return config

    def build_send(self, message: Outgoing, config: MandrillConfig, now: datetime) -> HttpRequest:
        """Return the upload of the composed mail, which Mandrill treats as one sent by SMTP.

        So Message-ID and References stay ours, and X-MC headers carry the options.
        """
        refuse_unsupported(self.name, message, self.capabilities)
        head = "".join(f"{name}: {value}\r\n" for name, value in _options(message, config))
        at = message.send_at
        call: dict[str, Any] = {
            "key": config.api_key,
            "raw_message": head + seven_bit.text(message.mime),
            "from_email": message.sender.email,
            "to": list(message.rcpt_to),
            "async": False,
            "send_at": f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if at else None,
            "return_path_domain": config.return_path_domain or None,
        }
        return _call(config, "messages/send-raw", call)

    def parse_send(
        self, response: Response, message: Outgoing, config: MandrillConfig
    ) -> SendOutcome:
        """Classify an answer. An error's name says more than its status, often a bare 500."""
        if not isinstance(response, HttpResponse):
            return Unknown("an SMTP reply to an HTTP request")
        if response.status == 200:
            return _taken(response, message)
        reason = said(response, "message")
        name = payloads.text(json_object(response).get("name"))
        if name in _FAULTS:
            return Refused(reason, _FAULTS[name])
        return failure(response, reason, _STATUSES)

    def transport_error(self, request_sent: bool, reason: str) -> Retry | Unknown:
        """Say what a broken connection means; Mandrill has no idempotency keys."""
        return lost(request_sent, reason)

    def build_lookup(self, message: Outgoing, config: MandrillConfig, now: datetime) -> HttpRequest:
        """Search for what the first recipient was sent of late; metadata will tell them apart."""
        call = {
            "key": config.api_key,
            "query": f"full_email:{next(iter(message.rcpt_to), '')}",
            "date_from": f"{now - timedelta(days=2):%Y-%m-%d}",
            "limit": 1000,
        }
        return _call(config, "messages/search", call)

    def parse_lookup(
        self, response: HttpResponse, message: Outgoing, config: MandrillConfig
    ) -> Sent | Retry | Unknown:
        """Sent when a message has our metadata; none proves nothing, as the index lags behind."""
        ours = fitting.metadata(message.metadata, size=_METADATA_BYTES)
        for found in _objects(response) if response.status == 200 and ours else ():
            if payloads.mapping(found.get("metadata")) == ours:
                return Sent(payloads.text(found.get("_id")))
        return Unknown(f"{response.status} nothing with this metadata")

    def verify(
        self, request: WebhookRequest, config: MandrillConfig, now: datetime
    ) -> Verified | Unverified:
        """Check the HMAC over the URL and the form. A batch has no id and no time: dedupe on both.

        The empty post that checks a new URL is signed with a public key, and says nothing.
        """
        try:
            form = forms.read(request.header("content-type"), request.body)
        except ParseError as error:
            return Unverified(str(error))
        url = config.webhook_url or request.url + (f"?{request.query}" if request.query else "")
        dedupe = hashlib.sha256(url.encode("utf-8", "replace") + b"\0" + request.body).hexdigest()
        if not config.webhook_keys:
            return Verified(dedupe) if "mandrill_events" in form else Unverified("no such form")
        is_empty = [f.data for f in form.fields] == [b"[]"]
        given = request.header("x-mandrill-signature").encode("utf-8", "replace")
        for key in (*config.webhook_keys, *((TEST_KEY,) if is_empty else ())):
            if hmac.compare_digest(sign(key, url, form.fields).encode(), given):
                return Verified(dedupe)
        wrong = "wrong signature: check webhook_key and webhook_url"
        return Unverified(wrong if given else "not signed")

    def parse_events(
        self, request: WebhookRequest, config: MandrillConfig
    ) -> tuple[ProviderEvent, ...]:
        """Return the events of a batch, of at most 1,000."""
        return mandrill_events.events(request)

    def parse_inbound(
        self, request: WebhookRequest, config: MandrillConfig
    ) -> tuple[InboundMail, ...]:
        """Return the mail of a batch."""
        return mandrill_events.mails(request)


def sign(key: str, url: str, fields: Iterable[forms.Field]) -> str:
    """Return the signature of a post: HMAC-SHA1 over the URL and the sorted fields, in base64."""
    mac = hmac.new(key.encode(), url.encode("utf-8", "replace"), hashlib.sha1)
    for item in sorted(fields, key=lambda f: f.name):
        mac.update(item.name.encode("utf-8", "replace") + item.data)
    return base64.b64encode(mac.digest()).decode()


def _call(config: MandrillConfig, path: str, call: Mapping[str, Any]) -> HttpRequest:
    body = json.dumps({k: v for k, v in call.items() if v is not None}).encode()
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    url = f"{config.api_url}/{path}.json"
    return HttpRequest(method="POST", url=url, headers=headers, body=body)


def _options(message: Outgoing, config: MandrillConfig) -> Iterator[tuple[str, str]]:
    """Yield the X-MC headers; Mandrill takes them off before it sends."""
    tag = message.tag.replace(",", " ").lstrip("_")[:_TAG_LENGTH]
    kept = fitting.metadata(message.metadata, size=_METADATA_BYTES)
    tracked = (message.track_opens, "opens"), (message.track_clicks, "clicks")
    merged = dict(message.recipient_variables)
    options = {
        "X-MC-Tags": tag if tag.isascii() and tag.isprintable() else "",
        "X-MC-Metadata": _json(kept) if kept else "",
        "X-MC-Template": f"{message.template}|main" if message.template.isprintable() else "",
        "X-MC-MergeVars": _json(dict(message.variables)) if message.variables else "",
        "X-MC-Subaccount": config.subaccount,
        # with variables by recipient each sees only themselves; else all see To and Cc as composed
        "X-MC-PreserveRecipients": "false" if merged else "true",
    }
    if (message.track_opens, message.track_clicks) != (None, None):
        yield "X-MC-Track", ",".join(word for on, word in tracked if on) or "none"
    yield from ((k, v) for k, v in options.items() if v and v != "|main")
    for recipient, values in merged.items():
        yield "X-MC-MergeVars", _json({"_rcpt": recipient, **values})


def _json(value: Mapping[str, Any]) -> str:
    """Return ASCII JSON, folded between its members (RFC 5322 section 2.2.3)."""
    return json.dumps(value, separators=(",\r\n ", ":"))


def _taken(response: HttpResponse, message: Outgoing) -> Sent | Refused | Unknown:
    results = _objects(response)
    names = {recipient.lower(): recipient for recipient in message.rcpt_to}
    refused: dict[str, str] = {}
    why = ""
    for result in results:
        status = payloads.text(result.get("status"))
        if status in ("rejected", "invalid"):
            why = payloads.text(result.get("reject_reason")) or status
            email = payloads.text(result.get("email"))
            refused[names.get(email.lower(), email)] = f"{status}: {why}"
    if refused and len(refused) >= len(message.rcpt_to):
        return Refused("; ".join(sorted(set(refused.values()))), _OURS.get(why, "recipient"))
    ids = [payloads.text(result.get("_id")) for result in results]
    if not any(ids):
        return Unknown(said(response, "message"))
    return Sent(next(filter(None, ids)), recipients=refused)


def _objects(response: HttpResponse) -> tuple[dict[str, Any], ...]:
    try:
        return payloads.objects(payloads.read(response.body))
    except ParseError:
        return ()
