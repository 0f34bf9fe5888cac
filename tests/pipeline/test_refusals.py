"""Which messages a program must not answer, each told by one sign alone (RFC 3834 section 2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from inboxkit import Address, Envelope, Kind
from inboxkit.pipeline.replies import LOOP_HEADER, refusal
from tests.test_matching import MAIL

OURS = "loop_1"
NULL = Envelope("", ("support@inbox.example",))

SIGNS: dict[str, tuple[dict[str, Any], str]] = {
    "ours": ({"headers": {"X-Inboxkit-Loop": OURS}}, "one of our own"),
    "bounce": ({"kind": Kind.BOUNCE}, "is a bounce"),
    "complaint": ({"kind": Kind.COMPLAINT}, "is a complaint"),
    "challenge": ({"kind": Kind.CHALLENGE}, "is a challenge"),
    "auto-reply": ({"kind": Kind.AUTO_REPLY}, "is automatic"),
    "auto-submitted": ({"headers": {"Auto-Submitted": "auto-generated"}}, "Auto-Submitted"),
    "with parameters": ({"headers": {"Auto-Submitted": " Auto-Replied; x=1"}}, "Auto-Submitted"),
    "bulk": ({"headers": {"Precedence": "Bulk"}}, "Precedence"),
    "junk": ({"headers": {"Precedence": "junk"}}, "Precedence"),
    "precedence of lists": ({"headers": {"Precedence": " list "}}, "Precedence"),
    "list id": ({"headers": {"List-Id": "<garden.lists.example>"}}, "list mail"),
    "unsubscribe": ({"headers": {"List-Unsubscribe": "<mailto:u@example.com>"}}, "list mail"),
    "list": ({"kind": Kind.LIST}, "list mail"),
    "null sender": ({"envelope": NULL, "kind": Kind.AUTO_REPLY}, "null sender"),
    "robot": ({"sender": Address("NoReply@example.com")}, "takes no replies"),
    "answers to a robot": ({"reply_to": (Address("bounce@example.com"),)}, "takes no replies"),
}
PLAIN: dict[str, dict[str, Any]] = {
    "nothing": {},
    "not automatic": {"headers": {"Auto-Submitted": "No; x=1"}},
    "first class": {"headers": {"Precedence": "first-class"}},
    "of another installation": {"headers": {LOOP_HEADER: "loop_2"}},
    "a person with the null sender": {"envelope": NULL},
    "answers not to the robot": {
        "sender": Address("noreply@example.com"),
        "reply_to": (Address("ann@example.com"),),
    },
}


@pytest.mark.parametrize(("said", "reason"), SIGNS.values(), ids=SIGNS.keys())
def test_what_no_program_answers(said: dict[str, Any], reason: str) -> None:
    assert reason in refusal(replace(MAIL, **said), OURS)


@pytest.mark.parametrize("said", PLAIN.values(), ids=PLAIN.keys())
def test_what_a_program_may_answer(said: dict[str, Any]) -> None:
    assert refusal(replace(MAIL, **said), OURS) == ""
