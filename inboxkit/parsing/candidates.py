"""Finds what has the shape of a one-time code: digits, groups, letters, cells of a table.

Says nothing of what the words around mean; ``codes`` decides by them.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

YEAR = "digits like a year"
_MOST = 60  # candidates of one text; mails with a code have few
_SPACES = " \u00a0\u2002-\u200a\u202f\u3000"
_DASHES = "\u2010\u2011\u2012\u2013\u00b7\u2022"
_GRAPHIC = "".join(map(chr, range(ord("!"), ord("~") + 1))) + _DASHES


def _runs(digit: str) -> re.Pattern[str]:
    # From a digit to the end of what is written without a space; then more such groups.
    glued = rf"{digit}[!-~\d{_DASHES}]{{0,80}}+"
    # A sentence may end with a code, and the next begin with a number.
    return re.compile(rf"{glued}(?:(?<![.,;:!?])[{_SPACES}]{glued}){{0,9}}")


_RUN = _runs(r"\d")
_ASCII_RUN = _runs("[0-9]")  # the same in ASCII, and faster
_DIGITS_ALIKE = bytes.maketrans(b"123456789", b"000000000")
_REACH = 60  # how far a word reaches to the left of its first digit
_CELL = "[0-9A-Z\u0660-\u0669\u06f0-\u06f9]"
# Cells of a table or items of a list, a character each.
_BESIDE_CELLS = r"[\s|*•·\[\]-]"  # pictures are written in brackets
_CELLS = re.compile(rf"[\s|\[]({_CELL}(?:{_BESIDE_CELLS}{{1,9}}{_CELL}){{3,9}})(?![^\s|\]])")
_BETWEEN = re.compile(rf"{_BESIDE_CELLS}+")
_BOXED = ("][", "] [")
_COUNTING = "0123456789"  # pages, steps
_NUMERIC = re.compile(r"\d[.,:/]\d|/\w")  # prices, dates, times, addresses of the web
_CLAUSE = re.compile(r"\d,\d{1,2}[^\x00-\x7f\d]")  # "8 8 2 0 1 4,5分钟": a comma ends the clause
_DAY = re.compile(  # before a year: "14 March ", "4 de marzo de ", "Mar 3, "
    r"\d{1,2}(?:st|nd|rd|th|\.|º)?(?: de)? [^\W\d_]{3,12}\.?,?(?: de)? $"
    r"|[^\W\d_]{3,12}\.? \d{1,2},? $"
)
_LEADING = "([{<\"'*_`~|>:;,=«"
_TRAILING = ")]}>\"'*_`~|<.,;:!?»" + _DASHES
_NAMED = re.compile(r"[A-Za-z]{2,12}[:=](?=[^/])")  # "code:123456"
_ENDING = re.compile(r"(?<=\d)[':-][a-z]{1,5}$")  # "4419'dur", "482913-as"
_BEFORE_OTHERS = frozenset("#№$€£¥₹₺₽₩฿₫₴₪©°º")
_AFTER_OTHERS = frozenset("%€£$¥₹₺₽₩฿₫₴₪°")

_DIGITS = re.compile(r"\d{4,10}")
_GROUPS = re.compile(r"\d{1,4}(?:([ -])\d{1,4})(?:\1\d{1,4}){0,8}")
_MIXED = re.compile(r"(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z\d]{4,12}")
_DASHED = re.compile(
    r"(?=[A-Za-z-]{0,11}\d)(?=[\d-]{0,14}[A-Za-z])[A-Za-z\d]{1,6}(?:-[A-Za-z\d]{2,8}){1,3}(?:-[A-Za-z\d])?"
)
_SPACED = re.compile(r"(?=[A-Z ]{0,9}\d)(?=[\d ]{0,9}[A-Z])[A-Z\d]{2,5}(?: [A-Z\d]{2,5}){1,2}")
_MEASURE = re.compile(  # "10min", "25th", "500mb"
    r"\d+(?:st|nd|rd|th|am|pm|h|hrs?|mins?|secs?|px|pt|kb|mb|gb|tb|k?hz|km|kg|mm|cm|ml|x|k|m|s|usd"
    r"|eur|gbp|chf|e|p|d|w|y|utc|gmt|bits?|v|a|er|de|te|en|ty)",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?:[A-Z]?[a-z]{3,}|v|V|ipv|rfc|RFC|ISO|UTF|SHA|MD|UTC|GMT|IE|HRB)-?\d{1,5}")
_OFFER = re.compile(r"[A-Z]{4,}\d{1,4}")  # "SPRING25"
_DATE = re.compile(r"(?:0?[1-9]|[12]\d|3[01])[ -](?:0?[1-9]|1[0-2])[ -]\d{2}")
_YEAR = re.compile(r"(?:19|20)\d\d")
_DATE_WORD = re.compile(
    r"20[0-4]\d(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])|(?:[0-2]\d|3[01])(?:0[1-9]|1[0-2])20[0-4]\d"
)

_CAPITALS = re.compile(
    r"[A-Z]{4,10}|[A-Z]{2,5}(?:-[A-Z]{2,5}){1,3}|[A-Z]{4,10}(?:-[A-Z]{2,6}){1,3}"
)
_PHRASE = re.compile(r"[a-z]{3,10}(?:-[a-z]{3,10}){1,4}")  # "plum-otter-harbor"
_UNEVEN = re.compile(r"(?=[A-Za-z]*[a-z][A-Z])[A-Za-z]{5,10}")  # "kTbWqZ"
_LONE = re.compile(r"\n[ \t>*_|]{0,8}([A-Za-z\d][A-Za-z\d -]{2,40})[ \t*_|.]{0,8}(?=\n)")
_TOLD = re.compile(
    r"(?:[:：]|\b(?:is|est|es|è|é|ist|lautet|jest)|为|是|は)[ \t\n]{1,3}[*_\"'“«\[(]{0,3}"
    r"([A-Z]{2,10}(?:-[A-Z]{2,6}){0,3}"
    r"|[a-z]{3,10}(?:-[a-z]{3,10}){1,4}(?=[ \t.*\"'_]{0,4}(?:\n|$)))(?![\w-])"
    r"|\b(?:type|enter|use|code) [*_\"'“«\[(]{0,3}([A-Z]{3,6}(?:-[A-Z]{3,6}){1,3})(?![\w-])"
)
_FIRST = re.compile(r"\A[ \t*_]{0,4}([A-Z]{2,10}(?:-[A-Z]{2,5}){0,3})(?=[ \t]{1,3}[a-z(–-])")


class Candidate(NamedTuple):
    """A piece of text that may be a code: its place, how it is typed, how likely its shape is."""

    start: int
    end: int
    value: str
    weight: float
    shape: str


def candidates(text: str) -> Iterator[Candidate]:
    """Yield what holds a digit and has the shape of a code, at most some dozens."""
    count = singles = 0
    for match in _ascii_runs(text) if text.isascii() else _RUN.finditer(text):
        start, end = match.span()
        if end - start < 4 and (not start or text[start - 1] <= " "):
            singles += end - start == 1 and text[end : end + 1] <= " "
            continue
        if (number := _NUMERIC.search(text, start, end)) is not None:
            clause = _CLAUSE.match(text, number.start())
            end = text.rfind(" ", start, number.start())  # "123456 18:00"
            if clause is not None:
                end = number.start() + 1
            elif end < 0:
                continue
        found = _in_run(text, start, end)
        if found is not None:
            yield found
            count += 1
            if count > _MOST:
                return
    if singles > 1 or any(box in text for box in _BOXED):
        yield from _in_cells(text)


def _ascii_runs(text: str) -> Iterator[re.Match[str]]:
    # All that ``_ASCII_RUN.finditer`` gives; looking for one sign is many times as fast as for ten.
    digits = text.encode("ascii").translate(_DIGITS_ALIKE)
    at = digits.find(b"0")
    while at >= 0 and (match := _ASCII_RUN.match(text, at)):
        yield match
        at = digits.find(b"0", match.end())


def letter_candidates(text: str) -> Iterator[Candidate]:
    """Yield codes without a digit: alone on a line, after what introduces them, or first."""
    seen: set[int] = set()
    padded = f"\n{text}\n"
    for pattern, searched, shift in ((_LONE, padded, 1), (_TOLD, text, 0), (_FIRST, text, 0)):
        for match in pattern.finditer(searched):
            group = match.lastindex or 1
            start, word = match.start(group) - shift, match.group(group).rstrip()
            weight = _letters_weight(word)
            if weight is not None and start not in seen:
                seen.add(start)
                typed = ascii_digits(word)
                yield Candidate(start, start + len(word), typed, weight, "letters")
            if len(seen) > _MOST:
                return


def ascii_digits(text: str) -> str:
    """Return the text with the digits of every script as ASCII digits."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.digit(c)) if c.isdecimal() else c for c in text)


