"""The mailbox: what a sync test of an app sees, and what it does not see of other tests."""

from __future__ import annotations

import asyncio
import json
import os
import re
import smtplib
import subprocess
import sys
import urllib.request
from email.message import EmailMessage
from typing import TYPE_CHECKING

import pytest

from inboxkit import ConfigurationError, EventType, Kind, WaitTimeout
from tests.mails import mail

if TYPE_CHECKING:
    from collections.abc import Callable

    from inboxkit.testing import Mailbox

APP = "shop@shop.example"
USER = "user@example.com"


def send(mailbox: Mailbox, to: str | list[str] = USER, text: str = "Hello", **more: str) -> None:
    """Send as an application does: by SMTP, blocking."""
    recipients = [to] if isinstance(to, str) else to
    raw = mail(text, sender=APP, to=", ".join(recipients), **more)  # type: ignore[arg-type]
    with smtplib.SMTP(mailbox.host, mailbox.port, timeout=30) as client:
        client.sendmail(APP, recipients, raw)


@pytest.mark.parametrize(
    ("local", "code"), [("refuse-451", 451), ("Refuse-550+ann", 550), ("refuse-599", 599)]
)
def test_an_address_can_ask_to_be_refused(mailbox: Mailbox, local: str, code: int) -> None:
    refused = f"{local}@shop.example"
    with smtplib.SMTP(mailbox.host, mailbox.port, timeout=30) as client:
        said = client.sendmail(APP, [USER, refused], mail(to=USER))
    assert [answer[0] for answer in said.values()] == [code]
    assert [message.inbox for message in mailbox.messages()] == [USER]


def test_an_address_that_only_looks_like_it_is_taken(mailbox: Mailbox) -> None:
    for to in ("refuse-250@shop.example", "refuse-4510@shop.example", "i-refuse-451@shop.example"):
        send(mailbox, to)
    assert len(mailbox.messages()) == 3


def test_a_code_is_read(mailbox: Mailbox) -> None:
    send(mailbox, text="Your code is 123456.", subject="Your code")
    code = mailbox.wait_for_otp(to=USER, sender="shop@*")
    assert code == "123456"
    assert code.message.subject == "Your code"


def test_an_application_may_log_in_as_it_would_elsewhere(mailbox: Mailbox) -> None:
    with smtplib.SMTP(mailbox.host, mailbox.port, timeout=30) as client:
        client.login("apikey", "whatever")
        client.sendmail(APP, [USER], mail("Logged in", sender=APP, to=USER))
    assert mailbox.wait_for_message(to=USER).text.strip() == "Logged in"


def test_a_link_is_read(mailbox: Mailbox) -> None:
    send(mailbox, text="Reset your password: https://shop.example/reset?token=a1b2c3d4e5f6")
    assert mailbox.wait_for_link().startswith("https://shop.example/reset")


def test_messages_are_all_that_came_oldest_first_and_read(mailbox: Mailbox) -> None:
    for number in range(15):
        send(mailbox, subject=f"Number {number}", text=f"text {number}")
    assert [m.text.strip() for m in mailbox.messages()] == [f"text {n}" for n in range(15)]
    assert [m.subject for m in mailbox.messages(subject="*1")] == ["Number 1", "Number 11"]


def test_what_lists_hide_is_seen_as_well(mailbox: Mailbox) -> None:
    target = f"{mailbox.url}/v0/inboxes/{mailbox.address}/lists/receive/block"
    send(mailbox, mailbox.address, subject="First")
    mailbox.wait_for_message(to=mailbox.address)
    body, head = json.dumps({"entry": APP}).encode(), {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(target, body, head)) as answer:
        assert answer.status == 200
    send(mailbox, mailbox.address, subject="Code", text="Your code is 428113.")
    blocked = mailbox.wait_for_otp(to=mailbox.address).message
    asyncio.run(mailbox.messages(subject="First")[0].label(add="spam"))
    seen = {m.subject: "blocked" in m.labels for m in mailbox.messages(to=mailbox.address)}
    assert (blocked.subject, seen) == ("Code", {"First": False, "Code": True})
    with pytest.raises(AssertionError, match="a mail came"):
        send(mailbox, mailbox.address)
        mailbox.assert_none(to=mailbox.address, within=10)


