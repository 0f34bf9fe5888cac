"""format=flowed."""

from __future__ import annotations

import pytest

from inboxkit.parsing.flowed import unflow


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one \ntwo", "one two"),
        ("one\ntwo", "one\ntwo"),
        ("> one \n> two\nthree", "> one two\nthree"),
        (">> one \n> two", ">> one \n> two"),
        (" From here", "From here"),
        ("text \n-- \nAna", "text \n-- \nAna"),
        ("one \n\ntwo", "one \ntwo"),
    ],
)
def test_soft_breaks_are_undone(text: str, expected: str) -> None:
    assert unflow(text) == expected


def test_delsp_takes_the_space_away() -> None:
    assert unflow("こん \nにちは", delete_space=True) == "こんにちは"
