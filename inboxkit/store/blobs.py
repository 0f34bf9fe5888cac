"""Raw mail: zstd in the row up to 64 kB compressed; a file, an object or rows of its own above.

A file is durable before the row that names it: written beside, fsynced, renamed, folder fsynced.
Files that no row names are orphans of a crash; they are swept when a day old.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import threading
import time
from dataclasses import dataclass, field
from io import BytesIO
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, Protocol

from ..errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

INLINE_BYTES = 64 * 1024
INLINE_BYTES_OF_ROWS = 512 * 1024  # where what is larger goes into the same database
OBJECT, ROWS = "object:", "rows:"  # what a row's location begins with when no file is meant
_LEVEL = 1  # of 5 kB of text it leaves 2 % more than level 3, and a sender waits for it
_PIECE_BYTES = 1024 * 1024
_local = threading.local()
_ORPHAN_SECONDS = 24 * 3600


class Unreadable(StoreError):
    """The bytes of a message are gone from the disk, or damaged there."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Compressed bytes for the row, or the name of the file that holds them."""

    data: bytes | None = field(repr=False)
    location: str = ""


class Bucket(Protocol):
    """Where large messages go instead of files; every method may raise StoreError."""

    def write(self, pieces: Iterator[bytes]) -> str:
        """Store the pieces durably as one blob; return its location."""
        ...

    def read(self, location: str) -> Iterator[bytes]:
        """Iterate over a blob's bytes; raise Unreadable when it is gone."""
        ...

    def remove(self, locations: Collection[str]) -> None:
        """Delete blobs, without making the caller wait."""
        ...

    def sweep(self, known: Collection[str]) -> int:
        """Delete blobs older than a day that no row names; return how many."""
        ...


class Blobs:
    """The bucket, the rows or the folder of large messages; without any, all is in one row."""

    def __init__(
        self, folder: Path | None, bucket: Bucket | None = None, rows: Bucket | None = None
    ) -> None:
        self._folder = folder
        self._rows = rows
        self._bucket = bucket
        in_rows = rows is not None and bucket is None
        self._inline_bytes = INLINE_BYTES_OF_ROWS if in_rows else INLINE_BYTES

    def pack(self, raw: bytes | BinaryIO) -> Packed:
        """Compress, and write what is too large for a row to a file that survives a power cut.

        A file is read from its beginning, in pieces. Raise StoreError when the disk refuses.
        """
        if not isinstance(raw, bytes):
            return self._pack_pieces(_compressed(raw))
        if len(raw) > _PIECE_BYTES:
            return self._pack_pieces(_compressed(BytesIO(raw)))
        return self._pack_pieces(
            iter([_compressor().compress(raw, zstd.ZstdCompressor.FLUSH_FRAME)])
        )

    def _pack_pieces(self, pieces: Iterator[bytes]) -> Packed:
        begun, place = bytearray(), self._bucket or self._rows
        for piece in pieces:
            begun += piece
            if len(begun) > self._inline_bytes and place is not None:
                return Packed(None, place.write(chain([bytes(begun)], pieces)))
            if len(begun) > self._inline_bytes and self._folder is not None:
                return Packed(None, _write(self._folder, chain([bytes(begun)], pieces)))
        return Packed(bytes(begun))

    def unpack(self, packed: Packed) -> bytes:
        """Return the bytes as they came; raise Unreadable, or StoreError when the disk refuses."""
        if packed.data is None:
            return b"".join(self.stream(packed))
        try:
            return zstd.decompress(packed.data)
        except zstd.ZstdError as error:
            raise Unreadable(f"a message in the database: {type(error).__name__}") from error

    def stream(self, packed: Packed) -> Iterator[bytes]:
        """Iterate over the bytes as they came, at most a megabyte at once; raises as ``unpack``."""
        place = packed.location or "the database"
        decompressor = zstd.ZstdDecompressor()
        try:
            for piece in self._packed_pieces(packed):
                yield decompressor.decompress(piece, _PIECE_BYTES)
                while not (decompressor.eof or decompressor.needs_input):
                    yield decompressor.decompress(b"", _PIECE_BYTES)
        except (FileNotFoundError, zstd.ZstdError) as error:
            raise Unreadable(f"a message in {place}: {type(error).__name__}") from error
        except OSError as error:
            raise StoreError(f"{place} cannot be read: {error.strerror}") from error
        if not decompressor.eof:
            raise Unreadable(f"a message in {place}: it is cut off")

    def _packed_pieces(self, packed: Packed) -> Iterator[bytes]:
        if packed.data is not None:
            yield packed.data
        elif packed.location.startswith(OBJECT):
            if self._bucket is None:
                raise StoreError(f"{packed.location}: set object_store to the bucket that holds it")
            yield from self._bucket.read(packed.location)
        elif packed.location.startswith(ROWS):
            assert self._rows is not None
            yield from self._rows.read(packed.location)
        else:
            assert self._folder is not None
            with (self._folder / packed.location).open("rb") as file:
                while piece := file.read(_PIECE_BYTES):
                    yield piece

    def remove(self, locations: Collection[str]) -> None:
        """Delete the files, objects and rows of messages that are gone."""
        for place, prefix in ((self._bucket, OBJECT), (self._rows, ROWS)):
            if place is not None:
                place.remove([where for where in locations if where.startswith(prefix)])
        for location in locations:
            is_file = location and not location.startswith((OBJECT, ROWS))
            if is_file and self._folder is not None:
                _unlink(self._folder / location)

    def sweep(self, known: Collection[str]) -> int:
        """Delete what is older than a day and named by no message; return how many."""
        places = (place for place in (self._bucket, self._rows) if place is not None)
        return sum(place.sweep(known) for place in places) + self._sweep_files(known)

    def _sweep_files(self, known: Collection[str]) -> int:
        if self._folder is None or not self._folder.is_dir():
            return 0
        cutoff = time.time() - _ORPHAN_SECONDS
        orphans = [
            entry
            for entry in self._folder.rglob("*.zst*")
            if _is_older(entry, cutoff) and str(entry.relative_to(self._folder)) not in known
        ]
        for entry in orphans:
            _unlink(entry)
        return len(orphans)


