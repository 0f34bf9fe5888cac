"""``inboxkit openapi``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.http.api import serving

if TYPE_CHECKING:
    from .conftest import Command


def test_the_document_is_the_servers_and_needs_neither_server_nor_database(bare: Command) -> None:
    done = bare("openapi")
    assert (done.code, done.err) == (0, "")
    assert list(bare.folder.iterdir()) == []
    with serving(api_key="k" * 20) as api:
        assert api.ask("GET", "/openapi.json").json == json.loads(done.out)
