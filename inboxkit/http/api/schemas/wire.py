"""What all models of the wire share: no None, moments with milliseconds and Z, one or many."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)


class Wire(BaseModel):
    """A JSON object that we answer with; what is None is left out."""

    # Built when first used: a process starts sooner, and many serve no request.
    model_config = ConfigDict(frozen=True, populate_by_name=True, defer_build=True)
    media_type: ClassVar[str] = "application/json"

    def dumped(self) -> bytes:
        """Return the JSON."""
        return self._json()

    def _json(self, *left_out: str) -> bytes:
        # What model_dump_json returns, before it is decoded there.
        serializer = self.__pydantic_serializer__
        return serializer.to_json(self, by_alias=True, exclude_none=True, exclude=set(left_out))

    def characters(self) -> int:
        """Return how long its words are together; 0 when it has none that may be long."""
        return 0

    def pieces(self) -> Iterator[bytes]:
        """Iterate over the JSON in pieces; for what has long words."""
        yield self.dumped()

    def _with_items(self, name: str, items: Sequence[Wire]) -> Iterator[bytes]:
        """Iterate over the JSON whose field ``name`` lists items, one item at a time."""
        yield self._json(name)[:-1] + f',"{name}":['.encode()
        for number, item in enumerate(items):
            yield b"," if number else b""
            yield item.dumped()
        yield b"]}"

    def http_headers(self) -> Mapping[str, str]:
        """Return what the answer says beside its body."""
        return {}


class Plain(Wire):
    """An answer that is text and no JSON."""

    media_type: ClassVar[str] = "text/plain"
    text: str

    def dumped(self) -> bytes:
        """Return the text."""
        return self.text.encode("utf-8", "replace")


class Request(BaseModel):
    """What a request brings. Fields that are not known are passed over, as newer SDKs have some."""

    model_config = ConfigDict(
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,
        defer_build=True,
    )


class Nothing(Request):
    """A request without any input."""


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# JavaScript reads a moment without a zone as local time, and keeps no more than milliseconds.
Stamp = Annotated[
    datetime,
    PlainSerializer(_stamp, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


def _moment(value: Any) -> Any:
    """Read ISO 8601; numbers and what merely looks like one are no moments.

    A plus sign that was sent raw in a query, where it means a space, is taken as what it was.
    """
    if not isinstance(value, str):
        return value
    try:
        return datetime.fromisoformat(value.replace(" ", "+") if "T" in value else value)
    except ValueError:
        raise ValueError("is no moment in ISO 8601, such as 2026-01-31T12:00:00Z") from None


def _aware(moment: datetime) -> datetime:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        return aware.astimezone(UTC)
    except OverflowError:
        raise ValueError("is outside the calendar") from None


Moment = Annotated[datetime, Field(strict=True), BeforeValidator(_moment), AfterValidator(_aware)]


def _clean(text: str) -> str:
    """Refuse what no database takes."""
    if "\0" in text:
        raise ValueError("holds a NUL character")
    return text


def _on_one_line(text: str) -> str:
    if any(ord(c) < 32 or ord(c) == 127 for c in text):
        raise ValueError("holds a line break or a control character")
    return text


Text = Annotated[str, AfterValidator(_clean)]
Line = Annotated[str, AfterValidator(_clean), AfterValidator(_on_one_line)]
Name = Annotated[Line, Field(max_length=256)]
Label = Annotated[Line, Field(min_length=1, max_length=256)]
ClientId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._~-]{1,256}$")]


def _many(value: Any) -> Any:
    """Turn one value into a list, and a list that was sent as JSON in one value (the SDKs do)."""
    if isinstance(value, str):
        return _opened(value) if value.startswith("[") else [value]
    if isinstance(value, list) and len(value) == 1:  # pyright: ignore[reportUnknownArgumentType] - JSON
        return _many(value[0]) if isinstance(value[0], str) else value  # pyright: ignore[reportUnknownVariableType] - JSON
    return value  # pyright: ignore[reportUnknownVariableType] - JSON


def _opened(value: str) -> Any:
    try:
        found: Any = json.loads(value)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, list) else [value]  # pyright: ignore[reportUnknownVariableType] - JSON


Words = Annotated[
    Sequence[Text], BeforeValidator(_many, json_schema_input_type=Text | Sequence[Text])
]
Labels = Annotated[
    Sequence[Label],
    Field(max_length=100),
    BeforeValidator(_many, json_schema_input_type=Label | Sequence[Label]),
]
Addresses = Words


class PageQuery(Request):
    """Which page of a list."""

    limit: int = Field(default=20, ge=1, le=500)
    page_token: Text | None = None
    ascending: bool = False


class SearchQuery(Request):
    """What to search for, and which page of it."""

    q: Text = Field(min_length=1, max_length=1_000)
    limit: int = Field(default=20, ge=1, le=100)
    page_token: Text | None = None
    before: Moment | None = None
    after: Moment | None = None


class Listed(Wire):
    """A page: ``count`` is how many are on it; the token is there when more follow."""

    count: int
    limit: int | None = None
    next_page_token: str | None = None
