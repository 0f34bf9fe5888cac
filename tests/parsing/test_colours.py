"""CSS colours in the forms that mails use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.colours import Colour, is_transparent, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("White", Colour(255, 255, 255)),
        ("#fff", Colour(255, 255, 255)),
        ("003366", Colour(0, 51, 102)),
        ("#003366ff", Colour(0, 51, 102)),
        ("rgb(0, 51, 102)", Colour(0, 51, 102)),
        ("rgb(0 20% 40% / 1)", Colour(0, 51, 102)),
        ("rgba(0,51,102,.5)", None),
        ("#0368", None),
        ("inherit", None),
        ("rgb(a,b,c)", None),
    ],
)
def test_colour_is_read(text: str, expected: Colour | None) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize("text", ["transparent", "rgba(1,2,3,0)", "#1230", "#11223300"])
def test_transparency_is_seen(text: str) -> None:
    assert is_transparent(text)


@given(st.text(alphabet="#0123456789abcdefrgb(),.%/- ", max_size=30))
def test_any_text_is_a_colour_or_none(text: str) -> None:
    colour = parse(text)

    assert colour is None or all(0 <= channel <= 255 for channel in colour)
    assert colour is None or not is_transparent(text)
