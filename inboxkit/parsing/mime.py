"""Bytes to Mail: the leaves of the MIME tree, decoded, and the words among them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import bodies, charsets, guard, headers, lenient, parameters, tnef, tree, uuencode
from .entity import Entity, media_type
from .model import Headers, Limits, Mail, Part

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILE_NAME = re.compile(r"[^/\\\s][^/\\]{0,200}\.[A-Za-z0-9]{1,5}\Z")
_OPAQUE = "application/octet-stream"
TNEF = frozenset(("application/ms-tnef", "application/vnd.ms-tnef"))


def decode(raw: bytes, limits: Limits = Limits()) -> Mail:
    """Return the decoded mail; never raises.

    A message over a limit gives its headers only, and the defect "limit: " with its name. Run
    ``guard.check`` first: it finds most of them without parsing.
    """
    try:
        return _Reader(tree.read(raw, limits), limits).mail()
    except guard.LimitExceeded as error:
        return Mail(decode_headers(raw), defects=(f"limit: {error}",))


def decode_headers(raw: bytes) -> Headers:
    """Return the header fields of a message, at most those of the first 64 kB; never raises."""
    return _headers(lenient.read(guard.head(raw), Limits()))


def _headers(node: Entity, charset: str = "") -> Headers:
    decode_field, plain = headers.decode_field, node.plain
    return Headers(
        tuple(
            [
                field
                if (plain or ((value := field[1]).isascii() and value.isprintable()))
                and "=?" not in field[1]
                else (field[0], decode_field(*field, charset))
                for field in node.fields
            ]
        )
    )


def _charset(node: Entity) -> str:
    # The first charset that is declared: what raw bytes in the header are in, if not in UTF-8.
    declared = node.parameters.get("charset", "")
    found = (charset for child in node.children if (charset := _charset(child)))
    return declared or next(found, "")


class _Reader:
    """Walks the tree once and gathers leaves, words and defects in order."""

    def __init__(self, root: Entity, limits: Limits) -> None:
        self._root = root
        self._limits = limits
        self._charset = _charset(root)
        self._headers = _headers(root, self._charset)
        self._parts: list[Part] = []
        self._defects: list[str] = []
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
            report_type=self._root.parameters.get("report-type", "").lower(),
            has_text=words.from_text,
            defects=tuple(dict.fromkeys(self._defects)),
        )

    def _walk(self, node: Entity, container: str) -> list[bodies.Segment]:
        self._defects += node.defects
        if not node.children:
            return self._leaf(node, container)
        kind = node.media_type
        return bodies.combined(kind, [self._walk(child, kind) for child in node.children])

    def _leaf(self, node: Entity, container: str) -> list[bodies.Segment]:
        part = self._part(node, container)
        self._parts.append(part)
        if bodies.is_body(part):
            return self._body(part, node.parameters)
        if part.content_type in TNEF or part.filename.lower() == "winmail.dat":
            self._unpack(part)
        return []

    def _part(self, node: Entity, container: str) -> Part:
        disposition, found = parameters.parse(node.raw("disposition")), node.raw("id")
        return Part(
            content_type="text/plain" if node.is_multipart else node.media_type,
            data=node.body,
            headers=self._headers if node is self._root else _headers(node, self._charset),
            charset=node.parameters.get("charset", ""),
            filename=_filename(node, disposition.parameters),
            disposition=disposition.value,
            content_id=headers.decode_field("", found).strip("<> ") if found else "",
            container=container,
        )

    def _body(self, part: Part, given: Mapping[str, str]) -> list[bodies.Segment]:
        data, blocks = uuencode.extract(part.data)
        for block in blocks:
            name = headers.printable(charsets.decode(block.filename))
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
            kind = media_type(file.content_type, _OPAQUE)
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


def _filename(node: Entity, disposition: Mapping[str, str]) -> str:
    for given in (disposition, node.parameters):
        for name in ("filename", "name", "file"):
            if given.get(name):
                return given[name]
    if not (node.raw("location") or node.raw("description")):
        return ""
    location = headers.decode_field("", node.raw("location"))
    described = headers.decode_field("", node.raw("description"))
    for candidate in (location.partition("?")[0].rpartition("/")[2], described):
        if _FILE_NAME.match(candidate):
            return candidate
    return ""
