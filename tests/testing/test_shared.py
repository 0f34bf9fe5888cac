"""``pytest --inboxkit-url``: the same tests on a server that is running already."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from inboxkit import ConfigurationError, EventType, WaitTimeout
from inboxkit.testing.shared import SharedMailbox
from tests.http.api import Api, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TESTS = """
import smtplib

from inboxkit.testing import Mailbox


def test_code(mailbox: Mailbox) -> None:
    with smtplib.SMTP(mailbox.host, mailbox.port) as client:
        for to in (mailbox.address, "else@example.com"):
            mail = "Subject: Login\\n\\nYour code is 482913."
            client.sendmail("a@shop.example", [to], mail)
    assert mailbox.wait_for_otp(to=mailbox.address) == "482913"
    (came,) = mailbox.messages(to=mailbox.address)
    assert came.subject == "Login"
    mailbox.assert_none(to=mailbox.address)


def test_nothing_of_an_earlier_test(mailbox: Mailbox) -> None:
    assert mailbox.messages(to="*@inbox.example") == []
"""


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(any_recipient=True) as api:
        yield api


@pytest.fixture
def mailbox(api: Api) -> Iterator[SharedMailbox]:
    view = SharedMailbox(api.url, "", "me@inbox.example")
    yield view
    view.close()


@pytest.mark.long
def test_the_tests_of_a_project_run_on_it(api: Api, tmp_path: Path) -> None:
    (tmp_path / "test_story.py").write_text(TESTS)
    (tmp_path / "none.ini").write_text("[pytest]\n")
    smtp = ":".join(str(part) for part in api.runner.kit.smtp_address)
    there = ("--inboxkit-url", api.url, "--inboxkit-smtp", smtp)
    options = ("-q", "-W", "error", "-p", "no:asyncio", "-c", "none.ini")
    command = [sys.executable, "-m", "pytest", *options, *there]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert "2 passed" in ran.stdout, ran.stdout + ran.stderr


def test_a_timeout_lists_what_came(api: Api, mailbox: SharedMailbox) -> None:
    api.arrive("me@inbox.example", "no code here")
    with pytest.raises(WaitTimeout, match="no otp to me@") as late:
        mailbox.wait_for_otp(to="me@*", timeout=0.05)
    assert "Question" in {m.subject for m in late.value.arrived}
    with pytest.raises(ConfigurationError, match="can match no address"):
        mailbox.messages(to="example.com")
    message = mailbox.wait_for_message(to="me@*", timeout=30)
    assert message.text.strip() == "no code here"


def test_what_lists_hide_is_seen_as_well(api: Api, mailbox: SharedMailbox) -> None:
    block = "/v0/inboxes/me@inbox.example/lists/receive/block"
    api.arrive("me@inbox.example", "before")
    api.good("POST", block, {"entry": "ann@example.com"})
    api.arrive("me@inbox.example", "Your code is 428113.")
    assert mailbox.wait_for_otp(to="me@*") == "428113"
    came = mailbox.messages(to="me@*")[-1]
    assert "blocked" in came.labels
    api.good("DELETE", f"{block}/ann@example.com")


def test_what_would_harm_others_is_refused(api: Api, mailbox: SharedMailbox) -> None:
    with pytest.raises(ConfigurationError, match=r"fail_next: .* without --inboxkit-url"):
        mailbox.fail_next(451)
    with pytest.raises(ConfigurationError, match=r"simulate: .* without --inboxkit-url"):
        mailbox.simulate(EventType.BOUNCED, api.arrive("me@inbox.example"))


def test_the_usual_port_is_assumed(api: Api, mailbox: SharedMailbox) -> None:
    assert (mailbox.host, mailbox.port, mailbox.url) == ("127.0.0.1", 1025, api.url)
    assert mailbox.env["SMTP_PORT"] == "1025"
