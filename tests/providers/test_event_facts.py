from __future__ import annotations

import pytest

from inboxkit.providers.event_facts import digest, facts, severity

from .vendor import cases

UNKNOWN = "550 5.1.1 User unknown"


@pytest.mark.parametrize(
    ("words", "hard", "known", "expected"),
    cases(
        {
            "the words say it": (UNKNOWN, True, "", (True, "user_unknown")),
            "the vendor calls it soft": (UNKNOWN, False, "", (False, "user_unknown")),
            "nothing is said": ("", True, "", (True, "other")),
            "blocked": ("554 blocked using Spamhaus", True, "", (False, "blocked")),
            "for now only": ("450 4.1.1 User unknown", True, "", (False, "user_unknown")),
            "the vendor's reason wins": (UNKNOWN, True, "mailbox_full", (False, "mailbox_full")),
            "it was dead before": ("", True, "suppressed", (True, "suppressed")),
        }
    ),
)
def test_an_address_is_dead_when_vendor_and_words_agree(
    words: str, hard: bool, known: str, expected: object
) -> None:
    assert severity(words, hard=hard, known=known) == expected


def test_an_id_tells_the_parts_apart() -> None:
    assert digest("a", "b") == digest("a", "b")
    assert len({digest("a", "b"), digest("ab", ""), digest("b", "a"), digest("\udcff")}) == 4


def test_only_what_there_is_is_a_fact() -> None:
    assert facts(a="x", b="", c=None, d={}, e=[]) == {"a": "x"}
