"""``/readyz``: what is wrong, in our words to all, in a database's own to who runs the server."""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from inboxkit import StoreError
from tests.faults.test_disk import allow_pages

from .api import Api, serving

if TYPE_CHECKING:
    import pytest

ADMIN = "k" * 20


def fill(admin: Api) -> None:
    """Leave no room in the database for one more mail."""
    inbox, store = admin.inbox(), admin.runner.kit.runtime.store
    admin.runner.call(allow_pages, store, 0)
    for _ in range(5):
        with suppress(StoreError):
            admin.arrive(inbox, files={"a.bin": secrets.token_bytes(30_000)})


def test_only_who_runs_the_server_is_told_the_words_of_a_database(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with serving(api_key=ADMIN) as api:
        admin = api.of(ADMIN)
        pod = admin.good("POST", "/v0/pods", {})["pod_id"]
        tenant = api.of(admin.good("POST", f"/v0/pods/{pod}/api-keys", {})["api_key"])
        assert api.ask("GET", "/readyz").body == b"ok"
        fill(admin)

        answers = [one.ask("GET", "/readyz") for one in (api, api.of("wrong"), tenant, admin)]
        assert {answer.status for answer in answers} == {503}
        *others, whole = [answer.body.decode() for answer in answers]
        assert others == ["the database refused"] * 3
        assert "disk is full" in whole
        lines = [r.getMessage() for r in caplog.records]
        assert [line for line in lines if line.startswith("not ready")] == [f"not ready: {whole}"]
