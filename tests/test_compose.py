"""Composing: what is written is read back by the standard library as it was meant."""

from __future__ import annotations

import email
import email.policy
import re
import string
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inboxkit.addresses import check_address
from inboxkit.compose import (
    Composition,
    compose,
    message_id_row,
    new_message_id,
    quote,
    references_for,
)
from inboxkit.values import Address, Draft, File

from .composing import ANN, AT, ATTACK, OWN, PNG, body, made, read

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET = b"a secret of the tests"


def test_mail_has_the_fields_of_its_composition_in_order() -> None:
    message = read(
        replace(
            made(Draft(text="Hello", headers={"X-Order": "42"})),
            cc=(Address("bob@work.example"),),
            bcc=(Address("eve@far.example"),),
            reply_to=(Address("desk+token@shop.example"),),
            in_reply_to="<a@home.example>",
            references=("<root@home.example>", "<a@home.example>"),
            thread_index="AQHWXb/AQFlafAf6aUyEMWHswzuyEg==",
            thread_topic="Re: The pump",
            auto_submitted=True,
            loop_id="l00p",
        )
    )

    assert message.items() == [
        ("From", "The Desk <desk@shop.example>"),
        ("To", "Ann Gärtner <ann@home.example>"),
        ("Cc", "bob@work.example"),
        ("Reply-To", "desk+token@shop.example"),
        ("Subject", "The pump"),
        ("Date", "Wed, 01 May 2024 09:30:00 +0000"),
        ("Message-ID", OWN),
        ("In-Reply-To", "<a@home.example>"),
        ("References", f"<root@home.example> <a@home.example> {OWN}"),
        ("Thread-Topic", "The pump"),
        ("Thread-Index", "AQHWXb/AQFlafAf6aUyEMWHswzuyEg=="),
        ("Auto-Submitted", "auto-replied"),
        ("X-Auto-Response-Suppress", "All"),
        ("X-Inboxkit-Loop", "l00p"),
        ("X-Order", "42"),
        ("MIME-Version", "1.0"),
        ("Content-Type", 'text/plain; charset="utf-8"'),
        ("Content-Transfer-Encoding", "7bit"),
    ]


def test_bcc_is_in_no_byte_of_the_mail() -> None:
    raw = compose(replace(made(to=()), bcc=(Address("eve@far.example", "Eve"),)))

    assert b"eve" not in raw.lower()
    assert b"To: undisclosed-recipients:;\r\n" in raw


def test_same_composition_gives_the_same_bytes() -> None:
    draft = Draft(html="<b>x</b>", attachments=(File("a.png", PNG, content_id="a"),))

    assert compose(made(draft)) == compose(made(draft))


@pytest.mark.parametrize(
    "name",
    [
        *("From", "to", "CC", "Bcc", "Subject", "Date", "Message-ID", "MIME-Version"),
        *("Content-Type", "content-x", "Received", "Return-Path", "Resent-To", "DKIM-Signature"),
        *("References", "X-Inboxkit-Loop"),
    ],
)
def test_header_that_is_ours_to_write_is_refused_by_name(name: str) -> None:
    composition = replace(made(Draft(text="a", headers={name: "x"})), loop_id="l")

    with pytest.raises(ValueError, match=re.escape(f"header {name}:")):
        compose(composition)


@pytest.mark.parametrize("name", ["Sender", "errors-to", "X-Inboxkit-Loop"])
def test_header_that_speaks_for_somebody_else_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"header {name}:")):
        compose(made(Draft(text="a", headers={name: "x"})))


@pytest.mark.parametrize(
    "name", ["", "X A", "X:", "X\r\nBcc", "Ü", "X\0", "X" * 80, "Bcc: eve@far.example\r\nX"]
)
def test_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"header|cannot be the name"):
        compose(made(Draft(text="a", headers={name: "x"})))


@pytest.mark.parametrize(
    "char", ["\r\n", "\n", "\r", "\0", "\t", "\x7f", "\x85", "\u2028", "\ud800"]
)
@pytest.mark.parametrize("place", ["subject", "header"])
def test_control_character_is_refused_where_the_caller_chose_the_words(
    place: str, char: str
) -> None:
    text = f"a{char}Bcc: eve@far.example"
    draft = Draft(text="a", headers={"X-Own": text} if place == "header" else {})

    with pytest.raises(ValueError, match="control character"):
        compose(made(draft, subject=text if place == "subject" else "x"))


def test_encoded_attack_stays_the_words_it_is_written_in() -> None:
    draft = Draft(text="a", headers={"X-Own": ATTACK}, attachments=(File(ATTACK, b""),))

    message = read(made(draft, to=(Address("ann@home.example", ATTACK),), subject=ATTACK))

    assert "Bcc" not in message
    assert (message["Subject"], message["X-Own"]) == (ATTACK, ATTACK)
    assert message["To"].addresses[0].display_name == ATTACK


