"""Lists of addresses to validate: uploaded as a file, worked on by and by, downloaded."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from aiohttp import web

from ...providers.mailgun_requests import Refusal, is_on
from ...store import mailgun_validations as lists
from ...validation.mailgun import RESULTS, RISKS
from .call import Call, Route
from .imports import MOST_FILE_BYTES, in_turn, rows_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    from ...store.mailgun_validations import ListRecord

_MOST_AT_ONCE = 10
_DEFAULT = 500
_MOST_CHARACTERS = 255
_COLUMNS = ("email", "email_address", "address")
_SHOWN = (
    *("address", "is_role_address", "is_disposable_address", "did_you_mean"),
    *("result", "reason", "risk", "root_address"),
)


async def create(call: Call) -> web.Response:
    """Take a CSV file (gzip or not) with a column ``email``; each address is looked at once.

    DNS is asked with ``provider_lookup=true``.
    """
    name = _named(call)
    quantity, parts = await in_turn(lambda: _parts(rows_of(call)))
    if await call.store.read(lists.unfinished, _scope(call)) >= _MOST_AT_ONCE:
        raise Refusal(400, f"At most {_MOST_AT_ONCE} lists are worked on at a time")
    lookup = is_on(call.text("provider_lookup"))
    new = lists.NewList(_scope(call), name, quantity, lookup, call.now)
    if not await call.store.write(lists.create, new, parts):
        raise Refusal(400, f"There is a list {name} already; delete it first")
    said = {"id": name, "message": "The validation job was submitted."}
    return web.json_response(said, status=202)


def _parts(rows: Iterable[Mapping[str, str]]) -> tuple[int, list[bytes]]:
    """Return how many rows there are, and the different addresses of them, packed."""
    number, different = 0, dict[str, str]()
    for row in rows:
        number += 1
        address = next((row[c] for c in _COLUMNS if c in row), None)
        if address is None:
            raise Refusal(400, "the file has no column email, or a row without one")
        if address:
            different[address.casefold()] = address
    return number, lists.packed(list(different.values()))


async def listed(call: Call) -> Mapping[str, Any]:
    """Return the lists, newest first."""
    limit = max(1, call.number("limit", _DEFAULT))
    total, found = await call.store.read(lists.listed, _scope(call), limit)
    return {"jobs": [_shown(call, one) for one in found], "total": total}


async def get(call: Call) -> Mapping[str, Any]:
    """Return how far a list has come, and where its verdicts are once it is done."""
    return _shown(call, await _wanted(call))


async def delete(call: Call) -> Mapping[str, Any]:
    """Delete a list; one that is worked on is looked at no further."""
    known = await _wanted(call)
    await call.store.write(lists.remove, known.id)
    words = "Validation job deleted." if known.is_done else "Validation job canceled."
    return {"message": words}


async def results_json(call: Call) -> web.Response:
    """Return the verdicts of a list that is done, as a JSON list."""
    return await _served(call, "json", "application/json", _as_json)


async def results_csv(call: Call) -> web.Response:
    """Return the verdicts of a list that is done, as a CSV table."""
    return await _served(call, "csv", "text/csv", _as_csv)


async def _served(call: Call, end: str, content_type: str, written: Any) -> web.Response:
    known = await _wanted(call)
    if not known.is_done:
        raise Refusal(404, f"The list is {known.status}: its verdicts are not there yet")
    name = f"attachment; filename*=UTF-8''{quote(f'{known.name}.{end}', safe='')}"
    headers = {"Content-Disposition": name, "X-Content-Type-Options": "nosniff"}
    body = written(_verdicts(call, known.id))
    return web.Response(body=body, headers=headers, content_type=content_type)


async def _verdicts(call: Call, list_id: int) -> AsyncIterator[list[dict[str, Any]]]:
    """Return the verdicts part by part, so that a long list is never in memory as a whole."""
    number = 0
    while (part := await call.store.read(lists.verdicts, list_id, number)) is not None:
        yield part
        number += 1


async def _as_json(parts: AsyncIterator[list[dict[str, Any]]]) -> AsyncIterator[bytes]:
    before = b"["
    async for part in parts:
        yield before + ",\n".join(map(json.dumps, part)).encode()
        before = b",\n"
    yield b"]\n" if before != b"[" else b"[]\n"


async def _as_csv(parts: AsyncIterator[list[dict[str, Any]]]) -> AsyncIterator[bytes]:
    yield _lines([_SHOWN])
    async for part in parts:
        yield _lines([[_cell(one, name) for name in _SHOWN] for one in part])


def _cell(one: Mapping[str, Any], name: str) -> str:
    reasons: list[str] = one["reason"]
    if name == "reason":
        return "; ".join(reasons)
    text = "" if one[name] is None else str(one[name])
    # what begins so is a formula to a spreadsheet; what is no address need not come out as it was
    is_formula = text[:1] in ("=", "+", "-", "@", "\t", "\r") and "malformed address" in reasons
    return f"'{text}" if is_formula else text


def _lines(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _named(call: Call) -> str:
    """Return the name of a new list: of the path, of ``list_id``, or that of its file.

    Mailgun's Python client 1.10 has no way to put it into the path.
    """
    filename = next((f.filename for f in call.form.fields if f.filename), "")
    name = call.ids.get("name") or call.text("list_id") or filename.rpartition(".")[0] or filename
    if not name:
        raise Refusal(400, "list_id parameter is missing")
    if "@" in name or len(name) > _MOST_CHARACTERS or not name.isprintable():
        raise Refusal(400, f"a list's name has no @ and at most {_MOST_CHARACTERS} characters")
    return name


async def _wanted(call: Call) -> ListRecord:
    found = await call.store.read(lists.find, _scope(call), call.ids["name"])
    if found is None:
        raise Refusal(404, "Validation job not found")
    return found


def _scope(call: Call) -> str:
    """Return whose lists these are: those of the account, of a pod, or of an inbox."""
    who = call.who
    return who.pod_id or "" if who.inbox_id is None else lists.inbox_scope(who.inbox_id)


def _shown(call: Call, one: ListRecord) -> dict[str, Any]:
    where = f"{call.base}{_MANY}/{quote(one.name, safe='')}/results"
    summary = {
        "result": {name: one.counts.get(f"result:{name}", 0) for name in RESULTS},
        "risk": {name: one.counts.get(f"risk:{name}", 0) for name in RISKS},
    }
    done = {"download_url": {end: f"{where}.{end}" for end in ("csv", "json")}, "summary": summary}
    return {
        "id": one.name,
        "status": one.status,
        "quantity": one.quantity,
        "records_processed": one.processed,
        "created_at": int(one.created_at.timestamp()),
        **(done if one.is_done else {}),
    }


_MANY = "/v4/address/validate/bulk"
_ONE = f"{_MANY}/{{name}}"
_READ, _WRITE = "suppression_read", "suppression_update"
ROUTES = (
    Route("GET", _MANY, listed, _READ),
    Route("POST", _MANY, create, _WRITE, most_bytes=MOST_FILE_BYTES),
    Route("POST", _ONE, create, _WRITE, most_bytes=MOST_FILE_BYTES),
    Route("GET", _ONE, get, _READ),
    Route("DELETE", _ONE, delete, _WRITE),
    Route("GET", f"{_ONE}/results.json", results_json, _READ),
    Route("GET", f"{_ONE}/results.csv", results_csv, _READ),
)
