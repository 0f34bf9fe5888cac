from __future__ import annotations

import pytest

from inboxkit.parsing.page import Anchor, prominence, read_page


def test_words_stand_on_the_lines_of_their_blocks() -> None:
    page = read_page("<title>T</title><style>p{}</style><p>One  two</p><div>three<br>four</div>")

    assert page.text.split("\n") == ["One two", "three", "four", ""]


def test_cells_are_apart_and_spans_are_not() -> None:
    assert read_page("<tr><td>4</td><td>8</td></tr>").text.strip() == "4 8"
    assert read_page("<b>4</b><b>8</b>").text == "48"


def test_links_are_kept_with_their_place() -> None:
    page = read_page("Go <a href='https://x.example/?a=1&amp;b=2'>here</a>.")

    assert page.text == "Go here."
    assert page.anchors == (Anchor("https://x.example/?a=1&b=2", 3, 7),)


def test_a_picture_in_a_link_has_words() -> None:
    page = read_page("<a href=https://x.example><img src=b.png alt='Log in &amp; go'></a>")

    assert page.text.strip() == "Log in & go"


QUOTES = {
    "gmail": "<div class='gmail_quote'>",
    "apple": "<blockquote type=cite>",
    "outlook": "<div id='divRplyFwdMsg'>",
    "yahoo": "<div class='yahoo_quoted'>",
}


@pytest.mark.parametrize("start", QUOTES.values(), ids=QUOTES.keys())
def test_nothing_is_read_from_a_quoted_mail_on(start: str) -> None:
    assert read_page(f"<p>mine</p>{start}<a href=https://x.example>theirs</a>").text == "mine\n"


SHOWN = {
    "in a sentence": ("<p>It is 4821.</p>", 0),
    "missing": ("<p>It is 48 21</p>", 0),
    "own element": ("<p>It is <b>4821</b></p>", 1),
    "heading": ("<h1> 4821 </h1>", 2),
    "large letters": ("<p style='font-size: 32px'><b>4821</b></p>", 2),
    "named": ("<td class='otp-code'>4821</td>", 2),
}


@pytest.mark.parametrize(("html", "how"), SHOWN.values(), ids=SHOWN.keys())
def test_how_a_page_shows_a_value(html: str, how: int) -> None:
    assert prominence(html, "4821") == how
