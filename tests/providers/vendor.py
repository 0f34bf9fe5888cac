"""A vendor as the tests know it: its provider and Fake, sample messages, recorded payloads."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from inboxkit.providers.base import (
    Feature,
    HttpRequest,
    NeedsFetch,
    Outgoing,
    ProviderEvent,
    Refused,
    Retry,
    Sent,
    Unknown,
    Unverified,
    Verified,
    WebhookRequest,
)
from inboxkit.providers.registry import key_fetching
from inboxkit.values import Address, EventType, File

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inboxkit.providers.fakes.fake import Fake
    from inboxkit.providers.registry import AnyProvider

NOW = datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)
PAYLOADS = Path(__file__).parent.parent / "payloads"
SECRETS = ("key-secret-1", "signing-secret-2", "password-secret-3")

_HEAD = (
    b"From: Ann Lee <ann@example.com>\r\nTo: support@shop.example\r\nSubject: Size\r\n"
    b"Message-ID: <a1@example.com>\r\n"
)
MAILS = {
    "plain": _HEAD + b"\r\nWhich size?\r\n",
    "8-bit": _HEAD
    + b"Content-Type: text/plain; charset=latin-1\r\n\r\nTaille caf\xe9 \xff\x80\r\n",
    "gb18030": _HEAD.replace(b"Size", "尺码".encode("gb18030"))
    + b"Content-Type: text/plain; charset=gb18030\r\n\r\n"
    + "什么尺码？".encode("gb18030"),
    "1 MB": _HEAD + b"\r\n" + b"0123456789abcdef" * 65_536,
    "no Message-ID": _HEAD.replace(b"Message-ID: <a1@example.com>\r\n", b"") + b"\r\nHello\r\n",
    "duplicate headers": b"Received: from a\r\nReceived: from b\r\nX-Same: 1\r\nX-Same: 2\r\n"
    + _HEAD
    + b"\r\nHello\r\n",
    "every byte": _HEAD + b"\r\n" + bytes(range(256)) + b"&=%+\r\n--x\r\n",
    "empty": b"",
}
LIFE_CYCLE = {
    "accepted": (EventType.ACCEPTED, False),
    "delivered": (EventType.DELIVERED, False),
    "deferred": (EventType.DEFERRED, False),
    "hard bounce": (EventType.BOUNCED, True),
    "soft bounce": (EventType.BOUNCED, False),
    "rejected": (EventType.REJECTED, False),
    "complained": (EventType.COMPLAINED, False),
    "opened": (EventType.OPENED, False),
    "clicked": (EventType.CLICKED, False),
    "unsubscribed": (EventType.UNSUBSCRIBED, False),
}


def outgoing(**changes: Any) -> Outgoing:
    """Return a message with everything a plain send has; ``changes`` replace fields."""
    message = Outgoing(
        id="msg_1",
        message_id="<order-42.1@shop.example>",
        idempotency_key="order-42",
        sender=Address("support@shop.example", "Shop"),
        mail_from="support@shop.example",
        rcpt_to=("ann@example.com", "ben@example.com", "eve@example.com"),
        to=(Address("ann@example.com", "Ann Lee"),),
        cc=(Address("ben@example.com"),),
        bcc=(Address("eve@example.com"),),
        reply_to=(Address("support+token@shop.example"),),
        subject="Größe 尺码",
        text="Which size? 尺码",
        html='<p>Which size?</p><img src="cid:logo">',
        headers={"In-Reply-To": "<a1@example.com>", "References": "<a1@example.com>"},
        attachments=(
            File("rechnung ü.pdf", b"%PDF\x00\xff", "application/pdf"),
            File("logo.png", b"\x89PNG\r\n\x1a\n", "image/png", "logo"),
        ),
        tag="order",
        metadata={"order": "42", "größe": "ü&=%+"},
        mime=(
            b"From: Shop <support@shop.example>\r\nTo: Ann Lee <ann@example.com>\r\n"
            b"Cc: ben@example.com\r\nSubject: Gr\xc3\xb6\xc3\x9fe\r\n"
            b"Message-ID: <order-42.1@shop.example>\r\nMIME-Version: 1.0\r\n"
            b"Content-Type: text/plain; charset=utf-8\r\n"
            b"Content-Transfer-Encoding: 8bit\r\n\r\nWhich size? \xe5\xb0\xba\xff\r\n.\r\n--x--\r\n"
        ),
    )
    return replace(message, **changes)


@dataclass(frozen=True)
class Vendor:
    """One provider with its Fake, as the suite needs them."""

    provider: AnyProvider
    options: Mapping[str, str]
    make_fake: Callable[[Any, Callable[[], datetime]], Fake]
    required: tuple[str, ...]  # options that must be there
    refusal: int  # the status that answers a bad signature
    tampered: Callable[[WebhookRequest], Mapping[str, WebhookRequest]]
    lacks: frozenset[EventType] = frozenset()  # the vendor has no such event
    softens: bool = False  # what is not final is deferred there: no bounce is soft
    nameless: frozenset[EventType] = frozenset()  # events that do not say whose they are
    most: int = 500  # recipients that one request takes
    posted: Callable[[Any], WebhookRequest] = lambda payload: WebhookRequest(  # as it comes in
        headers={"content-type": "application/json"}, body=json.dumps(payload).encode()
    )
    lossy: frozenset[str] = frozenset()  # names of MAILS that the vendor cannot pass on whole

    def message(self, **changes: Any) -> Outgoing:
        """Return ``outgoing``, without inline images where the vendor has none."""
        message = outgoing(**changes)
        if Feature.INLINE_IMAGES in self.provider.capabilities:
            return message
        return replace(message, attachments=message.attachments[:1])

    @cached_property
    def config(self) -> Any:
        return self.provider.configure(self.options)

    def fake(self, now: datetime = NOW) -> Fake:
        return self.make_fake(self.config, lambda: now)

    def send(self, fake: Fake, message: Outgoing) -> Sent | Refused | Retry | Unknown:
        request = self.provider.build_send(message, self.config, NOW)
        assert isinstance(request, HttpRequest)
        return self.provider.parse_send(fake.handle(request), message, self.config)

    def verify(self, post: WebhookRequest) -> Verified | Unverified:
        """Check a webhook, with the Fake's certificate where one has to be fetched."""
        verdict = self.provider.verify(post, self.config, NOW)
        if not isinstance(verdict, NeedsFetch):
            return verdict
        reader = key_fetching(self.provider)
        assert reader is not None
        assert verdict.plan.is_allowed
        answer = self.fake().handle(HttpRequest(method="GET", url=verdict.plan.url))
        return reader.verify_fetched(post, answer, self.config, NOW)


def recorded(vendor: str) -> list[Any]:
    """Return the recorded payloads of a vendor as pytest parameters."""
    paths = sorted((PAYLOADS / vendor).glob("*.json"))
    return [pytest.param(json.loads(path.read_text()), id=path.stem) for path in paths]


def value_of(event: ProviderEvent, name: str) -> object:
    """Return what a recorded payload expects of an event: a field, or a detail of its data."""
    if name == "metadata":
        return event.data.get("metadata", {})
    return getattr(event, name) if hasattr(event, name) else event.data.get(name)


def cases(table: Mapping[str, Any]) -> list[Any]:
    """Return a table as pytest parameters with its keys as ids."""
    rows = {
        k: cast("tuple[object, ...]", v) if isinstance(v, tuple) else (v,) for k, v in table.items()
    }
    return [pytest.param(*row, id=key) for key, row in rows.items()]
