"""Reads the JSON that strangers post: nothing in it is trusted to have a type, a size or an end."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any, NoReturn, cast

from .base import ParseError

_MOST_UNSIGNED_BYTES = 2 * 1024 * 1024  # SNS takes 256 KiB, before JSON spells it
_LATEST = 253_402_300_800  # the year 10000, where datetime ends


def read(body: bytes | str) -> Any:
    """Return a JSON value whose strings any database can store; raise ParseError."""
    try:
        return _storable(json.loads(body, parse_constant=_refuse))
    except (ValueError, RecursionError):
        raise ParseError("not JSON, or nested too deep") from None


def read_object(body: bytes | str) -> dict[str, Any]:
    """Return a JSON object; raise ParseError for any other value."""
    value = read(body)
    if not isinstance(value, dict):
        raise ParseError("not a JSON object")
    return cast("dict[str, Any]", value)


def read_unsigned(body: bytes) -> dict[str, Any]:
    """Return a JSON object that holds its own signature, so that anybody may have sent it.

    Raise ParseError also for a long one: nothing else is done while it is read.
    """
    if len(body) > _MOST_UNSIGNED_BYTES:
        raise ParseError(f"JSON of over {_MOST_UNSIGNED_BYTES} bytes")
    return read_object(body)


def listed(body: bytes) -> list[object]:
    """Return the values of a JSON list, or [] for anything else; never raises."""
    try:
        value = read(body)
    except ParseError:
        return []
    return cast("list[object]", value) if isinstance(value, list) else []


def text(value: object, limit: int = 500) -> str:
    """Return a foreign value as one line of text of at most ``limit`` characters, else ""."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < 10**18 else ""
    return " ".join(value[: 4 * limit].split())[:limit] if isinstance(value, str) else ""


def mapping(value: object) -> dict[str, Any]:
    """Return a foreign value if it is an object, else {}."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def objects(value: object) -> tuple[dict[str, Any], ...]:
    """Return the objects of a list, and nothing for anything else."""
    values = cast("list[object]", value) if isinstance(value, list) else []
    return tuple(cast("dict[str, Any]", item) for item in values if isinstance(item, dict))


def texts(value: object) -> tuple[str, ...]:
    """Return the texts of a list, or the one text that stands in place of a list."""
    values = cast("list[object]", value) if isinstance(value, list) else [value]
    return tuple(filter(None, (text(v) for v in values)))


def moment(value: object) -> datetime | None:
    """Return Unix seconds, a number or its text, as a moment; None for anything else."""
    try:
        seconds = float(value) if isinstance(value, (int, float, str)) else math.nan
    except (ValueError, OverflowError):
        return None
    return datetime.fromtimestamp(seconds, UTC) if 0 <= seconds < _LATEST else None


def instant(value: object) -> datetime | None:
    """Return an ISO 8601 text as a moment (UTC if it names no zone); None for anything else."""
    try:
        at = datetime.fromisoformat(text(value, 40))
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def message_id(value: object) -> str:
    """Return a Message-ID with angle brackets, or "" when there is none."""
    inner = text(value, 998).strip("<> ")
    return f"<{inner}>" if inner and " " not in inner else ""


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are no JSON (RFC 8259 section 6)


def _storable(value: Any) -> Any:
    """Replace what UTF-8 and PostgreSQL cannot hold: lone surrogates and NUL."""
    if isinstance(value, str):
        clean = value if value.isascii() else value.encode("utf-8", "replace").decode()
        return clean.replace("\0", "�")
    if isinstance(value, list):
        return [_storable(item) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        return {_storable(k): _storable(v) for k, v in cast("dict[str, Any]", value).items()}
    return value
