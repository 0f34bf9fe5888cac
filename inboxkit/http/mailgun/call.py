"""One request of the facade as a handler sees it, and the table of its routes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, cast
from urllib.parse import parse_qsl, unquote

from ...providers.forms import Field, Form, is_form
from ...providers.mailgun_requests import Refusal, read_form

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

    from aiohttp import web

    from ...store.reach import Reach
    from ...store.store import Store
    from ..api.access import Identity
    from ..parts import Parts

    Answer: TypeAlias = "Mapping[str, Any] | web.Response"
    Handler: TypeAlias = "Callable[[Call], Awaitable[Answer]]"

_MOST_FIELDS = 1_000
_SMALL_BYTES = 1024 * 1024
_MOST_LIMIT = 1_000


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request that was let in. ``ids`` are those of its path, decoded."""

    parts: Parts
    who: Identity
    ids: Mapping[str, str]
    headers: Mapping[str, str]
    query: str
    body: bytes = field(repr=False)
    base: str  # where this server was reached: http://127.0.0.1:8025

    @property
    def store(self) -> Store:
        """The database."""
        return self.parts.store

    @property
    def now(self) -> datetime:
        """The present moment."""
        return self.parts.store.clock.now()

    @property
    def reach(self) -> Reach:
        """What the key may see."""
        return self.who.reach()

    @property
    def domain(self) -> str:
        """The domain of the path, lower case."""
        return self.ids["domain"].lower()

    @property
    def content_type(self) -> str:
        """The Content-Type of the body."""
        return self.headers.get("Content-Type", "")

    @cached_property
    def form(self) -> Form:
        """The fields of the body and, behind them, those of the query; raise Refusal."""
        return Form((*self._of_body(), *self._of_query()))

    @cached_property
    def entries(self) -> list[dict[str, Any]]:
        """What a list takes: an object or a list of them in JSON, or the fields as one entry."""
        if is_form(self.content_type) or not self.body.strip():
            return [{f.name: f.text for f in self.form.fields if f.filename is None}]
        found = _json(self.body)
        items = cast("list[object]", found if isinstance(found, list) else [found])
        if not items or not all(isinstance(item, dict) for item in items):
            raise Refusal(400, "The body is neither a form nor a JSON object or list of them")
        return [
            {name: storable(value) for name, value in item.items()}
            for item in cast("list[dict[str, Any]]", items)
        ]

    @cached_property
    def object(self) -> dict[str, Any]:
        """The JSON object of the body, empty without a body; raise Refusal for anything else."""
        found: object = _json(self.body) if self.body.strip() else dict[str, Any]()
        if not isinstance(found, dict):
            raise Refusal(400, "The body is neither a form nor a JSON object")
        return cast("dict[str, Any]", found)

    def text(self, name: str, default: str = "") -> str:
        """Return the first value of a field."""
        return self.form.text(name, default)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return every value of a field."""
        return self.form.texts(name)

    def number(self, name: str, default: int, *, most: int = _MOST_LIMIT) -> int:
        """Return a count, at most ``most``; raise Refusal for what is none."""
        text = self.text(name)
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise Refusal(400, f"{name} parameter is not a number")
        return min(int(text), most)

    def _of_query(self) -> list[Field]:
        try:
            pairs = parse_qsl(self.query, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        except ValueError:
            raise Refusal(400, f"the query has more than {_MOST_FIELDS} fields") from None
        return [Field(name, value.encode("utf-8", "replace")) for name, value in pairs]

    def _of_body(self) -> Sequence[Field]:
        if is_form(self.content_type):
            return read_form(self.content_type, self.body).fields
        if not self.body.strip():
            return ()
        return list(_fields(self.object))


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal(400, "The body is neither a form nor JSON") from None


def storable(value: Any) -> Any:
    """Return a text without what no database takes: NUL and halves of surrogate pairs."""
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _fields(given: Mapping[str, Any]) -> list[Field]:
    fields: list[Field] = []
    for name, value in given.items():
        values = cast("list[object]", value) if isinstance(value, list) else [value]
        fields += [
            Field(name, (v if isinstance(v, str) else json.dumps(v)).encode("utf-8", "replace"))
            for v in values
        ]
    return fields


class WrongMethod(Refusal):
    """A path is there, but not for this method; ``allowed`` are those that it takes."""

    def __init__(self, allowed: str) -> None:
        super().__init__(405, "Method not allowed")
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. ``permission`` is that of an API key.

    ``account`` routes are for keys that are bound to no pod and no inbox: what they work on, such
    as the suppressions of a domain, belongs to all tenants. ``most_bytes`` is how much it takes: a
    form or JSON of any size would be read while others wait.
    """

    method: str
    path: str
    handler: Handler
    permission: str
    account: bool = False
    most_bytes: int = _SMALL_BYTES

    @property
    def template(self) -> tuple[str, ...]:
        """The path in pieces."""
        return tuple(self.path.strip("/").split("/"))


class Table:
    """All routes; of two that fit a path, the one with a word where the other has any."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = sorted(routes, key=lambda r: [p.startswith("{") for p in r.template])
        self._templates = [(route.template, route) for route in self.routes]

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """Return the route of a request and its ids; raise Refusal 404 or 405."""
        found = self._at(path)
        wanted = "GET" if method == "HEAD" else method
        for route, ids in found:
            if route.method == wanted:
                return route, ids
        if not found:
            raise Refusal(404, "Not found")
        also = {"HEAD", "OPTIONS"} if any(r.method == "GET" for r, _ in found) else {"OPTIONS"}
        raise WrongMethod(", ".join(sorted({route.method for route, _ in found} | also)))

    def _at(self, path: str) -> list[tuple[Route, dict[str, str]]]:
        """Return the routes of a path with its ids, those first that fit best."""
        pieces = [unquote(piece) for piece in path.strip("/").split("/")]
        if any("\0" in piece for piece in pieces):
            return []
        fits = ((route, _match(template, pieces)) for template, route in self._templates)
        return [(route, ids) for route, ids in fits if ids is not None]


def _match(template: Sequence[str], pieces: Sequence[str]) -> dict[str, str] | None:
    if len(template) != len(pieces):
        return None
    ids: dict[str, str] = {}
    for wanted, piece in zip(template, pieces, strict=True):
        if wanted.startswith("{") and piece:
            ids[wanted.strip("{}")] = piece
        elif wanted != piece:
            return None
    return ids
