"""Width and height of a picture by its first bytes: PNG, JPEG, GIF and WebP."""

from __future__ import annotations

import struct

_PNG = b"\x89PNG\r\n\x1a\n"
_MOST_SEGMENTS = 1_000  # of a JPEG before its frame header
# SOF markers: all of C0 to CF but DHT, JPG and DAC (ITU-T T.81 table B.1).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE = frozenset((0x01, *range(0xD0, 0xD9)))  # markers without a length


def dimensions(data: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels; None for what is no picture of these formats.

    Reads headers only, so a picture that would unpack to gigabytes costs nothing.
    """
    try:
        size = _dimensions(data)
    except (struct.error, IndexError):  # cut off
        return None
    return size if size and all(size) else None


def _dimensions(data: bytes) -> tuple[int, int] | None:
    if data.startswith(_PNG) and data[12:16] == b"IHDR":
        return _pair(">II", data, 16)
    if data.startswith((b"GIF87a", b"GIF89a")):
        return _pair("<HH", data, 6)
    if data.startswith(b"\xff\xd8"):
        return _jpeg(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _webp(data)
    return None


def _pair(form: str, data: bytes, place: int) -> tuple[int, int]:
    width, height = struct.unpack_from(form, data, place)
    return width, height


def _jpeg(data: bytes) -> tuple[int, int] | None:
    place = 2
    for _ in range(_MOST_SEGMENTS):
        if data[place] != 0xFF:
            return None
        while data[place] == 0xFF:  # fill bytes are allowed before a marker
            place += 1
        marker = data[place]
        if marker in _FRAMES:
            height, width = _pair(">HH", data, place + 4)
            return width, height
        place += 1
        if marker not in _BARE:
            place += struct.unpack_from(">H", data, place)[0]
    return None


def _webp(data: bytes) -> tuple[int, int] | None:
    """Read the first chunk (RFC 9649 sections 2.5 to 2.7)."""
    kind = data[12:16]
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = _pair("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L" and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X" and len(data) >= 30:
        wide, high = (int.from_bytes(data[at : at + 3], "little") for at in (24, 27))
        return wide + 1, high + 1
    return None
