"""What vendors state of a mail's sender, and for whom it counts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.authentication.verdicts import judged
from inboxkit.providers import forms
from inboxkit.providers.base import InboundMail, WebhookRequest
from inboxkit.providers.fakes.mailersend import MailerSendFake
from inboxkit.providers.fakes.mandrill import MandrillFake
from inboxkit.providers.fakes.ses import SesFake
from inboxkit.providers.forms import Field
from inboxkit.providers.mailersend import MailerSend
from inboxkit.providers.mandrill import Mandrill
from inboxkit.providers.postmark import Postmark
from inboxkit.providers.verdicts import of_mailgun, stated

from . import sendgrid_account, ses_account
from .vendor import NOW

if TYPE_CHECKING:
    from collections.abc import Mapping

MAIL = b"From: Ann <ann@shop.example>\r\nSubject: Size\r\n\r\nWhich?\r\n"
WHO = {"recipient": "desk@inbox.example", "mail_from": "ann@shop.example"}
MAILERSEND = {"api_key": "k", "signing_secret": "s", "inbound_secret": "i"}
MANDRILL = {"api_key": "k", "webhook_key": "w", "webhook_url": "https://a.example/"}


def test_ses_states_all_three() -> None:
    fake = SesFake(ses_account.CONFIG, lambda: NOW)
    post = fake.inbound(MAIL, recipient="desk@inbox.example", mail_from="ann@shop.example")

    [mail] = ses_account.PROVIDER.parse_inbound(post, ses_account.CONFIG)

    assert isinstance(mail, InboundMail)
    assert mail.verdicts == {"spf": "pass", "dkim": "pass", "dmarc": "pass"}


def test_mailersend_and_mandrill_state_what_they_checked() -> None:
    mailersend, config = MailerSend(), MailerSend().configure(MAILERSEND)
    [first] = mailersend.parse_inbound(
        MailerSendFake(config, lambda: NOW).inbound(MAIL, **WHO), config
    )
    mandrill, keys = Mandrill(), Mandrill().configure(MANDRILL)
    [second] = mandrill.parse_inbound(MandrillFake(keys, lambda: NOW).inbound(MAIL, **WHO), keys)

    assert first.verdicts == {"spf": "pass"}
    assert second.verdicts == {"dkim": "pass"}


@pytest.mark.parametrize(
    ("fields", "verdicts"),
    [
        (
            [("SPF", "softfail"), ("dkim", "{@Shop.example : pass, @b.example : fail}")],
            {"spf": "softfail", "dkim": "pass", "domain": "shop.example"},
        ),
        ([("SPF", "none"), ("dkim", "{@b.example : fail}")], {"spf": "none", "dkim": "fail"}),
        ([("dkim", "none")], {}),
        ([("SPF", "pass"), ("SPF", "fail"), ("dkim", "{@b.example : pass}")] * 2, {}),
    ],
    ids=["two signatures", "failed", "unsigned", "twice"],
)
def test_sendgrid_says_whose_signature_passed(
    fields: list[tuple[str, str]], verdicts: Mapping[str, str]
) -> None:
    envelope = json.dumps({"to": ["desk@inbox.example"], "from": "ann@shop.example"})
    posted = [("email", MAIL.decode()), ("envelope", envelope), *fields]
    content_type, body = forms.write([Field(name, value.encode()) for name, value in posted])
    post = WebhookRequest(headers={"content-type": content_type}, body=body)

    [mail] = sendgrid_account.PROVIDER.parse_inbound(post, sendgrid_account.CONFIG)

    assert isinstance(mail, InboundMail)
    assert mail.verdicts == verdicts


@pytest.mark.parametrize(
    ("options", "verdicts"), [({}, {}), ({"trust_headers": "yes"}, {"spf": "pass"})]
)
def test_postmark_writes_into_the_header(options: dict[str, str], verdicts: dict[str, str]) -> None:
    postmark = Postmark()
    config = postmark.configure({"server_token": "t", "insecure": "yes", **options})
    names = {"Return-Path": "<a@b.example>", "Received-SPF": "Pass (sender SPF authorized)"}
    headers = [{"Name": name, "Value": value} for name, value in names.items()]
    payload = {"FromFull": {"Email": "a@b.example"}, "OriginalRecipient": "d@i.example"}
    body = json.dumps({**payload, "Headers": headers, "TextBody": "x", "MessageID": "1"}).encode()

    [mail] = postmark.parse_inbound(WebhookRequest(body=body), config)

    assert mail.verdicts == verdicts


@pytest.mark.parametrize(
    ("head", "fields", "verdicts"),
    [
        (b"X-Mailgun-Spf: Pass\r\n", [], {"spf": "pass"}),
        (b"", [("X-Mailgun-Dkim-Check-Result", "Pass")], {"dkim": "pass"}),
        (b"X-Mailgun-Spf: Pass\r\nX-Mailgun-Spf: Fail\r\n", [], {}),
        (b"X-Mailgun-Spf: Pass\r\n", [("X-Mailgun-Spf", "Neutral")], {}),
        (b"Subject: x\r\n\r\nX-Mailgun-Spf: Pass\r\n", [], {}),
    ],
    ids=["in the mail", "beside it", "two that differ", "differs beside it", "in the body"],
)
def test_mailgun_writes_into_the_header(
    head: bytes, fields: list[tuple[str, str]], verdicts: dict[str, str]
) -> None:
    mail = InboundMail(raw=head + MAIL, mail_from="a@b.example", rcpt_to=("d@i.example",))

    assert of_mailgun(mail, fields).verdicts == verdicts


@pytest.mark.parametrize(
    ("said", "word"),
    [("PASS", "pass"), ("GRAY", "none"), ("+", "pass"), ("~", "softfail"), ("Wonderful", None)],
)
def test_words_of_vendors(said: str, word: str | None) -> None:
    assert stated(spf=said).get("spf") == word


OWN = "shop.example"
SIGNED = "v=1; a=rsa-sha256; d=shop.example; s=s1"


@pytest.mark.parametrize(
    ("verdicts", "signed", "domain"),
    [
        ({"dmarc": "pass"}, [], "shop.example"),
        ({"dmarc": "fail", "dkim": "pass"}, [SIGNED], ""),
        ({"spf": "pass"}, [], "shop.example"),
        ({"dkim": "pass"}, [SIGNED], "shop.example"),
        ({"dkim": "pass"}, [SIGNED, SIGNED.replace("shop", "evil")], ""),
        ({"dkim": "pass"}, [], ""),
        ({"dkim": "pass", "domain": "evil.example"}, [SIGNED], ""),
        ({"dkim": "pass", "domain": "evil.example mail.shop.example"}, [], "shop.example"),
        ({"dkim": "fail", "spf": "softfail"}, [SIGNED], ""),
    ],
)
def test_verdicts_count_for_the_sender_only(
    verdicts: dict[str, str], signed: list[str], domain: str
) -> None:
    auth = judged(
        verdicts, OWN, "bounces@shop.example", written=f"a@{OWN}", signed=signed, by="ses"
    )

    assert (auth.domain, auth.reason) == (domain, "stated by ses")


def test_spf_of_another_envelope_proves_nobody() -> None:
    auth = judged({"spf": "pass"}, OWN, "x@evil.example", written="", signed=(), by="ses")

    assert not auth.passed


@pytest.mark.parametrize(
    ("written", "is_proven"),
    [
        ("Ann <ann@Shop.example>", True),
        ('"ann@shop.example" <ann@shop.example>', True),
        ("ann@shop.example (<x@evil.example>)", False),
        ('"x@evil.example" <ann@shop.example>', False),
        ("@" * 100_000, True),
    ],
)
def test_dmarc_of_a_from_that_may_be_read_in_two_ways_proves_nobody(
    written: str, is_proven: bool
) -> None:
    auth = judged({"dmarc": "pass"}, OWN, "", written=written, signed=(), by="ses")

    assert auth.passed is is_proven


@pytest.mark.parametrize("value", [None, 7, [], {"code": []}, "pass"])
def test_verdicts_of_another_type_are_left_out(value: Any) -> None:
    mailersend, config = MailerSend(), MailerSend().configure(MAILERSEND)
    recipients = {"rcptTo": [{"email": "d@i.example"}]}
    data = {"raw": MAIL.decode(), "recipients": recipients, "spf_check": value, "dkim_check": value}
    body = json.dumps({"type": "inbound.message", "data": data}).encode()

    [mail] = mailersend.parse_inbound(WebhookRequest(body=body), config)

    assert mail.verdicts == {}