def _compressor() -> zstd.ZstdCompressor:
    """Return this thread's own compressor: making one costs as much as compressing 5 kB."""
    found: zstd.ZstdCompressor | None = getattr(_local, "compressor", None)
    if found is None:
        found = _local.compressor = zstd.ZstdCompressor(_LEVEL)
    return found


def _compressed(source: BinaryIO) -> Iterator[bytes]:
    source.seek(0)
    compressor = zstd.ZstdCompressor(_LEVEL)
    while piece := source.read(_PIECE_BYTES):
        yield compressor.compress(piece)
    yield compressor.flush()


def _write(folder: Path, pieces: Iterable[bytes]) -> str:
    name = secrets.token_hex(16)
    target = folder / name[:2] / f"{name}.zst"
    temporary = target.with_suffix(".zst-new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _write_durably(temporary, pieces)
        temporary.rename(target)
        for path in (target.parent, folder):
            sync_folder(path)
    except OSError as error:
        _unlink(temporary, target)  # a full disk needs the room
        raise StoreError(f"{folder} takes no message: {error.strerror or error}") from error
    return str(target.relative_to(folder))


def _is_older(path: Path, cutoff: float) -> bool:
    """Whether a file has not changed since; mail comes and goes meanwhile, so it may be gone."""
    try:
        return path.stat().st_mtime < cutoff
    except FileNotFoundError:
        return False


def _unlink(*paths: Path) -> None:
    for path in paths:
        with contextlib.suppress(OSError):  # what stays is swept when it is a day old
            path.unlink(missing_ok=True)


def _write_durably(path: Path, pieces: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        file.writelines(pieces)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Let the names in a folder survive a power cut."""
    if os.name == "nt":  # a folder cannot be opened there; NTFS journals the rename
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
