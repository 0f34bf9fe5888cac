"""What the address of a link says by itself."""

from __future__ import annotations

import pytest

from inboxkit.parsing.targets import action, is_telling, weigh


@pytest.mark.parametrize(
    ("url", "telling"),
    [
        ("https://x.example/v/aa11bb22cc33dd44", True),
        ("https://x.example/l/Zk19QpX0aLm2", True),
        ("https://x.example/?token=abcdef", True),
        ("https://x.example/verify", True),
        ("https://x.example/c/ab12-cd34-ef56", True),
        ("https://x.example/articles/spring-letter", False),
        ("https://x.example/2024/03/article", False),
        ("https://x.example/?utm_source=aa11bb22cc33dd44", False),
    ],
)
def test_an_address_with_a_token_or_an_action_tells(url: str, *, telling: bool) -> None:
    assert is_telling(url) is telling


@pytest.mark.parametrize(
    "url",
    [
        "https://x.example/unsubscribe/aa11bb22cc33dd44",
        "https://x.example/logo.png",
        "https://play.google.com/store/apps?id=x",
        "https:///aa11bb22cc33dd44",
    ],
)
def test_an_address_that_cannot_be_one_to_follow(url: str) -> None:
    assert weigh(url, "verify", [], asked=True) < -50


def test_a_login_page_for_everyone_counts_less_than_one_for_this_reader() -> None:
    own, common = "https://x.example/login?t=aa11bb22cc33dd44", "https://x.example/login"

    assert weigh(own, "login", [], asked=True) > 0 > weigh(common, "login", [], asked=True)


@pytest.mark.parametrize(
    ("path", "purpose"),
    [
        ("verify?token={}", "verify"),
        ("users/confirmation?confirmation_token={}", "verify"),
        ("konto/bestaetigen/{}", "verify"),
        ("accounts/password/reset/key/{}/", "reset"),
        ("magic-link/{}", "login"),
        ("invitation/accept?invitation_token={}", "invite"),
        ("confirm/{}", ""),
        ("login?token={}", ""),
        ("stats/active-users/{}", ""),
        ("orders/verify/{}", ""),
        ("n?token={}&next=/verify", ""),
    ],
)
def test_an_address_asks_by_its_action_and_a_token(path: str, purpose: str) -> None:
    assert action(f"https://x.example/{path.format('aa11bb22cc33dd44')}") == purpose
    assert action(f"https://x.example/{path.format('a')}") == ""
