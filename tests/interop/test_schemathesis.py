"""The API against its own description: https://schemathesis.readthedocs.io, all phases, bounded.

One check is left out, positive_data_acceptance: what a schema allows a server may still refuse.
Page tokens must be ours, addresses must be addresses, a change must change something.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.http.api import openapi
from inboxkit.http.api.resources import ROUTES
from inboxkit.http.api.routing import Table
from tests.http.api import Api, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

validator: Any = import_module("openapi_spec_validator")
KEY = "k" * 20
_SECONDS = 40  # for each of the two runs
# They answer when something happens, or after many seconds.
_WAITING = r"/(wait|events)$"
# What can be made and deleted at several places is followed at one: it is not seen there that it
# was deleted at another.
_ALIASES = r"^/v0/pods/\{pod_id\}/|^/v0/inboxes/\{inbox_id\}/(webhooks|api-keys|lists)"


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(api_key=KEY, any_recipient=True) as api:
        yield api.of(KEY)


def test_the_description_is_valid() -> None:
    described = openapi.document(Table(ROUTES))
    assert described["openapi"].startswith("3.1.")
    assert list(validator.OpenAPIV31SpecValidator(described).iter_errors()) == []


# A text that is longer than the description allows may be longer than a whole body may be.
_REFUSALS = """
[checks]
negative_data_rejection.expected-statuses = [
    "400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "428", "429", "5xx"
]
"""
# Ids that are there, so that more is tried than what becomes of unknown ones; what deletes is given
# others.
_KNOWN = """
[parameters]
"path.inbox_id" = "{inbox}"
"path.message_id" = "{message}"
"path.thread_id" = "{thread}"
"path.attachment_id" = "{attachment}"
"path.pod_id" = "pod_default"

[[operations]]
include-method = "DELETE"

[operations.parameters]
"path.inbox_id" = "nobody@inbox.example"
"path.thread_id" = "thd_0000000000001"
"path.pod_id" = "pod_0000000000001"
"""


def known(api: Api) -> str:
    """Return the settings that name what is there."""
    came = api.arrive("bot@inbox.example", files={"a.txt": b"a"})
    file = came.attachments[0].id
    return _KNOWN.format(inbox=came.inbox, message=came.id, thread=came.thread_id, attachment=file)


def contradictions(
    api: Api, folder: Path, *phases: str, ids: str = "", without: str = _WAITING
) -> str:
    """Return what schemathesis says when it has found something, "" otherwise.

    It takes another seed each time, and says which: ``--seed`` repeats a run.
    """
    (folder / "schemathesis.toml").write_text(ids + _REFUSALS, encoding="utf-8")
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{api.url}/openapi.json"),
        *("--header", f"Authorization: Bearer {KEY}"),
        *("--phases", ",".join(phases), "--max-time", str(_SECONDS)),
        *("--exclude-checks", "positive_data_acceptance", "--exclude-path-regex", without),
        *("--continue-on-failure", "--request-timeout", "30", "--no-color"),
    ]
    ran = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        timeout=_SECONDS + 60,
    )
    return "" if ran.returncode == 0 else ran.stdout[-20_000:] + ran.stderr


def test_no_request_contradicts_the_description(api: Api, tmp_path: Path) -> None:
    found = contradictions(api, tmp_path, "coverage", "fuzzing", ids=known(api))
    assert not found, found


def test_no_sequence_of_requests_contradicts_the_description(api: Api, tmp_path: Path) -> None:
    found = contradictions(api, tmp_path, "stateful", without=f"{_WAITING}|{_ALIASES}")
    assert not found, found
