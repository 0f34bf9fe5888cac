"""The text that a person sees, without what a mail shows only to a program; and what that is."""

from __future__ import annotations

import re

from . import html, tags, visibility

# Signs without a shape. The joiners U+200C and U+200D are part of words in many scripts and of
# emoji: they stay between two signs that are not Latin. Tags (U+E0000) and variation selectors
# can carry a whole text that no one sees.
_SHAPELESS = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
    "|(?<![\u0300-\u1fff\u2190-\U0001ffff])[\u200c\u200d]"
    "|[\u200c\u200d](?![\u0300-\u1fff\u2190-\U0001ffff])"
)
# The flags of England, Scotland and Wales are spelled with tags; no other text has a use for them.
_FLAG = (
    "\U0001f3f4\U000e0067\U000e0062(?:\U000e0065\U000e006e\U000e0067"
    "|\U000e0073\U000e0063\U000e0074|\U000e0077\U000e006c\U000e0073)\U000e007f"
)
_FLAGS = re.compile(_FLAG)
_LEFT_OUT = re.compile(f"({_FLAG})|{_SHAPELESS.pattern}")
_CARRIERS = re.compile(
    "[\U000e0000-\U000e00ff]|[\U000e0100-\U000e01ef]{2}"
    "|[\ufe00-\ufe0f\u200b-\u200f\u2060-\u2064\ufeff]{8}"
)
_SPACES = re.compile(r"\s+")
_GAPS = re.compile(r"\n{3,}")


def visible_text(text: str, source: str = "") -> tuple[str, bool]:
    """Return what a person sees of a mail, and whether something was hidden; never raises.

    ``source`` is the HTML, from which the visible text is taken when there is any. Left out are
    what a style, an attribute or a colour hides, comments, titles, templates, the texts of images,
    and signs that have no shape.
    """
    left_out: list[str] = []
    seen = (
        html.render(visibility.visible(tags.tokens(source), left_out), links=False)
        if source
        else ""
    )
    shown, carried = without_shapeless(seen or text)
    if seen and shown != seen:
        shown = _GAPS.sub("\n\n", shown).strip()  # a paragraph of nothing else is none
    return shown, carried or any(any(map(str.isalnum, part)) for part in left_out)


def hidden_words(source: str) -> str:
    """Return the words that an HTML text hides by styles, attributes and colours; never raises.

    They stand in their order, each part on a line of its own. Preheaders are among them.
    """
    left_out: list[str] = []
    pieces, told = list[str](), 0
    for _ in visibility.visible(tags.tokens(source), left_out):
        if told < len(left_out):  # what is seen parts what is hidden
            pieces += [*left_out[told:], "\n"]
            told = len(left_out)
    pieces += left_out[told:]
    # Only what stands for an end of a line is one: in a text it is a space like others.
    whole = "".join(one if one == "\n" else _SPACES.sub(" ", one) for one in pieces)
    lines = map(str.strip, without_shapeless(whole)[0].split("\n"))
    return "\n".join(_SPACES.sub(" ", line) for line in lines if any(map(str.isalnum, line)))


def without_shapeless(text: str) -> tuple[str, bool]:
    """Return the text without signs that have no shape, and whether they could carry a text."""
    if text.isascii() or not _SHAPELESS.search(text):
        return text, False
    return _LEFT_OUT.sub(r"\1", text), _CARRIERS.search(_FLAGS.sub("", text)) is not None
