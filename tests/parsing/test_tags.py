"""HTML as tokens, exact enough and linear."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.tags import attributes, tokens, unescape


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a<b>c</b>", [("", "a"), ("b", ""), ("", "c"), ("/b", "")]),
        ('<a x="1>2">c', [("a", ' x="1>2"'), ("", "c")]),
        ("<a x='1>2'>c", [("a", " x='1>2'"), ("", "c")]),
        ('<a b">c', [("a", ' b"'), ("", "c")]),
        ("x < y <3", [("", "x < y <3")]),
        ("a<!-- <b> -->c", [("", "a"), ("", "c")]),
        ("a<!-->c", [("", "a"), ("", "c")]),
        ("<!doctype html>a", [("", "a")]),
        ("a<!-- open", [("", "a")]),
        (
            "<style>b>c{}</style >x",
            [("style", ""), ("!style", "b>c{}"), ("/style", " "), ("", "x")],
        ),
        ("<script>a<b></script>", [("script", ""), ("", ""), ("/script", "")]),
        ("<textarea><b></textarea>", [("textarea", ""), ("", "<b>"), ("/textarea", "")]),
        ("&lt;&#65;&nbsp;", [("", "<A\xa0")]),
        ("<BR/>", [("br", "/")]),
        ("a<b never closed", [("", "a"), ("b", " never close")]),
    ],
)
def test_source_is_cut_into_tokens(source: str, expected: list[tuple[str, str]]) -> None:
    assert list(tokens(source)) == expected


@given(st.text(alphabet="<>/=\"' abr&;", max_size=60))
def test_plain_markup_is_split_as_by_the_tokenizer(source: str) -> None:
    # A comment keeps the quick splitting away, and gives no token itself.
    assert list(tokens(source)) == list(tokens("<!-->" + source))


def test_quote_that_never_ends_does_not_swallow_the_rest() -> None:
    assert ("", "seen") in list(tokens('<a href="open>seen</a>'))


def test_attributes_are_read_in_every_form() -> None:
    found = attributes(""" HREF="a&amp;b" style='x' checked width=3 style=second""")

    assert found == {"href": "a&b", "style": "x", "checked": "", "width": "3"}


def test_monstrous_number_is_no_error() -> None:
    assert unescape("&#" + "9" * 5_000 + ";") == "\ufffd"


@given(st.text(alphabet="<>!-/&#;=\"'ab [CDATA]", max_size=120))
def test_any_text_is_cut_and_no_words_are_invented(source: str) -> None:
    for name, text in tokens(source):
        attributes(text)
        assert name or "&" in source or text in source


def test_other_threads_run_while_a_very_long_tag_is_read() -> None:
    reading = threading.Thread(target=attributes, args=("<a " * 2_000_000,))
    begun = at = time.monotonic()
    longest = 0.0
    reading.start()
    while reading.is_alive():
        longest, at = max(longest, time.monotonic() - at), time.monotonic()
    assert longest < (at - begun) / 10
