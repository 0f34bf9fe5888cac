"""OpenAPI 3.1 out of the route table: the models that validate are the ones described."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any, cast

from aiohttp import web
from pydantic.json_schema import models_json_schema

from ... import __version__
from ...blocking import in_thread
from .routing import PREFIXES, At, Mounted, Table
from .schemas.errors import ErrorResponse
from .schemas.wire import Nothing, Plain

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pydantic import BaseModel

_REFERENCE = "#/components/schemas/{model}"
_ERRORS = {400: "invalid", 401: "no good key", 403: "not allowed", 404: "no such resource"}
_OF_BODIES = {409: "in conflict", 413: "too large", 415: "not JSON", 422: "cannot be done"}


def route(table: Table) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return the handler of ``/openapi.json``; the document is made when it is first asked for."""
    made: list[bytes] = []

    async def answer(_request: web.Request) -> web.Response:
        if not made:
            made.append(json.dumps(await in_thread(document, table)).encode())
        return web.Response(body=made[0], content_type="application/json")

    return answer


def document(table: Table) -> dict[str, Any]:
    """Return the whole description."""
    paths: dict[str, dict[str, Any]] = {}
    schemas, references = _schemas(table)
    for mounted in sorted(table.mounted, key=lambda m: m.path):
        operations = paths.setdefault(mounted.path, {})
        operations[mounted.route.method.lower()] = _operation(mounted, references)
    return {
        "openapi": "3.1.0",
        "info": {"title": "inboxkit", "version": __version__},
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _schemas(table: Table) -> tuple[dict[str, Any], dict[Any, dict[str, Any]]]:
    wanted: dict[tuple[type[BaseModel], str], None] = {(ErrorResponse, "serialization"): None}
    for mounted in table.mounted:
        wanted[(mounted.route.takes, "validation")] = None
        if mounted.route.gives is not None:
            wanted[(mounted.route.gives, "serialization")] = None
    references, found = models_json_schema(cast("Any", list(wanted)), ref_template=_REFERENCE)
    return found.get("$defs", {}), dict(references)


def _operation(mounted: Mounted, references: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    described = mounted.route
    summary, _, more = (inspect.getdoc(described.handler) or "").partition("\n\n")
    operation: dict[str, Any] = {
        "operationId": operation_id(mounted),
        "summary": " ".join(summary.split()),
        "tags": [next(p for p in reversed(mounted.template[1:]) if not p.startswith("{"))],
        "parameters": _parameters(mounted),
        "responses": _responses(mounted, references),
    }
    if more:
        operation["description"] = more
    if described.method in ("POST", "PATCH", "PUT") and described.takes is not Nothing:
        schema = _body(described.takes, references)
        operation["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return operation


def _body(takes: type[BaseModel], references: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    """Return the schema of a body; null is one where nothing must be said, as clients send it."""
    schema = references[(takes, "validation")]
    if any(field.is_required() for field in takes.model_fields.values()):
        return schema
    return {"anyOf": [schema, {"type": "null"}]}


def operation_id(mounted: Mounted) -> str:
    """Return a name that no other operation has, such as ``pods_inboxes_list``."""
    prefix = PREFIXES[mounted.at] if mounted.at != At.ORG else ""
    of = [piece for piece in prefix.split("/") if piece and not piece.startswith("{")]
    words = [p for p in mounted.route.path.split("/") if p and not p.startswith("{")]
    return "_".join([*of, *words, mounted.route.handler.__name__.strip("_")]).replace("-", "_")


def _parameters(mounted: Mounted) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": p.strip("{}"), "in": "path", "required": True, "schema": {"type": "string"}}
        for p in mounted.template
        if p.startswith("{")
    ]
    if mounted.route.is_conditional:
        text = {"type": "string"}
        found.append({"name": "If-Match", "in": "header", "required": False, "schema": text})
    if mounted.route.method != "GET":
        return found
    schema = mounted.route.takes.model_json_schema()
    for name, field in schema.get("properties", {}).items():
        required = name in schema.get("required", ())
        found.append({"name": name, "in": "query", "required": required, "schema": field})
    return found


def _responses(mounted: Mounted, references: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    gives = mounted.route.gives
    error = references[(ErrorResponse, "serialization")]
    answers = dict(_ERRORS) | ({} if mounted.route.method == "GET" else _OF_BODIES)
    answers |= {412: "not the version of If-Match"} if mounted.route.is_conditional else {}
    found: dict[str, Any] = {
        str(status): {
            "description": text,
            "content": {"application/json": {"schema": error}},
        }
        for status, text in answers.items()
    }
    if gives is None:
        return {"204": {"description": "done"}} | found
    schema = references[(gives, "serialization")]
    text = {"type": "string"}
    content = {gives.media_type: {"schema": text if issubclass(gives, Plain) else schema}}
    return {"200": {"description": "done", "content": content}} | found
