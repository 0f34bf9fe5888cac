"""All that reads foreign input, on the same input: nothing raises, nothing takes long."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing import find_code, find_links, mime, parse, reply_text
from inboxkit.parsing.attachments import safe_name
from inboxkit.parsing.automatic import classify
from inboxkit.parsing.bounces import read_report
from inboxkit.parsing.documents import document_text
from inboxkit.parsing.hidden import visible_text
from inboxkit.parsing.html import to_text
from inboxkit.parsing.images import dimensions
from inboxkit.parsing.reply import split_reply

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT: dict[str, Callable[[str], object]] = {
    "find_code": find_code,
    "find_code in HTML": lambda text: find_code("", subject=text, html=text),
    "find_links": find_links,
    "find_links in HTML": lambda text: find_links("", subject=text, html=text),
    "reply_text": reply_text,
    "split_reply": lambda text: split_reply(text, text),
    "split_reply of HTML": lambda text: split_reply("", text),
    "visible_text": lambda text: visible_text(text, text),
    "to_text": to_text,
    "safe_name": safe_name,
}
BYTES: dict[str, Callable[[bytes], object]] = {
    "parse": parse,
    "classify": lambda data: classify(mime.decode(data), mail_from=""),
    "read_report": lambda data: read_report(mime.decode(data)),
    "document_text": lambda data: document_text(data, "text/csv"),
    "dimensions": dimensions,
}
PIECES = [
    *("<a href=", "<!--", "<td>", "</p>", "&#", "style='display:none'", "http://a.example/?code=1"),
    *("> ", "On 3 May 2024, Ann wrote:\n", "-- \n", "From: a@b.example\n", "Subject: x\n"),
    *("Your code is 482913\n", "123-456", "コード", "رمز", "550 5.1.1 ", "\r\n\r\n"),
    *("Final-Recipient: rfc822; a@b\n", "Content-Type: multipart/report; boundary=b\n\n--b\n"),
    *("=?utf-8?q?=C3", "\0", "\ud800", "\u202e"),
]
MIXED = st.lists(st.sampled_from(PIECES) | st.text(max_size=12), max_size=30).map("".join)


@pytest.mark.parametrize("name", TEXT)
@given(text=MIXED)
def test_any_text_is_read_and_alike_each_time(name: str, text: str) -> None:
    assert TEXT[name](text) == TEXT[name](text)


@pytest.mark.parametrize("name", BYTES)
@given(data=MIXED.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary())
def test_any_bytes_are_read_and_alike_each_time(name: str, data: bytes) -> None:
    assert BYTES[name](data) == BYTES[name](data)


@pytest.mark.parametrize("piece", PIECES)
def test_much_of_anything_is_read_in_time(piece: str) -> None:
    text = piece * (64 * 1024 // len(piece))

    for name, read in TEXT.items():
        start = time.process_time()
        read(text)
        assert time.process_time() - start < 4, name
