"""Attributions, heads, device lines and absences of many languages, told from what people write."""

from __future__ import annotations

import pytest

from inboxkit.parsing import Headers, Mail, reply_text
from inboxkit.parsing.automatic import classify
from inboxkit.parsing.reply import split_reply
from inboxkit.values import Kind

from .phrases import ABSENCES, ATTRIBUTIONS, AUTOMATIC_SUBJECTS, DEVICE_LINES, HEADS

OWN = "Large, please.\n\nBest\nBo"


def wrapped(line: str) -> str:
    name, bracket, rest = line.partition("<")
    return f"{name.rstrip()}\n<{rest}" if bracket and name.strip() else line


@pytest.mark.parametrize("line", ATTRIBUTIONS)
def test_what_an_attribution_announces_is_left_out(line: str) -> None:
    quoted, plain = "> Which size?\n> Thanks", "Which size?\n\nThanks"
    for announced in (f"{line}\n\n{quoted}", f"{wrapped(line)}\n\n{quoted}", f"{line}\n\n{plain}"):
        assert reply_text(f"{OWN}\n\n{announced}\n") == OWN


@pytest.mark.parametrize("bold", [False, True], ids=["plain", "bold"])
@pytest.mark.parametrize("names", HEADS.values(), ids=HEADS.keys())
def test_what_stands_beneath_a_head_is_left_out(names: tuple[str, ...], *, bold: bool) -> None:
    values = ("Ann <ann@shop.example>", "3/3/2026 10:01", "Bo <bo@x.example>", "Cy", "Sizes")
    form = "*{}:* {}" if bold else "{}: {}"
    head = "\n".join(form.format(*field) for field in zip(names, values, strict=True))

    assert reply_text(f"{OWN}\n\n{head}\n\nWhich size?\n\nThanks\nAnn\n") == OWN


@pytest.mark.parametrize("line", DEVICE_LINES)
def test_a_line_of_a_device_is_the_signature(line: str) -> None:
    reply = split_reply(f"Large, please.\n\n{line}\n")

    assert (reply.text, reply.signature) == ("Large, please.", line)


def kind_of(subject: str, text: str) -> Kind:
    fields = (("From", "ann@shop.example"), ("Subject", subject), ("In-Reply-To", "<a@b.example>"))
    return classify(Mail(Headers(fields), text=text), mail_from="ann@shop.example")[0]


@pytest.mark.parametrize("subject", AUTOMATIC_SUBJECTS)
def test_the_subject_tells_an_automatic_answer(subject: str) -> None:
    assert kind_of(subject, "Ok.") == Kind.AUTO_REPLY
    assert kind_of(f"Re: {subject}", "Ok.") == Kind.HUMAN


@pytest.mark.parametrize(("subject", "text"), ABSENCES)
def test_absence_in_subject_and_text_is_an_automatic_answer(subject: str, text: str) -> None:
    assert kind_of(subject, text) == Kind.AUTO_REPLY
    assert kind_of("The lid", "Here is the lid you asked for.") == Kind.HUMAN
