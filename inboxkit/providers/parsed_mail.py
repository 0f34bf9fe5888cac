"""A mail in the pieces that some vendors post: headers as a map, each with one value or more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from . import payloads

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LONGEST = 100_000  # characters of one field


def header_pairs(value: object) -> Iterator[tuple[str, str]]:
    """Yield the fields of a header map whose values are texts or lists of texts."""
    for name, values in payloads.mapping(value).items():
        several = cast("list[object]", values) if isinstance(values, list) else [values]
        for one in several:
            if isinstance(one, str):
                yield name, one[:_LONGEST]


def header(pairs: Iterable[tuple[str, str]], name: str) -> str | None:
    """Return the first field of that name, whatever its case, or None."""
    return next((value for key, value in pairs if key.lower() == name.lower()), None)


def header_map(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return fields as a map: a text for what is there once, else a list."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def body(value: object) -> bytes:
    """Return the text of a mail as UTF-8; b"" for what is no text."""
    return value.encode("utf-8", "replace") if isinstance(value, str) else b""
