"""Amazon's half of the wire: SES takes mail under ids of its own, SNS signs, S3 gives objects.

Asked at a local address, it names that address in what it posts, so that certificates, stored
mail and confirmations are looked for there.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import uuid
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from ...errors import UnsupportedFeature
from ...values import EventType
from .. import ses_requests
from ..base import HttpResponse, WebhookRequest
from ..hosts import is_local
from ..public_keys import PrivateKey
from ..ses import message_host
from ..ses_events import email_tags
from ..sns import Notification, Topic
from . import ses_submissions
from .account import FakeAccount, json_answer
from .fake import Caught
from .ses_submissions import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from ..base import HttpRequest
    from ..ses import SesConfig

_TOPIC = Topic("arn:aws:sns:us-east-1:123456789012:inboxkit")
_CERTIFICATE = "/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
_BUCKET = "inboxkit-mail"
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/,]+)/\d{8}/[^/]+/([^/]+)/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})"
)
_READER = {"ipAddress": "192.0.2.7", "userAgent": "Mozilla/5.0"}
_NAMES = {
    EventType.ACCEPTED: "Send",
    EventType.DELIVERED: "Delivery",
    EventType.DEFERRED: "DeliveryDelay",
    EventType.BOUNCED: "Bounce",
    EventType.REJECTED: "Reject",
    EventType.FAILED: "Rendering Failure",
    EventType.COMPLAINED: "Complaint",
    EventType.OPENED: "Open",
    EventType.CLICKED: "Click",
    EventType.UNSUBSCRIBED: "Subscription",
}
_VERDICTS = ("spamVerdict", "virusVerdict", "spfVerdict", "dkimVerdict", "dmarcVerdict")
_KEYS = {"DeliveryDelay": "deliveryDelay", "Rendering Failure": "failure"}


@cache
def _key() -> PrivateKey:
    return PrivateKey.rsa()


class SesFake(FakeAccount):
    """SES with SNS and S3 for one account, in memory."""

    def __init__(self, config: SesConfig, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self.confirmed: list[str] = []  # the topics whose subscription was confirmed
        self._config = config
        self._objects: dict[str, bytes] = {}
        self._url = config.api_url if config.local_host else ""

    def event(
        self, kind: EventType, message: Caught, recipient: str, *, hard: bool = True
    ) -> WebhookRequest:
        """Return the signed notification of an event."""
        if kind not in _NAMES:
            raise UnsupportedFeature(f"ses has no event for {kind}")
        name, at = _NAMES[kind], _iso(self._now())
        tags = email_tags("".join(message.tags[:1]), message.metadata)
        mail = {
            "timestamp": at,
            "messageId": message.id,
            "source": "support@shop.example",
            "sendingAccountId": "123456789012",
            "destination": list(message.rcpt_to),
            "tags": {"ses:configuration-set": ["events"]}
            | {tag["Name"]: [tag["Value"]] for tag in tags},
        }
        about = {**_about(kind, recipient, hard=hard), "timestamp": at}
        told = {"eventType": name, _KEYS.get(name, name.lower()): about, "mail": mail}
        return self._published("Amazon SES Email Event Notification", told)

    def inbound(
        self,
        raw: bytes,
        *,
        recipient: str,
        mail_from: str,
        stored: bool = False,
        encoding: str = "BASE64",
        spam: bool = False,
    ) -> WebhookRequest:
        """Return the notification of a receipt rule: with the mail, or with its place in S3."""
        action: dict[str, Any] = {"type": "SNS", "topicArn": self._topic.arn, "encoding": encoding}
        content = base64.b64encode(raw).decode() if encoding == "BASE64" else raw.decode()
        if stored:
            key = f"in/{secrets.token_hex(20)}"
            self._objects[f"{_BUCKET}/{key}"] = raw
            action = {"type": "S3", "bucketName": _BUCKET, "objectKey": key}
        told = _received(_iso(self._now()), mail_from, recipient, action)
        told["receipt"] |= {"spamVerdict": {"status": "FAIL"}} if spam else {}
        told |= {} if stored else {"content": content}
        return self._published("Amazon SES Email Receipt Notification", told)

    def subscription(self) -> WebhookRequest:
        """Return what SNS posts when the URL is subscribed to the topic."""
        token = secrets.token_hex(64)
        query = {"Action": "ConfirmSubscription", "TopicArn": self._topic.arn, "Token": token}
        return self._posted(
            {
                "Type": "SubscriptionConfirmation",
                "Message": f"You have chosen to subscribe to the topic {self._topic.arn}.",
                "SubscribeURL": f"{self._sns}/?{urlencode(query)}",
                "Token": token,
            }
        )

    @property
    def _topic(self) -> Topic:
        return (*self._config.topics, _TOPIC)[0]

    @property
    def _sns(self) -> str:
        return self._url or f"https://{self._topic.host}"

    def _published(self, subject: str, told: object) -> WebhookRequest:
        fields = {"Type": "Notification", "Subject": subject, "Message": json.dumps(told)}
        return self._posted(fields)

    def _posted(self, fields: Mapping[str, str]) -> WebhookRequest:
        whole = {
            **fields,
            "MessageId": str(uuid.uuid4()),
            "TopicArn": self._topic.arn,
            "Timestamp": _iso(self._now()),
            "SignatureVersion": "2",
            "SigningCertURL": self._sns + _CERTIFICATE,
        }
        whole["Signature"] = _key().sign(Notification(whole).signed)
        headers = {
            "content-type": "text/plain; charset=UTF-8",
            "x-amz-sns-message-type": whole["Type"],
            "x-amz-sns-message-id": whole["MessageId"],
            "x-amz-sns-topic-arn": whole["TopicArn"],
        }
        return WebhookRequest(headers=headers, body=json.dumps(whole).encode())

    def _answer(self, request: HttpRequest) -> HttpResponse:
        self._learn(request.url)
        parts = urlsplit(request.url)
        path = parts.path.removeprefix(urlsplit(self._url).path)
        if request.method == "POST":
            return self._sent(request, path)
        return self._given(request, path, dict(parse_qsl(parts.query)))

    def _learn(self, url: str) -> None:
        """Note where this is, unless the account's settings say so: what is posted names it."""
        if self._config.local_host or not is_local(urlsplit(url).hostname or ""):
            return
        for path in (ses_requests.SINGLE, ses_requests.BULK):
            if url.endswith(path):
                self._url = url.removesuffix(path)

    def _sent(self, request: HttpRequest, path: str) -> HttpResponse:
        self._check(request)
        if path not in (ses_requests.SINGLE, ses_requests.BULK):
            raise Refusal(404, "UnknownOperationException", "")
        taken = ses_submissions.read(request.body, bulk=path == ses_requests.BULK)
        ids: list[str] = []
        for mail in taken:
            id_ = f"0100{secrets.token_hex(6)}-{uuid.uuid4()}-000000"
            ids.append(id_)
            message_id = f"<{id_}@{message_host(self._config.region)}>"
            mime = mail.mime(message_id, self._now())
            self.caught.append(
                Caught(
                    id=id_,
                    message_id=message_id,
                    mime=mime,
                    rcpt_to=mail.rcpt_to,
                    tags=mail.tags,
                    metadata=mail.metadata,
                    options=mail.options,
                )
            )
        if path == ses_requests.SINGLE:
            return json_answer(200, {"MessageId": ids[0]})
        results = [{"Status": "SUCCESS", "MessageId": id_} for id_ in ids]
        return json_answer(200, {"BulkEmailEntryResults": results})

    def _given(self, request: HttpRequest, path: str, query: Mapping[str, str]) -> HttpResponse:
        if path == _CERTIFICATE:
            pem = _key().certificate("sns.amazonaws.com", self._now())
            return HttpResponse(200, {"content-type": "application/x-pem-file"}, pem.encode())
        if query.get("Action") == "ConfirmSubscription":
            self.confirmed.append(query.get("TopicArn", ""))
            return HttpResponse(
                200, {"content-type": "text/xml"}, b"<ConfirmSubscriptionResponse/>"
            )
        return self._object(request.url, unquote(path).lstrip("/"), query)

    def _object(self, url: str, path: str, query: Mapping[str, str]) -> HttpResponse:
        unsigned, _, signature = url.partition("&X-Amz-Signature=")
        signer = self._config.signer("s3", self._config.s3_region)
        key = query.get("X-Amz-Credential", "").partition("/")[0]
        if key != self._config.access_key_id or signature != signer.presigned(unsigned):
            return HttpResponse(403, {}, b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
        for name in (path, f"{_BUCKET}/{path}"):  # the bucket is in the path or in the host
            if name in self._objects:
                return HttpResponse(
                    200, {"content-type": "binary/octet-stream"}, self._objects[name]
                )
        return HttpResponse(404, {}, b"<Error><Code>NoSuchKey</Code></Error>")

    def _check(self, request: HttpRequest) -> None:
        """Refuse what is not signed with the account's key."""
        found = _AUTHORIZATION.fullmatch(request.header("authorization"))
        if not found:
            raise Refusal(
                403, "MissingAuthenticationTokenException", "Missing Authentication Token"
            )
        key, service, names, signature = found.groups()
        if key != self._config.access_key_id or service != "ses":
            message = "The security token included in the request is invalid."
            raise Refusal(403, "UnrecognizedClientException", message)
        good = self._config.signer("ses").signature(request, names.split(";"))
        if not secrets.compare_digest(good, signature):
            message = "The request signature we calculated does not match the one you provided."
            raise Refusal(403, "InvalidSignatureException", message)


def _received(
    timestamp: str, source: str, recipient: str, action: Mapping[str, Any]
) -> dict[str, Any]:
    mail = {
        "timestamp": timestamp,
        "source": source,
        "messageId": secrets.token_hex(20),
        "destination": [recipient],
    }
    receipt = {"timestamp": timestamp, "recipients": [recipient], "action": action}
    verdicts = {name: {"status": "PASS"} for name in _VERDICTS}
    return {"notificationType": "Received", "mail": mail, "receipt": {**receipt, **verdicts}}


def _about(kind: EventType, recipient: str, *, hard: bool) -> dict[str, Any]:
    if kind is EventType.BOUNCED:
        return _bounce(recipient, hard=hard)
    person = {"emailAddress": recipient}
    if kind is EventType.DEFERRED:
        person |= {"status": "4.4.1", "diagnosticCode": "smtp; 421 4.4.1 Unable to connect"}
        return {"delayType": "TransientCommunicationFailure", "delayedRecipients": [person]}
    preferences: dict[str, Any] = {"unsubscribeAll": True, "topicSubscriptionStatus": []}
    known: dict[EventType, dict[str, Any]] = {
        EventType.DELIVERED: {"recipients": [recipient], "smtpResponse": "250 2.6.0 Accepted"},
        EventType.COMPLAINED: {
            "complainedRecipients": [person],
            "complaintFeedbackType": "abuse",
            "userAgent": "Feedback-Loop/1.0",
        },
        EventType.REJECTED: {"reason": "Bad content"},
        EventType.FAILED: {"errorMessage": "Attribute 'name' is missing", "templateName": "order"},
        EventType.OPENED: _READER,
        EventType.CLICKED: {**_READER, "link": "https://example.com/"},
        EventType.UNSUBSCRIBED: {"source": "UnsubscribeHeader", "newTopicPreferences": preferences},
    }
    return known.get(kind, {})


def _bounce(recipient: str, *, hard: bool) -> dict[str, Any]:
    status, words = ("5.1.1", "smtp; 550 5.1.1 user unknown")
    if not hard:
        status, words = ("5.2.2", "smtp; 552 5.2.2 mailbox full")
    person = {"emailAddress": recipient, "status": status, "diagnosticCode": words}
    return {
        "bounceType": "Permanent" if hard else "Transient",
        "bounceSubType": "General" if hard else "MailboxFull",
        "bouncedRecipients": [{**person, "action": "failed"}],
        "feedbackId": secrets.token_hex(16),
    }


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
