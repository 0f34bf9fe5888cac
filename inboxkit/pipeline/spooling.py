"""Messages and their files as temporary files: what is large is never whole in memory."""

from __future__ import annotations

from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

from ..parsing.streams import copy_part

if TYPE_CHECKING:
    from collections.abc import Iterable


def whole(pieces: Iterable[bytes]) -> IO[bytes]:
    """Return the pieces as one file at its beginning; the caller closes it."""
    file = TemporaryFile()
    try:
        file.writelines(pieces)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def part(pieces: Iterable[bytes], size: int, sha256: str) -> IO[bytes] | None:
    """Return the file that stands in a mail with this hash; None when it stands in no part."""
    file = TemporaryFile()
    try:
        if copy_part(pieces, file, size=size, sha256=sha256):
            file.seek(0)
            return file
    except BaseException:
        file.close()
        raise
    file.close()
    return None