def _letters_weight(word: str) -> float | None:
    if _CAPITALS.fullmatch(word):
        return 0.5 if "-" in word else -0.5
    if _PHRASE.fullmatch(word):
        return 0.0
    if _SPACED.fullmatch(word):
        return 0.5
    return -0.5 if _UNEVEN.fullmatch(word) else None


def _in_cells(text: str) -> Iterator[Candidate]:
    for match in _CELLS.finditer(f"\n{text}"):
        value = ascii_digits(_BETWEEN.sub("", match.group(1)))
        if value not in _COUNTING and any(char.isdigit() for char in value):
            yield Candidate(match.start(1) - 1, match.end() - 1, value, 1.0, "single characters")


def _in_run(text: str, start: int, end: int) -> Candidate | None:
    """Return the code that a run of characters from a digit on belongs to, if there is one."""
    floor = max(0, start - _REACH)
    start = floor + len(text[floor:start].rstrip(_GRAPHIC))
    if start == floor and start > 0:
        return None
    start, kept = _stripped(text[start:end], start)
    end = start + len(kept)
    shaped = _shaped(kept if kept.isascii() else _plain(kept))
    if shaped is None or _is_beside_a_sign(text[max(0, start - 2) : start], text[end : end + 2]):
        return None
    if _YEAR.fullmatch(kept) and _DAY.search(text, max(0, start - 24), start):
        return None
    value, weight, shape = shaped
    return Candidate(start, end, value, weight, shape)


