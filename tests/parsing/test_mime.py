"""Bytes to Mail: bodies, leaves, names and what is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.mime import decode, decode_headers
from inboxkit.parsing.model import Limits

from .corpus import NAMES, sample

TEXTS = {
    "alternative": "The lid of the café machine is missing. ",
    "apple-mixed": "First the front,\nthen the back.",
    "broken-header": "Body.\n",
    "flowed": "This paragraph was broken for the way.\n> A quote that goes on.\n-- \nAna\n",
    "forwarded": "Is this one real?",
    "japanese": "見積書を送ります。\n①",
    "mixed-for-alternative": "The lamp on the second floor is broken again.",
    "raw-latin1": "Schöne Grüße\n",
    "related": "Our logo: [Logo]",
    "smime": "",
    "uuencoded": "Here it is.\n\n\n\nbegin 2024 with care\n",
    "winmail": "Please see the report.",
    "wrong-boundary": "Still readable.",
    "wrong-charset": "请寄发票到公司\n",
}
SUBJECTS = {
    "alternative": "The café order",
    "broken-header": "A subject that was folded without a space",
    "japanese": "見積書",
    "raw-cyrillic": "Счёт",
    "raw-latin1": "Grüße aus Köln",
    "split-words": "éé and so on",
    "wrong-charset": "发票",
}


@pytest.mark.parametrize(("name", "text"), TEXTS.items(), ids=TEXTS.keys())
def test_text_is_what_a_person_reads(name: str, text: str) -> None:
    assert decode(sample(name)).text == text


@pytest.mark.parametrize(("name", "subject"), SUBJECTS.items(), ids=SUBJECTS.keys())
def test_subject_is_what_a_person_reads(name: str, subject: str) -> None:
    assert decode(sample(name)).headers.get("subject") == subject


def test_file_names_are_found_wherever_they_hide() -> None:
    assert [part.filename for part in decode(sample("file-names")).parts] == [
        "€uro report.pdf",
        "école.pdf",
        "dot.gif",
        "../../etc/passwd",
        "my holiday.zip",
    ]


def test_text_from_html_is_marked_as_such() -> None:
    assert not decode(sample("related")).has_text
    assert decode(sample("alternative")).has_text


def test_html_holds_plain_stretches_too() -> None:
    raw = (
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>One</p>\n"
        b"--b\n\nTwo & <three>\n--b--\n"
    )

    assert decode(raw).html == (
        '<p>One</p>\n<div style="white-space:pre-wrap">Two &amp; &lt;three&gt;</div>'
    )


def test_empty_text_part_does_not_hide_the_html() -> None:
    raw = (
        b"Content-Type: multipart/alternative; boundary=b\n\n--b\n\n \n--b\n"
        b"Content-Type: text/html\n\n<p>Words</p>\n--b--\n"
    )

    assert decode(raw).text == "Words"


def test_report_keeps_its_parts_and_type() -> None:
    mail = decode(sample("delivery-status"))

    assert mail.report_type == "delivery-status"
    assert [part.content_type for part in mail.parts] == [
        "text/plain",
        "message/delivery-status",
        "text/rfc822-headers",
    ]
    assert mail.parts[1].data.endswith(b"Status: 5.1.1")


def test_charset_in_the_markup_is_used_when_the_header_has_none() -> None:
    raw = b"Content-Type: text/html\n\n<meta charset=koi8-r><p>" + "Счёт".encode("koi8-r")

    assert decode(raw).text == "Счёт"


def test_defects_say_what_is_wrong() -> None:
    assert "start boundary not found" in decode(sample("wrong-boundary")).defects


def test_nesting_beyond_the_limit_leaves_the_headers() -> None:
    mail = decode(sample("related"), Limits(containers=0))

    assert mail.defects == ("limit: containers",)
    assert mail.headers.get("subject") == "Newsletter"


def test_headers_alone_can_be_read_from_a_huge_block() -> None:
    raw = b"Subject: here\r\n" + b"X-Long: y\r\n" * 20_000

    assert decode_headers(raw).get("subject") == "here"


@given(st.sampled_from(NAMES), st.integers(0, 3_000), st.integers(0, 60), st.binary(max_size=20))
def test_any_damage_is_read_and_can_be_stored(
    name: str, place: int, length: int, data: bytes
) -> None:
    raw = sample(name)

    mail = decode(raw[:place] + data + raw[place + length :])

    for text in (mail.text, mail.html, *(value for _, value in mail.headers)):
        text.encode("utf-8")
        assert "\0" not in text
