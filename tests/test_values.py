"""Lists of addresses as people and programs write them, taken apart."""

from __future__ import annotations

import pytest

from inboxkit.values import entries


@pytest.mark.parametrize(
    ("listed", "parted"),
    [
        ("", [""]),
        ("ann@example.com", ["ann@example.com"]),
        ("a@example.com,b@example.com", ["a@example.com", "b@example.com"]),
        (
            '"Doe, Ann" <a@example.com>, b@example.com',
            ['"Doe, Ann" <a@example.com>', " b@example.com"],
        ),
        (r'"a \", b" <a@example.com>,c', [r'"a \", b" <a@example.com>', "c"]),
        ("<@one,@two:a@example.com>,b", ["<@one,@two:a@example.com>", "b"]),
        ("a@example.com (home, late), b", ["a@example.com (home, late)", " b"]),
        ("a@example.com; b, c", ["a@example.com; b", " c"]),
        ('a, "never ends, b', ["a", ' "never ends, b']),
    ],
)
def test_commas_part_a_list_outside_of_quotes_brackets_and_comments(
    listed: str, parted: list[str]
) -> None:
    assert list(entries(listed)) == parted


def test_other_marks_part_as_well_where_they_are_named() -> None:
    assert list(entries('a; "b; c", d', ",;")) == ["a", ' "b; c"', " d"]
