"""Words beside a number by which it is something else than a one-time code."""

from __future__ import annotations

import pytest

from inboxkit.parsing.decoys import is_other
from inboxkit.parsing.zones import NOTHING, read_zone

BESIDE = {
    "label": ("Your order number ", "", True),
    "label behind": ("Take ", ", order from us", True),
    "count": ("We sent ", " codes", True),
    "brackets": ("Lantern (HRB ", ")", True),
    "offer": ("Save now with code ", "", True),
    "share": ("Get 15% off with code ", "", True),
    "offer between": ("Sign in and apply code ", "", True),
    "expired": ("The code ", " has expired", True),
    "expired, an aside": ("Your login code is ", " (ask again once it has expired)", False),
    "label before the pair": ("Pipeline ", " on branch login-code passed", True),
    "pair": ("Order ", " is your verification code", False),
    "code": ("Your login code is ", "", False),
    "number to enter": ("Enter the number ", " to sign in", False),
    "customer number to enter": ("Enter the customer number ", " to sign in", True),
}


@pytest.mark.parametrize(("left", "right", "other"), BESIDE.values(), ids=BESIDE.keys())
def test_the_words_beside_a_number(left: str, right: str, *, other: bool) -> None:
    assert is_other(read_zone(left), read_zone(right), NOTHING) is other
