"""Finds what has the shape of a one-time code: digits, groups, letters, cells of a table.

Says nothing of what the words around mean; ``codes`` decides by them.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST = 60  # candidates of one text; mails with a code have few
_SPACES = " \u00a0\u2002-\u200a\u202f\u3000"
_DASHES = "\u2010\u2011\u2012\u2013\u00b7\u2022"
# From a digit to the end of what is written without a space; then more such groups.
_RUN = re.compile(rf"\d[!-~\d{_DASHES}]{{0,80}}+(?:[{_SPACES}]\d[!-~\d{_DASHES}]{{0,80}}+){{0,9}}+")
_DIGIT_OR_CAPITAL = "[0-9A-Z\u0660-\u0669\u06f0-\u06f9]"
_SINGLES = re.compile(  # cells of a table or items of a list, a character each
    rf"[\s|]({_DIGIT_OR_CAPITAL}(?:[\s|*•·-]{{1,9}}{_DIGIT_OR_CAPITAL}){{3,9}})(?![^\s|])"
)
_BETWEEN = str.maketrans("", "", " \t\n\r\v\f\u00a0\u2002\u2003\u2009\u202f\u3000|*•·-")
_COUNTING = "0123456789"  # pages, steps
_NUMERIC = re.compile(r"\d[.,:/]\d|/\w")  # prices, dates, times, addresses of the web
_DAY = re.compile(  # before a year: "14 March ", "4 de marzo de ", "Mar 3, "
    r"\d{1,2}(?:st|nd|rd|th|\.|º)?(?: de)? [^\W\d_]{3,12}\.?,?(?: de)? $|[^\W\d_]{3,12}\.? \d{1,2},? $"
)
_LEADING = "([{<\"'*_`~|>:;,=«"
_TRAILING = ")]}>\"'*_`~|<.,;:!?»"
_NAMED = re.compile(r"^[A-Za-z]{2,12}[:=](?=[^/])")  # "code:123456"
_ENDING = re.compile(r"(?<=\d)[':-][a-z]{1,5}$")  # "4419'dur", "482913-as"

_DIGITS = re.compile(r"\d{4,10}")
_GROUPS = re.compile(r"\d{1,4}(?:([ -])\d{1,4})(?:\1\d{1,4}){0,8}")
_MIXED = re.compile(r"(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z\d]{4,12}")
_DASHED = re.compile(r"(?=[A-Za-z-]{0,11}\d)[A-Za-z\d]{1,6}(?:-[A-Za-z\d]{2,8}){1,3}")
_SPACED = re.compile(r"(?=[A-Z ]{0,9}\d)(?=[\d ]{0,9}[A-Z])[A-Z\d]{2,5}(?: [A-Z\d]{2,5}){1,2}")
_CAPITALS = re.compile(r"[A-Z]{4,10}|[A-Z]{2,5}(?:-[A-Z]{2,5}){1,3}")
_PHRASE = re.compile(r"[a-z]{3,10}(?:-[a-z]{3,10}){1,4}")
_MEASURE = re.compile(
    r"\d+(?:st|nd|rd|th|am|pm|h|hrs?|mins?|secs?|px|pt|kb|mb|gb|tb|k?hz|km|kg|mm|cm|ml|x|k|m|s|usd|eur"
    r"|gbp|chf|e|p|d|w|y|utc|gmt|bit|bits|v|a|er|de|te|en|ty)",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?:[A-Z]?[a-z]{3,}|v|V|ipv|rfc|RFC|ISO|UTF|SHA|MD|UTC|GMT|IE|HRB)-?\d{1,5}")
_OFFER = re.compile(r"[A-Z]{4,}\d{1,4}")  # SPRING25
_CLOCK = re.compile(r"(?:0?[1-9]|1\d|2\d|3[01])[ -](?:0?[1-9]|1[0-2])[ -]\d{2}")
_YEARS = re.compile(r"(?:19|20)\d\d")
_DATED = re.compile(
    r"20[0-4]\d(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])|(?:[0-2]\d|3[01])(?:0[1-9]|1[0-2])20[0-4]\d"
)
_LONE = re.compile(r"\n[ \t>*_|]{0,8}([A-Za-z\d][A-Za-z\d -]{2,40})[ \t*_|.]{0,8}(?=\n)")
_TOLD = re.compile(
    r"(?:[:：]|\bis|\best|\bes|\b[eéè]|\bist|\blautet|\bjest|为|是|は)[ \t\n]{1,3}[*_\"'“«\[(]{0,3}"
    r"([A-Z]{4,10}(?:-[A-Z]{2,6}){0,3}|[A-Z]{2,5}(?:-[A-Z]{2,5}){1,3})(?![\w-])"
)
_FIRST = re.compile(
    r"[ \t*_]{0,4}([A-Z]{4,10}|[A-Z]{2,5}(?:-[A-Z]{2,5}){1,3})(?=[ \t]{1,3}[a-z(–-])"
)


class Candidate(NamedTuple):
    """A piece of text that may be a code: where it is, how it is typed, and how likely its shape is."""

    start: int
    end: int
    value: str
    weight: float
    shape: str


def candidates(text: str) -> Iterator[Candidate]:
    """Yield what has the shape of a code, in order of kind, then of place."""
    count = singles = 0
    for match in _RUN.finditer(text):
        start, end = match.span()
        if end - start < 4 and (not start or text[start - 1] <= " "):
            singles += end - start == 1 and text[end : end + 1] <= " "
            continue
        if (number := _NUMERIC.search(text, start, end)) is not None:
            end = text.rfind(" ", start, number.start())  # "123456 18:00"
            if end < 0:
                continue
        found = _in_run(text, start, end)
        if found is not None:
            yield found
            count += 1
            if count > _MOST:
                return
    for match in _SINGLES.finditer(f"\n{text}") if singles > 1 else ():
        value = ascii_digits(match.group(1).translate(_BETWEEN))
        if any(char.isdigit() for char in value) and value not in _COUNTING:
            yield Candidate(match.start(1) - 1, match.end() - 1, value, 1.0, "single characters")


def letter_candidates(text: str) -> Iterator[Candidate]:
    """Yield codes without a digit: alone on a line, or right after what introduces them."""
    spans: set[int] = set()
    for pattern, shape in ((_LONE, "letters"), (_TOLD, "letters"), (_FIRST, "letters")):
        searched = f"\n{text}\n" if pattern is _LONE else text
        shift = 1 if pattern is _LONE else 0
        found = [_FIRST.match(text)] if pattern is _FIRST else pattern.finditer(searched)
        for match in found:
            if match is None or match.start(1) - shift in spans or len(spans) > _MOST:
                continue
            word = match.group(1).rstrip()
            weight = _letters(word)
            if weight is not None:
                start = match.start(1) - shift
                spans.add(start)
                yield Candidate(start, start + len(word), word, weight, shape)


def _letters(word: str) -> float | None:
    if _CAPITALS.fullmatch(word):
        return 0.5 if "-" in word else -0.5
    if _PHRASE.fullmatch(word):
        return -0.5
    if _SPACED.fullmatch(word):
        return 0.5
    return None


def _in_run(text: str, start: int, end: int) -> Candidate | None:
    """Return the code that a run of characters around a digit holds, if it has such a shape."""
    floor = max(0, start - 60)
    while start > floor and ("!" <= text[start - 1] <= "~" or text[start - 1] in _DASHES):
        start -= 1
    if start == floor and start > 0:
        return None
    raw = text[start:end]
    kept = raw.lstrip(_LEADING)
    start += len(raw) - len(kept)
    if (named := _NAMED.match(kept)) is not None:
        start += named.end()
        kept = kept[named.end() :].lstrip(_LEADING)
        start = text.index(kept, start) if kept else start
    kept = kept.rstrip(_TRAILING + _DASHES)
    kept = _ENDING.sub("", kept)
    if len(kept) == 4 and kept.startswith(("19", "20")) and _DAY.search(text, max(0, start - 24), start):
        return None
    before, after = text[max(0, start - 2) : start], text[start + len(kept) : start + len(kept) + 2]
    if not kept or _beside_a_sign(before, after):
        return None
    shaped = _shaped(_plain(kept))
    if shaped is None:
        return None
    value, weight, shape = shaped
    return Candidate(start, start + len(kept), value, weight, shape)


def _beside_a_sign(before: str, after: str) -> bool:
    """Tell whether a sign makes the number a price, a ticket, a share or a copyright year."""
    sign = before.rstrip()[-1:]
    if sign and sign in "#№$€£¥₹₺₽₩฿₫₴₪©°º":
        return True
    sign = after.lstrip(" \u00a0")[:1]
    return bool(sign) and sign in "%€£$¥₹₺₽₩฿₫₴₪°"


def _plain(raw: str) -> str:
    """Return the characters as they are typed: ASCII digits and dashes, single spaces."""
    if raw.isascii():
        return raw
    return ascii_digits("".join(" " if c.isspace() else "-" if c in _DASHES else c for c in raw))


def ascii_digits(text: str) -> str:
    """Return the text with the digits of every script as ASCII digits."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.digit(c)) if c.isdecimal() else c for c in text)


