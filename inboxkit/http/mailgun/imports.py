"""The CSV files that lists are imported from: read row by row, and one file at a time.

A small file may unpack to a large one, so that nothing of it is held whole.
"""

from __future__ import annotations

import csv
import io
import zlib
from typing import TYPE_CHECKING, TypeVar

from anyio import CapacityLimiter
from anyio.lowlevel import RunVar

from ...blocking import in_thread
from ...providers.mailgun_requests import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from _typeshed import WriteableBuffer

    from ...store.transactions import Tx
    from .call import Call

T = TypeVar("T")
MOST_ENTRIES = 1_000  # of a request that brings no file
MOST_ENTRIES_BYTES = 4 * 1024 * 1024
_MOST_BYTES = 25 * 1024 * 1024
MOST_FILE_BYTES = _MOST_BYTES + 64 * 1024  # with the form around it
_MOST_UNPACKED = 100 * 1024 * 1024
_MOST_ROWS = 500_000
_MOST_ROW_CHARACTERS = 256 * 1024
_PORTION = 20_000
_PIECE = 64 * 1024
_GZIP = b"\x1f\x8b"
_TURN: RunVar[CapacityLimiter] = RunVar("inboxkit.mailgun.imports")


async def in_turn(function: Callable[[], T]) -> T:
    """Return what a function makes of a file, in a thread, when no other file is being read."""
    try:
        turn = _TURN.get()
    except LookupError:
        turn = CapacityLimiter(1)
        _TURN.set(turn)
    async with turn:
        return await in_thread(function)


def rows_of(call: Call) -> Iterator[dict[str, str]]:
    """Yield the rows of the file of a request by column; raise Refusal that names the line."""
    files = [f for f in call.form.fields if f.filename is not None]
    if not files:
        raise Refusal(400, "a file with a CSV table is missing")
    data = files[0].data
    if len(data) > _MOST_BYTES:
        raise Refusal(413, f"a file has {_MOST_BYTES // 1024 // 1024} MiB at most")
    packed = data.startswith(_GZIP)
    file = io.BufferedReader(_Unpacking(data), _PIECE) if packed else io.BytesIO(data)
    return _rows(io.TextIOWrapper(file, "utf-8-sig", "replace", newline=""))


class _Unpacking(io.RawIOBase):
    """What a gzip file holds, as it is read; raises Refusal for what is none, or too large."""

    def __init__(self, data: bytes) -> None:
        self._unzip = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        self._data = memoryview(data)
        self._left = _MOST_UNPACKED

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        room = memoryview(buffer)
        try:
            found = self._unpacked(len(room))
        except zlib.error:
            raise Refusal(400, "the file is no gzip, as its first bytes say it is") from None
        if not found and not self._unzip.eof:
            raise Refusal(400, "the file is a gzip that is cut off")
        self._left -= len(found)
        if self._left < 0:
            raise Refusal(413, f"a file has {_MOST_UNPACKED // 1024 // 1024} MiB unpacked at most")
        room[: len(found)] = found
        return len(found)

    def _unpacked(self, most: int) -> bytes:
        """Return what comes next; b"" at the end, or where the file is cut off."""
        found, piece = b"", b"-"
        while piece and not found and not self._unzip.eof:
            piece = self._unzip.unconsumed_tail or self._next_piece()
            found = self._unzip.decompress(piece, most)
        return found

    def _next_piece(self) -> bytes:
        piece, self._data = bytes(self._data[:_PIECE]), self._data[_PIECE:]
        return piece


class _Lines:
    """The lines of a table. ``row`` counts the characters of one, which may have several."""

    def __init__(self, file: io.TextIOWrapper) -> None:
        self.row = 0
        self._file = file

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._file.readline(_MOST_ROW_CHARACTERS + 1)
        self.row += len(line)
        if self.row > _MOST_ROW_CHARACTERS:
            raise csv.Error(f"a row has {_MOST_ROW_CHARACTERS} characters at most")
        if not line:
            raise StopIteration
        return line


async def stored(
    call: Call, function: Callable[[Tx, Sequence[T], datetime], None], rows: Sequence[T]
) -> None:
    """Store what was imported, in portions: so mail that comes meanwhile need not wait for all."""
    for at in range(0, len(rows), _PORTION):
        await call.store.write(function, rows[at : at + _PORTION], call.now)


def _rows(file: io.TextIOWrapper) -> Iterator[dict[str, str]]:
    lines = _Lines(file)
    reader = csv.reader(lines)
    number = blank = 0
    try:
        names = [name.strip().lower() for name in next(reader, list[str]())]
        lines.row = 0
        for values in reader:
            lines.row = 0
            if any(value.strip() for value in values):
                number += 1
                yield dict(zip(names, (v.strip() for v in values), strict=False))
            else:
                blank += 1
            if max(number, blank) > _MOST_ROWS:
                raise Refusal(400, f"a file has {_MOST_ROWS} rows at most")
    except csv.Error as error:
        raise Refusal(400, f"the file is no CSV table: line {reader.line_num}: {error}") from None
    if not number:
        raise Refusal(400, "the file has no rows; its first line names the columns")