def test_hostile_names_and_ids_of_the_answered_mail_do_no_harm() -> None:
    message = read(
        replace(
            made(to=(Address("eve@far.example", "Eve\r\nBcc: v@x.example"),)),
            in_reply_to="<a\r\nBcc: v@x.example>",
            references=("<a b>", "junk", "<ok@x.example>", "<" + "a" * 2_000 + ">", "<ü@x>"),
        )
    )

    assert message["To"].addresses[0].display_name == "Eve Bcc: v@x.example"
    assert "In-Reply-To" not in message
    assert message["References"] == f"<ok@x.example> {OWN}"


@pytest.mark.parametrize(
    "address",
    ["", "ann", "a b@x.de", "a@b>\r\nRCPT TO:<v@x", "a@b\0", "a@x,b@x", '"a"@x', "ü@x", "a@x."],
)
@pytest.mark.parametrize("place", ["sender", "to", "cc", "bcc", "reply_to"])
def test_unusable_address_is_refused_in_every_field(place: str, address: str) -> None:
    bad = Address(address)
    changed = {place: bad if place == "sender" else (bad,)}

    with pytest.raises(ValueError, match="not an address"):
        compose(replace(made(), **changed))  # type: ignore[arg-type]  # the field varies


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"to": ()}, "recipient"),
        ({"date": AT.replace(tzinfo=None)}, "time zone"),
        ({"message_id": "<a b@c>"}, "Message-ID"),
        ({"message_id": "a@b"}, "Message-ID"),
        ({"loop_id": "a\r\nb"}, "loop id"),
        ({"thread_index": "a\r\nb"}, "Thread-Index"),
        ({"draft": Draft(text="half \ud800")}, "plain text"),
        ({"draft": Draft(headers={"X-Long": "a" * 1_000})}, "header X-Long"),
    ],
)
def test_what_cannot_be_a_mail_is_refused_with_the_reason(
    change: Mapping[str, object], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        compose(replace(made(), **change))  # type: ignore[arg-type]  # the field varies


def test_own_auto_submitted_replaces_ours() -> None:
    draft = Draft(text="a", headers={"auto-submitted": "auto-generated"})

    message = read(replace(made(draft), auto_submitted=True))

    assert message.get_all("Auto-Submitted") == ["auto-generated"]
    assert message["X-Auto-Response-Suppress"] == "All"


@pytest.mark.parametrize(
    "subject",
    [
        "",
        "word " * 200,
        "a" * 3_000,
        "Grüße " * 60,
        "水泵" * 300,
        " spaced  twice ",
        "=?utf-8?q?a?=",
        "a" + " " * 2_000 + "b",
        "👩\u200d🌾" * 30,
    ],
    ids=range(9),
)
def test_subject_comes_back_and_no_line_is_too_long(subject: str) -> None:
    raw = compose(made(subject=subject))

    assert email.message_from_bytes(raw, policy=email.policy.default)["Subject"] == subject
    assert max(map(len, raw.split(b"\r\n"))) <= 998


PLAIN = st.text(string.printable[:95], min_size=1, max_size=120) | st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=60
)
HOSTILE = st.text(max_size=20) | st.sampled_from([ATTACK, "a\r\nBcc: x@y", "\r\n\r\n", "\0"])


def mostly(*good: str) -> st.SearchStrategy[str]:
    """Draw something usable nine times in ten, so that most mails are composed."""
    return st.integers(0, 9).flatmap(lambda n: st.sampled_from(good) if n else HOSTILE)


PEOPLE = st.builds(Address, mostly("ann@home.example"), HOSTILE)
FILES = st.builds(File, HOSTILE, st.binary(max_size=50), mostly("", "image/png"), mostly("", "a@b"))
DRAFTS = st.builds(
    Draft,
    text=mostly("a", "ü\n.\n"),
    html=mostly("", "<p>a"),
    headers=st.dictionaries(mostly("X-Own", "x-own", "Y"), mostly("a", ATTACK), max_size=2),
    attachments=st.lists(FILES, max_size=2).map(tuple),
)
COMPOSITIONS = st.builds(
    Composition,
    draft=DRAFTS,
    sender=PEOPLE,
    message_id=mostly(OWN),
    date=st.datetimes(timezones=st.just(UTC)),
    to=st.lists(PEOPLE, min_size=1, max_size=2).map(tuple),
    cc=st.lists(PEOPLE, max_size=1).map(tuple),
    bcc=st.lists(PEOPLE, max_size=1).map(tuple),
    reply_to=st.lists(PEOPLE, max_size=1).map(tuple),
    subject=mostly("a", "ü" * 60, ATTACK),
    in_reply_to=HOSTILE,
    references=st.lists(HOSTILE, max_size=3).map(tuple),
    thread_index=mostly("", "AQHW"),
    thread_topic=HOSTILE,
    auto_submitted=st.booleans(),
    loop_id=mostly("", "l"),
    forwarded=st.binary(max_size=60),
)


@given(COMPOSITIONS)
def test_whatever_is_composed_has_the_intended_headers_or_is_refused(made: Composition) -> None:
    try:
        raw = compose(made)
    except ValueError:
        return
    head = raw.partition(b"\r\n\r\n")[0].decode("ascii").replace("\r\n ", " ")
    names = [line.partition(":")[0] for line in head.split("\r\n")]
    allowed = [*INTENDED, *made.draft.headers]
    assert not [name for name in names if names.count(name) > allowed.count(name)]
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", raw)


