"""pytest: the application under test sends by SMTP; inboxkit catches and answers."""

import smtplib
from datetime import timedelta
from email.message import EmailMessage

import pytest

from examples import follow_up, reply_bot
from inboxkit import EventType, Suppressed
from inboxkit.testing import Sandbox


def app_under_test(host: str, port: int, to: str) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "shop@shop.example", to, "Your code"
    mail.set_content("Your code is 123456.")
    with smtplib.SMTP(host, port) as smtp:
        smtp.send_message(mail)


async def test_code_arrives(sandbox: Sandbox) -> None:
    inbox = await sandbox.inbox()
    app_under_test(sandbox.smtp_host, sandbox.smtp_port, inbox.address)
    assert await inbox.wait_for_otp(timeout=10) == "123456"


async def test_bot_answers(sandbox: Sandbox) -> None:
    sandbox.include(reply_bot.router)
    ann = sandbox.person("ann@example.com")
    await ann.send("hello@inbox.example", subject="opening hours?")
    answer = await ann.next_message()
    assert "Monday" in answer.text


async def test_reminds_after_three_days(sandbox: Sandbox) -> None:
    sandbox.include(follow_up.router)
    ann = sandbox.person("ann@example.com")
    await ann.send("offers@inbox.example", "Price?")
    await ann.next_message()
    await sandbox.advance(timedelta(days=3))
    assert "still" in (await ann.next_message()).text


async def test_bounce_webhook(sandbox: Sandbox) -> None:
    inbox = await sandbox.inbox("news@inbox.example")
    sent = await inbox.send("gone@example.com", "Hi")
    await sandbox.emit(EventType.BOUNCED, sent)
    with pytest.raises(Suppressed):
        await inbox.send("gone@example.com", "Hi again")
