"""The CSV files that lists are imported from."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from ...providers.mailgun_requests import Refusal

if TYPE_CHECKING:
    from .call import Call

_MOST_BYTES = 25 * 1024 * 1024
_MOST_ROWS = 500_000


def rows_of(call: Call) -> list[dict[str, str]]:
    """Return the rows of the file of a request by column; raise Refusal that names the line."""
    files = [f for f in call.form.fields if f.filename is not None]
    if not files:
        raise Refusal(400, "a file with a CSV table is missing")
    if len(files[0].data) > _MOST_BYTES:
        raise Refusal(413, f"a file has {_MOST_BYTES // 1024 // 1024} MiB at most")
    return _read(files[0].text.removeprefix("\ufeff"))


def _read(text: str) -> list[dict[str, str]]:
    reader = csv.reader(io.StringIO(text, newline=""))
    rows: list[dict[str, str]] = []
    try:
        names = [name.strip().lower() for name in next(reader, list[str]())]
        for values in reader:
            if any(value.strip() for value in values):
                rows.append(dict(zip(names, (v.strip() for v in values), strict=False)))
            if len(rows) > _MOST_ROWS:
                raise Refusal(400, f"a file has {_MOST_ROWS} rows at most")
    except csv.Error as error:
        raise Refusal(400, f"the file is no CSV table: line {reader.line_num}: {error}") from None
    if not rows:
        raise Refusal(400, "the file has no rows; its first line names the columns")
    return rows
