"""Marks of what a mail says and of what it quotes: how a reply without ids finds its parent.

A mark is a short hash of a phrase. Phrases end at punctuation and empty lines, not at line ends:
mail programs wrap what they quote anew. Marks are evidence beside an equal subject, not more.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

_MOST_CHARACTERS = 64_000
_MOST_OWN = 32  # the lowest hashes: a sample that does not depend on what else is quoted
_MOST_QUOTED = 96
_SHORTEST = 12  # letters and digits of a phrase that is worth a mark
_LONG = 32  # of one that is evidence alone
_IDEOGRAPHS = "\u2e80"  # from here on a character says as much as three letters
_CUT = re.compile(r"[.,;:!?()\"“”«»\u3001\u3002\uff0c\uff0e\uff1a\uff01\uff1f\u2026]+")
_QUOTED = re.compile(r"\s{0,3}(?:[A-Za-z]{0,4}>\s?){1,40}")  # also "> > " and "AB> "
_WORD = re.compile(r"\w+")
# The same for ASCII, as a table: what ends a phrase, what ends a word, and lower case.
_ASCII = {
    code: "\n" if _CUT.match(sign) else sign.lower() if _WORD.match(sign) else " "
    for code, sign in enumerate(map(chr, range(128)))
}


def quotation_marks(
    text: str, new: str, *, is_reply: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the marks of the new words, and those of the quoted ones, nearest mail first.

    Lines that begin with ">" are quoted. ``new`` is the text without its quotations, as the reply
    parser gives it: with a reply's subject (``is_reply``), what is not in it counts as quoted
    too. Without one it may as well be the standing text of a machine.
    """
    fresh: list[str] = []
    quoted: dict[int, list[str]] = {}
    lines = text[:_MOST_CHARACTERS].splitlines()
    if text == new and ">" not in text:  # as most mails are: nothing of it is quoted
        return tuple(sorted(_marks(lines))[:_MOST_OWN]), ()
    own_lines = {line.strip() for line in new[:_MOST_CHARACTERS].splitlines()}
    for line in lines:
        mark = _QUOTED.match(line) if ">" in line else None
        if mark:
            quoted.setdefault(mark[0].count(">"), []).append(line[mark.end() :])
        elif line.strip() in own_lines:
            fresh.append(line)
        elif is_reply:
            quoted.setdefault(1, []).append(line)
    own = _marks(fresh)
    older = [mark for depth in sorted(quoted) for mark in _marks(quoted[depth])]
    return tuple(sorted(own)[:_MOST_OWN]), tuple(m for m in older if m not in own)[:_MOST_QUOTED]


def is_quoted(quoted: Iterable[str], own: Container[str]) -> bool:
    """Say whether the quoted marks hold one long phrase or two short ones of the others' own."""
    return sum(2 if mark.endswith("+") else 1 for mark in quoted if mark in own) >= 2


def _marks(lines: Iterable[str]) -> dict[str, None]:
    """Hash the phrases, in order, each once."""
    marks: dict[str, None] = {}
    text = " ".join([line if line.strip() else "." for line in lines])
    for words in _phrases(text):
        weight = len(words) - words.count(" ")
        if not words.isascii() and max(words) >= _IDEOGRAPHS:
            weight += sum(2 * len(word) for word in words.split(" ") if word >= _IDEOGRAPHS)
        if weight >= _SHORTEST:
            mark = zlib.crc32(words.encode("utf-8", "replace"))
            marks[f"{mark:08x}{'+' if weight >= _LONG else ''}"] = None
    return marks


def _phrases(text: str) -> dict[str, None]:
    # The words of each phrase with a space between, each once; few mails of people are not ASCII.
    if text.isascii():
        phrases = dict.fromkeys(text.translate(_ASCII).split("\n"))
        return dict.fromkeys([" ".join(phrase.split()) for phrase in phrases])
    phrases = dict.fromkeys(_CUT.split(text.casefold()))
    return dict.fromkeys([" ".join(_WORD.findall(phrase)) for phrase in phrases])
