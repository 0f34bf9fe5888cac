"""Amazon SES: sending by the API version 2, events and mail by SNS, large mail from S3.

Facts: Amazon SES API v2 reference (SendEmail, SendBulkEmail), developer guide (header fields,
"Contents of notifications for Amazon SES email receiving").
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from .. import base64_text
from ..errors import UnsupportedFeature
from . import payloads, public_keys, ses_events, ses_requests
from .answers import failure, json_object, lost, retry_after, said
from .base import (
    Feature,
    FetchPlan,
    HttpRequest,
    HttpResponse,
    InboundMail,
    NeedsFetch,
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
from .hosts import is_local
from .options import Options
from .parts import Most
from .sigv4 import Signer
from .sns import Notification, Topic, domain
from .verdicts import stated

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from .base import Outgoing, Response, SendOutcome, WebhookRequest

_MOST_RECIPIENTS = 50  # of one message, and entries of a bulk request
_WINDOW = 7_200  # s: SNS tries for an hour at most, and its Timestamp stays the first one
_PRESIGNED = timedelta(days=7)  # the longest that S3 takes
_REFUSAL = 403
_FAULTS = {
    "AccessDeniedException": "credentials",
    "AccountSuspendedException": "account",
    "ExpiredTokenException": "credentials",
    "IncompleteSignature": "credentials",
    "InvalidClientTokenId": "credentials",
    "InvalidSignatureException": "credentials",
    "MailFromDomainNotVerifiedException": "settings",
    "MissingAuthenticationTokenException": "credentials",
    "NotAuthorized": "credentials",
    "NotFoundException": "settings",
    "OptInRequired": "account",
    "RequestExpired": "credentials",  # signed too long ago: the clock is wrong
    "SendingPausedException": "account",
    "SignatureDoesNotMatch": "credentials",
    "UnrecognizedClientException": "credentials",
}
_BY_STATUS = {401: "credentials", 403: "credentials", 404: "settings"}
_LATER = ("LimitExceededException", "Throttling", "ThrottlingException", "TooManyRequestsException")
_BULK_LATER = ("ACCOUNT_THROTTLED", "ACCOUNT_DAILY_QUOTA_EXCEEDED", "TRANSIENT_FAILURE")
_BULK_FAULTS = {
    "ACCOUNT_SENDING_PAUSED": "account",
    "ACCOUNT_SUSPENDED": "account",
    "CONFIGURATION_SET_NOT_FOUND": "settings",
    "CONFIGURATION_SET_SENDING_PAUSED": "settings",
    "INVALID_SENDING_POOL_NAME": "settings",
    "MAIL_FROM_DOMAIN_NOT_VERIFIED": "settings",
    "TEMPLATE_NOT_FOUND": "settings",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SesConfig:
    """The account: credentials, region, and the topics whose messages are taken."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)
    region: str
    api_url: str
    configuration_set: str = ""
    topics: tuple[Topic, ...] = ()
    window: timedelta = timedelta(seconds=_WINDOW)
    s3_region: str

    def signer(self, service: str, region: str = "") -> Signer:
        """Return who signs for a service."""
        return Signer(
            access_key_id=self.access_key_id,
            secret_access_key=self.secret_access_key,
            session_token=self.session_token,
            region=region or self.region,
            service=service,
        )

    @property
    def local_host(self) -> str:
        """The host that stands in for all of AWS, "" when it is AWS itself."""
        host = urlsplit(self.api_url).hostname or ""
        return host if is_local(host) else ""

    def object_url(self, bucket: str, key: str) -> str:
        """Return the URL of an object of S3."""
        path = quote(key, safe="/-_.~")
        if self.local_host:
            return f"{self.api_url}/{bucket}/{path}"
        host = f"s3.{self.s3_region}.{_domain(self.s3_region)}"
        # no certificate covers a name with further dots, so such buckets go into the path
        return (
            f"https://{host}/{bucket}/{path}"
            if "." in bucket
            else (f"https://{bucket}.{host}/{path}")
        )


