"""Is a zip file safe to unpack in memory? Read from its directory, before anything is unpacked."""

from __future__ import annotations

import struct
import zipfile
from io import BytesIO

_MOST_ENTRIES = 1_000
_MOST_BYTES = 100 * 1024 * 1024
_MOST_RATIO = 100
_MOST_DIRECTORY = 1024 * 1024  # bytes: zipfile reads the whole directory when it opens a file
_END = struct.Struct("<4s4H2LH")  # end of central directory record (APPNOTE section 4.3.16)
_LONGEST_COMMENT = 65_535
_LOCATOR_BYTES = 20


def entries(data: bytes) -> dict[str, int]:
    """Return the size of each entry of a zip file; {} for what is none or is too much to unpack.

    Too much are over 1,000 entries, 100 MB, or a hundred times the size of the file, which also
    keeps out files whose entries overlap. zipfile never unpacks more than the sizes here say.
    """
    if not _has_small_directory(data):
        return {}
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            listed = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, OSError):
        return {}
    total = sum(entry.file_size for entry in listed)
    if len(listed) > _MOST_ENTRIES or total > min(_MOST_BYTES, _MOST_RATIO * len(data)):
        return {}
    return {entry.filename: entry.file_size for entry in listed}


def _has_small_directory(data: bytes) -> bool:
    last = len(data) - _END.size
    place = data.rfind(b"PK\5\6", max(0, last - _LONGEST_COMMENT), max(0, last + 4))
    if place < 0:
        return False
    _, _, _, _, count, size, _, _ = _END.unpack_from(data, place)
    # A 64-bit record before it would overrule what it says; no file of a mail needs one.
    has_64 = data[max(0, place - _LOCATOR_BYTES) :].startswith(b"PK\6\7")
    return count <= _MOST_ENTRIES and size <= _MOST_DIRECTORY and not has_64
