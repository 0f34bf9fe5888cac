"""What every vendor's provider must do, as one suite: subclass Conformance with its Vendor."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inboxkit.errors import ConfigurationError, UnsupportedFeature
from inboxkit.providers.base import (
    Feature,
    FetchPlan,
    HttpRequest,
    HttpResponse,
    InboundMail,
    NeedsFetch,
    Outgoing,
    ParseError,
    ProviderEvent,
    Refused,
    Retry,
    Sent,
    Unknown,
    Unverified,
    Verified,
    WebhookRequest,
)
from inboxkit.providers.registry import fetching, key_fetching
from inboxkit.values import Address, EventType, File

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inboxkit.providers.fake import Fake
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


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
requests = st.builds(
    WebhookRequest,
    headers=st.fixed_dictionaries(
        {
            "content-type": st.sampled_from(
                [
                    "application/json",
                    "application/x-www-form-urlencoded",
                    "multipart/form-data; boundary=b",
                    'multipart/form-data; boundary="',
                    "",
                ]
            )
            | st.text()
        }
    ),
    body=st.binary() | json_values.map(lambda value: json.dumps(value).encode()),
)


def replaced(value: Any, data: st.DataObject) -> Any:
    """Return a JSON value in which one value, at any depth, is another one."""
    if isinstance(value, dict) and value and data.draw(st.integers(0, 3)):
        table = cast("dict[str, Any]", value)
        key = data.draw(st.sampled_from(sorted(table)))
        return {**table, key: replaced(table[key], data)}
    return data.draw(json_values)


foreign = settings(  # slow machines, and one suite run by many classes
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.differing_executors]
)


class Conformance:
    """The suite. A vendor's test module subclasses it and sets ``vendor``."""

    vendor: Vendor

    def has(self, feature: Feature) -> bool:
        return feature in self.vendor.provider.capabilities

    def takes_no_mail(self, fake: Fake) -> bool:
        """Whether the vendor has no inbound mail; then its Fake must say so."""
        if not self.has(Feature.INBOUND):
            with pytest.raises(UnsupportedFeature):
                fake.inbound(b"", recipient="a@shop.example", mail_from="")
        return not self.has(Feature.INBOUND)

    def known_ids(self, fake: Fake, message: Outgoing, sent: Sent) -> tuple[str, ...]:
        """Return the Message-IDs that we know of a send: some vendors tell theirs in events."""
        return (message.message_id, *sent.aliases)

    def told_of(self) -> Outgoing:
        """Return the message that events are about: some vendors never say whom of many."""
        return self.vendor.message()

    def received(self, fake: Fake, post: WebhookRequest) -> InboundMail:
        """Return the mail of a webhook, its downloads made from the Fake."""
        reader, config = fetching(self.vendor.provider), self.vendor.config
        items = list(self.vendor.provider.parse_inbound(post, config))
        while reader is not None and isinstance(plan := items[0], FetchPlan):
            assert plan.is_allowed, plan.url
            asked = HttpRequest(method=plan.method, url=plan.url, headers=plan.headers)
            fetched = reader.parse_fetched(plan, fake.handle(asked), config)
            items = [item for item in fetched if not isinstance(item, ProviderEvent)]
        [mail] = items
        assert isinstance(mail, InboundMail)
        return mail

    def test_a_send_reaches_everybody_with_its_bytes_tag_and_metadata(self) -> None:
        fake, message = self.vendor.fake(), self.vendor.message()

        sent = self.vendor.send(fake, message)

        assert isinstance(sent, Sent)
        [caught] = fake.caught
        assert set(caught.rcpt_to) == set(message.rcpt_to)
        assert caught.tags == (("order",) if self.has(Feature.TAGS) else ())
        assert caught.metadata == (message.metadata if self.has(Feature.METADATA) else {})
        assert caught.message_id in self.known_ids(fake, message, sent)

    def test_many_recipients_all_get_it(self) -> None:
        fake = self.vendor.fake()
        everybody = tuple(f"person{n}@example.com" for n in range(self.vendor.most))

        sent = self.vendor.send(fake, self.vendor.message(rcpt_to=everybody, to=(), cc=(), bcc=()))

        assert isinstance(sent, Sent)
        # one mail to all, or one to each
        assert tuple(r for caught in fake.caught for r in caught.rcpt_to) == everybody

    def test_the_same_message_makes_the_same_request(self) -> None:
        build = self.vendor.provider.build_send
        message, config = self.vendor.message(), self.vendor.config
        assert build(message, config, NOW) == build(message, config, NOW)

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
    def test_a_client_error_is_refused_with_the_vendors_reason(self, status: int) -> None:
        answer = HttpResponse(status, {}, b'{"message": "the reason"}')

        outcome = self.vendor.provider.parse_send(answer, self.vendor.message(), self.vendor.config)

        assert isinstance(outcome, Refused)
        assert outcome.reason.startswith(f"{status} ")

    @pytest.mark.parametrize("value", ["120", "Fri, 02 Jan 2026 03:06:06 GMT"])
    def test_too_many_requests_are_retried_when_the_vendor_says(self, value: str) -> None:
        headers = {"Retry-After": value, "Date": "Fri, 02 Jan 2026 03:04:06 GMT"}

        outcome = self.vendor.provider.parse_send(
            HttpResponse(429, headers), self.vendor.message(), self.vendor.config
        )

        assert isinstance(outcome, Retry)
        assert outcome.after == timedelta(seconds=120)

    def test_a_failing_vendor_is_never_called_a_success_or_a_refusal(self) -> None:
        fake = self.vendor.fake()
        for status in (500, 502, 503, 504, 429):
            fake.fail_next(status)
            assert isinstance(self.vendor.send(fake, self.vendor.message()), (Retry, Unknown))
        assert not fake.caught

    @foreign
    @given(status=st.integers(100, 599), body=st.binary(), date=st.text())
    def test_no_answer_makes_parse_send_raise(self, status: int, body: bytes, date: str) -> None:
        answer = HttpResponse(status, {"retry-after": date, "date": date}, body)
        outcome = self.vendor.provider.parse_send(answer, self.vendor.message(), self.vendor.config)
        assert isinstance(outcome, (Sent, Refused, Retry, Unknown))

    def test_only_a_request_that_never_went_out_is_certain(self) -> None:
        error = self.vendor.provider.transport_error
        assert isinstance(error(request_sent=False, reason="refused"), Retry)
        assert isinstance(error(request_sent=True, reason="timed out"), (Retry, Unknown))

    @pytest.mark.parametrize(("kind", "hard"), cases(LIFE_CYCLE))
    def test_every_event_comes_back_normalized(self, kind: EventType, hard: bool) -> None:
        fake = self.vendor.fake()
        sent = self.vendor.send(fake, self.told_of())
        if kind in self.vendor.lacks:
            with pytest.raises(UnsupportedFeature):
                fake.event(kind, fake.caught[0], "ann@example.com", hard=hard)
            return
        post = fake.event(kind, fake.caught[0], "ann@example.com", hard=hard)

        [event] = self.vendor.provider.parse_events(post, self.vendor.config)

        assert isinstance(event, ProviderEvent)
        recipient = "" if kind in self.vendor.nameless else "ann@example.com"
        assert (event.type, event.hard, event.recipient) == (kind, hard, recipient)
        assert isinstance(sent, Sent)
        assert event.provider_id == sent.provider_id
        if self.has(Feature.METADATA):
            assert event.data["metadata"] == self.vendor.message().metadata
        assert abs(event.at - NOW) < timedelta(seconds=1)

    def test_events_and_mail_are_told_apart_at_one_url(self) -> None:
        fake, provider = self.vendor.fake(), self.vendor.provider
        self.vendor.send(fake, self.vendor.message())
        event = fake.event(EventType.DELIVERED, fake.caught[0], "ann@example.com")
        if self.takes_no_mail(fake):
            assert provider.parse_inbound(event, self.vendor.config) == ()
            return
        mail = fake.inbound(MAILS["plain"], recipient="support@shop.example", mail_from="a@b.c")

        assert provider.parse_inbound(event, self.vendor.config) == ()
        assert provider.parse_events(mail, self.vendor.config) == ()

    @pytest.mark.parametrize("raw", cases(MAILS))
    def test_raw_mail_comes_in_byte_for_byte(self, raw: bytes) -> None:
        lossy = raw in [MAILS[name] for name in self.vendor.lossy]
        fake = self.vendor.fake()
        if self.takes_no_mail(fake):
            return
        post = fake.inbound(raw, recipient="support@shop.example", mail_from="ann@example.com")

        mail = self.received(fake, post)

        assert (mail.raw == raw) is not lossy
        assert (mail.mail_from, mail.rcpt_to) == ("ann@example.com", ("support@shop.example",))

    def test_a_bounce_comes_in_with_an_empty_sender(self) -> None:
        fake = self.vendor.fake()
        if self.takes_no_mail(fake):
            return
        post = fake.inbound(MAILS["plain"], recipient="a@shop.example", mail_from="")

        assert self.received(fake, post).mail_from == ""

    def test_what_the_vendor_signed_is_verified_with_an_id_to_dedupe_on(self) -> None:
        for post in self._posts():
            verified = self.vendor.verify(post)
            assert isinstance(verified, Verified)
            assert verified.dedupe_id

    def test_what_was_tampered_with_is_refused(self) -> None:
        for post in self._posts():
            for name, bad in self.vendor.tampered(post).items():
                refused = self.vendor.verify(bad)
                assert isinstance(refused, Unverified), name
                assert refused.status == self.vendor.refusal, name

    @foreign
    @given(requests)
    def test_a_stranger_is_never_verified_and_never_raises(self, request: WebhookRequest) -> None:
        assert isinstance(self.vendor.verify(request), Unverified)

    @foreign
    @given(requests)
    def test_parsing_raises_only_parse_errors(self, request: WebhookRequest) -> None:
        self._parse(request)

    @foreign
    @given(st.data())
    def test_no_value_in_a_payload_breaks_the_parser(self, data: st.DataObject) -> None:
        paths = sorted((PAYLOADS / self.vendor.provider.name).glob("*.json"))
        payload = json.loads(data.draw(st.sampled_from(paths)).read_text())["payload"]
        self._parse(self.vendor.posted(replaced(payload, data)))

    @foreign
    @given(st.data())
    def test_no_damage_to_a_post_breaks_the_parser(self, data: st.DataObject) -> None:
        post = data.draw(st.sampled_from(self._posts()))
        start, end = (data.draw(st.integers(0, len(post.body))) for _ in "ab")
        body = post.body[:start] + data.draw(st.binary(max_size=9)) + post.body[end:]
        self._parse(replace(post, body=body))

    def _parse(self, request: WebhookRequest) -> None:
        verdict = self.vendor.verify(request)
        assert isinstance(verdict, (Verified, Unverified))
        for parse in (self.vendor.provider.parse_events, self.vendor.provider.parse_inbound):
            try:
                assert isinstance(parse(request, self.vendor.config), tuple)
            except ParseError:
                continue

    def test_no_secret_is_in_any_repr(self) -> None:
        request = self.vendor.provider.build_send(self.vendor.message(), self.vendor.config, NOW)
        for shown in (repr(self.vendor.config), repr(request), *map(repr, self._posts())):
            assert not [secret for secret in SECRETS if secret in shown]
            assert "Which size" not in shown
            assert "Basic " not in shown

    def test_each_missing_option_is_named(self) -> None:
        for key in self.vendor.required:
            options = {k: v for k, v in self.vendor.options.items() if k != key}
            with pytest.raises(ConfigurationError, match=rf"{self.vendor.provider.name}: {key} "):
                self.vendor.provider.configure(options)

    def test_an_unknown_option_is_named_without_its_value(self) -> None:
        options = {**self.vendor.options, "api_kee": SECRETS[0]}
        with pytest.raises(ConfigurationError, match="api_kee is not a setting") as raised:
            self.vendor.provider.configure(options)
        assert SECRETS[0] not in str(raised.value)

    def _posts(self) -> tuple[WebhookRequest, ...]:
        fake = self.vendor.fake()
        self.vendor.send(fake, self.vendor.message())
        event = fake.event(EventType.DELIVERED, fake.caught[0], "ann@example.com")
        if not self.has(Feature.INBOUND):
            return (event,)
        mail = fake.inbound(MAILS["8-bit"], recipient="support@shop.example", mail_from="a@b.c")
        return (event, mail)