INTENDED = {
    *("From", "To", "Cc", "Reply-To", "Subject", "Date", "Message-ID", "In-Reply-To", "References"),
    *("Thread-Topic", "Thread-Index", "Auto-Submitted", "X-Auto-Response-Suppress"),
    *("X-Inboxkit-Loop", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"),
}


@given(subject=PLAIN, value=PLAIN, name=PLAIN, text=PLAIN)
@example(subject="a =?x?= b", value="=?utf-8?b??=", name='"', text="a\n\n.")
def test_what_was_composed_is_read_back_as_it_was(
    subject: str, value: str, name: str, text: str
) -> None:
    draft = Draft(text=text, html=text, headers={"X-Own": value})

    message = read(made(draft, to=(Address("ann@home.example", name),), subject=subject))

    assert message["Subject"] == subject
    assert message["X-Own"] == value.strip(" ")
    # Python 3.11 reads a space between the encoded words of a long name
    assert message["To"].addresses[0].display_name.replace(" ", "") == "".join(name.split())
    assert (body(message), body(message, "html")) == (f"{text}\n", f"{text}\n")


def test_message_id_names_its_row_under_any_domain() -> None:
    ours = new_message_id(7_000_000_000, "shop.example", SECRET)

    assert re.fullmatch(r"<[A-Za-z0-9.-]+@shop\.example>", ours)
    assert message_id_row(ours, SECRET) == 7_000_000_000
    assert (
        message_id_row(ours.replace("shop.example", "rewritten.example"), SECRET) == 7_000_000_000
    )


def test_message_id_that_is_changed_or_foreign_names_none() -> None:
    ours = new_message_id(7, "shop.example", SECRET)
    changed = [ours[:i] + ("1" if ours[i] != "1" else "2") + ours[i + 1 :] for i in range(1, 31)]

    assert {message_id_row(text, SECRET) for text in changed if text[14] == "."} == {None}
    assert message_id_row(ours, b"another secret") is None
    assert message_id_row("<" + "0" * 100_000 + ">", SECRET) is None


@pytest.mark.parametrize(
    ("message_id", "references", "in_reply_to", "expected"),
    [
        ("<b@x>", ("<a@x>",), "<a@x>", ("<a@x>", "<b@x>")),
        ("<b@x>", (), "<a@x>", ("<a@x>", "<b@x>")),
        ("<a@x>", (), "", ("<a@x>",)),
        ("", ("<a@x>",), "", ("<a@x>",)),
        ("<b@x>", ("<b@x>", "<a@x>", "<a@x>"), "", ("<a@x>", "<b@x>")),
        ("<b\r\n@x>", ("junk", "<a@x>"), "", ("<a@x>",)),
    ],
    ids=["chain", "in-reply-to only", "first", "no id", "repeats", "hostile"],
)
def test_references_are_the_chain_to_the_answered_mail(
    message_id: str, references: tuple[str, ...], in_reply_to: str, expected: tuple[str, ...]
) -> None:
    assert references_for(message_id, references, in_reply_to) == expected


def test_long_chain_keeps_the_root_and_the_nearest_twenty() -> None:
    chain = references_for("<last@x>", [f"<{n}@x>" for n in range(100)], "")

    assert (chain[0], chain[1], chain[-1], len(chain)) == ("<0@x>", "<81@x>", "<last@x>", 21)


@pytest.mark.parametrize(
    ("given", "checked"),
    [
        ("Ann@Example.COM", "Ann@example.com"),
        ("ann+tag@home.example", "ann+tag@home.example"),
        ("ann@localhost", "ann@localhost"),
        ("ann@mail.test", "ann@mail.test"),
        ("ann@printer.local", "ann@printer.local"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
    ],
)
def test_address_is_checked_and_put_into_ascii(given: str, checked: str) -> None:
    assert check_address(given) == checked


@pytest.mark.parametrize(
    "address",
    ["", "ann", "a b@x.de", "a@x.de\n", "a@b>\r\nRCPT TO:<v@x", "<a@x.de>", "a\0@x.de", "ü@x.de",
     "a@x..de", "a@" + "x." * 900, "\ud800@x.de"],
)  # fmt: skip
def test_address_that_cannot_be_written_to_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        check_address(address)


@given(st.text(max_size=30) | st.text("a@.-_ü\n>", max_size=20))
def test_checked_address_can_be_sent_to(text: str) -> None:
    try:
        checked = check_address(text)
    except ValueError:
        return

    assert read(made(to=(Address(checked),)))["To"] == checked


@pytest.mark.parametrize(
    ("sender", "date", "first"),
    [
        (ANN, AT, "On 2024-05-01 at 09:30 UTC, Ann Gärtner <ann@home.example> wrote:"),
        (Address("a@x.de"), None, "a@x.de wrote:"),
    ],
)
def test_quote_names_its_author_and_marks_each_line(
    sender: Address, date: datetime | None, first: str
) -> None:
    assert quote("a\n\n> b", sender, date) == f"{first}\n\n> a\n>\n>> b"
