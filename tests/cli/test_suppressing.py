"""``inboxkit suppressions``: lists that are taken over from elsewhere and given away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Command

CSV = """\
Email,Reason,created_at
Ann@Example.com,bounced,2026-01-02T03:04:05Z
ben@example.com,,
"""


def listed(inboxkit: Command, *flags: str) -> list[tuple[str, str, str]]:
    rows = inboxkit.rows("suppressions", "list", *flags)
    return [(row["address"], row["domain"], row["reason"]) for row in rows]


def test_a_list_of_another_system_is_taken_over(inboxkit: Command) -> None:
    done = inboxkit("suppressions", "import", "-", "--reason", "old list", stdin=CSV.encode())
    assert (done.code, done.err) == (0, "added 2 of 2\n")
    assert listed(inboxkit) == [
        ("ann@example.com", "", "bounced"),
        ("ben@example.com", "", "old list"),
    ]
    assert inboxkit.rows("suppressions", "list")[0]["created_at"] == "2026-01-02T03:04:05.000Z"


def test_a_plain_list_has_an_address_a_line(inboxkit: Command) -> None:
    inboxkit("suppressions", "import", "-", stdin=b"ann@example.com\n\nben@example.com\n")
    assert [address for address, *_ in listed(inboxkit)] == ["ann@example.com", "ben@example.com"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"ann@example.com\n\xff@example.com\n", "no CSV in UTF-8"),
        (b'address\n"' + b"a" * 200_000, "no CSV in UTF-8"),
        (b"address,created_at\nann@example.com,0001-01-01T00:00:00+23:00\n", "line 2"),
        (b"ann@example.com\nnobody\n", "line 2"),
        (b"address,created_at\nann@example.com,soon\n", "line 2"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_taken(
    inboxkit: Command, text: bytes, problem: str
) -> None:
    done = inboxkit("suppressions", "import", "-", stdin=text)
    assert (done.code, problem in done.err, listed(inboxkit)) == (2, True, [])


def test_what_is_exported_can_be_imported(inboxkit: Command) -> None:
    inboxkit("suppressions", "add", "ann@example.com", "--domain", "Shop.example")
    inboxkit("suppressions", "add", "ben@example.com", "--reason", "asked, twice")
    before, text = listed(inboxkit), inboxkit("suppressions", "export").out
    inboxkit("suppressions", "remove", "ann@example.com", "ben@example.com")
    done = inboxkit("suppressions", "import", "-", stdin=text.encode())
    assert (done.err, listed(inboxkit)) == ("added 2 of 2\n", before)


def test_an_entry_may_be_for_one_sending_domain(inboxkit: Command) -> None:
    inboxkit("suppressions", "add", "ann@example.com", "--domain", "shop.example")
    inboxkit("suppressions", "add", "ann@example.com")
    assert len(listed(inboxkit, "--domain", "shop.example")) == 1
    done = inboxkit("suppressions", "remove", "ann@example.com", "--domain", "shop.example")
    assert (done.err, listed(inboxkit)) == ("removed 1\n", [("ann@example.com", "", "manual")])
