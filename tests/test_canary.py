"""A whole story at DEBUG: no secret, code or word of a mail in the log, an error or a repr."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import aiosmtplib
import pytest

from inboxkit import InboxKit, Message
from inboxkit.errors import InboxKitError
from inboxkit.providers.base import HttpResponse
from inboxkit.router import Router
from inboxkit.settings import checked, masked
from tests.mails import DESK, mail
from tests.pipeline.mailgun import OPTIONS, account

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

API_KEY, SIGNING_KEY, PASSWORD = "canary-api-key-1", "canary-signing-2", "canary-password-3"
BODY, CODE, TOKEN = "canary-body-4", "730416", "canary-token-5"
CANARIES = (API_KEY, SIGNING_KEY, PASSWORD, BODY, CODE, TOKEN)
WORDS = f"{BODY}. Your verification code is {CODE}. https://shop.example/verify?token={TOKEN}"
SETTINGS: dict[str, Any] = {
    "api_key": API_KEY,
    "smtp_users": {"ann": PASSWORD},
    "smtp_auth_without_tls": True,
    "database": f"postgresql://ann:{PASSWORD}@db.example/mail?sslpassword={PASSWORD}",
    "options": {"mailgun": {"api_key": API_KEY, "signing_key": SIGNING_KEY, "domain": "a.example"}},
}


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Collect all that is logged, of all libraries."""
    with caplog.at_level(logging.DEBUG):
        yield caplog


def leaks(text: str) -> list[str]:
    return [canary for canary in CANARIES if canary in text]


def test_settings_show_no_secret() -> None:
    settings = checked(SETTINGS)

    assert leaks(f"{settings!r} {settings} {masked(settings)}".replace(settings.database, "")) == []


def test_a_wrong_setting_is_named_without_its_value() -> None:
    with pytest.raises(InboxKitError) as raised:
        checked({"smtp_users": [PASSWORD], "api_key": [API_KEY], "max_recipients": PASSWORD})

    assert leaks(str(raised.value)) == []


async def test_mail_that_comes_in_and_its_handlers(
    database: str, logged: pytest.LogCaptureFixture
) -> None:
    router = Router()

    @router.on_message()
    async def fail(message: Message) -> None:
        await message.reply(f"again {message.text}")
        raise ValueError("broken")

    changed: dict[str, Any] = {"database": database, "options": {}, "api_key": ""}
    async with InboxKit(router, settings=checked(SETTINGS | changed)) as kit:
        inbox = await kit.inbox(DESK)
        await kit.runtime.edges.open(smtp="127.0.0.1:0", http="127.0.0.1:0")
        host, port = kit.smtp_address
        async with aiosmtplib.SMTP(hostname=host, port=port, start_tls=False) as client:
            await client.login("ann", PASSWORD)
            await client.sendmail("ann@example.com", [DESK], mail(WORDS, subject=BODY))
        message = await inbox.wait_for_message(timeout=30)
        shown = f"{message!r} {message.otp!r} {message.link!r} {inbox!r} {kit!r}"

    assert (message.otp, message.link) == (CODE, f"https://shop.example/verify?token={TOKEN}")
    assert leaks(shown) == []
    assert leaks(logged.text) == []


async def test_sends_webhooks_and_what_goes_wrong_with_them(
    logged: pytest.LogCaptureFixture,
) -> None:
    async with account() as mailgun:
        mailgun.server.answer_next(HttpResponse(500))
        await mailgun.send("ann@example.com")
        post = mailgun.fake.inbound(mail(WORDS), recipient="bot@shop.example", mail_from="a@b.cd")
        assert await mailgun.post(post) == 200
        await mailgun.sandbox.settle()
        shown = f"{mailgun.fake.caught!r} {post!r} {mailgun.server.requests!r}"

    assert leaks(shown) == []
    assert leaks(logged.text) == []
    assert [name for name in ("api_key", "signing_key") if OPTIONS[name] in logged.text] == []


SHOWN = """
import base64, logging, pytest
SECRET = "password-" + "secret-3"
log = logging.getLogger("inboxkit.somewhere")

def test_harmless():
    log.debug("connected")

def test_debug():
    log.debug("connected with %s", SECRET)

def test_screen():
    print("connected with", SECRET)

def test_basic():
    log.info("Authorization: Basic %s", base64.b64encode(b"inboxkit:" + SECRET.encode()).decode())

@pytest.fixture
def left():
    yield
    logging.getLogger("aiohttp.access").info("Bearer ik_live_" + "a" * 32)

def test_end(left):
    pass
"""


def test_a_test_that_shows_a_secret_fails(tmp_path: Path) -> None:
    (tmp_path / "test_shown.py").write_text(SHOWN)
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "tests.canary", "-p", "no:anyio"]
    done = subprocess.run(
        [*command, "-c", os.devnull, f"--rootdir={tmp_path}", tmp_path / "test_shown.py"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    failed = sorted(
        line.split("::")[1].split()[0]
        for line in done.stdout.splitlines()
        if line.startswith("ERROR")
    )
    assert failed == ["test_basic", "test_debug", "test_end", "test_screen"], done.stdout
    assert done.stdout.count("a secret was shown") >= 4
