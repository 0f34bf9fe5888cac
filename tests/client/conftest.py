"""A server with a key, and a blocking client of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inboxkit.client import Client
from tests.http.api import Api, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "k" * 20


@pytest.fixture(scope="package")
def api() -> Iterator[Api]:
    with serving(api_key=KEY, any_recipient=True) as api:
        yield api.of(KEY)


@pytest.fixture
def client(api: Api) -> Iterator[Client]:
    with Client(api.url, KEY) as client:
        yield client