def test_each_recipient_has_a_message_of_their_own(mailbox: Mailbox) -> None:
    send(mailbox, [USER, "boss+copies@example.com"], subject="To both")
    for to in (USER, "boss+*"):
        assert [m.subject for m in mailbox.messages(to=to)] == ["To both"]
        assert mailbox.wait_for_message(to=to).subject == "To both"
    assert mailbox.messages(to="nobody@*") == []


def test_a_mail_without_a_from_field_is_told_by_who_handed_it_in(mailbox: Mailbox) -> None:
    with smtplib.SMTP(mailbox.host, mailbox.port, timeout=30) as client:
        client.sendmail(APP, [USER], "Subject: Plain\r\n\r\nNo code\r\n")
    with pytest.raises(WaitTimeout, match=rf"'Plain' to {USER} from {APP} "):
        mailbox.wait_for_otp(timeout=0.1)
    with pytest.raises(AssertionError, match=f"'Plain' from {APP}"):
        mailbox.assert_none(to=USER)


def test_a_bcc_is_found_by_its_recipient(mailbox: Mailbox) -> None:
    with smtplib.SMTP(mailbox.host, mailbox.port) as client:
        client.sendmail(APP, ["hidden@example.com"], mail(to=USER))
    assert mailbox.wait_for_message(to="hidden@example.com").to[0].email == USER
    assert mailbox.messages(to=USER) == []


def test_waits_return_messages_in_turn(mailbox: Mailbox) -> None:
    for name in ("one", "two"):
        send(mailbox, subject=name)
    assert [mailbox.wait_for_message().subject for _ in range(2)] == ["one", "two"]
    with pytest.raises(WaitTimeout):
        mailbox.wait_for_message(timeout=0.01)


def test_filters_may_be_regexes(mailbox: Mailbox) -> None:
    send(mailbox, subject="Order 17")
    send(mailbox, subject="Order 42", to="other@example.com")
    found = mailbox.wait_for_message(to=re.compile("^other@"), subject=re.compile(r"\d+"))
    assert found.subject == "Order 42"


def test_a_failed_wait_lists_what_did_arrive(mailbox: Mailbox) -> None:
    send(mailbox, subject="Welcome", text="Nothing to enter.")
    with pytest.raises(WaitTimeout) as caught:
        mailbox.wait_for_otp(timeout=0.01)
    assert "no otp within 0.01 s; 1 other message came\n" in str(caught.value)
    assert f"'Welcome' to {USER} from shop@shop.example" in str(caught.value)


def test_a_failed_wait_says_what_it_was_narrowed_to(mailbox: Mailbox) -> None:
    with pytest.raises(WaitTimeout) as caught:
        mailbox.wait_for_message(timeout=0.01, to=USER, subject=re.compile(r"Order \d+"))
    asked = rf"no message to {USER} with the subject Order \d+ within 0.01 s; nothing came"
    assert str(caught.value) == asked


def test_a_failed_wait_says_what_the_test_has_had(mailbox: Mailbox) -> None:
    send(mailbox, "user+tag@example.com", subject="Welcome", text="Your code is 123456.")
    mailbox.wait_for_otp()
    one, all_, some = (
        "; 1 other message came, taken by an earlier wait\n",
        "; 2 other messages came, taken by earlier waits\n",
        "; 3 other messages came, 2 of them taken by earlier waits\n",
    )
    with pytest.raises(WaitTimeout, match=one) as caught:
        mailbox.wait_for_link(timeout=0.01)
    assert "to user+tag@example.com from" in str(caught.value)
    send(mailbox)
    mailbox.wait_for_message()
    with pytest.raises(WaitTimeout, match=all_):
        mailbox.wait_for_link(timeout=0.01)
    send(mailbox)
    with pytest.raises(WaitTimeout, match=some):
        mailbox.wait_for_link(timeout=0.01)


def test_a_glob_that_no_address_matches_is_refused(mailbox: Mailbox) -> None:
    send(mailbox)
    asks: list[Callable[..., object]] = [
        mailbox.messages,
        mailbox.wait_for_message,
        mailbox.wait_for_otp,
        mailbox.wait_for_link,
        mailbox.assert_none,
    ]
    for ask in asks:
        with pytest.raises(ConfigurationError, match=r'write to="\*@example\.com"'):
            ask(to="example.com")


