"""Bytes to Mail: one pass of the standard library's lenient parser, and our own decoders.

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

from . import bodies, guard, headers, parameters, tnef, transfer, uuencode
from .model import Headers, Limits, Mail, Part

if TYPE_CHECKING:
    from email.policy import Policy

_FEED = 256 * 1024  # more at once, and the standard library keeps four bytes a character
_MAX_WORK = 5_000_000  # lines times depth: each line is compared with every open boundary
_JUNK_BEFORE = b"\xef\xbb\xbf \t\r\n\0"
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+*-]{1,127}\Z")
_FIELD_NAME = re.compile(rb"([!-9;-~]{1,100})[ \t]*:")
_KNOWN_FIELD = re.compile(
    rb"(?:from|to|cc|subject|date|message-id|mime-version|content-type|received|reply-to|"
    rb"references|in-reply-to|content-transfer-encoding|return-path|sender)[ \t]*:",
    re.IGNORECASE,
)
_FILE_NAME = re.compile(r"[^/\\\s][^/\\]{0,200}\.[A-Za-z0-9]{1,5}\Z")
_SEPARATOR = re.compile(rb'^--([^\s"\\]{1,100})[ \t]*\r?\nContent-', re.MULTILINE | re.IGNORECASE)
_OPAQUE = "application/octet-stream"
TNEF = frozenset(("application/ms-tnef", "application/vnd.ms-tnef"))
_CAPITAL = re.compile(r"(?<!^)([A-Z])")


class _Budget:
    """How much of one message may still be read."""

    def __init__(self, limits: Limits, lines: int) -> None:
        self.limits = limits
        self.lines = lines
        self.containers = 0

    def enter(self, depth: int) -> None:
        """Count one more multipart; raise LimitExceeded when there are too many."""
        self.containers += 1
        if self.containers > self.limits.containers or depth * self.lines > _MAX_WORK:
            raise guard.LimitExceeded("containers")


class _Node(Message):
    """A node of the MIME tree that tells the parser only whether it is a multipart.

    So a message/rfc822 or a delivery status stays one leaf with its own bytes.
    """

    def __init__(self, budget: _Budget, policy: Policy = compat32) -> None:
        super().__init__(policy)
        self.depth = 1
        self._budget = budget
        self._raw: dict[str, str] | None = None
        self._content: parameters.Value | None = None
        self._type = ""

    def attach(self, payload: Any) -> None:
        payload.depth = self.depth + 1
        super().attach(payload)

    def get_content_type(self) -> str:
        return self.media_type if self.media_type.startswith("multipart/") else _OPAQUE

    def get_content_maintype(self) -> str:
        return "multipart" if self.media_type.startswith("multipart/") else "application"

    def get_boundary(self, failobj: Any = None) -> Any:
        self._budget.enter(self.depth)
        boundary = self.content.parameters.get("boundary", "").rstrip()
        return boundary.encode().decode("ascii", "surrogateescape") if boundary else failobj

    def raw(self, name: str) -> str:
        """Return the first field of that name as it came, cut where it is too long."""
        if self._raw is None:
            self._raw = {}
            for field, value in self.raw_items():
                self._raw.setdefault(field.lower(), value)
        return self._raw.get(name, "")[: self._budget.limits.content_field_bytes]

    @property
    def content(self) -> parameters.Value:
        """The Content-Type, read once."""
        if self._content is None:
            self._content = parameters.parse(self.raw("content-type"))
        return self._content

    @property
    def media_type(self) -> str:
        """The media type, read once."""
        if not self._type:
            self._type = _media_type(self.content.value, self.get_default_type())
        return self._type

    @property
    def children(self) -> list[_Node]:
        """The parts of a multipart."""
        return self._payload if isinstance(self._payload, list) else []

    @property
    def body(self) -> bytes:
        """The bytes of a leaf, transfer encoding removed."""
        text = self._payload
        if not isinstance(text, str):
            return b""
        data = text.encode("ascii", "surrogateescape")
        encoding = self.raw("content-transfer-encoding")
        if "uu" in encoding.lower():
            return uuencode.decode(data)
        return transfer.decode(data, encoding) if encoding else data


def _media_type(value: str, default: str) -> str:
    if not value or _TYPE.match(value):
        return value or default
    # What is no media type is text (RFC 2045 section 5.2).
    return "text/html" if "html" in value and "/" not in value else "text/plain"


def decode(raw: bytes, limits: Limits = Limits()) -> Mail:
    """Return the decoded mail; never raises.

    A message over a limit gives its headers only, and the defect "limit: " with its name. Run
    ``guard.check`` first: it finds most of them without parsing.
    """
    try:
        root = _parse(raw, limits)
        if "MissingHeaderBodySeparatorDefect" in _defect_names(root):
            root = _parse(_repaired(raw, limits), limits)
        return _Reader(root, limits).mail()
    except guard.LimitExceeded as error:
        return Mail(decode_headers(raw), defects=(f"limit: {error}",))


def decode_headers(raw: bytes) -> Headers:
    """Return the header fields of a message, at most those of the first 64 kB; never raises."""
    root = _parse(guard.head(raw), Limits())
    return _headers(root)


def _parse(raw: bytes, limits: Limits) -> _Node:
    if raw[:1] in _JUNK_BEFORE:
        raw = raw.lstrip(_JUNK_BEFORE)
    text = raw.decode("ascii", "surrogateescape")
    budget = _Budget(limits, raw.count(b"\n") + raw.count(b"\r"))
    parser: FeedParser[_Node] = FeedParser(partial(_Node, budget), policy=compat32)
    for start in range(0, len(text), _FEED):
        parser.feed(text[start : start + _FEED])
    return parser.close()


def _repaired(raw: bytes, limits: Limits) -> bytes:
    # A line that is no field ends the header for the parser, even in the midst of fields. Glue
    # such lines to the field before, as a fold that lost its space, if known fields follow.
    size = guard.header_size(raw, limits.header_bytes)
    if size > limits.header_bytes:
        return raw
    lines = raw[:size].lstrip(_JUNK_BEFORE).splitlines()
    last = max((i for i, line in enumerate(lines) if _KNOWN_FIELD.match(line)), default=-1)
    fixed: list[bytes] = []
    for index, line in enumerate(lines):
        match = _FIELD_NAME.match(line)
        if match:
            fixed.append(match[1] + b":" + line[match.end() :])
        elif line[:1] in (b" ", b"\t") or (index == 0 and line.startswith(b"From ")):
            fixed.append(line)
        elif index < last:
            if not line.startswith((b">From ", b"From ")):
                fixed.append(b" " + line)
        else:
            fixed += [b"", *lines[index:]]
            break
    return b"\r\n".join(fixed) + raw[size:]


def _with_boundary(node: _Node, limits: Limits) -> _Node | None:
    # A multipart whose boundary is missing or never used, read again with one its lines suggest.
    body = node.body
    match = _SEPARATOR.search(body)
    if not match or len(body) > limits.message_bytes:
        return None
    head = b'Content-Type: %s; boundary="%s"\r\n\r\n' % (node.media_type.encode(), match[1])
    guess = _parse(head + body, limits)
    return guess if guess.children else None


def _headers(node: _Node) -> Headers:
    decode_field = headers.decode_field
    return Headers(tuple([(name, decode_field(name, value)) for name, value in node.raw_items()]))


def _defect_names(node: _Node) -> list[str]:
    return [type(defect).__name__ for defect in node.defects]


class _Reader:
    """Walks the tree once and gathers leaves, words and defects in order."""

    def __init__(self, root: _Node, limits: Limits) -> None:
        self._root = root
        self._limits = limits
        self._headers = _headers(root)
        self._parts: list[Part] = []
        self._defects: list[str] = []
        self._guessed = False
        self._fallback: list[bodies.Segment] = []  # used when the mail has no other words

    def mail(self) -> Mail:
        """Return what was found."""
        segments = self._walk(self._root, "")
        words = bodies.words(segments or self._fallback, self._limits.html_bytes)
        return Mail(
            headers=self._headers,
            text=words.text,
            html=words.html,
            parts=tuple(self._parts),
            content_type=self._root.media_type,
            report_type=self._root.content.parameters.get("report-type", "").lower(),
            has_text=words.from_text,
            defects=tuple(dict.fromkeys(self._defects)),
        )

    def _walk(self, node: _Node, container: str) -> list[bodies.Segment]:
        for name in _defect_names(node):
            self._defects.append(_CAPITAL.sub(r" \1", name.removesuffix("Defect")).lower())
        if node.children:
            kind = node.media_type
            return bodies.combined(kind, [self._walk(child, kind) for child in node.children])
        if node.media_type.startswith("multipart/") and not self._guessed:
            self._guessed = True  # once only: each guess is another parse
            if guess := _with_boundary(node, self._limits):
                return self._walk(guess, container)
        return self._leaf(node, container)

    def _leaf(self, node: _Node, container: str) -> list[bodies.Segment]:
        part = self._part(node, container)
        self._parts.append(part)
        if bodies.is_body(part):
            return self._body(part, node.content.parameters)
        if part.content_type in TNEF or part.filename.lower() == "winmail.dat":
            self._unpack(part)
        return []

    def _part(self, node: _Node, container: str) -> Part:
        disposition = parameters.parse(node.raw("content-disposition"))
        kind = node.media_type
        return Part(
            content_type="text/plain" if kind.startswith("multipart/") else kind,
            data=node.body,
            headers=self._headers if node is self._root else _headers(node),
            charset=node.content.parameters.get("charset", ""),
            filename=_filename(node, disposition.parameters),
            disposition=disposition.value,
            content_id=headers.decode_field("", node.raw("content-id")).strip("<> "),
            container=container,
        )

    def _body(self, part: Part, given: dict[str, str]) -> list[bodies.Segment]:
        data, blocks = uuencode.extract(part.data)
        for block in blocks:
            name = headers.printable(bodies.charsets.decode(block.filename))
            self._parts.append(
                Part(_OPAQUE, block.data, filename=name, container=part.content_type)
            )
        flow = given.get("format", "").lower()
        delete_space = given.get("delsp", "").lower() == "yes"
        return [bodies.segment(part, data, flow=flow, delete_space=delete_space)]

    def _unpack(self, part: Part) -> None:
        contents = tnef.unpack(part.data)
        if not contents:
            self._defects.append("tnef: unreadable")
            return
        for file in contents.files:
            kind = file.content_type if _TYPE.match(file.content_type) else _OPAQUE
            self._parts.append(
                Part(
                    kind,
                    file.data,
                    filename=headers.printable(file.filename),
                    disposition="attachment",
                    content_id=headers.printable(file.content_id),
                    container=part.content_type,
                )
            )
        if contents.text or contents.html:
            self._fallback.append(bodies.Segment(contents.text or None, contents.html or None))
        elif contents.rtf:
            self._parts.append(
                Part("text/rtf", contents.rtf, filename="message.rtf", container=part.content_type)
            )


def _filename(node: _Node, disposition: dict[str, str]) -> str:
    for given in (disposition, node.content.parameters):
        for name in ("filename", "name", "file"):
            if given.get(name):
                return given[name]
    location = headers.decode_field("", node.raw("content-location"))
    described = headers.decode_field("", node.raw("content-description"))
    for candidate in (location.partition("?")[0].rpartition("/")[2], described):
        if _FILE_NAME.match(candidate):
            return candidate
    return ""
