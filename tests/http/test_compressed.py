"""Compressed bodies: nobody unpacks them, as a small one would keep the server busy for seconds."""

from __future__ import annotations

import gzip
import time
import zlib
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


def bomb(size: int) -> bytes:
    """Return gzip that unpacks to this many MiB, quickly made: each block is the same."""
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    first, *blocks = (
        packer.compress(bytes(1024 * 1024)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2)
    )
    return first + blocks[0] * (size - 1)


@pytest.mark.parametrize("path", ["/nowhere", "/v0/inboxes", "/webhooks/mailgun"])
def test_a_bomb_costs_nothing(api: Api, path: str) -> None:
    body = bomb(1024)
    api.ask("GET", "/livez")
    begun = time.process_time()  # the server is in this process
    assert api.ask("POST", path, body, GZIP).status in (404, 413, 415)
    assert api.ask("GET", "/livez").status == 200  # and so it has done with the body
    assert time.process_time() - begun < 0.5
