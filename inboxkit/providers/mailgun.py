"""Mailgun: sending by messages.mime, status webhooks, and mail by routes.

Facts: Mailgun's API reference (OpenAPI 3.0 of 2026) and user manual (receive-http, webhooks).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

from ..errors import UnsupportedFeature
from . import forms, mailgun_events, mailgun_routes, payloads, verdicts
from .answers import json_object, lost, retry_after, said, seconds, until
from .base import (
    Feature,
    FetchPlan,
    HttpRequest,
    HttpResponse,
    ParseError,
    ProviderEvent,
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

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from .base import InboundMail, Outgoing, Response, SendOutcome, WebhookRequest

_REGIONS = {"us": "https://api.mailgun.net", "eu": "https://api.eu.mailgun.net"}
_MOST_RECIPIENTS = 1000
_FURTHEST = timedelta(days=7)  # o:deliverytime; smaller plans allow 3 days and answer 400
_WINDOW = 32_400  # s: retries go on for 8 hours and may carry the first timestamp
_SWITCH = {None: "", True: "yes", False: "no"}
_FAULTS = {401: "credentials", 402: "account", 403: "account", 404: "settings"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailgunConfig:
    """The account: keys, sending domain and how messages are treated."""

    api_key: str = field(repr=False)
    domain: str
    base_url: str = _REGIONS["us"]
    signing_key: str = field(default="", repr=False)
    window: timedelta = timedelta(seconds=_WINDOW)
    tracking: str = ""
    testmode: bool = False
    trust_headers: bool = False

    @property
    def authorization(self) -> str:
        """The Authorization header (RFC 7617)."""
        return "Basic " + base64.b64encode(f"api:{self.api_key}".encode()).decode()

    def url(self, path: str) -> str:
        """Return the URL of a resource of the sending domain."""
        return f"{self.base_url}/v3/{quote(self.domain, safe='')}/{path}"


class Mailgun:
    """Mailgun, both ways."""

    name = "mailgun"
    transport: Transport = "http"
    most = Most(everybody=_MOST_RECIPIENTS, blind=_MOST_RECIPIENTS)
    most_bytes = 25 * 1024 * 1024
    capabilities = frozenset(Feature) - {Feature.IDEMPOTENCY}

    def configure(self, options: Mapping[str, str]) -> MailgunConfig:
        """Check the settings.

        ``api_key`` and ``domain`` must be there; ``signing_key`` is needed for webhooks. Besides:
        ``region`` (us, eu) or ``base_url``, ``window`` (s, at most 3.5 days: tokens are kept for
        7), ``tracking`` (yes, no, htmlonly), ``testmode`` (yes, no), ``trust_headers`` (yes, no).
        """
        read = Options(self.name, options)
        region = read.choice("region", tuple(_REGIONS), "us")
        config = MailgunConfig(
            api_key=read.required("api_key"),
            domain=read.required("domain"),
            base_url=read.url("base_url", _REGIONS[region]).removesuffix("/v3"),
            signing_key=read.text("signing_key"),
            window=timedelta(seconds=read.number("window", _WINDOW, least=1, most=302_400)),
            tracking=read.choice("tracking", ("", "yes", "no", "htmlonly"), ""),
            testmode=read.flag("testmode"),
            trust_headers=read.flag("trust_headers"),
        )
        if not re.fullmatch(r"[^\W_][\w.-]*", config.domain):
            raise read.error("domain", f"is no domain name: {config.domain!r}")
        read.done()
        return config

    def build_send(self, message: Outgoing, config: MailgunConfig, now: datetime) -> HttpRequest:
        """Return the upload of the composed mail, so that its Message-ID and bytes stay ours.

        Every envelope recipient is a ``to``: what the mail shows as To and Cc is in its headers.
        """
        refuse_unsupported(self.name, message, self.capabilities)
        if len(message.rcpt_to) > _MOST_RECIPIENTS:
            raise UnsupportedFeature(f"mailgun takes {_MOST_RECIPIENTS} recipients: {message.id}")
        if message.send_at and message.send_at > now + _FURTHEST:
            raise UnsupportedFeature(f"mailgun schedules 7 days ahead, {message.id} is due later")
        fields = [forms.Field(name, value.encode()) for name, value in _fields(message, config)]
        mime = forms.Field("message", message.mime, "message.eml", "message/rfc822")
        content_type, body = forms.write([*fields, mime])
        headers = {"Authorization": config.authorization, "Content-Type": content_type}
        return HttpRequest(
            method="POST", url=config.url("messages.mime"), headers=headers, body=body
        )

    def parse_send(
        self, response: Response, message: Outgoing, config: MailgunConfig
    ) -> SendOutcome:
        """Classify an answer; the API reference lists 200, 400, 401, 402, 403, 404, 413, 429, 500.

        500: Mailgun says to send again (quickstart, API response codes). 503 means not handled
        (RFC 9110 section 15.6.4), 408 not received. Behind a 502 or 504 of a gateway the message
        may have been queued.
        """
        if not isinstance(response, HttpResponse):
            return Unknown("an SMTP reply to an HTTP request")
        if response.status == 200:
            provider_id = payloads.message_id(json_object(response).get("id"))
            if provider_id:
                return Sent(provider_id, (provider_id,))
        reason = said(response, "message")
        if response.status in (429, 420):
            return Retry(retry_after(response) or _named_time(reason, response), reason)
        if response.status in (408, 500, 503):
            return Retry(retry_after(response), reason)
        if 300 <= response.status < 400:
            return Refused(f"{reason}: base_url leads elsewhere", "settings")
        if 400 <= response.status < 500:
            return Refused(reason, _FAULTS.get(response.status, "message"))
        if b"Mailgun Magnificent API" in response.body:  # its 200 to every unknown path
            return Refused("base_url or domain is wrong: no such path", "settings")
        return Unknown(reason)

    def transport_error(self, request_sent: bool, reason: str) -> Retry | Unknown:
        """Say what a broken connection means; Mailgun has no idempotency keys."""
        return lost(request_sent, reason)

    def build_lookup(self, message: Outgoing, config: MailgunConfig, now: datetime) -> HttpRequest:
        """Ask the event log for the Message-ID; a domain sending key may not do this.

        The parts of one message share that: so it is asked for one recipient of this part.
        """
        about = {"message-id": message.message_id.strip("<>"), "recipient": message.rcpt_to[0]}
        query = urlencode({**about, "limit": "25"})
        headers = {"Authorization": config.authorization, "Accept": "application/json"}
        return HttpRequest(method="GET", url=f"{config.url('events')}?{query}", headers=headers)

    def parse_lookup(
        self, response: HttpResponse, message: Outgoing, config: MailgunConfig
    ) -> Sent | Retry | Unknown:
        """Sent when there is any event; none proves nothing, as events take time to appear."""
        items = json_object(response).get("items")
        if response.status == 200 and isinstance(items, list) and items:
            return Sent(message.message_id, (message.message_id,))
        return Unknown(f"{response.status} no event of this message")

    def verify(
        self, request: WebhookRequest, config: MailgunConfig, now: datetime
    ) -> Verified | Unverified:
        """Check the HMAC over timestamp and token. The body is not signed: refuse a token twice.

        Nothing is answered with 406, which ends Mailgun's attempts: a signing key that was changed
        there, or a wrong clock, can be put right here meanwhile, and no mail is lost.
        """
        if not config.signing_key:
            return Unverified("provider mailgun: signing_key is not set", 503)
        try:
            claims = list(_claims(request))
        except ParseError as error:
            return Unverified(str(error))
        for timestamp, token, signature in claims:
            good = sign(config.signing_key, timestamp, token)
            if hmac.compare_digest(good.encode(), signature.encode("utf-8", "replace")):
                return _fresh(timestamp, token, config, now)
        return Unverified("wrong signature" if claims else "not signed")

    def parse_events(
        self, request: WebhookRequest, config: MailgunConfig
    ) -> tuple[ProviderEvent, ...]:
        """Return the event of a status webhook, once for each recipient."""
        content_type = request.header("content-type")
        if forms.is_form(content_type):
            form = forms.read(content_type, request.body)
            if "event" in form and "recipient" in form and not mailgun_routes.is_mail(form):
                raise ParseError("a legacy webhook: set it up again, to get JSON")
            return ()
        payload = payloads.read_object(request.body)
        data = payloads.mapping(payload.get("event-data"))
        if not data:
            raise ParseError("JSON without event-data")
        signature = payloads.mapping(payload.get("signature"))
        at = payloads.moment(data.get("timestamp")) or payloads.moment(signature.get("timestamp"))
        if at is None:
            raise ParseError("event-data without a timestamp")
        # event-data.id is unique within a day only, the token for good
        event_id = payloads.text(signature.get("token")) or payloads.text(data.get("id"))
        recipients = mailgun_events.recipients(data) or ("",)
        return tuple(
            mailgun_events.event(data, at, recipient, event_id) for recipient in recipients
        )

    def parse_inbound(
        self, request: WebhookRequest, config: MailgunConfig
    ) -> tuple[InboundMail | FetchPlan, ...]:
        """Return the mail of a route: bytes of the ``mime`` form, else rebuilt from the fields.

        ``store(notify=…)`` posts no attachments, only where the stored mail is to be fetched.
        """
        content_type = request.header("content-type")
        if not forms.is_form(content_type):
            return ()
        form = forms.read(content_type, request.body)
        if not mailgun_routes.is_mail(form):
            return ()
        if mail := mailgun_routes.mail(form):
            fields = ((field.name, field.text) for field in form.fields if field.filename is None)
            return (verdicts.of_mailgun(mail, fields) if config.trust_headers else mail,)
        api_host = urlsplit(config.base_url).hostname or ""
        return (
            FetchPlan(
                url=form.text("message-url"),
                # stored mail lives at storage-REGION.api.mailgun.net
                hosts=(".mailgun.net", api_host),
                then="stored",
                headers={"Authorization": config.authorization, "Accept": "message/rfc2822"},
                data={"form": form},
            ),
        )

    def parse_fetched(
        self, plan: FetchPlan, response: HttpResponse, config: MailgunConfig
    ) -> tuple[InboundMail, ...]:
        """Return the stored mail that a route told of."""
        mime = json_object(response).get("body-mime")
        if response.status != 200 or not isinstance(mime, str):
            raise ParseError(f"the stored mail could not be read: {response.status}")
        mail = mailgun_routes.stored(plan.data["form"], mime)
        return (verdicts.of_mailgun(mail, ()) if config.trust_headers else mail,)


def sign(signing_key: str, timestamp: str, token: str) -> str:
    """Return the signature of a webhook: HMAC-SHA256 over timestamp and token, in hex."""
    signed = f"{timestamp}{token}".encode("utf-8", "replace")
    return hmac.new(signing_key.encode(), signed, hashlib.sha256).hexdigest()


def _fields(message: Outgoing, config: MailgunConfig) -> Iterator[tuple[str, str]]:
    yield from (("to", address) for address in message.rcpt_to)
    # Mailgun writes these into X-Mailgun-Variables, where the recipient can see them
    yield from ((f"v:{name}", value) for name, value in message.metadata.items())
    at = message.send_at
    merged = {to: dict(values) for to, values in message.recipient_variables.items()}
    options = {
        "o:tag": message.tag,
        "o:deliverytime": format_datetime(at.astimezone(UTC)) if at else "",
        "o:tracking": config.tracking,
        "o:tracking-opens": _SWITCH[message.track_opens],
        "o:tracking-clicks": _SWITCH[message.track_clicks],
        "o:testmode": "yes" if config.testmode else "",
        "template": message.template,
        "t:variables": json.dumps(dict(message.variables)) if message.variables else "",
        "recipient-variables": json.dumps(merged) if merged else "",
    }
    yield from ((name, value) for name, value in options.items() if value)


def _named_time(reason: str, response: HttpResponse) -> timedelta | None:
    """Read "try again after 120 seconds" or "… after Mon, 20 Dec 2021 20:33:21 UTC"."""
    words = reason.partition("again after ")[2]
    if found := re.match(r"(\d{1,9}) seconds?", words):
        return seconds(int(found[1]))
    return until(words, response) if words else None


def _claims(request: WebhookRequest) -> Iterator[tuple[str, str, str]]:
    """Yield each timestamp, token and signature to try."""
    content_type = request.header("content-type")
    if not forms.is_form(content_type):
        block = payloads.mapping(payloads.read_unsigned(request.body).get("signature"))
        for name in ("signature", "parent-signature"):  # the second: of the parent account
            claim = tuple(payloads.text(block.get(k)) for k in ("timestamp", "token", name))
            if all(claim):
                yield claim[0], claim[1], claim[2]
        return
    form = forms.read(content_type, request.body)
    # a mail may have a header of such a name, posted as one more field
    fields = [form.texts(name)[:3] for name in ("timestamp", "token", "signature")]
    yield from ((a, b, c) for a, b, c in itertools.product(*fields) if a and b and c)


def _fresh(
    timestamp: str, token: str, config: MailgunConfig, now: datetime
) -> Verified | Unverified:
    # digits only: nothing parts timestamp from token, so "…4" + "e0f…" may come as "…4e0" + "f…"
    digits = timestamp.isascii() and timestamp.isdigit()
    signed_at = payloads.moment(timestamp) if digits else None
    if signed_at is None or abs(now - signed_at) > config.window:
        return Unverified(f"signed outside the window of {config.window}: check the clock")
    return Verified(token)
