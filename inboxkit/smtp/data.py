"""The content of a message, taken from the octets after DATA in pieces of any size."""

from __future__ import annotations

import re

_END = b"\r\n.\r\n"
_STUFFED = b"\r\n."
_BARE = re.compile(rb"\r\n|\r|\n")


class DataDecoder:
    """Undo dot-stuffing (RFC 5321 section 4.5.2) and find the end of data.

    Only CRLF "." CRLF ends the data: no other form does, whatever a relay in front of us thinks
    (SMTP smuggling, CVE-2023-51764). ``has_bare`` tells whether a CR or an LF stood alone; each
    of them becomes a CRLF if ``normalise``. ``line_length`` is the length of the line so far.
    """

    def __init__(self, *, normalise: bool = True) -> None:
        self.done = False
        self.has_bare = False
        self.line_length = 0
        self.rest = b""
        self._normalise = normalise
        self._held = b"\r\n"  # the data begins as if a line had just ended
        self._skip = 2

    def feed(self, octets: bytes) -> bytes:
        """Return the content known so far and not yet returned; ``rest`` is what follows it."""
        data = self._held + octets
        end = data.find(_END)
        if end >= 0:
            self.done, self.rest, self._held = True, data[end + len(_END) :], b""
            return self._content(data[: end + 2])
        held = _undecided(data)
        self._held = data[len(data) - held :]
        return self._content(data[: len(data) - held])

    def _content(self, data: bytes) -> bytes:
        """Return ``data``, which splits no CRLF, without stuffing and without the first CRLF."""
        if self._skip and data:
            data, self._skip = _unstuffed(data)[self._skip :], 0
        else:
            data = _unstuffed(data)
        newline = data.rfind(b"\n")
        self.line_length = len(data) - newline - 1 + (self.line_length if newline < 0 else 0)
        pairs = data.count(b"\r\n")
        if data.count(b"\n") != pairs or data.count(b"\r") != pairs:
            self.has_bare = True
            if self._normalise:
                data = _BARE.sub(b"\r\n", data)
        return data


def _unstuffed(data: bytes) -> bytes:
    return data.replace(_STUFFED, b"\r\n")


def _undecided(data: bytes) -> int:
    """Return how many octets at the end may begin the end of data."""
    for length in range(len(_END) - 1, 0, -1):
        if data.endswith(_END[:length]):
            return length
    return 0