class Ses:
    """Amazon SES, both ways."""

    name = "ses"
    transport: Transport = "http"
    most = Most(everybody=_MOST_RECIPIENTS, blind=_MOST_RECIPIENTS)
    most_bytes = 40 * 1024 * 1024
    capabilities = frozenset(Feature) - {
        Feature.IDEMPOTENCY,
        Feature.LOOKUP,
        Feature.MESSAGE_ID,  # always replaced, as is Date
        Feature.SCHEDULING,
        Feature.TRACKING,  # by configuration set, not by message
    }

    def configure(self, options: Mapping[str, str]) -> SesConfig:
        """Check the settings.

        ``access_key_id`` and ``secret_access_key`` must be there; ``topic_arns`` (with commas
        between) is needed for webhooks. Besides: ``region`` (us-east-1), ``session_token``,
        ``configuration_set``, ``s3_region``, ``window`` (s, at most 3.5 days), ``api_url``; a
        local one stands in for SNS and S3 too.
        """
        read = Options(self.name, options)
        region = _region(read, "region", "us-east-1")
        config = SesConfig(
            access_key_id=read.required("access_key_id"),
            secret_access_key=read.required("secret_access_key"),
            session_token=read.text("session_token"),
            region=region,
            api_url=read.url("api_url", f"https://email.{region}.{_domain(region)}"),
            configuration_set=read.text("configuration_set"),
            topics=tuple(map(Topic, filter(None, re.split(r"[,\s]", read.text("topic_arns"))))),
            window=timedelta(seconds=read.number("window", _WINDOW, least=1, most=302_400)),
            s3_region=_region(read, "s3_region", region),
        )
        for topic in config.topics:
            if not topic.is_valid:
                raise read.error("topic_arns", f"holds what is no ARN of a topic: {topic.arn!r}")
            public_keys.require()
        read.done()
        return config

    def build_send(self, message: Outgoing, config: SesConfig, now: datetime) -> HttpRequest:
        """Return the request: the composed mail, or a template of the vendor's."""
        refuse_unsupported(self.name, message, self.capabilities)
        if len(message.rcpt_to) > _MOST_RECIPIENTS:
            raise UnsupportedFeature(f"ses takes {_MOST_RECIPIENTS} recipients: {message.id}")
        if message.recipient_variables and not message.template:
            raise UnsupportedFeature(f"ses merges into templates only, {message.id} names none")
        path, asked = ses_requests.written(message, config.configuration_set)
        request = HttpRequest(
            method="POST",
            url=config.api_url + path,
            headers={"Content-Type": "application/json"},
            body=json.dumps(asked).encode(),
        )
        return config.signer("ses").sign(request, now)

    def parse_send(self, response: Response, message: Outgoing, config: SesConfig) -> SendOutcome:
        """Classify an answer by its error type; the API names it in a header or in ``__type``.

        503 means not handled (RFC 9110 section 15.6.4), 408 not received; of a 500 SES does not
        say whether the message was queued.
        """
        if not isinstance(response, HttpResponse):
            return Unknown("an SMTP reply to an HTTP request")
        answer, reason = json_object(response), said(response, "message", "Message")
        kind = response.header("x-amzn-errortype") or payloads.text(answer.get("__type"))
        kind = kind.partition(":")[0].rpartition("#")[2]
        if response.status == 400 and kind in _LATER:
            return Retry(retry_after(response), reason)
        if response.status != 200:
            return failure(response, reason, {response.status: _fault(kind, response, reason)})
        if isinstance(answer.get("BulkEmailEntryResults"), list):
            return _bulk_outcome(answer["BulkEmailEntryResults"], message, config)
        provider_id = payloads.text(answer.get("MessageId"))
        return Sent(provider_id, aliases(provider_id, config)) if provider_id else Unknown(reason)

    def transport_error(self, request_sent: bool, reason: str) -> Retry | Unknown:
        """Say what a broken connection means; SES has no idempotency keys."""
        return lost(request_sent, reason)

    def verify(
        self, request: WebhookRequest, config: SesConfig, now: datetime
    ) -> Unverified | NeedsFetch:
        """Check topic and age, and ask for the certificate that the signature is checked with."""
        if not config.topics:
            return Unverified("provider ses: topic_arns is not set", 503)
        try:
            note = Notification.read(request.body)
        except ParseError as error:
            return Unverified(str(error), _REFUSAL)
        if note.topic not in config.topics:
            return Unverified("its topic is not in topic_arns", _REFUSAL)
        at = note.published_at
        if at is None or abs(now - at) > config.window:
            return Unverified(f"outside the window of {config.window}: check the clock", _REFUSAL)
        plan = FetchPlan(url=note.certificate_url, hosts=_hosts(note, config), max_bytes=65_536)
        if not (note.id and note.digest and plan.is_allowed):
            return Unverified("not signed, or not as SNS signs", _REFUSAL)
        return NeedsFetch(plan)

    def verify_fetched(
        self, request: WebhookRequest, response: HttpResponse, config: SesConfig, now: datetime
    ) -> Verified | Unverified:
        """Check the signature of SNS over the fields it signs."""
        before = self.verify(request, config, now)
        if isinstance(before, Unverified):
            return before
        note = Notification.read(request.body)
        try:
            key = public_keys.PublicKey.read(response.body.decode("ascii", "replace"))
        except ValueError as error:
            return Unverified(f"{response.status} the certificate of SNS is {error}", 503)
        if note.digest and key.verify(note.signature, note.signed, note.digest):
            return Verified(note.id)
        return Unverified("wrong signature", _REFUSAL)

    def parse_events(
        self, request: WebhookRequest, config: SesConfig
    ) -> tuple[ProviderEvent | FetchPlan, ...]:
        """Return the events of a notification, or how to confirm a subscription."""
        note = Notification.read(request.body)
        if url := note.subscribe_url:
            return (FetchPlan(url=url, hosts=_hosts(note, config), then="subscribed"),)
        told = ses_events.told(note)
        if not told or told.get("notificationType") in (
            "Received",
            "AmazonSnsSubscriptionSucceeded",
        ):
            return ()
        return tuple(ses_events.events(note, told))

    def parse_inbound(
        self, request: WebhookRequest, config: SesConfig
    ) -> tuple[InboundMail | FetchPlan, ...]:
        """Return the mail that the notification holds, or how to get it from S3.

        The URL is signed for the time of the notification, and good for seven days from then.
        """
        note = Notification.read(request.body)
        told = ses_events.told(note)
        if told.get("notificationType") != "Received":
            return ()
        action = payloads.mapping(payloads.mapping(told.get("receipt")).get("action"))
        bucket, key = action.get("bucketName"), action.get("objectKey")
        if isinstance(told.get("content"), str):
            return (_mail(_content(told["content"], action), told, note.id),)
        at = note.published_at
        if not (isinstance(bucket, str) and isinstance(key, str) and bucket and key and at):
            raise ParseError("a mail with neither its content nor its place in S3")
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,62}", bucket):
            raise ParseError("no name of a bucket")
        url = config.object_url(bucket, key)
        return (
            FetchPlan(
                url=config.signer("s3", config.s3_region).presign(url, at, _PRESIGNED),
                hosts=(urlsplit(url).hostname or "",),
                then="mail",
                data={"told": told, "id": note.id},
            ),
        )

    def parse_fetched(
        self, plan: FetchPlan, response: HttpResponse, config: SesConfig
    ) -> tuple[InboundMail, ...]:
        """Return the mail that S3 gave; a confirmed subscription brings nothing more."""
        if response.status != 200:
            raise ParseError(f"{plan.then}: {response.status} could not be read")
        if plan.then != "mail":
            return ()
        if response.header("x-amz-meta-x-amz-key-v2") or response.header("x-amz-meta-x-amz-key"):
            raise ParseError("the mail is encrypted by its receipt rule: let S3 encrypt instead")
        return (_mail(response.body, plan.data["told"], plan.data["id"]),)


