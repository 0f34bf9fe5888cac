"""Whom a request goes to, where there are more than it takes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from inboxkit.providers.parts import Limited, Most, first
from inboxkit.providers.registry import PROVIDERS
from inboxkit.testing.vendors import VENDORS
from inboxkit.values import Address

from .vendor import NOW, cases, outgoing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inboxkit.providers.base import Outgoing

LIMITED = sorted(name for name in VENDORS if isinstance(PROVIDERS[name], Limited))


def people(word: str, number: int) -> tuple[Address, ...]:
    return tuple(Address(f"{word}{n}@example.com") for n in range(number))


def only(message: Outgoing, part: Sequence[str]) -> Outgoing:
    """Return a message for some of its recipients."""
    to, cc, bcc = (
        tuple(a for a in people if a.email in part)
        for people in (message.to, message.cc, message.bcc)
    )
    return replace(message, rcpt_to=tuple(part), to=to, cc=cc, bcc=bcc)


@pytest.mark.parametrize("name", LIMITED)
@pytest.mark.parametrize(
    "numbers", [(1_150, 20, 20), (1, 0, 600), (0, 0, 600), (0, 120, 0)], ids=str
)
def test_each_part_of_a_large_message_is_one_request_and_all_of_them_are_everybody(
    name: str, numbers: tuple[int, int, int]
) -> None:
    provider = PROVIDERS[name]
    assert isinstance(provider, Limited)
    config = provider.configure(VENDORS[name].account({}, "https://vendor.example"))
    to, cc, bcc = (people(w, n) for w, n in zip(("to", "cc", "bcc"), numbers, strict=True))
    left = [a.email for a in (*to, *cc, *bcc)]
    message = outgoing(to=to, cc=cc, bcc=bcc, rcpt_to=tuple(left), attachments=(), html="")
    known = {"to": {a.email for a in to}, "cc": {a.email for a in cc}}
    for number in range(len(left)):
        part = first(provider.most, left, **known)
        if number < 3 or len(part) == len(left):  # the ones between are like them
            provider.build_send(only(message, part), config, NOW)
        assert part
        left = [r for r in left if r not in set(part)]
        if not left:
            return


@pytest.mark.parametrize(
    ("most", "part"),
    cases(
        {
            "all": (Most(), "Ann bob Cat dan eve"),
            "in all": (Most(everybody=2), "Ann bob"),
            "in a field": (Most(to=1, cc=1, bcc=1), "Ann Cat dan"),
            "no field but one": (Most(cc=0), "Ann bob dan eve"),
        }
    ),
)
def test_the_first_part_has_as_many_as_the_fields_take(most: Most, part: str) -> None:
    found = first(most, "Ann bob Cat dan eve".split(), to={"ann", "bob"}, cc={"cat"})
    assert " ".join(found) == part


def test_blind_copies_alone_go_as_many_at_once_as_the_vendor_can_hide() -> None:
    assert first(Most(blind=2), ["a", "b", "c"], to={"x"}, cc=()) == ("a", "b")
    assert first(Most(), ["a", "b", "c"], to={"x"}, cc=()) == ("a",)
