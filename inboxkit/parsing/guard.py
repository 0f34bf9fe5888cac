"""Is a message too much to parse? Linear scans over the raw bytes, before any parser sees them."""

from __future__ import annotations

import re

from .model import Limits

_HEADER_ENDS = (b"\n\r\n", b"\n\n", b"\r\r")
_CONTENT_FIELD = re.compile(
    rb"^content-[^\r\n]*(?:(?:\r\n?|\n)[ \t][^\r\n]*)*", re.IGNORECASE | re.MULTILINE
)
_BOUNDARY = re.compile(rb'boundary\s*=\s*(?:"([^"\r\n]{1,250})|([^\s;"]{1,250}))', re.IGNORECASE)
_MAX_WORK = 5_000_000  # lines times depth: each line is compared with every open boundary
# What no ordinary mail reaches: over it, a message is parsed in a process that can be ended.
ORDINARY_BYTES = 256 * 1024
_ORDINARY = Limits(
    message_bytes=ORDINARY_BYTES,
    header_bytes=32 * 1024,
    header_fields=200,
    field_bytes=16 * 1024,
    content_field_bytes=1024,
    boundary_lines=200,
    lines=20_000,
)


class LimitExceeded(Exception):
    """A message has more of something than its limits allow; the argument names the limit."""


class Budget:
    """How much of one message may still be read while it is parsed."""

    def __init__(self, limits: Limits, lines: int) -> None:
        self._limits = limits
        self._lines = lines
        self._containers = 0

    def enter(self, depth: int) -> None:
        """Count one more multipart; raise LimitExceeded when there are too many, or too deep."""
        self._containers += 1
        if self._containers > self._limits.containers or depth * self._lines > _MAX_WORK:
            raise LimitExceeded("containers")


def check(raw: bytes, limits: Limits) -> str | None:
    """Return the name of the limit that a message exceeds, or None; never raises.

    How deep its multiparts nest shows only while it is parsed, and is checked there.
    """
    if len(raw) > limits.message_bytes:
        return "message_bytes"
    size = header_size(raw, limits.header_bytes)
    if size > limits.header_bytes:
        return "header_bytes"
    return _check_fields(raw[:size], limits) or _check_lines(raw, limits)


def check_parts(raw: bytes, limits: Limits) -> str | None:
    """Return "content_field_bytes" if a part has such a field too long; parsers of others need it.

    Our own parser cuts such fields and does not ask.
    """
    for match in _CONTENT_FIELD.finditer(raw):
        if len(match[0]) > limits.content_field_bytes:
            return "content_field_bytes"
    return None


def header_size(raw: bytes, limit: int) -> int:
    """Return the length of the header block, or ``limit`` + 1 when it is longer than that."""
    stop = first = limit + 4
    for mark in _HEADER_ENDS:
        end = raw.find(mark, 0, first)
        first = end if end >= 0 else first
    if first < stop:
        return first
    return len(raw) if len(raw) <= limit else limit + 1


def head(raw: bytes, size: int = 65_536) -> bytes:
    """Return the header block, or what of it lies in the first ``size`` bytes, and no body."""
    end = header_size(raw, size)
    if end <= size:
        return raw[:end] + b"\r\n\r\n"
    last_line = max(raw.rfind(b"\n", 0, size), raw.rfind(b"\r", 0, size))
    return raw[: last_line if last_line > 0 else size].rstrip(b"\r") + b"\r\n\r\n"


def is_ordinary(raw: bytes) -> bool:
    """Tell whether a message is so small and plain that any parser is done with it at once."""
    return check(raw, _ORDINARY) is None


def _check_fields(block: bytes, limits: Limits) -> str | None:
    smallest = min(limits.content_field_bytes, limits.field_bytes)
    if len(block) <= smallest and block.count(b"\n") + block.count(b"\r") < limits.header_fields:
        return None
    fields = size = 0
    longest = 0
    is_content = False
    for line in block.splitlines():
        if line[:1] in (b" ", b"\t"):
            size += len(line) + 2
        else:
            fields += 1
            size = len(line)
            is_content = line[:8].lower() == b"content-"
        longest = max(longest, size)
        if is_content and size > limits.content_field_bytes:
            return "content_field_bytes"
    if fields > limits.header_fields:
        return "header_fields"
    return "field_bytes" if longest > limits.field_bytes else None


def _check_lines(raw: bytes, limits: Limits) -> str | None:
    if len(raw) < min(limits.lines, 3 * limits.boundary_lines):
        return None  # too short to have so many
    # A lone CR ends a line too: the standard library takes it for one.
    lines = raw.count(b"\n")
    if b"\r" in raw:
        lines += raw.count(b"\r") - raw.count(b"\r\n")
    if lines > limits.lines:
        return "lines"
    if lines > limits.boundary_lines and _count_boundaries(raw, limits) > limits.boundary_lines:
        return "boundary_lines"
    return None


def _count_boundaries(raw: bytes, limits: Limits) -> int:
    # Dashes begin many lines of patches and of SQL; only those of a declared boundary count.
    dashed = raw.count(b"\n--") + raw.count(b"\r--")
    if dashed <= limits.boundary_lines:
        return dashed
    names = [quoted or bare for quoted, bare in _BOUNDARY.findall(raw)[: limits.boundary_lines]]
    declared = tuple({b"--" + name.rstrip() for name in names})
    return sum(line.startswith(declared) for line in re.split(rb"[\r\n]+(?=--)", raw)[1:])