def aliases(provider_id: str, config: SesConfig) -> tuple[str, ...]:
    """Return the Message-ID that recipients see, and its local part: the host is not documented."""
    return (f"<{provider_id}@{message_host(config.region)}>", f"<{provider_id}@")


def message_host(region: str) -> str:
    """Return the right half of the Message-IDs that SES writes in a region."""
    return f"{'email' if region == 'us-east-1' else region}.amazonses.com"


def _region(read: Options, key: str, default: str) -> str:
    region = read.text(key, default)
    if not re.fullmatch(r"[a-z]{2,3}(?:-[a-z]{2,12}){1,2}-\d", region):
        raise read.error(key, f"is no region of AWS: {region!r}")
    return region


def _domain(region: str) -> str:
    return domain("aws-cn" if region.startswith("cn-") else "aws")


def _hosts(note: Notification, config: SesConfig) -> tuple[str, ...]:
    return tuple(filter(None, (note.topic.host, config.local_host)))


def _fault(kind: str, response: HttpResponse, reason: str) -> str:
    if kind == "MessageRejected" and "not verified" in reason:  # sender, or any in the sandbox
        return "settings"
    if kind and response.status not in (401, 403):  # a name that is new says more than its status
        return _FAULTS.get(kind, "message")
    return _FAULTS.get(kind) or _BY_STATUS.get(response.status, "message")


