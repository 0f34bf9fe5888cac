"""The description of the API is made of the routes themselves."""

from __future__ import annotations

import json
import re
from typing import Any

from inboxkit.http.api import docs, openapi
from inboxkit.http.api.resources import ROUTES
from inboxkit.http.api.routing import Table

from .api import serving

TABLE = Table(ROUTES)
DOCUMENT = openapi.document(TABLE)


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_route_is_described_once() -> None:
    described = sorted((method.upper(), path) for method, path, _ in operations())
    assert described == sorted((m.route.method, m.path) for m in TABLE.mounted)
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(ids) == len(set(ids))


def test_every_reference_leads_somewhere() -> None:
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(DOCUMENT)))
    assert names and names <= set(DOCUMENT["components"]["schemas"])


def test_every_operation_is_complete() -> None:
    for method, path, operation in operations():
        placed = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
        assert placed == set(re.findall(r"{(\w+)}", path)), path
        assert operation["summary"].endswith("."), path
        assert {"401", "403", "404"} <= set(operation["responses"]), path
        takes = method in ("post", "patch") and not path.endswith(("/verify", "/cancel"))
        assert ("requestBody" in operation) is takes, path


def test_what_heeds_if_match_says_so() -> None:
    told = {
        (method, path.rpartition("/")[2])
        for method, path, operation in operations()
        if "412" in operation["responses"]
        and "If-Match" in {p["name"] for p in operation["parameters"] if p["in"] == "header"}
    }
    assert told == {("patch", "{draft_id}"), ("delete", "{draft_id}"), ("post", "send")}


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = docs.page(DOCUMENT)
    assert "<script" not in page and "http://" not in page and "https://" not in page
    assert page.count("<details") == len(operations())
    assert 'id="not_found"' in page
    assert "color-scheme:light dark" in page and 'name="viewport"' in page
    said = "<code>/v0/auth/me</code> <span>"  # what a route is for is seen without opening it
    assert page.partition(said)[2].startswith(DOCUMENT["paths"]["/v0/auth/me"]["get"]["summary"])


def test_both_are_served() -> None:
    with serving(api_key="k" * 20) as api:
        assert api.ask("GET", "/openapi.json").json == json.loads(json.dumps(DOCUMENT))
        assert "default-src 'none'" in api.ask("GET", "/docs").headers["content-security-policy"]
