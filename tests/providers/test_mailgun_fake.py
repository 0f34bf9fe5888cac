from __future__ import annotations

import email
import email.policy
import json
from dataclasses import replace
from typing import Any

import pytest

from inboxkit.errors import UnsupportedFeature
from inboxkit.providers import forms
from inboxkit.providers.base import HttpRequest, Verified
from inboxkit.providers.fakes.mailgun import MailgunFake
from inboxkit.providers.forms import Field
from inboxkit.values import EventType

from .mailgun_account import CONFIG, PROVIDER
from .vendor import NOW, cases, outgoing


@pytest.fixture
def fake() -> MailgunFake:
    return MailgunFake(CONFIG, lambda: NOW)


def _post(
    resource: str, *fields: Field, key: str = "key-secret-1", domain: str = "shop.example"
) -> HttpRequest:
    config = replace(CONFIG, api_key=key, domain=domain)
    content_type, body = forms.write(fields)
    headers = {"Authorization": config.authorization, "Content-Type": content_type}
    return HttpRequest(method="POST", url=config.url(resource), headers=headers, body=body)


def test_the_fake_composes_what_is_sent_in_parts(fake: MailgunFake) -> None:
    request = _post(
        "messages",
        Field("from", b"Shop <support@shop.example>"),
        Field("to", b"Ann <ann@example.com>, ben@example.com"),
        Field("bcc", b"eve@example.com"),
        Field("subject", "Größe".encode()),
        Field("text", b"Hello"),
        Field("html", b'<img src="cid:logo.png">'),
        Field("h:X-Order", b"42"),
        Field("attachment", b"%PDF", "a.pdf", "application/pdf"),
        Field("inline", b"PNG", "logo.png", "image/png"),
    )

    answer = fake.handle(request)

    [caught] = fake.caught
    mail: Any = email.message_from_bytes(caught.mime, policy=email.policy.default)
    assert json.loads(answer.body) == {"id": caught.id, "message": "Queued. Thank you."}
    assert caught.rcpt_to == ("ann@example.com", "ben@example.com", "eve@example.com")
    assert (mail["subject"], mail["x-order"], mail["bcc"]) == ("Größe", "42", None)
    assert [p["content-id"] for p in mail.walk() if p.get_content_type() == "image/png"] == [
        "<logo.png>"
    ]


TO, TEXT, FROM = Field("to", b"a@b.example"), Field("text", b"x"), Field("from", b"c@d.example")


@pytest.mark.parametrize(
    ("request_", "status", "words"),
    cases(
        {
            "wrong key": (_post("messages", key="other"), 401, "Forbidden"),
            "wrong domain": (
                _post("messages", domain="x.example"),
                404,
                "Domain not found: x.example",
            ),
            "no from": (_post("messages", TO, TEXT), 400, "from parameter is missing"),
            "no to": (_post("messages", FROM, TEXT), 400, "to parameter is missing"),
            "no text": (_post("messages", FROM, TO), 400, "Need at least one of"),
            "no address": (
                _post("messages", FROM, TEXT, Field("to", b"nobody")),
                400,
                "to parameter is not",
            ),
            "no mime": (_post("messages.mime", TO), 400, "message parameter is missing"),
            "no file": (_post("messages.mime", TO, Field("message", b"x")), 400, "is not a file"),
            "no date": (
                _post("messages", FROM, TO, TEXT, Field("o:deliverytime", b"x")),
                400,
                "invalid delivery time",
            ),
            "no path": (_post("teapots"), 200, "Mailgun Magnificent API"),
        }
    ),
)
def test_the_fake_refuses_as_mailgun_does(
    fake: MailgunFake, request_: HttpRequest, status: int, words: str
) -> None:
    answer = fake.handle(request_)

    assert (answer.status, words in answer.body.decode()) == (status, True)
    assert not fake.caught


def test_addresses_decide_what_becomes_of_a_message(fake: MailgunFake) -> None:
    to = ("bounce@x.example", "complaint+1@x.example", "defer@x.example", "ann@x.example")
    fake.handle(PROVIDER.build_send(outgoing(rcpt_to=to), CONFIG, NOW))

    posts = fake.outcomes(fake.caught[0])

    events = [event for post in posts for event in PROVIDER.parse_events(post, CONFIG)]
    assert [(e.recipient.partition("@")[0], e.type.value, e.hard) for e in events] == [
        ("bounce", "bounced", True),
        ("complaint+1", "delivered", False),
        ("complaint+1", "complained", False),
        ("defer", "deferred", False),
        ("defer", "delivered", False),
        ("ann", "delivered", False),
    ]
    assert all(isinstance(PROVIDER.verify(p, CONFIG, NOW), Verified) for p in posts)


def test_the_fake_has_no_event_that_mailgun_has_not(fake: MailgunFake) -> None:
    fake.handle(PROVIDER.build_send(outgoing(), CONFIG, NOW))
    with pytest.raises(UnsupportedFeature):
        fake.event(EventType.RECEIVED, fake.caught[0], "ann@example.com")
