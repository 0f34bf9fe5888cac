"""Reply HTML: the quotes of each client are taken out, the words of the reply stay."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.reply import split_reply

from .cases import read_cases

QUOTES = read_cases("quotes.html")
PAGES = read_cases("pages.html")


@pytest.mark.parametrize("quote", QUOTES.values(), ids=QUOTES.keys())
def test_quote_of_a_client_is_taken_out(quote: list[str]) -> None:
    page = f"<html><body><div>Fine <b>by</b> me.</div>{quote[0]}</body></html>"
    reply = split_reply("", page)
    assert reply.text == "Fine by me."
    assert "Fine <b>by</b> me." in reply.html
    assert "ORIGINAL" not in reply.html
    assert reply.html.count("<div") == reply.html.count("</div")


@pytest.mark.parametrize(("html", "text"), PAGES.values(), ids=PAGES.keys())
def test_words_of_a_page(html: str, text: str) -> None:
    assert split_reply("", html).text == text


def test_signature_of_a_client_is_given_apart() -> None:
    reply = split_reply(
        "", '<p>Yes.</p><div class="gmail_signature">Bo Lind<br>Lind &amp; Co</div>'
    )
    assert (reply.text, reply.signature) == ("Yes.", "Bo Lind\nLind & Co")
    assert "Bo Lind" in reply.html


def test_words_come_from_the_text_when_there_is_one() -> None:
    quote = "<blockquote type=cite>Well?</blockquote>"
    reply = split_reply("Yes.\n\n> Well?", f"<p>Yes <i>indeed</i>.</p>{quote}")
    assert (reply.text, reply.html) == ("Yes.", "<p>Yes <i>indeed</i>.</p>")


def test_html_without_quotes_is_left_as_it_is() -> None:
    html = "<p>Bread<p>is <b>good</i></p></div><!-- x --><img src=a.png>"
    assert split_reply("Bread is good", html).html == html
    assert split_reply("", html).html == html


PIECES = st.sampled_from(
    [
        "<div>", "</div>", "<p>", "<br>", "<pre>", "</pre>", "text ", "&lt;", "&#99999999;", "<",
        '<div class="gmail_quote">', '<div class="gmail_attr">', '<blockquote type="cite">', "<hr>",
        "</blockquote>", "<!--", "-->", "<style>", '<a href="', "'", "On 3/4/25 09:15, Ana wrote:",
        "<table><tr><td>", "</table>", '<div id="divRplyFwdMsg">', "<b>From:</b> Ana", "\n", "</",
        '<div class="gmail_signature">', '<div class="yahoo_quoted">', "<li>", "&gt; x", "<p a='",
    ]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(PIECES, max_size=40).map("".join)))
def test_what_is_left_of_a_page_is_made_of_its_parts(html: str) -> None:
    left = iter(split_reply("", html).html)
    page = iter(html)
    assert all(char in page for char in left)


HOSTILE = {
    "deep": "<div>" * 25_000 + "x" + "</div>" * 20_000,
    "deep-quotes": "<blockquote type=cite>" * 10_000,
    "deep-containers": '<div class="yahoo_quoted">x' * 8_750,
    "attributions": '<div class="gmail_attr">x' * 10_000,
    "open-comments": "<!--" * 62_500,
    "open-tags": "<a " * 83_333,
    "open-values": '<a b="' * 41_666,
    "odd-values": "<a b='\">" * 31_250,
    "closing-tags": "</p>" * 62_500,
    "unclosed": "<b><i></b>" * 25_000,
    "brackets": "<" * 250_000,
    "references": "&" * 125_000 + "&#x" * 41_666,
    "big-number": "&#" + "9" * 250_000,
    "raw": "<style>" * 35_000,
    "breaks": "<br>" * 62_500,
}


@pytest.mark.parametrize("html", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_quarter_of_a_million_hostile_characters_take_little_time(html: str) -> None:
    start = time.process_time()
    split_reply("", html)
    assert time.process_time() - start < 5
