"""The MIME tree of a message in any state, by the standard library's compat32 parser.

``email.policy.default`` is never used on inbound mail: it raises on small inputs and takes
quadratic time on others. Every node reads its own Content-Type, in linear time.
"""

from __future__ import annotations

import re
from email.feedparser import FeedParser
from email.message import Message
from email.policy import compat32
from functools import partial
from typing import TYPE_CHECKING, Any

from . import guard, parameters
from .entity import MAX_CONTENT_FIELD, Entity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.policy import Policy

    from .model import Limits

_FEED = 256 * 1024  # more at once, and the standard library keeps four bytes a character
_JUNK_BEFORE = b"\xef\xbb\xbf \t\r\n\0"
_FIELD_NAME = re.compile(rb"([!-9;-~]{1,100})[ \t]*:")
_KNOWN_FIELD = re.compile(
    rb"(?:from|to|cc|subject|date|message-id|mime-version|content-type|received|reply-to|"
    rb"references|in-reply-to|content-transfer-encoding|return-path|sender)[ \t]*:",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(rb'^--([^\s"\\]{1,100})[ \t]*\r?\nContent-', re.MULTILINE | re.IGNORECASE)
_OPAQUE = "application/octet-stream"
_CAPITAL = re.compile(r"(?<!^)([A-Z])")
_NO_SEPARATOR = "missing header body separator"


def read(raw: bytes, limits: Limits) -> Entity:
    """Return the tree of a message; raise LimitExceeded when it nests too deep."""
    root = _parse(raw.lstrip(_JUNK_BEFORE), limits)
    if _NO_SEPARATOR in root.defects:
        root = _parse(_repaired(raw.lstrip(_JUNK_BEFORE), limits), limits)
        root.defects.append(_NO_SEPARATOR)
    return _with_boundary(root, limits)


class _Node(Message):
    """A node that tells the parser only whether it is a multipart.

    So a message/rfc822 or a delivery status stays one leaf with its own bytes.
    """

    _payload: str | list[_Node] | None  # the standard library's own; the parser writes to it

    def __init__(self, budget: guard.Budget, policy: Policy = compat32) -> None:
        super().__init__(policy)
        self.depth = 1
        self._budget = budget
        self._read: parameters.Value | None = None

    def attach(self, payload: Any) -> None:
        payload.depth = self.depth + 1
        super().attach(payload)

    def get_content_type(self) -> str:
        value = self._content.value
        return value if value.startswith("multipart/") else _OPAQUE

    def get_content_maintype(self) -> str:
        return "multipart" if self._content.value.startswith("multipart/") else "application"

    def get_boundary(self, failobj: Any = None) -> Any:
        self._budget.enter(self.depth)
        boundary = self._content.parameters.get("boundary", "").rstrip()
        return boundary.encode().decode("ascii", "surrogateescape") if boundary else failobj

    @property
    def _content(self) -> parameters.Value:
        if self._read is None:
            found = (value for name, value in self.raw_items() if name.lower() == "content-type")
            self._read = parameters.parse(next(found, "")[:MAX_CONTENT_FIELD])
        return self._read

    def entity(self) -> Entity:
        """Return the node and all below it as ours."""
        content = self._payload if isinstance(self._payload, str) else ""
        children = self._payload if isinstance(self._payload, list) else []
        return Entity(
            tuple(self.raw_items()),
            content.encode("ascii", "surrogateescape"),
            [child.entity() for child in children],
            [_words(type(defect).__name__) for defect in self.defects],
            self.get_default_type(),
        )


def _parse(raw: bytes, limits: Limits) -> Entity:
    text = raw.decode("ascii", "surrogateescape")
    budget = guard.Budget(limits, raw.count(b"\n") + raw.count(b"\r"))
    parser = FeedParser(partial(_Node, budget))  # by default with compat32
    for start in range(0, len(text), _FEED):
        parser.feed(text[start : start + _FEED])
    return parser.close().entity()


def _words(name: str) -> str:
    # The name of a defect's class as words.
    return _CAPITAL.sub(r" \1", name.removesuffix("Defect")).lower()


def _repaired(raw: bytes, limits: Limits) -> bytes:
    # A line that is no field ends the header for the parser, even in the midst of fields. Glue
    # such lines to the field before, as a fold that lost its space, if known fields follow.
    size = guard.header_size(raw, limits.header_bytes)
    if size > limits.header_bytes:
        return raw
    lines = raw[:size].splitlines()
    last = max((i for i, line in enumerate(lines) if _KNOWN_FIELD.match(line)), default=-1)
    fixed: list[bytes] = []
    for index, line in enumerate(lines):
        match = _FIELD_NAME.match(line)
        if match:
            fixed.append(match[1] + b":" + line[match.end() :])
        elif line[:1] in (b" ", b"\t") or (index == 0 and line.startswith(b"From ")):
            fixed.append(line)
        elif index > last:
            fixed += [b"", *lines[index:]]
            break
        elif not line.startswith((b">From ", b"From ")):
            fixed.append(b" " + line)
    return b"\r\n".join(fixed) + raw[size:]


def _with_boundary(root: Entity, limits: Limits) -> Entity:
    # A multipart whose boundary is missing or never used, read again with one its lines suggest.
    # Once only: each guess is another parse.
    broken = next(_childless(root), None)
    match = _SEPARATOR.search(broken.content) if broken else None
    if broken and match:
        head = b'Content-Type: %s; boundary="%s"\r\n\r\n' % (broken.media_type.encode(), match[1])
        guess = _parse(head + broken.content, limits)
        broken.children = guess.children
        broken.defects += guess.defects
    return root


def _childless(entity: Entity) -> Iterator[Entity]:
    if entity.is_multipart and not entity.children:
        yield entity
    for child in entity.children:
        yield from _childless(child)