def _bulk_outcome(results: list[object], message: Outgoing, config: SesConfig) -> SendOutcome:
    """Read what became of each entry; SES answers in their order."""
    entries = [payloads.mapping(result) for result in results]
    if len(entries) != len(message.rcpt_to):
        return Unknown("the answer does not tell of every recipient")
    ids = dict[str, str]()
    refused, deferred = dict[str, str](), dict[str, str]()
    states: list[str] = []
    for recipient, entry in zip(message.rcpt_to, entries, strict=True):
        state, provider_id = (
            payloads.text(entry.get("Status")),
            payloads.text(entry.get("MessageId")),
        )
        if state == "SUCCESS" and provider_id:
            ids[recipient] = provider_id
            continue
        states.append(state)
        where = deferred if state in _BULK_LATER else refused
        where[recipient] = payloads.text(entry.get("Error")) or state
    if ids:
        known = tuple(alias for id_ in ids.values() for alias in aliases(id_, config))
        return Sent(next(iter(ids.values())), known, refused, deferred, ids)
    if deferred:
        return Retry(reason=next(iter(deferred.values())))
    return Refused(next(iter(refused.values()), ""), _BULK_FAULTS.get(states[0], "message"))


def _content(content: str, action: Mapping[str, Any]) -> bytes:
    if action.get("encoding") != "BASE64":
        return content.encode()
    try:
        return base64_text.decode(content)
    except ValueError:
        raise ParseError("a mail that is not the base64 it is said to be") from None


def _mail(raw: bytes, told: Mapping[str, Any], event_id: str) -> InboundMail:
    mail, receipt = payloads.mapping(told.get("mail")), payloads.mapping(told.get("receipt"))
    # the recipients of the rule; the destination of the mail may name people elsewhere
    matched = payloads.texts(receipt.get("recipients"))
    rcpt_to = matched or payloads.texts(mail.get("destination"))
    if not rcpt_to:
        raise ParseError("a mail without a recipient")
    sender = payloads.text(mail.get("source"), 1_000)
    return InboundMail(
        raw=raw,
        mail_from=sender.strip("<>"),
        rcpt_to=rcpt_to,
        by_header=not matched,
        event_id=event_id,
        verdicts=stated(**{name: _verdict(receipt, name) for name in ("spf", "dkim", "dmarc")}),
        spam=_verdict(receipt, "spam") == "FAIL",  # GRAY: it cannot tell
    )


def _verdict(receipt: Mapping[str, Any], name: str) -> str:
    return payloads.text(payloads.mapping(receipt.get(f"{name}Verdict")).get("status"))
