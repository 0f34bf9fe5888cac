"""What a person cannot see is left out, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.hidden import hidden_words, visible_text

from .corpus import sample

HIDDEN = [
    '<div style="display:none">NO</div>',
    '<div style="DISPLAY : NONE !important">NO</div>',
    "<div hidden>NO</div>",
    '<p style="visibility:hidden">NO</p>',
    '<span style="font-size:0">NO</span>',
    '<span style="font-size:1px">NO</span>',
    '<span style="font:0/0 a">NO</span>',
    '<span style="color:#fff;background:#fff">NO</span>',
    '<span style="color:#fefefe">NO</span>',
    '<td bgcolor="#036"><font color="#003366">NO</font></td>',
    '<span style="color:transparent">NO</span>',
    '<span style="color:rgba(0, 0, 0, 0)">NO</span>',
    '<p style="opacity:0.0">NO</p>',
    '<p style="position:absolute;left:-9999px">NO</p>',
    '<p style="text-indent:-100em">NO</p>',
    '<p style="max-height:0;overflow:hidden">NO</p>',
    '<span style="width:0">NO</span>',
    '<p style="clip:rect(0,0,0,0)">NO</p>',
    '<p style="transform:scale(0)">NO</p>',
    "<style>.h{display:none}</style><p class='a h'>NO</p>",
    "<style>p#h, x { visibility: hidden }</style><p id=h>NO</p>",
    "<template>NO</template>",
    "<title>NO</title>",
    "<!-- NO -->",
    '<img alt="NO">',
    '<div style="display:none"><table><tr><td></div>NO</td></tr></table></div>',
    '<div style="display:none"><p>a</div></p>',
    '<div style="background:#000;color:#fff">a<p style="color:#010101">NO</p></div>',
    '<table bgcolor=#333333><tr><td><font color="#333333">NO</font></td></tr></table>',
    "<style>.c{color:hsl(0,0%,100%)}</style><p class=c>NO</p>",
    '<p style="margin:0 0 0 -9999px">NO</p>',
    '<p style="position:absolute;top:-200vh">NO</p>',
    '<p style="position:absolute;left:calc(-100vw - 10px)">NO</p>',
    '<p style="transform:translateX(-9999px)">NO</p>',
    '<p style="transform:scale3d(0,0,0)">NO</p>',
    '<p style="clip-path:circle(0)">NO</p>',
    '<p style="clip-path:polygon(0 0, 0 0, 0 0)">NO</p>',
    '<p style="opacity:.01">NO</p>',
    '<p style="filter:opacity(0)">NO</p>',
    '<p style="filter:alpha(opacity=0)">NO</p>',
    '<p style="zoom:0">NO</p>',
    '<p style="content-visibility:hidden">NO</p>',
    '<p style="-webkit-text-fill-color:transparent">NO</p>',
    '<p style="mso-hide:all">NO</p>',
    '<object data="x.png">NO</object>',
    "<style>@media screen{.h{display:none}}</style><p class=h>NO</p>",
    "<style>@media only screen and (min-width:1px){@media all{.h{display:none}}}</style>"
    "<p class=h>NO</p>",
    "<style>@media (max-width:600px){.h{display:none}} @media (min-width:601px)"
    "{.h{display:none}}</style><p class=h>NO</p>",
    "<style>@supports(display:block){.h{display:none}}</style><p class=h>NO</p>",
    "<style>.w .h{display:none}</style><div class=w><p><b class=h>NO</b></p></div>",
    "<style>div>p.h{display:none}</style><div><p class=h>NO</p></div>",
    "<style>.a.b{display:none}</style><p class='b a'>NO</p>",
    '<style>[class="h"]{display:none}</style><p class=h>NO</p>',
    "<style>*[data-x]{font-size:0}</style><p data-x=1>NO</p>",
    "<style>p[class^='hi']{opacity:0}</style><p class=hide>NO</p>",
    "<style>td.x a{background:#09f} a{color:white}</style><a>NO</a>",
]
SEEN = [
    '<td bgcolor="#003366"><a style="color:white">YES</a></td>',
    "<style>.b{background:#09f}</style><a class=b style='color:#fff'>YES</a>",
    "<style>td.x a{background:#09f} a{color:white}</style><td class='x y'><a>YES</a></td>",
    "<style>.w .h{display:none}</style><p class=h>YES</p>",
    "<style>.h{display:none} .w .h{display:block}</style><div class=w><p class=h>YES</p></div>",
    "<style>.w .h{display:none}</style><div class=w><p class=h style='display:block'>YES</p></div>",
    "<style>.a.b{display:none}</style><p class=a>YES</p>",
    "<style>@media print{.h{display:none}}</style><p class=h>YES</p>",
    "<style>@media (prefers-color-scheme:dark){.h{color:#fff}}</style><p class=h>YES</p>",
    "<style>@media screen and (max-width:480px){.h{display:none!important}}</style>"
    "<p class=h>YES</p>",
    "<style>@keyframes x{from{opacity:0} to{opacity:1}}</style><p>YES</p>",
    "<object><p>YES</p></object>",
    '<p aria-hidden="true">YES</p>',
    '<body text="#ffffff" bgcolor="#000000">YES',
    '<p style="opacity:.7;zoom:1">YES</p>',
    '<p style="margin:-20px 0">YES</p>',
    '<div style="background:url(x.png)"><span style="color:#fff">YES</span></div>',
    '<table background="x.png"><tr><td><font color="#ffffff">YES</font></table>',
    '<td style="font-size:0"><div style="font-size:14px">YES</div></td>',
    '<div style="visibility:hidden"><b style="visibility:visible">YES</b></div>',
    "<style>@media (max-width:600px){.d{display:none}} .e{}</style><p class=d>YES</p>",
    "<style>/* .d{display:none} */</style><p class=d>YES</p>",
    '<td style="max-width:0;overflow:hidden;text-overflow:ellipsis">YES</td>',
    '<p style="display:none">no<p>YES',
    '<p style="line-height:0;width:100%;height:auto">YES</p>',
    '<p style="left:-20px">YES</p>',
    '<p style="color:#777">YES</p>',
    "<p>\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f YES</p>",
]


@pytest.mark.parametrize("source", HIDDEN)
def test_hidden_text_is_left_out(source: str) -> None:
    seen, _ = visible_text("", f"<p>Before</p>{source}<p>After</p>")

    assert "NO" not in seen
    assert seen.startswith("Before")
    assert seen.endswith("After")


@pytest.mark.parametrize("source", SEEN)
def test_visible_text_stays(source: str) -> None:
    assert "YES" in visible_text("", source)[0]


# A client shows neither, whatever the styles say: what they hold is not hidden by one.
NOT_BY_STYLE = ("<title>NO</title>", "<!-- NO -->", '<img alt="NO">')


@pytest.mark.parametrize(
    "source", [one for one in HIDDEN if "NO" in one and one not in NOT_BY_STYLE]
)
def test_what_styles_hide_is_told(source: str) -> None:
    assert hidden_words(f"<p>Before</p>{source}<p>After</p>").split()[-1] == "NO"


@pytest.mark.parametrize("source", SEEN)
def test_what_is_seen_is_not_told_as_hidden(source: str) -> None:
    assert "YES" not in hidden_words(source)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("<p>a</p>", ""),
        ("<p hidden>one <b>t</b>wo</p>seen<i hidden>three</i>", "one two\nthree"),
        ("<div hidden>a\nb<p>c<br>d<ul><li>e<li>f</ul></div>", "a b\nc\nd\ne\nf"),
        ("<i hidden>a</i> <i hidden>b</i>", "a\nb"),
        ("<p hidden>&zwnj;&nbsp;\u200b &nbsp;</p>seen", ""),
        ("<p hidden>We\u200bpay</p>", "Wepay"),
    ],
    ids=["none", "order", "lines", "apart", "filling", "shapeless"],
)
def test_hidden_words_stand_in_lines(source: str, words: str) -> None:
    assert hidden_words(source) == words


def test_hiding_is_reported() -> None:
    assert visible_text("", '<p>a</p><p style="display:none">b</p>') == ("a", True)
    assert visible_text("", "<title>t</title><p>a</p><!-- b -->") == ("a", False)
    assert visible_text("", '<div style="display:none">&nbsp;</div>a') == ("a", False)


def test_sample_with_a_preheader() -> None:
    html = sample("hidden").decode().partition("\r\n\r\n")[2]

    expected = "Your parcel is on its way.\n\nWhite on blue is seen."
    assert visible_text("", html) == (expected, True)


def test_shapeless_signs_are_dropped_but_not_from_words_that_need_them() -> None:
    text = "pass\u200bword می\u200cخواهم \U0001f469\u200d\U0001f4bb \u202eevil\ufeff"

    seen, _ = visible_text(text)

    assert seen == "password می\u200cخواهم \U0001f469\u200d\U0001f4bb evil"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<p>Hello</p><p>\U000e0068\U000e0069</p>", ("Hello", True)),
        ("<p>a</p><p>\U000e0068</p><p>b</p>", ("a\n\nb", True)),
        ("<p>He\U000e0068llo</p>", ("Hello", True)),
        ("<p>a</p><template>b</template>", ("a", True)),
        ("<p>\u8fbb\U000e0100</p>", ("\u8fbb", False)),
        ("<p>a" + "\U000e0151\U000e0142" * 4 + "</p>", ("a", True)),
    ],
    ids=["only tags", "between", "in a word", "template", "variant of a sign", "variants"],
)
def test_what_has_no_shape_is_dropped_and_reported(source: str, expected: object) -> None:
    assert visible_text("", source) == expected


def test_flags_that_are_spelled_with_tags_stay() -> None:
    wales = "\U0001f3f4\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f"

    assert visible_text("", f"<p>{wales} yes</p>") == (f"{wales} yes", False)


def test_tag_characters_in_plain_text_are_dropped_and_reported() -> None:
    assert visible_text("Hi\U000e0068\U000e0069!") == ("Hi!", True)


def test_text_is_used_when_the_markup_shows_nothing() -> None:
    assert visible_text("words", "<img src=x>") == ("words", False)


TAGS = "<p> <p/style='display:none'> </p> <td> <table> </table> <style> .a{color:#fff} x".split(" ")


@given(st.lists(st.sampled_from([*TAGS, "</style>", "<a class=a>", "&#x200b;"])).map("".join))
def test_any_markup_is_read(source: str) -> None:
    seen, found = visible_text("", source)

    assert not set(seen) & {"<", "\u200b"} or "<" in source.replace("<p", "")
    assert found or not hidden_words(source)
