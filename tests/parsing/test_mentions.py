"""Where the links of a mail stand, and what stands around them."""

from __future__ import annotations

import pytest

from inboxkit.parsing import mentions
from inboxkit.parsing.page import labels, read_page

LINK = "https://x.example/a"


@pytest.mark.parametrize(
    ("source", "words", "bracketed"),
    [
        (f'<a href="{LINK}">Sign <b>in</b></a>', "Sign in", False),
        (f"<A HREF={LINK}><img alt='Sign in'></A>", "Sign in", False),
        (f"Sign in (<a href='{LINK}'>{LINK}</a>)", LINK, True),
        (f"<p>x [</p><p> </p><a href={LINK}>y", "y", True),
        (f"<a href={LINK}>one<a href={LINK}2>two</a>", "one", False),
        (f"<td><a href={LINK}>Sign<br>in</a>", "Sign in", False),
    ],
)
def test_the_words_of_a_link_are_those_of_the_page(
    source: str, words: str, *, bracketed: bool
) -> None:
    label = next(labels(source))
    anchor = read_page(source).anchors[0]

    assert label == (LINK, words, bracketed)
    assert read_page(source).text[anchor.start : anchor.end].split() == words.split()


@pytest.mark.parametrize("source", ["", "<p>x</p>", "<abbr>x</abbr>", "<a name=x>y</a>"])
def test_a_page_without_links(source: str) -> None:
    assert list(labels(source)) == []


def test_an_address_that_the_page_has_is_not_given_again() -> None:
    seen = {LINK}
    text = f"See {LINK}. Or {LINK}2, now."

    assert [m.url for m in mentions.addresses(text, seen)] == [f"{LINK}2"]


def test_the_words_before_a_bracket_are_those_of_the_link() -> None:
    assert mentions.label_in_text("Hello. Reset password ( ") == ("Reset password", "Hello. ")
    assert mentions.label_in_text("Hello. ") == ("", "Hello.")
