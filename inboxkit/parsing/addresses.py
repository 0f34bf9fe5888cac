"""Address lists (RFC 5322 section 3.4) in one pass, with what real mailers get wrong.

Groups are flattened. A name without quotes may hold commas; quotes, comments and angle brackets
may never end; addresses may stand bare. What a quoted name holds is never taken for an address.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ..values import Address
from . import headers

_MAX_ADDRESSES = 10_000
_MAX_EMAIL = 998  # a line, RFC 5322 section 2.1.1
_PLAIN = re.compile(r"[^\s\"(),:;<>@\[\]\\']+@[^\s\"(),:;<>@\[\]\\']+\Z")
_NAMED = re.compile(
    r'(?:"([^"\\]*)"|([^"(),:;<>@\[\]\\]*))[ \t]*'
    r"<([^\s\"(),:;<>@\[\]\\']+@[^\s\"(),:;<>@\[\]\\']+)>\Z"
)
_TOKEN = re.compile(r'["(<,;:]|\[[^][<>"(,;]*\]|[^"(<,;:\[]+|\[')
# It begins where a word begins: tried at each letter of a long word, it would take hours.
_BARE = re.compile(r"(?<![^\s<>\"'(),;:@])[^\s<>\"'(),;:@]+@[^\s<>\"'(),;:@]+")
_QUOTED = re.compile(r'[^"\\]+|\\.|"', re.DOTALL)
_NESTED = re.compile(r"[^()\\]+|\\.|[()]", re.DOTALL)
_PAIR = re.compile(r"\\(.)", re.DOTALL)
_ANGLE_END = re.compile(r"[<>]")
_INNER_COMMENT = re.compile(r"\([^()]*\)")
_NOT_A_NAME = re.compile(r'[@<>";]')


def parse(value: str) -> tuple[Address, ...]:
    """Return every address of a field's value, decoded or raw, in order; never raises."""
    value = headers.decode_field("to", value)
    simple = _simple(value)
    if simple:
        return simple
    found = _Reader(value).read()
    if not found and "@" in value:
        found = _hidden_in_quotes(value)
    return tuple(found[:_MAX_ADDRESSES])


def _simple(value: str) -> tuple[Address, ...]:
    # Nearly every From is one of these two forms; the reader gives the same, but slower.
    if len(value) > 500:
        return ()
    if _PLAIN.match(value):
        return (Address(value),)
    match = _NAMED.match(value)
    return (Address(match[3], _folded(match[1] or match[2] or "")),) if match else ()


def _hidden_in_quotes(value: str) -> list[Address]:
    # The whole mailbox was quoted, or encoded as one word.
    text = value.replace('"', " ").replace("\\", "")
    return [Address(match[0].strip(".")) for match in _BARE.finditer(text)]


@dataclass(slots=True)
class _Entry:
    """One mailbox while it is read."""

    email: str = ""
    has_at: bool = False  # an "@" outside of quotes, comments and brackets
    name: list[str] = field(default_factory=list[str])  # what a person sees
    outside: list[str] = field(default_factory=list[str])  # the same without quoted strings
    comments: list[str] = field(default_factory=list[str])


