"""Vendors' words as logs and the database get them."""

from __future__ import annotations

import base64
import time
from datetime import timedelta

import pytest

from inboxkit.pipeline import redaction
from inboxkit.pipeline.redaction import MOST_CHARACTERS, told
from inboxkit.providers.base import Refused, Retry, Sent, Unknown
from inboxkit.providers.registry import PROVIDERS
from inboxkit.testing.vendors import VENDORS

KEY = "a-key-of-the-account"
MAILGUN = PROVIDERS["mailgun"].configure(
    {"api_key": KEY, "domain": "mg.example", "signing_key": "signing-key-1"}
)
MAILJET = PROVIDERS["mailjet"].configure(
    {"api_key": "public-key-1", "secret_key": "private-key-1", "webhook_password": "password-1"}
)
LOGIN = base64.b64encode(f"api:{KEY}".encode()).decode()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (f"401 {KEY} is no key", "401 *** is no key"),
        (f"at https://api:{KEY}@api.example/v3", "at https***api.example/v3"),
        (f"got {LOGIN}", "got ***"),
        ("signing-key-1 twice signing-key-1", "*** twice ***"),
        ("Authorization: Bearer abcdefghijkl", "Authorization: ***"),
        ("bearer abcdefghijkl.mnop is wrong", "*** is wrong"),
        ('{"api_key": "another-account"}', '{"***"}'),
        ("key-0123456789abcdef0123 unknown", "*** unknown"),
        ("SG.0123456789abc.def unknown", "*** unknown"),
        ("550 5.1.1 no such user: the password is wrong", None),
        ("two\r\nlines\x00and\ta tab", "two lines and a tab"),
        ("", ""),
    ],
    ids=lambda value: (value or "same")[:20],
)
def test_secrets_are_masked_and_words_stay(words: str, expected: str | None) -> None:
    assert told(words, MAILGUN) == (words if expected is None else expected)


def test_secrets_of_a_login_inside_a_configuration_are_masked() -> None:
    assert told("private-key-1 password-1", MAILJET) == "*** ***"


def test_a_secret_cut_off_by_a_limit_is_masked() -> None:
    assert told(f"echo {KEY[:9]}", MAILGUN) == "echo ***"


def test_words_have_a_bound() -> None:
    assert len(told("no " * 10_000, MAILGUN)) == MOST_CHARACTERS


@pytest.mark.parametrize("piece", ["://a", "bearer ", "token: ", "key-a", "a" * 50 + "="], ids=str)
def test_hostile_words_take_linear_time(piece: str) -> None:
    start = time.process_time()
    told(piece * 100_000, MAILGUN)
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Refused(KEY, "credentials"), Refused("***", "credentials")),
        (Retry(timedelta(1), KEY), Retry(timedelta(1), "***")),
        (Unknown(KEY), Unknown("***")),
        (Sent("1", ("<a@b>",)), Sent("1", ("<a@b>",))),
        (Sent("1", (), {"a": KEY}, {"b": KEY}), Sent("1", (), {"a": "***"}, {"b": "***"})),
    ],
    ids=["refused", "retry", "unknown", "sent", "sent in part"],
)
def test_an_outcome_keeps_everything_but_the_secret(outcome: Sent, expected: Sent) -> None:
    assert redaction.outcome(outcome, MAILGUN) == expected


@pytest.mark.parametrize("name", sorted(VENDORS))
def test_no_vendor_can_make_us_log_the_secrets_of_its_account(name: str) -> None:
    options = VENDORS[name].account({}, "https://vendor.example")
    config = PROVIDERS[name].configure(options)
    words = ("api_key", "secret", "token", "password", "signing_key")
    hidden = {v for k, v in options.items() if any(word in k for word in words)}
    assert hidden
    for secret in hidden:
        assert secret not in told(f"you sent {secret}", config)
