"""Raw mail on disk: zstd in the row up to 64 kB compressed, a file of its own above.

A file is durable before the row that names it: written beside, fsynced, renamed, folder fsynced.
Files that no row names are orphans of a crash; they are swept when a day old.
"""

from __future__ import annotations

import os
import secrets
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

INLINE_BYTES = 64 * 1024
_LEVEL = 1  # of 5 kB of text it leaves 2 % more than level 3, and a sender waits for it
_local = threading.local()
_ORPHAN_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Packed:
    """Compressed bytes for the row, or the name of the file that holds them."""

    data: bytes | None = field(repr=False)
    location: str = ""


class Blobs:
    """The folder of large messages; None keeps everything in the database."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def pack(self, raw: bytes | BinaryIO) -> Packed:
        """Compress, and write what is too large for a row to a file that survives a power cut."""
        data = raw if isinstance(raw, bytes) else raw.read()
        packed = _compressor().compress(data, zstd.ZstdCompressor.FLUSH_FRAME)
        if len(packed) <= INLINE_BYTES or self._folder is None:
            return Packed(packed)
        return Packed(None, _write(self._folder, packed))

    def unpack(self, packed: Packed) -> bytes:
        """Return the bytes as they came."""
        if packed.data is not None:
            return zstd.decompress(packed.data)
        assert self._folder is not None
        return zstd.decompress((self._folder / packed.location).read_bytes())

    def remove(self, locations: Collection[str]) -> None:
        """Delete the files of rows that are gone."""
        for location in locations:
            if location and self._folder is not None:
                (self._folder / location).unlink(missing_ok=True)

    def sweep(self, known: Collection[str]) -> int:
        """Delete files older than a day that no row names; return how many."""
        if self._folder is None or not self._folder.is_dir():
            return 0
        cutoff = time.time() - _ORPHAN_SECONDS
        orphans = [
            entry
            for entry in self._folder.rglob("*.zst*")
            if entry.stat().st_mtime < cutoff and str(entry.relative_to(self._folder)) not in known
        ]
        for entry in orphans:
            entry.unlink(missing_ok=True)
        return len(orphans)


def _compressor() -> zstd.ZstdCompressor:
    """Return this thread's own compressor: making one costs as much as compressing 5 kB."""
    found: zstd.ZstdCompressor | None = getattr(_local, "compressor", None)
    if found is None:
        found = _local.compressor = zstd.ZstdCompressor(_LEVEL)
    return found


def _write(folder: Path, data: bytes) -> str:
    name = secrets.token_hex(16)
    target = folder / name[:2] / f"{name}.zst"
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(".zst-new")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(target)
    for path in (target.parent, folder):
        _sync_folder(path)
    return str(target.relative_to(folder))


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # a folder cannot be opened there; NTFS journals the rename
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
