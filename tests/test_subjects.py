"""Reply prefixes, list tags and the bare subject."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.subjects import base_subject, is_reply_subject, is_stacked, reply_subject

REPLIES = [
    "Re: Garden",
    "RE:Garden",
    "re : Garden",
    "RE\u00a0: Garden",
    "Re[2]: Garden",
    "Re (3): Garden",
    "Re^4: Garden",
    "Re： Garden",
    "AW: Garden",
    "Antw: Garden",
    "Antw.: Garden",
    "SV: Garden",
    "VS: Garden",
    "VÁ: Garden",
    "Odp: Garden",
    "RIF: Garden",
    "R: Garden",
    "RES: Garden",
    "YNT: Garden",
    "Atb: Garden",
    "Ats: Garden",
    "Bls: Garden",
    "Отв: Garden",
    "Відп: Garden",
    "ΑΠ: Garden",
    "השב: Garden",
    "رد: Garden",
    "ตอบ: Garden",
    "Trả lời: Garden",
    "回复：Garden",
    "回覆: Garden",
    "答复: Garden",
    "返信: Garden",
    "답장: Garden",
    "Re: AW: Re: Garden",
    "[list] Re: Garden",
    "Re: [list] Re: [other] Garden",
    "\u202dRe: Garden\u202c",
]
FORWARDS = [
    "Fwd: Garden",
    "FW: Garden",
    "WG: Garden",
    "TR : Garden",
    "RV: Garden",
    "VB: Garden",
    "VL: Garden",
    "ENC: Garden",
    "Doorst: Garden",
    "İLT: Garden",
    "Пересл: Garden",
    "转发：Garden",
    "転送: Garden",
    "Fwd: Re: Garden",
    "Garden (fwd)",
    "[Fwd: Re: Garden]",
]


@pytest.mark.parametrize("subject", REPLIES)
def test_reply_prefix_of_any_language_is_known_and_taken_off(subject: str) -> None:
    assert (is_reply_subject(subject), base_subject(subject)) == (True, "garden")


@pytest.mark.parametrize("subject", FORWARDS)
def test_forward_prefix_is_taken_off_but_is_no_reply(subject: str) -> None:
    assert (is_reply_subject(subject), base_subject(subject)) == (False, "garden")


@pytest.mark.parametrize(
    ("subject", "base"),
    [
        ("  The  old\tpump ", "the old pump"),
        ("STRASSE straße", "strasse strasse"),
        ("[EXTERNAL] Re: Invoice", "invoice"),
        ("[Ticket 12] Invoice", "[ticket 12] invoice"),
        ("[PATCH 1/2] Fix", "[patch 1/2] fix"),
        ("[list]", "[list]"),
        ("Reply: to whom", "reply: to whom"),
        ("Area: north", "area: north"),
        ("Re:", ""),
        ("", ""),
        ("Cafe\u0301", "café"),
    ],
)
def test_base_subject_keeps_what_tells_conversations_apart(subject: str, base: str) -> None:
    assert base_subject(subject) == base


@pytest.mark.parametrize(
    ("subject", "stacked"),
    [
        ("Re: Re: Garden", True),
        ("Re: [list] RE: Garden", True),
        ("Re: AW: Garden", False),
        ("Re: Garden Re: Garden", False),
    ],
)
def test_stacked_is_the_same_prefix_twice_in_a_row(subject: str, stacked: bool) -> None:
    assert is_stacked(subject) is stacked


@pytest.mark.parametrize(
    ("subject", "reply"),
    [
        ("Garden", "Re: Garden"),
        ("Re: Garden", "Re: Garden"),
        ("AW: RE: Garden", "Re: Garden"),
        ("[list] Re: Garden", "Re: [list] Garden"),
        ("Fwd: Garden", "Re: Fwd: Garden"),
        ("", "Re:"),
        ("a\r\nBcc: eve@far.example", "Re: a Bcc: eve@far.example"),
        ("a\u2028b\u0085c\x00d\ud800e", "Re: a b c d e"),
        ("👩\u200d🌾 Garden", "Re: 👩\u200d🌾 Garden"),
    ],
)
def test_reply_subject_has_one_prefix_and_one_line(subject: str, reply: str) -> None:
    assert reply_subject(subject) == reply


@given(st.text(max_size=80))
def test_reply_to_a_reply_keeps_its_subject(subject: str) -> None:
    reply = reply_subject(subject)

    assert reply_subject(reply) == reply
    assert base_subject(reply) == base_subject(reply_subject(subject))
    assert not {unicodedata.category(char) for char in reply} & {"Cc", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize("unit", ["Re: ", "[a] ", "[", "Re", "Re[", "\u200b", "a\u0301", "回复："])
def test_hostile_subject_costs_little(unit: str) -> None:
    subject = unit * 200_000
    start = time.process_time()

    base_subject(subject)
    reply_subject(subject)

    assert time.process_time() - start < 1
