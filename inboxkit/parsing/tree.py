"""The MIME tree of a message: split at once where it is well formed, leniently where it is not.

Nearly every message is well formed, and splitting its bytes takes a quarter of the time of the
standard library's parser. Whatever is out of order, however little, goes to ``lenient``, so that
there is one reading of it; the tests compare both on every sample.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from . import guard, lenient
from .entity import Entity

if TYPE_CHECKING:
    from .entity import Fields
    from .model import Limits

_FIELD = re.compile(r"^([!-9;-~]++):[ \t]*+(.*+(?:\n[ \t].*+)*)", re.MULTILINE)
_NAME = re.compile(r"[!-9;-~]+\Z")
_FOLD = re.compile(r"\n[ \t]+")
_KEPT_NAME = 64
_PRINTABLE = bytes(range(32, 127)) + b"\t\r\n"


def read(raw: bytes, limits: Limits) -> Entity:
    """Return the tree of a message; raise LimitExceeded when it nests too deep."""
    return _split(raw, limits) or lenient.read(raw, limits)


def _split(raw: bytes, limits: Limits) -> Entity | None:
    # None when the message is not well formed.
    newlines = raw.count(b"\n")
    returns = raw.count(b"\r")
    if returns and not returns == newlines == raw.count(b"\r\n"):
        return None
    newline = b"\r\n" if returns else b"\n"
    splitter = _Splitter(raw, newline, guard.Budget(limits, newlines))
    try:
        return splitter.entity(0, len(raw), "text/plain", depth=1)
    except _OutOfOrder:
        return None


class _OutOfOrder(Exception):
    """The bytes are not well formed."""


class _Splitter:
    """Splits a message whose lines all end alike."""

    def __init__(self, raw: bytes, newline: bytes, budget: guard.Budget) -> None:
        self._raw = raw
        self._newline = newline
        self._blank = newline * 2
        self._budget = budget

    def entity(self, start: int, end: int, default: str, *, depth: int) -> Entity:
        """Return the part between two places."""
        raw, newline = self._raw, self._newline
        if raw.startswith(newline, start):
            if depth == 1:
                raise _OutOfOrder  # a header after empty lines
            entity = Entity((), default=default)
            body = start + len(newline)
        else:
            blank = raw.find(self._blank, start, end)
            if blank < 0:
                raise _OutOfOrder
            fields, plain = _fields(raw[start:blank])
            entity = Entity(fields, default=default, plain=plain)
            body = blank + len(self._blank)
        if entity.is_multipart:
            self._budget.enter(depth)
            child = "message/rfc822" if entity.media_type == "multipart/digest" else "text/plain"
            places = self._parts(entity.boundary, body, end)
            entity.children = [self.entity(*place, child, depth=depth + 1) for place in places]
        else:
            entity.content = raw[body:end]
        return entity

    def _parts(self, boundary: str, start: int, end: int) -> list[tuple[int, int]]:
        # Where the parts of a multipart begin and end (RFC 2046 section 5.1.1).
        if not boundary or not boundary.isascii() or boundary.endswith("--"):
            raise _OutOfOrder
        separator = self._newline + b"--" + boundary.encode("ascii")
        places: list[tuple[int, int]] = []
        begin = -1
        at = self._raw.find(separator, start - len(self._newline), end)
        while at >= 0:
            line = at + len(separator)
            stop = self._raw.find(self._newline, line, end)
            rest = self._raw[line : stop if stop >= 0 else end].rstrip(b" \t")
            if rest in (b"", b"--"):
                if stop < 0 and not rest:
                    raise _OutOfOrder  # no line after it
                if begin >= 0:
                    places.append((begin, at))
                if rest and places:
                    return places
                if rest:
                    raise _OutOfOrder  # closed before it began
                begin = stop + len(self._newline)
            at = self._raw.find(separator, line, end)
        raise _OutOfOrder  # never closed


def _fields(block: bytes) -> tuple[Fields, bool]:
    # The fields, and whether their values are printable ASCII.
    text = block.replace(b"\r", b"").decode("ascii", "surrogateescape")
    if " \n" in text or "\t\n" in text:
        return _folded_fields(text), False
    text = _FOLD.sub(" ", text)  # all fields at once; each alone takes several times as long
    fields: list[tuple[str, str]] = []
    for line in text.split("\n"):
        name, colon, value = line.partition(":")
        if not colon or not (_is_known_name if len(name) < _KEPT_NAME else _is_name)(name):
            raise _OutOfOrder
        fields.append((name, value.lstrip(" \t")))
    return tuple(fields), "\t" not in text and not block.translate(None, _PRINTABLE)


def _folded_fields(text: str) -> Fields:
    found = _FIELD.findall(text)
    if len(found) + text.count("\n ") + text.count("\n\t") != text.count("\n") + 1:
        raise _OutOfOrder
    return tuple(found)


def _is_name(name: str) -> bool:
    return _NAME.match(name) is not None


_is_known_name = functools.lru_cache(maxsize=512)(_is_name)
