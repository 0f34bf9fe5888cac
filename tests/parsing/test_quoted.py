from __future__ import annotations

import pytest

from inboxkit.parsing.quoted import without_forwarded, without_quoted_lines


def test_quoted_lines_are_left_out() -> None:
    assert without_quoted_lines("a\r\n> b\r\n  > c\r\nd") == "a\n\n\nd"
    assert without_quoted_lines("> Bo <bo@b.example>\n>>> 12 <<<\n> b") == "\n>>> 12 <<<\n"


FORWARDED = {
    "english": "From: A <a@b.example>\nDate: Tue, 3 Mar 2026\nSubject: S\nTo: <c@d.example>",
    "subject first": "Subject: S\nDate: Tue, 3 Mar 2026\nFrom: A <a@b.example>\nTo: <c@d.example>",
    "german": "Von: Bank <a@b.example>\nGesendet: Dienstag\nAn: Ich\nBetreff: Code",
    "japanese": "差出人: A <a@b.example>\n件名: コード",
    "attribution": "On Tue, 3 Mar 2026 at 10:01, Ann <a@b.example> wrote:",
    "french attribution": "Le mar. 3 mars 2026 à 10:01, Ann <a@b.example> a écrit :",
}


@pytest.mark.parametrize("head", FORWARDED.values(), ids=FORWARDED.keys())
def test_a_mail_of_someone_else_is_cut(head: str) -> None:
    assert without_forwarded(f"mine\n\n{head}\n\ntheirs").strip() == "mine"


KEPT = {
    "fields": "Device: Chrome\nTime: 10:01\nCode: 482913",
    "a sender without a subject": "From: Oslo\nDate: 3 March\nCode: 482913",
    "a topic, then a sender": "Subject: lamps\nPlace: the pier\n\nFrom: Oslo\nTo: Bergen",
    "an introduction": "Your code:\n482913",
}


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT.keys())
def test_what_only_resembles_a_head_is_kept(text: str) -> None:
    assert without_forwarded(text) == text
