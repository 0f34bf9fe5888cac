"""What every vendor's provider must do, as one suite: subclass Conformance with its Vendor."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inboxkit.errors import ConfigurationError, SendError, UnsupportedFeature
from inboxkit.providers.base import (
    Feature,
    FetchPlan,
    HttpRequest,
    HttpResponse,
    InboundMail,
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
from inboxkit.providers.registry import fetching
from inboxkit.values import EventType

if TYPE_CHECKING:
    from inboxkit.models import Message
    from inboxkit.providers.fakes.fake import Fake
    from inboxkit.values import Draft

from . import hostile
from .vendor import LIFE_CYCLE, MAILS, NOW, PAYLOADS, SECRETS, Vendor, cases

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
    deadline=None, suppress_health_check=[HealthCheck.differing_executors]
)


few = settings(foreign, max_examples=foreign.max_examples // 2)  # each is a whole mail


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
        known = self.known_ids(fake, message, sent)
        local = caught.message_id.partition("@")[0] + "@"
        assert caught.message_id in known or local in known

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

    @few
    @given(hostile.SENDS)
    def test_no_text_of_a_mail_becomes_a_field_of_its_own(
        self, send: tuple[Draft, Message | None, str]
    ) -> None:
        try:
            message = hostile.composed(*send, provider=self.vendor.provider)
            request = self.vendor.provider.build_send(message, self.vendor.config, NOW)
        except (SendError, ValueError):
            return
        assert hostile.injected(request) == []

    def test_a_mail_that_only_brings_a_file_is_sent(self) -> None:
        fake = self.vendor.fake()
        message = self.vendor.message(subject="", text="", html="")

        assert isinstance(self.vendor.send(fake, message), Sent)
        assert {r for caught in fake.caught for r in caught.rcpt_to} == set(message.rcpt_to)

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
        is_soft = kind is EventType.BOUNCED and not hard
        if kind in self.vendor.lacks or (is_soft and self.vendor.softens):
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
        assert self._outcomes(request) <= {tuple, ParseError}

    @foreign
    @given(st.data())
    def test_no_value_in_a_payload_breaks_the_parser(self, data: st.DataObject) -> None:
        paths = sorted((PAYLOADS / self.vendor.provider.name).glob("*.json"))
        payload = json.loads(data.draw(st.sampled_from(paths)).read_text())["payload"]
        post = self.vendor.posted(replaced(payload, data))
        assert self._outcomes(post) <= {tuple, ParseError}

    @foreign
    @given(st.data())
    def test_no_damage_to_a_post_breaks_the_parser(self, data: st.DataObject) -> None:
        post = data.draw(st.sampled_from(self._posts()))
        start, end = (data.draw(st.integers(0, len(post.body))) for _ in "ab")
        body = post.body[:start] + data.draw(st.binary(max_size=9)) + post.body[end:]
        assert self._outcomes(replace(post, body=body)) <= {tuple, ParseError}

    def _outcomes(self, request: WebhookRequest) -> set[type]:
        """Return what parsing comes to: a type of value, or of error; others are raised."""
        verdict = self.vendor.verify(request)
        assert isinstance(verdict, (Verified, Unverified))
        found: set[type] = set()
        for parse in (self.vendor.provider.parse_events, self.vendor.provider.parse_inbound):
            try:
                found.add(type(parse(request, self.vendor.config)))
            except ParseError:
                found.add(ParseError)
        return found

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
