"""The API against its own description: https://schemathesis.readthedocs.io, all phases, bounded.

One check is left out, positive_data_acceptance: what a schema allows a server may still refuse.
Page tokens must be ours, addresses must be addresses, a change must change something.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.http.api import openapi
from inboxkit.http.api.resources import ROUTES
from inboxkit.http.api.routing import Table
from tests.http.api import Api, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("schemathesis")
validator: Any = pytest.importorskip("openapi_spec_validator")
KEY = "k" * 20
_SECONDS = 75
# They answer when something happens, or after many seconds.
_WAITING = r"/(wait|events)$"


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(api_key=KEY, any_recipient=True) as api:
        yield api.of(KEY)


def test_the_description_is_valid() -> None:
    validator.validate(openapi.document(Table(ROUTES)))


@pytest.mark.timeout(_SECONDS + 120)
def test_nothing_contradicts_the_description(api: Api, tmp_path: Path) -> None:
    api.arrive("bot@inbox.example", files={"a.txt": b"a"})
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{api.url}/openapi.json"),
        *("--header", f"Authorization: Bearer {KEY}"),
        *("--phases", "coverage,fuzzing,stateful", "--max-time", str(_SECONDS)),
        *("--exclude-checks", "positive_data_acceptance", "--exclude-path-regex", _WAITING),
        *("--continue-on-failure", "--request-timeout", "30", "--no-color"),
    ]
    ran = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        timeout=_SECONDS + 90,
    )
    assert ran.returncode == 0, ran.stdout[-20_000:] + ran.stderr
