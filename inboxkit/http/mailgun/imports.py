"""The CSV files that lists are imported from."""

from __future__ import annotations

import csv
import io
import zlib
from typing import TYPE_CHECKING, TypeVar

from ...providers.mailgun_requests import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from ...store.writer import Tx
    from .call import Call

T = TypeVar("T")
MOST_ENTRIES = 1_000  # of a request that brings no file
_MOST_BYTES = 25 * 1024 * 1024
_MOST_UNPACKED = 100 * 1024 * 1024
_MOST_ROWS = 500_000
_PORTION = 20_000
_GZIP = b"\x1f\x8b"


def rows_of(call: Call) -> list[dict[str, str]]:
    """Return the rows of the file of a request by column; raise Refusal that names the line."""
    return list(read(table_of(call)))


def table_of(call: Call) -> str:
    """Return the text of the file of a request, unpacked when it is gzip; raise Refusal."""
    files = [f for f in call.form.fields if f.filename is not None]
    if not files:
        raise Refusal(400, "a file with a CSV table is missing")
    if len(files[0].data) > _MOST_BYTES:
        raise Refusal(413, f"a file has {_MOST_BYTES // 1024 // 1024} MiB at most")
    return _unpacked(files[0].data).decode("utf-8", "replace").removeprefix("\ufeff")


def _unpacked(data: bytes) -> bytes:
    if not data.startswith(_GZIP):
        return data
    unzip = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        found = unzip.decompress(data, _MOST_UNPACKED + 1)
    except zlib.error:
        raise Refusal(400, "the file is no gzip, as its first bytes say it is") from None
    if len(found) > _MOST_UNPACKED or not unzip.eof:
        raise Refusal(413, f"a file has {_MOST_UNPACKED // 1024 // 1024} MiB unpacked at most")
    return found


async def stored(
    call: Call, function: Callable[[Tx, Sequence[T], datetime], None], rows: Sequence[T]
) -> None:
    """Store what was imported, in portions: so mail that comes meanwhile need not wait for all."""
    for at in range(0, len(rows), _PORTION):
        await call.store.write(function, rows[at : at + _PORTION], call.now)


def read(text: str) -> Iterator[dict[str, str]]:
    """Read a table row by row, each by column; raise Refusal that names the line."""
    reader = csv.reader(io.StringIO(text, newline=""))
    number = 0
    try:
        names = [name.strip().lower() for name in next(reader, list[str]())]
        for values in reader:
            if any(value.strip() for value in values):
                number += 1
                yield dict(zip(names, (v.strip() for v in values), strict=False))
            if number > _MOST_ROWS:
                raise Refusal(400, f"a file has {_MOST_ROWS} rows at most")
    except csv.Error as error:
        raise Refusal(400, f"the file is no CSV table: line {reader.line_num}: {error}") from None
    if not number:
        raise Refusal(400, "the file has no rows; its first line names the columns")
