"""HTML as readable text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.html import render, to_text
from inboxkit.parsing.tags import tokens

CASES = {
    "paragraphs": ("<p>One</p><p>Two</p>", "One\n\nTwo"),
    "divs": ("<div>One</div><div><br></div><div>Two</div>", "One\n\nTwo"),
    "break": ("One<br>Two<br><br>Three", "One\nTwo\n\nThree"),
    "spaces": ("<p> One\n <b>two</b>three </p>", "One twothree"),
    "link": ('<a href="https://x.example/a">here</a>', "here <https://x.example/a>"),
    "link that is its words": ('<a href="https://x.example/">x.example</a>', "x.example"),
    "mail link": ('<a href="mailto:a@b.example?subject=x">a@b.example</a>', "a@b.example"),
    "script link": ('<a href="javascript:x()">here</a>', "here"),
    "list": ("<ul><li>One<li>Two</ul>", "- One\n- Two"),
    "numbers": ("<ol start=3><li>One<li>Two</ol>", "3. One\n4. Two"),
    "nested list": ("<ul><li>One<ol><li>A</ol><li>Two</ul>", "- One\n  1. A\n- Two"),
    "data table": (
        "<table><tr><th>Name<th>Price<tr><td>Pen<td>2</table>",
        "Name | Price\nPen | 2",
    ),
    "layout table": ("<table><tr><td>4</td><td>8</td></tr></table>", "4 8"),
    "pre": ("<pre>  a\n\n    b</pre>", "a\n\n    b"),
    "quote": ("a<blockquote type=cite><p>b</p><p>c</p></blockquote>d", "a\n\n> b\n>\n> c\n\nd"),
    "indent": ("a<blockquote>b</blockquote>", "a\n\nb"),
    "rule": ("a<hr>b", "a\n________________________________\nb"),
    "image": ('<img alt="Logo">x', "[Logo]x"),
    "entities": ("caf&eacute; &amp; &#8364;5&nbsp;net", "café & €5 net"),
    "not content": ("<title>t</title><style>s</style><script>u</script><!-- v -->w", "w"),
    "ideographic space": ("<p>一\u3000二</p>", "一\u3000二"),
    "hidden": ('a<div style="display:none">b</div>', "a"),
}


@pytest.mark.parametrize(("source", "expected"), CASES.values(), ids=CASES.keys())
def test_text_is_readable(source: str, expected: str) -> None:
    assert to_text(source) == expected


TAGS = "<p> </p> <a href='http://x'> </a> <ul> <li> </ul> <td> <table> <pre> </pre> x \n".split(" ")


@given(st.lists(st.sampled_from([*TAGS, "<blockquote class=quote>", "</blockquote>"])).map("".join))
def test_any_markup_is_read(source: str) -> None:
    assert to_text(source) == to_text(source).strip()


PLAIN_TAGS = ["<p>", "</p>", "<div>", "</div>", "<br>", "<a href=x>", "</a>", "<b>", "<img alt=i>"]
WORDS = [" ", "\n", "\t", "\u3000", "\xa0", "a  b", "one two", "x", "&nbsp;", "\u00e9"]


@given(st.lists(st.sampled_from([*PLAIN_TAGS, *WORDS]), max_size=14).map("".join))
def test_paragraphs_and_lines_alone_read_as_any_markup(source: str) -> None:
    stream = tokens(source)

    assert render(stream, links=False) == render(iter(stream), links=False)
