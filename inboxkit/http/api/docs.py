"""``/docs``: the routes and the errors as one page, without a script or anything from elsewhere."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from aiohttp import web

from ...blocking import in_thread
from . import openapi
from .envelope import CODES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .routing import Table

_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "code{font-size:.9em}summary{cursor:pointer;padding:.2rem 0}b{display:inline-block;width:4.5em}"
    "code,p{overflow-wrap:anywhere}td{padding:.2rem 1rem .2rem 0;vertical-align:top}"
    "summary span{font-size:.9em;opacity:.75}"
)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def route(table: Table) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return the handler of ``/docs``."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(
            text=await in_thread(_whole, table),
            content_type="text/html",
            headers={"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"},
        )

    return answer


def _whole(table: Table) -> str:
    return page(openapi.document(table))


def page(document: dict[str, Any]) -> str:
    """Return the page of an OpenAPI document."""
    operations = "".join(
        _operation(path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    codes = "".join(
        f'<tr id="{code}"><td>{status}<td><code>{code}</code><td>{escape(meaning)}'
        for code, (status, _, meaning) in CODES.items()
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>inboxkit API</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style><h1>inboxkit API {escape(document['info']['version'])}</h1>"
        f'<p>Machine-readable: <a href="/openapi.json">/openapi.json</a></p>'
        f"{operations}<h2>Errors</h2><table>{codes}</table></html>"
    )


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    rows = "".join(_parameter(item) for item in operation["parameters"])
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    answer = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
    models = "".join(
        f"<p>{title}: <code>{escape(_model(part))}</code></p>"
        for title, part in (("Body", body), ("Answer", answer))
        if part
    )
    return (
        f'<details id="{escape(operation["operationId"])}"><summary><b>{method.upper()}</b> '
        f"<code>{escape(path)}</code> <span>{escape(operation['summary'])}</span></summary>"
        f"<table>{rows}</table>{models}</details>"
    )


def _parameter(item: dict[str, Any]) -> str:
    needed = "required" if item["required"] else ""
    return f"<tr><td><code>{escape(item['name'])}</code><td>{item['in']}<td>{needed}"


def _model(content: dict[str, Any]) -> str:
    schema = content["schema"]
    return str(schema.get("anyOf", [schema])[0].get("$ref", "")).rpartition("/")[2]
