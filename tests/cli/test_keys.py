"""``inboxkit key``: made once, listed without secrets, revoked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Command


def test_a_key_is_printed_once(inboxkit: Command) -> None:
    secret = inboxkit("key", "create", "bot").out.strip()
    assert re.fullmatch(r"ik_test_[\w-]{43}", secret)
    (row,) = inboxkit.rows("key", "list")
    assert (row["name"], row["mode"], row["prefix"]) == ("bot", "test", secret[:12])
    assert secret not in inboxkit("key", "list").out


def test_a_key_is_bound_as_asked(inboxkit: Command) -> None:
    inboxkit("inbox", "create", "a@inbox.example")
    flags = ("--live", "--inbox", "a@inbox.example", "--permission", "message_read", "--days", "2")
    (made,) = inboxkit.rows("key", "create", "bot", *flags)
    assert made["key"].startswith("ik_live_")
    (row,) = inboxkit.rows("key", "list")
    assert (row["mode"], row["inbox"], row["pod"]) == ("live", "a@inbox.example", "pod_default")
    assert row["permissions"] == ["message_read"] and row["expires_at"]


def test_a_revoked_key_is_gone(inboxkit: Command) -> None:
    (made,) = inboxkit.rows("key", "create", "bot")
    assert inboxkit("key", "revoke", made["id"]).code == 0
    assert inboxkit.rows("key", "list") == []
    assert inboxkit("key", "revoke", made["id"]).code == 3


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("create", "bot", "--inbox", "no@inbox.example"), 3),
        (("create", "bot", "--pod", "pod_none"), 3),
        (("create", "bot", "--inbox", "a@b.example", "--pod", "pod_default"), 2),
        (("create", "bot", "--permission", "everything"), 2),
        (("create", "bot", "--days", "99999999"), 2),
        (("revoke", "key_none!"), 3),
    ],
    ids=str,
)
def test_mistakes_are_told(inboxkit: Command, arguments: tuple[str, ...], code: int) -> None:
    done = inboxkit("key", *arguments)
    assert (done.code, done.out) == (code, "")
    assert inboxkit.rows("key", "list") == []