def _shaped(text: str) -> tuple[str, float, str] | None:
    """Return how a run is typed, how likely it is a code, and the name of its shape."""
    if _DIGITS.fullmatch(text):
        return text, _digits_weight(text), "digits"
    if _GROUPS.fullmatch(text):
        return _grouped(text)
    if " " in text:
        head, _, tail = text.partition(" ")
        if _DIGITS.fullmatch(head) and len(head) >= 5 and len(tail) <= 2:  # "123456 10 minutes"
            return head, 0.5, "digits"
        if _SPACED.fullmatch(text):
            return text.replace(" ", ""), 0.5, "letters and digits"
        return None
    if "-" in text:
        if not _DASHED.fullmatch(text) or not 5 <= len(text.replace("-", "")) <= 14:
            return None
        if _NAME.fullmatch(text):
            return None
        return text, 0.5 if text.upper() == text else 0.0, "letters and digits"
    if not _MIXED.fullmatch(text) or _MEASURE.fullmatch(text) or _NAME.fullmatch(text):
        return None
    return text, -1.5 if _OFFER.fullmatch(text) else 0.25, "letters and digits"


def _digits_weight(text: str) -> float:
    if len(text) == 4:
        return -2.0 if _YEARS.fullmatch(text) else 0.0
    if len(text) == 8 and _DATED.fullmatch(text):
        return -2.0
    if len(text) > 8:
        return -1.5
    return 1.0 if len(text) == 6 else 0.5


def _grouped(text: str) -> tuple[str, float, str] | None:
    groups = re.split("[ -]", text)
    sizes = [len(group) for group in groups]
    value = "".join(groups)
    if not 4 <= len(value) <= 9 or (len(value) == 9 and sizes != [3, 3, 3]):
        return None
    if sizes[0] == 1 and set(sizes) != {1}:
        return None
    weight = 1.0 if set(sizes) in ({3}, {1}) and len(value) != 9 else 0.5
    if len(set(sizes)) > 1:
        weight = -0.5
    if len(value) == 9 or _CLOCK.fullmatch(text):
        weight = -1.0
    if len(groups) == 2 and all(_YEARS.fullmatch(group) for group in groups):
        return None
    return value, weight, "digits in groups"
