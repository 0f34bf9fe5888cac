"""Compressed bodies: nobody unpacks them, as a small one would keep the server busy for seconds."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from .api import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .api import Api

GZIP = {"Content-Encoding": "gzip"}


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    options = {"mailgun": {"api_key": "k", "signing_key": "s", "domain": "shop.example"}}
    with serving(provider=("mailgun",), domain="shop.example", options=options) as api:
        yield api


@pytest.mark.parametrize("path", ["/v0/inboxes", "/v3/shop.example/messages", "/webhooks/mailgun"])
def test_a_compressed_body_is_refused(api: Api, path: str) -> None:
    answer = api.ask("POST", path, gzip.compress(b"{}"), GZIP)
    assert answer.status == 415
    assert b"send it without Content-Encoding" in answer.body


def test_a_body_that_says_that_it_is_not_compressed_is_taken(api: Api) -> None:
    assert api.ask("POST", "/v0/inboxes", {}, {"Content-Encoding": "Identity"}).status == 200


@pytest.mark.parametrize(
    ("path", "status"), [("/nowhere", 404), ("/v0/inboxes", 415), ("/webhooks/mailgun", 415)]
)
def test_nobody_looks_into_a_compressed_body(api: Api, path: str, status: int) -> None:
    assert api.ask("POST", path, b"This is no gzip.", GZIP).status == status  # unpacked, it is 400