def test_leaves_something_behind(mailbox: Mailbox) -> None:
    send(mailbox, "left@example.com", subject="Left behind")
    mailbox.fail_next(451, times=5)
    assert len(mailbox.messages()) == 1


def test_sees_nothing_of_the_test_before(mailbox: Mailbox) -> None:
    mailbox.assert_none(within=0.05)
    assert mailbox.messages() == []
    send(mailbox, "left@example.com", subject="Mine")
    assert [m.subject for m in mailbox.messages()] == ["Mine"]


def test_assert_none_fails_when_something_comes(mailbox: Mailbox) -> None:
    send(mailbox, subject="Too much")
    mailbox.assert_none(to="nobody@example.com", within=0.05)
    with pytest.raises(AssertionError, match=r"to user@\*: 'Too much' from shop@shop.example"):
        mailbox.assert_none(to="user@*")


@pytest.mark.parametrize("code", [451, 550])
def test_fail_next_refuses_so_many_recipients(mailbox: Mailbox, code: int) -> None:
    mailbox.fail_next(code, times=2)
    for _ in range(2):
        with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
            send(mailbox)
        assert caught.value.recipients[USER][0] == code
    send(mailbox)
    assert len(mailbox.messages()) == 1


@pytest.mark.parametrize("code", [200, 354, 600, 0])
def test_fail_next_takes_refusals_only(mailbox: Mailbox, code: int) -> None:
    with pytest.raises(ConfigurationError, match="is no SMTP refusal"):
        mailbox.fail_next(code)


def test_a_simulated_bounce_comes_back_to_the_sender(mailbox: Mailbox) -> None:
    send(mailbox, [USER, "other@example.com"], subject="Hello")
    mailbox.simulate(EventType.BOUNCED, mailbox.wait_for_message(to=USER))
    report = mailbox.wait_for_message(to=APP)
    assert (report.kind, report.envelope.mail_from) == (Kind.BOUNCE, "")
    assert USER in report.text
    assert "other@example.com" not in report.text


def test_a_simulated_complaint_sends_nothing(mailbox: Mailbox) -> None:
    send(mailbox)
    mailbox.simulate(EventType.COMPLAINED, mailbox.wait_for_message())
    mailbox.assert_none(within=0.05)


@pytest.mark.parametrize("type", [EventType.RECEIVED, EventType.HANDLER_FAILED])
def test_what_does_not_happen_to_a_send_is_not_simulated(mailbox: Mailbox, type: EventType) -> None:
    send(mailbox)
    came = mailbox.wait_for_message()
    with pytest.raises(ValueError, match=f"{type} is none of delivered, deferred, bounced, "):
        mailbox.simulate(type, came)


def test_the_environment_leads_an_app_in_another_process_here(mailbox: Mailbox) -> None:
    app = (
        "import os, smtplib\n"
        "with smtplib.SMTP(os.environ['EMAIL_HOST'], int(os.environ['EMAIL_PORT'])) as client:\n"
        "    client.sendmail('a@shop.example', ['u@example.com'], 'Subject: From afar\\n\\nHi')\n"
    )
    environ = os.environ | dict(mailbox.env)
    subprocess.run([sys.executable, "-c", app], env=environ, check=True, timeout=30)
    assert mailbox.wait_for_message().subject == "From afar"
    assert mailbox.env["SMTP_URL"] == f"smtp://{mailbox.host}:{mailbox.port}"


def test_attachments_can_be_read(mailbox: Mailbox) -> None:
    made = EmailMessage()
    made["From"], made["To"] = APP, USER
    made.set_content("See the invoice.")
    made.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="i.pdf")
    with smtplib.SMTP(mailbox.host, mailbox.port) as client:
        client.send_message(made)
    (file,) = mailbox.wait_for_message().attachments
    assert asyncio.run(file.read()) == b"%PDF-1.7"


def test_each_test_has_an_address_of_its_own(mailbox: Mailbox) -> None:
    send(mailbox, mailbox.address)
    assert mailbox.wait_for_message(to=mailbox.address).inbox == mailbox.address
