"""Address lists, well formed and broken in the usual ways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.addresses import parse

LISTS: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "bare": ("a@b.example", [("", "a@b.example")]),
    "named": ("Ann <a@b.example>", [("Ann", "a@b.example")]),
    "quoted comma": ('"Doe, Jo" <j@x.example>', [("Doe, Jo", "j@x.example")]),
    "bare comma": (
        "Doe, Jo <j@x.example>, Bo <b@x.example>",
        [("Doe, Jo", "j@x.example"), ("Bo", "b@x.example")],
    ),
    "comment as name": ("a@b.example (Ann (at home))", [("Ann (at home)", "a@b.example")]),
    "comment in address": ("Pete <pete(his)@silly.example>", [("Pete", "pete@silly.example")]),
    "group": (
        "Team: a@b.example, Bo <b@x.example>; c@d.example",
        [("", "a@b.example"), ("Bo", "b@x.example"), ("", "c@d.example")],
    ),
    "empty group": ("undisclosed-recipients:;", []),
    "colon in a name": ("Re: Bo <b@x.example>", [("Re: Bo", "b@x.example")]),
    "semicolons": ("a@b.example; c@d.example", [("", "a@b.example"), ("", "c@d.example")]),
    "spaces": ("a@b.example c@d.example", [("", "a@b.example"), ("", "c@d.example")]),
    "no comma": (
        "Ann <a@b.example> Bo <b@x.example>",
        [("Ann", "a@b.example"), ("Bo", "b@x.example")],
    ),
    "source route": ("<@h.example,@i.example:a@b.example>", [("", "a@b.example")]),
    "double brackets": ("<<a@b.example>>", [("", "a@b.example")]),
    "open quote": ('"Ann <a@b.example>', [("Ann", "a@b.example")]),
    "open bracket": ("Ann <a@b.example", [("Ann", "a@b.example")]),
    "open comment": ("(a@b.example", [("", "a@b.example")]),
    "nested quotes": ('"Jo "the" Doe" <j@x.example>', [("Jo the Doe", "j@x.example")]),
    "escaped quote": ('"Jo \\"J\\" Doe" <j@x.example>', [('Jo "J" Doe', "j@x.example")]),
    "single quotes": ("'Ann' <a@b.example>", [("Ann", "a@b.example")]),
    "apostrophe": ("o'neil@x.example", [("", "o'neil@x.example")]),
    "quoted local part": ('"john doe"@x.example', [("", '"john doe"@x.example')]),
    "spaces around the at": ("a @ b.example", [("", "a@b.example")]),
    "mailto": ("<mailto:a@b.example>", [("", "a@b.example")]),
    "daemon": ("Mail System <MAILER-DAEMON>", [("Mail System", "MAILER-DAEMON")]),
    "encoded as a whole": ("=?utf-8?q?Ann_=3Ca=40b=2Eexample=3E?=", [("", "a@b.example")]),
    "encoded comma": ("=?utf-8?q?Doe=2C_Jo?= <j@x.example>", [("Doe, Jo", "j@x.example")]),
    "raw bytes": ("J\udcf6rg <j@x.example>", [("Jörg", "j@x.example")]),
    "decoded before": ("Jörg <j@x.example>", [("Jörg", "j@x.example")]),
    "literal": ("a@[IPv6:::1]", [("", "a@[IPv6:::1]")]),
    "nothing": ("", []),
    "no address": ("root", []),
}


@pytest.mark.parametrize(("value", "expected"), LISTS.values(), ids=LISTS.keys())
def test_list_gives_names_and_addresses(value: str, expected: list[tuple[str, str]]) -> None:
    assert [(address.name, address.email) for address in parse(value)] == expected


def test_address_in_a_name_does_not_replace_the_real_one() -> None:
    assert [a.email for a in parse("ceo@bank.example <m@attacker.example>")] == [
        "m@attacker.example"
    ]


def test_address_after_the_brackets_makes_it_two_mailboxes() -> None:
    found = parse("<ceo@bank.example>m@attacker.example")

    assert [a.email for a in found] == ["ceo@bank.example", "m@attacker.example"]


def test_encoded_bracket_cannot_name_the_sender() -> None:
    found = parse("=?utf-8?q?Bank_=3Cceo=40bank=2Eexample=3E?= <m@attacker.example>")

    assert [a.email for a in found] == ["m@attacker.example"]


@given(st.text(alphabet='ab@<>",;:()\\ .=?\r\n[]', max_size=80) | st.text(max_size=80))
def test_any_value_gives_addresses_without_line_ends(value: str) -> None:
    for address in parse(value):
        assert address.email
        assert not any(sign in f"{address.email}{address.name}" for sign in "\r\n\0")
