"""A node of the MIME tree (RFC 2045): its fields as they came, its bytes or its children."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import parameters, transfer, uuencode

if TYPE_CHECKING:
    from collections.abc import Mapping

Fields = tuple[tuple[str, str], ...]

_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+*-]{1,127}\Z")
MAX_CONTENT_FIELD = 4_096


@dataclass(slots=True)
class Entity:
    """A part of a message, or the message itself; values are ASCII with surrogate escapes.

    ``content`` is the undecoded body of a leaf. ``default`` is what it is without a Content-Type.
    """

    fields: Fields
    content: bytes = b""
    children: list[Entity] = field(default_factory=list["Entity"])
    defects: list[str] = field(default_factory=list[str])
    default: str = "text/plain"
    plain: bool = False  # whether all values are known to be printable ASCII
    media_type: str = field(init=False)
    parameters: Mapping[str, str] = field(init=False)
    _content_fields: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self._content_fields = {
            name[8:].lower(): value[:MAX_CONTENT_FIELD]
            for name, value in reversed(self.fields)  # of two alike, the first counts
            if name[:1] in "cC" and name[:8].lower() == "content-"
        }
        value, self.parameters = parameters.parse(self.raw("type"))
        self.media_type = media_type(value, self.default)

    def raw(self, name: str) -> str:
        """Return the Content- field of that name, cut where it is too long."""
        return self._content_fields.get(name, "")

    @property
    def is_multipart(self) -> bool:
        """Whether the Content-Type says that there are parts."""
        return self.media_type.startswith("multipart/")

    @property
    def boundary(self) -> str:
        """The boundary of a multipart, "" when it names none (RFC 2046 section 5.1.1)."""
        return self.parameters.get("boundary", "").rstrip()

    @property
    def body(self) -> bytes:
        """The bytes of a leaf, transfer encoding removed."""
        encoding = self.raw("transfer-encoding")
        if not encoding:
            return self.content
        if "uu" in encoding.lower():
            return uuencode.decode(self.content)
        return transfer.decode(self.content, encoding)


@functools.lru_cache(maxsize=256)
def media_type(value: str, default: str) -> str:
    """Return a usable media type for the value of a Content-Type field."""
    if not value or _TYPE.match(value):
        return value or default
    # What is no media type is text (RFC 2045 section 5.2).
    return "text/html" if "html" in value and "/" not in value else "text/plain"