class _Reader:
    """Reads a list left to right; every step moves forward, so time is linear."""

    def __init__(self, value: str) -> None:
        self._value = value
        self._place = 0
        self._entry = _Entry()
        self._found: list[Address] = []
        self._last_semicolon = value.rfind(";")
        self._next_special = -1
        self._open_ended: set[str] = set()  # the brackets and quotes that never close

    def read(self) -> list[Address]:
        """Return the addresses."""
        steps = {
            '"': self._quoted,
            "(": self._comment,
            "<": self._angle,
            ",": self._comma,
            ";": self._end,
            ":": self._colon,
        }
        while len(self._found) <= _MAX_ADDRESSES:
            match = _TOKEN.match(self._value, self._place)
            if not match:
                break
            self._place = match.end()
            steps.get(match[0], self._text)(match[0])
        self._end()
        return self._found

    def _text(self, text: str) -> None:
        if self._entry.email and text.strip():
            self._end()  # Ann <a@b> Bob <c@d>, and <ceo@bank>mallory@x: two mailboxes, not one
        self._entry.has_at |= "@" in text
        self._entry.name.append(text)
        self._entry.outside.append(text)

    def _quoted(self, token: str) -> None:
        text = self._enclosed(_QUOTED, token)
        if text is None:
            return
        if self._entry.email:
            self._end()
        self._entry.name.append(text)
        if self._value.startswith("@", self._place):
            # A quoted local part (RFC 5321 section 4.1.2), not a name.
            self._entry.name[-1] = f'"{text}"'
            self._entry.outside.append(f'"{text}"')

    def _comment(self, token: str) -> None:
        text = self._enclosed(_NESTED, token)
        if text is not None:
            self._entry.comments.append(text)
            self._entry.outside.append(" ")

    def _enclosed(self, pieces: re.Pattern[str], token: str) -> str | None:
        # The text up to the sign that closes ``token``; None, and remembered, if nothing does.
        if token in self._open_ended:
            return None
        depth = 1
        for match in pieces.finditer(self._value, self._place):
            depth += {"(": 1, ")": -1, '"': -1}.get(match[0], 0)
            if depth == 0:
                text = self._value[self._place : match.start()]
                self._place = match.end()
                return _PAIR.sub(r"\1", text)
        self._open_ended.add(token)
        return None

    def _angle(self, token: str) -> None:
        following = _ANGLE_END.search(self._value, self._place)
        if not following or following[0] == token:
            return  # never closed, or "<<a@b>>": the innermost bracket counts
        email = _email(self._value[self._place : following.start()])
        self._place = following.end()
        if self._entry.email:
            self._end()
        self._entry.email = email

    def _comma(self, _: str) -> None:
        entry = self._entry
        if entry.email or entry.has_at or not entry.name:
            self._end()
        elif self._names_go_on():
            entry.name.append(", ")  # Doe, John <john@example.com>
            entry.outside.append(" ")
        else:
            self._end()

    def _names_go_on(self) -> bool:
        # Whether the next sign that is no part of a name opens an angle bracket.
        if self._next_special < self._place:
            match = _NOT_A_NAME.search(self._value, self._place)
            self._next_special = match.start() if match else len(self._value)
        return self._value.startswith("<", self._next_special)

    def _colon(self, _: str) -> None:
        if "".join(self._entry.name[:2]).strip().lower() == "mailto":
            self._entry = _Entry()
        elif self._entry.email or self._place > self._last_semicolon:
            self._entry.name.append(":")
            self._entry.outside.append(" ")
        else:
            self._entry = _Entry()  # what came before is the name of a group

    def _end(self, _: str = "") -> None:
        entry, self._entry = self._entry, _Entry()
        name = "".join(entry.name)
        if entry.email:
            name = _folded(name) or _folded(" ".join(entry.comments))
            self._found.append(Address(entry.email, name))
        elif entry.has_at:
            emails = _bare("".join(entry.outside).strip())
            name = _label(name, emails[0]) if len(emails) == 1 else ""
            name = name or _folded(" ".join(entry.comments))
            self._found += [Address(email, name) for email in emails]


def _email(text: str) -> str:
    # The address in angle brackets, or standing bare, without what does not belong to it.
    text = text.strip(" \t'")
    if text[:7].lower() == "mailto:":
        text = text[7:]
    if text.startswith("@") and ":" in text:
        text = text.rpartition(":")[2]  # a source route (RFC 5322 section 4.4)
    if " " in text and not text.startswith('"'):
        match = _BARE.search(text)
        text = match[0] if match else "".join(text.split())
    text = _INNER_COMMENT.sub("", text).strip(".")
    return text if len(text) <= _MAX_EMAIL and text[:1] != "@" != text[-1:] else ""


def _bare(text: str) -> list[str]:
    # The addresses that stand in a text without angle brackets.
    if " " not in text or text.startswith('"'):
        return [email] if (email := _email(text)) else []
    found = [match[0].strip(".") for match in _BARE.finditer(text)]
    return found or ([email] if (email := _email(text)) else [])


def _label(text: str, email: str) -> str:
    # What a bare address was introduced with.
    return "" if "".join(text.split()) == email else _folded(text.replace(email, " "))


def _folded(name: str) -> str:
    # A name on one line, without the single quotes that some mailers put around it.
    name = " ".join(name.split())
    if len(name) > 1 and name[0] == name[-1] == "'":
        return name[1:-1].strip()
    return name.strip(" ,")
