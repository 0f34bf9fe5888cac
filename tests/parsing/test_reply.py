"""Reply text: what one person wrote, told apart from quotes, forwarded heads and signatures."""

from __future__ import annotations

import doctest
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing import reply
from inboxkit.parsing.reply import reply_text, split_reply

from .cases import read_cases

ANSWER = "Yes, that suits us.\n\nSee you there!"
ORIGINAL = "Do you have time on Monday?\n\nThe order is 12 loaves.\nAna"
ATTRIBUTIONS = read_cases("attributions.txt")
HEADS = read_cases("heads.txt")
DEVICES = read_cases("devices.txt")
ORDINARY = read_cases("ordinary.txt")
MAILS = read_cases("mails.txt")


@pytest.mark.parametrize("quoted", [True, False], ids=["quoted", "bare"])
@pytest.mark.parametrize("head", ATTRIBUTIONS.values(), ids=ATTRIBUTIONS.keys())
def test_attribution_ends_the_reply(head: list[str], quoted: bool) -> None:
    below = ORIGINAL if not quoted else "> " + ORIGINAL.replace("\n", "\n> ")
    assert reply_text(f"{ANSWER}\n\n{head[0]}\n\n{below}\n") == ANSWER


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS.keys())
def test_head_of_the_original_ends_the_reply(head: list[str]) -> None:
    assert reply_text(f"{ANSWER}\n\n\n{head[0]}\n\n{ORIGINAL}") == ANSWER


@pytest.mark.parametrize("line", DEVICES.values(), ids=DEVICES.keys())
def test_device_line_is_the_signature(line: list[str]) -> None:
    parted = split_reply(f"{ANSWER}\n\n{line[0]}\n")
    assert (parted.text, parted.signature) == (ANSWER, line[0])


@pytest.mark.parametrize("body", ORDINARY.values(), ids=ORDINARY.keys())
def test_ordinary_words_stay_whole(body: list[str]) -> None:
    assert reply_text(body[0]) == body[0]


@pytest.mark.parametrize(("body", "text", "signature"), MAILS.values(), ids=MAILS.keys())
def test_whole_mail(body: str, text: str, signature: str) -> None:
    parted = split_reply(body)
    assert (parted.text, parted.signature) == (text, signature)


def test_line_ends_of_other_systems_are_read() -> None:
    assert reply_text("Yes.\r\n\r\nOn 3/4/25 09:15, Ana wrote:\r\n> Well?\r\n") == "Yes."
    assert reply_text("Yes.\r\rAna <ana@shop.example> wrote:\r> Well?\r") == "Yes."


def test_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(reply) == (0, 1)


FRAGMENTS = st.sampled_from(
    [
        "> ", ">", "| ", "\n", "\n\n", "\r\n", "On 3/4/25 09:15, Ana wrote:", "Ana <a@b.example>",
        "-- \n", "--\n", "____\n", "-----Original Message-----\n", "From: Ana\n", "To: Bo\n",
        "Subject: x\n", "Sent: 4 March 2025\n", "Sent from my iPhone", "<", "> wrote:", " ", "ok",
        "-----BEGIN PGP SIGNATURE-----\n", "\u200e", "\ufdd0", "\ufdd1", "\ufdd2", "\ufdd3", "：",
    ]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(FRAGMENTS, max_size=30).map("".join)))
def test_every_line_of_the_reply_begins_a_line_of_the_mail(body: str) -> None:
    lines = body.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    parted = split_reply(body)
    for line in (*parted.text.split("\n"), *parted.signature.split("\n")):
        assert any(original.startswith(line) for original in lines)


HOSTILE = {
    "quote-signs": ">" * 250_000,
    "quoted-lines": "> quoted\n" * 27_777,
    "on-on": "On " * 83_333,
    "half-attributions": "On Mon, Jan 1, 2024 at 1:00 PM A\n" * 7_575,
    "attributions": "On 3/4/25 09:15, Ana wrote:\n> a\nb\n" * 7_142,
    "from-lines": "From: a\n" * 31_250,
    "short-fields": "a:\n" * 83_333,
    "drawn": "-" * 125_000 + "\n" + "_" * 125_000 + "x",
    "delimiters": "--\n" * 83_333,
    "spaces": "x" + " " * 250_000 + "x",
    "blank-lines": "x" + "\n" * 250_000 + "x",
    "notices": "This message is confidential, for the addressee. Delete it.\n\n" * 4_000,
    "one notice": "this message is confidential " * 8_500,
    "gaps": "On 3/4/25 09:15, Ana <a@b.example> wrote:  " * 5_500,
    "gap lines": "On 3/4/25 09:15, Ana <a@b.example> said:  a\n" * 5_500,
    "device": "Sent from my " * 19_250,
    "device-lines": "Sent from my iPhone\n" * 12_500,
    "open-brackets": "a <\n> wrote:\n" * 19_230,
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_quarter_of_a_million_hostile_characters_take_little_time(body: str) -> None:
    start = time.process_time()
    split_reply(body)
    assert time.process_time() - start < 5
