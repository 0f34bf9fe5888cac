"""Handlebars' syntax: a source cut into texts and tags, with the white space that tags swallow."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .budget import TemplateError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_WORD = re.compile(
    r"""\s*(?:(?P<string>"[^"]*"|'[^']*')|(?P<bar>\|)|(?P<word>(?:\[[^\]]*\]|[^\s|"'\[])+))"""
)
_SEGMENT = re.compile(r"\[([^\]]*)\]|([^./\[\]]+)")
_STANDALONE = frozenset({"open", "inverse", "close", "else", "comment"})


@dataclass(frozen=True, slots=True)
class Token:
    """A text, or a tag: its kind, what stands in it, and on which line it is."""

    kind: str  # text, output, raw, open, inverse, close, else, comment
    text: str
    line: int
    trims: tuple[bool, bool] = (False, False)


@dataclass(frozen=True, slots=True)
class Path:
    """Where a value is: so many contexts further out, then by these names. ``data``: of ``@``."""

    up: int
    names: tuple[str, ...]
    data: bool = False
    written: str = ""


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that is written out."""

    value: str | int | float | bool | None


def tokens(source: str) -> list[Token]:
    """Return a source in pieces; raise TemplateError."""
    return _trimmed(list(_cut(source)))


def _cut(source: str) -> Iterator[Token]:
    place = line = 0
    while place < len(source):
        start = source.find("{{", place)
        if start < 0:
            yield Token("text", source[place:], line)
            return
        text = source[place:start]
        line += text.count("\n")
        if text.endswith("\\"):  # \{{ stands for itself
            end = source.find("}}", start)
            end = len(source) if end < 0 else end + 2
            yield Token("text", text[:-1] + source[start:end], line)
        else:
            yield Token("text", text, line)
            tag, end = _tag(source, start, line + 1)
            yield tag
        line += source.count("\n", start, end)
        place = end


def _tag(source: str, start: int, line: int) -> tuple[Token, int]:
    opened, closed = ("{{{", "}}}") if source.startswith("{{{", start) else ("{{", "}}")
    for mark in ("{{!--", "{{~!--"):
        if source.startswith(mark, start):
            opened, closed = mark, "--"
    end = source.find(closed, start + len(opened))
    if end < 0:
        raise TemplateError(f"line {line}: a tag is not closed")
    inner = source[start + len(opened) : end]
    if closed == "--":
        end = source.find("}}", end)
        if end < 0:
            raise TemplateError(f"line {line}: a comment is not closed")
        trims = opened.startswith("{{~"), source[end - 1] == "~"
        return Token("comment", "", line, trims), end + 2
    trims = inner.startswith("~"), inner.endswith("~")
    inner = inner.removeprefix("~").removesuffix("~").strip()
    kind, text = ("raw", inner) if closed == "}}}" else _kind(inner, line)
    return Token(kind, text, line, trims), end + len(closed)


def _kind(inner: str, line: int) -> tuple[str, str]:
    if inner == "else" or inner.startswith("else "):
        return "else", inner.removeprefix("else").strip()
    if inner == "^":
        return "else", ""
    if inner[:1] in (">", "*") or inner[:2] in ("#>", "#*"):
        raise TemplateError(f"line {line}: partials and decorators are not supported")
    marks = {"#": "open", "^": "inverse", "/": "close", "!": "comment", "&": "raw"}
    kind = marks.get(inner[:1])
    return ("output", inner) if kind is None else (kind, inner[1:].strip())


def _trimmed(found: list[Token]) -> list[Token]:
    """Take away the white space that ``~`` asks for, and lines that hold nothing but a tag."""
    made = list(found)
    for place, token in enumerate(found):
        if token.kind == "text":
            continue
        before, after = token.trims
        alone = token.kind in _STANDALONE and _is_alone(found, place)
        if place and made[place - 1].kind == "text" and (before or alone):
            text = made[place - 1].text
            made[place - 1] = replace(
                made[place - 1], text=text.rstrip() if before else text.rstrip(" \t")
            )
        if place + 1 < len(found) and made[place + 1].kind == "text" and (after or alone):
            text = made[place + 1].text
            made[place + 1] = replace(
                made[place + 1], text=text.lstrip() if after else _next_line(text)
            )
    return made


def _is_alone(found: Sequence[Token], place: int) -> bool:
    return _ends_line(found, place - 1) and _begins_line(found, place + 1)


def _ends_line(found: Sequence[Token], place: int) -> bool:
    """Whether nothing but blanks stands before a tag on its line."""
    if place < 0:
        return True
    if found[place].kind != "text":
        return False
    left, newline, last = found[place].text.rpartition("\n")
    return not last.strip(" \t\r") and (bool(newline) or (place == 0 and not left))


def _begins_line(found: Sequence[Token], place: int) -> bool:
    """Whether nothing but blanks stands behind a tag on its line."""
    if place >= len(found):
        return True
    if found[place].kind != "text":
        return False
    first, newline, _ = found[place].text.partition("\n")
    return not first.strip(" \t\r") and (bool(newline) or place == len(found) - 1)


def _next_line(text: str) -> str:
    first, newline, rest = text.partition("\n")
    return rest if newline and not first.strip() else text.lstrip(" \t") if not newline else text


def words(text: str, line: int) -> list[str]:
    """Return what stands in a tag: names, literals, and bars."""
    found: list[str] = []
    text, place = text.strip(), 0
    while place < len(text):
        match = _WORD.match(text, place)
        if match is None:
            raise TemplateError(f"line {line}: {text[:80]!r} cannot be read")
        found.append(match[0].strip())
        place = match.end()
    return found


def value(word: str, line: int) -> Path | Literal:
    """Return what a word of a tag means."""
    if word[:1] in "\"'":
        return Literal(word[1:-1])
    if word in _CONSTANTS:
        return Literal(_CONSTANTS[word])
    try:
        return (
            Literal(float(word) if "." in word else int(word)) if _is_number(word) else _path(word)
        )
    except ValueError:
        raise TemplateError(f"line {line}: {word[:80]!r} cannot be read") from None


_CONSTANTS = {"true": True, "false": False, "null": None, "undefined": None}


def _is_number(word: str) -> bool:
    return word.lstrip("-")[:1].isdigit() and all(c.isdigit() or c in "-." for c in word)


def _path(word: str) -> Path:
    rest = word.removeprefix("@")
    up = 0
    while rest == ".." or rest.startswith("../"):
        up, rest = up + 1, rest[3:]
    rest = "" if rest in (".", "this") else rest.removeprefix("this.").removeprefix("this/")
    rest = rest.removeprefix("./")
    names: list[str] = []
    place = 0
    while place < len(rest):
        match = _SEGMENT.match(rest, place)
        if match is None or (any(c in match[0] for c in "=(){}#!") and not match[1]):
            raise ValueError(word)
        names.append(match[1] if match[1] is not None else match[2])
        place = match.end()
        if place < len(rest):
            if rest[place] not in "./" or place + 1 == len(rest):
                raise ValueError(word)
            place += 1
    return Path(up, tuple(names), word.startswith("@"), word)
