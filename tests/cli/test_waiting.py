"""``wait``, ``otp`` and ``link``: the value on standard output and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .mails import mail
from .processes import Process

if TYPE_CHECKING:
    from .conftest import Command

ADDRESS = "a@inbox.example"
LINK = "https://shop.example/reset?token=a1b2c3d4e5f6"


@pytest.fixture
def filled(inboxkit: Command) -> Command:
    """A person's words, a code and a link, in this order."""
    inboxkit("inbox", "create", ADDRESS)
    texts = ("Are you there?", "Your code is 482913.", f"Reset your password: {LINK}")
    senders = ("ann@example.com", "no-reply@shop.example", "no-reply@shop.example")
    for number, (text, sender) in enumerate(zip(texts, senders, strict=True)):
        raw = mail(number, text=text, subject=text.partition(" ")[0], sender=sender)
        assert inboxkit("receive", "--to", ADDRESS, stdin=raw).code == 0
    return inboxkit


@pytest.mark.parametrize("option", ["--timeout", "--since"])
def test_nan_is_no_number_of_seconds(filled: Command, option: str) -> None:
    assert filled("otp", ADDRESS, option, "nan").code == 2


def test_only_the_value_is_printed(filled: Command) -> None:
    assert filled("otp", ADDRESS).out == "482913\n"
    assert filled("link", ADDRESS, "--host", "shop.example").out == f"{LINK}\n"
    assert filled("wait", ADDRESS).out == "Are you there?\n"


def test_json_is_the_whole_message(filled: Command) -> None:
    (message,) = filled.rows("otp", ADDRESS)
    assert (message["otp"], message["subject"]) == ("482913", "Your")
    (message,) = filled.rows("wait", ADDRESS, "--subject", "Reset")
    assert message["link"] == LINK


def test_what_was_printed_once_is_taken(filled: Command) -> None:
    assert filled("otp", ADDRESS).code == 0
    again = filled("otp", ADDRESS, "--timeout", "0.2")
    assert (again.code, again.out) == (4, "")
    assert f"arrived: 'Are' to {ADDRESS} from ann@example.com (human)" in again.err
    assert "1 of them taken by earlier waits" in again.err


def test_a_sender_that_no_mail_can_have_is_refused(filled: Command) -> None:
    done = filled("otp", ADDRESS, "--from", "example.com")
    assert (done.code, done.out) == (2, "")
    assert 'write from="*@example.com"' in done.err


@pytest.mark.parametrize(
    "wanted",
    [
        ("otp", "--from", "*@bank.example"),
        ("link", "--host", "bank.example"),
        ("wait", "--subject", "Invoice*"),
        ("wait", "--since", "0"),
    ],
    ids=["sender", "host", "subject", "since"],
)
def test_what_does_not_match_is_not_taken(filled: Command, wanted: tuple[str, ...]) -> None:
    command, *filters = wanted
    assert filled(command, ADDRESS, *filters, "--timeout", "0.2").code == 4


def test_a_wait_is_woken_by_mail_that_another_process_takes(inboxkit: Command) -> None:
    inboxkit("inbox", "create", ADDRESS)
    raw = mail(text="Your code is 482913.")
    with Process(inboxkit.folder, "receive", "--to", ADDRESS, stdin=raw) as receiving:
        # A process takes its time to start, so the wait begins before the mail is there.
        assert inboxkit("otp", ADDRESS, "--timeout", "25").out == "482913\n"
        assert receiving.wait() == 0
