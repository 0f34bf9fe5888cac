"""Amazon SNS over HTTPS: a notification, what of it is signed, and where its key may come from.

Facts: Amazon SNS developer guide, "HTTP/HTTPS notification JSON format" and "Verifying the
signatures of Amazon SNS messages".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from . import payloads
from .base import ParseError
from .hosts import is_local

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from .public_keys import Digest

_ARN = re.compile(
    r"arn:(aws[a-z-]{0,20}):sns:([a-z0-9-]{1,40}):\d{12}:[\w-]{1,256}(?:\.fifo)?", re.A
)
_CERTIFICATE = re.compile(r"/SimpleNotificationService-[0-9a-f]{1,64}\.pem")
_DIGESTS: Mapping[str, Digest] = {"1": "sha1", "2": "sha256"}
_SUBSCRIPTIONS = ("SubscriptionConfirmation", "UnsubscribeConfirmation")
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    **dict.fromkeys(
        _SUBSCRIPTIONS,
        ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    ),
}


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic by its ARN."""

    arn: str

    @property
    def is_valid(self) -> bool:
        """Whether the ARN is one of a topic."""
        return _ARN.fullmatch(self.arn) is not None

    @property
    def host(self) -> str:
        """The host of SNS in the topic's region, "" for a broken ARN."""
        found = _ARN.fullmatch(self.arn)
        return f"sns.{found[2]}.{domain(found[1])}" if found else ""


def domain(partition: str) -> str:
    """Return the domain of AWS's endpoints in a partition."""
    return "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"


@dataclass(frozen=True, slots=True)
class Notification:
    """What SNS posts; every field is as the sender claims until the signature is checked."""

    fields: Mapping[str, str] = field(repr=False)

    @classmethod
    def read(cls, body: bytes) -> Notification:
        """Read a post; raise ParseError for anything that SNS does not send."""
        posted = payloads.read_unsigned(body)
        fields = {name: value for name, value in posted.items() if isinstance(value, str)}
        if fields.get("Type") not in _SIGNED:
            raise ParseError("no SNS message; raw message delivery must be off")
        return cls(fields)

    @property
    def type(self) -> str:
        """Notification, SubscriptionConfirmation or UnsubscribeConfirmation."""
        return self.fields["Type"]

    @property
    def id(self) -> str:
        """The MessageId, the same in every attempt to deliver it."""
        return payloads.text(self.fields.get("MessageId"))

    @property
    def topic(self) -> Topic:
        """The topic it was published to."""
        return Topic(self.fields.get("TopicArn", ""))

    @property
    def message(self) -> str:
        """What was published."""
        return self.fields.get("Message", "")

    @property
    def published_at(self) -> datetime | None:
        """When it was published, not when this attempt was made."""
        return payloads.instant(self.fields.get("Timestamp"))

    @property
    def subscribe_url(self) -> str:
        """What is to be requested to confirm a subscription, "" for anything else."""
        wanted = self.type == "SubscriptionConfirmation"
        return self.fields.get("SubscribeURL", "") if wanted else ""

    @property
    def signature(self) -> str:
        """The signature in base64."""
        return self.fields.get("Signature", "")

    @property
    def digest(self) -> Digest | None:
        """The hash that was signed; None for an unknown SignatureVersion."""
        return _DIGESTS.get(self.fields.get("SignatureVersion", ""))

    @property
    def certificate_url(self) -> str:
        """Where the certificate is, "" when that is no place of SNS certificates."""
        url = self.fields.get("SigningCertURL", "")
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
        except ValueError:
            return ""
        # a Fake may be one of several at a local address, each under a path of its own
        path = parts.path[parts.path.rfind("/") :] if is_local(host) else parts.path
        named = _CERTIFICATE.fullmatch(path) and not (parts.query or parts.fragment)
        return url if named else ""

    @property
    def signed(self) -> bytes:
        """The bytes under the signature."""
        names = (name for name in _SIGNED[self.type] if name in self.fields)
        text = "".join(f"{name}\n{self.fields[name]}\n" for name in names)
        return text.encode("utf-8", "replace")