def _stripped(raw: str, start: int) -> tuple[int, str]:
    """Return a run without quotes, brackets, a name before and an ending behind, and its place."""
    kept = raw.lstrip(_LEADING)
    if kept[:1].isalpha() and (named := _NAMED.match(kept)) is not None:
        kept = kept[named.end() :].lstrip(_LEADING)
    start += len(raw) - len(kept)
    kept = kept.rstrip(_TRAILING)
    if kept[-1:].islower() and (ending := _ENDING.search(kept)) is not None:
        stem = kept[: ending.start()]
        if ending[0][0] == "'" or not any(map(str.isalpha, stem)):
            kept = stem
    return start, kept


def _is_beside_a_sign(before: str, after: str) -> bool:
    """Tell whether a sign makes the number a price, a ticket, a share or a copyright year."""
    sign_before, sign_after = before.rstrip()[-1:], after.lstrip(" \u00a0")[:1]
    return sign_before in _BEFORE_OTHERS or sign_after in _AFTER_OTHERS


def _plain(raw: str) -> str:
    """Return the characters as they are typed: ASCII digits and dashes, single spaces."""
    return ascii_digits("".join(" " if c.isspace() else "-" if c in _DASHES else c for c in raw))


def _shaped(text: str) -> tuple[str, float, str] | None:
    """Return how a run is typed, how likely it is a code, and the name of its shape."""
    if len(text) < 4:
        return None
    if _DIGITS.fullmatch(text):
        return text, _digits_weight(text), YEAR if _YEAR.fullmatch(text) else "digits"
    if _GROUPS.fullmatch(text):
        return _grouped(text)
    if " " in text:
        return _spaced(text)
    if "-" in text:
        if not _DASHED.fullmatch(text) or _NAME.fullmatch(text):
            return None
        if not 5 <= len(text.replace("-", "")) <= 14:
            return None
        return text, _dashed_weight(text), "letters and digits"
    if not _MIXED.fullmatch(text) or _MEASURE.fullmatch(text) or _NAME.fullmatch(text):
        return None
    return text, -1.5 if _OFFER.fullmatch(text) else 0.25, "letters and digits"


def _spaced(text: str) -> tuple[str, float, str] | None:
    head, _, tail = text.partition(" ")
    if _DIGITS.fullmatch(head) and len(head) >= 5 and len(tail) <= 2:  # "123456 10 minutes"
        return head, 0.5, "digits"
    if _SPACED.fullmatch(text):
        return text.replace(" ", ""), 0.5, "letters and digits"
    return None


def _dashed_weight(text: str) -> float:
    if any(_YEAR.fullmatch(group) for group in text.split("-")):
        return -1.5  # the number of a document: "INV-2026-0091"
    return 0.0 if any(char.islower() for char in text) else 0.5


def _digits_weight(text: str) -> float:
    if len(text) == 4:
        return -2.0 if _YEAR.fullmatch(text) else 0.0
    if len(text) == 8 and _DATE_WORD.fullmatch(text):
        return -2.0
    if len(text) > 8:
        return -1.5
    return 1.0 if len(text) == 6 else 0.5


def _grouped(text: str) -> tuple[str, float, str] | None:
    """Weigh digits in groups: equal groups are likely, phone numbers and dates are not."""
    groups = re.split("[ -]", text)
    sizes = [len(group) for group in groups]
    value = "".join(groups)
    if not 4 <= len(value) <= 9 or (len(value) == 9 and sizes != [3, 3, 3]):
        return None
    if sizes[0] == 1 and set(sizes) != {1}:
        return None
    years = sum(1 for group in groups if _YEAR.fullmatch(group))
    if years and (len(groups) == 3 or years == len(groups)):  # "2026-03-14", "2011-2026"
        return None
    if len(value) == 9 or _DATE.fullmatch(text):
        weight = -1.0
    elif len(set(sizes)) > 1:
        weight = -0.5
    else:
        weight = 1.0 if sizes[0] in (1, 3) else 0.5
    return value, weight, "digits in groups"
