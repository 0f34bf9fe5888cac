"""The command line in this process: arguments in; exit code, standard output and error out."""

from __future__ import annotations

import io
import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit import discovery
from inboxkit.cli.main import main
from inboxkit.testing.template import fresh_database
from tests.http.api import Api, serving
from tests.http.receiver import Receiver, receiving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The JSON objects on standard output; every line must be one."""
        return [json.loads(line) for line in self.out.splitlines()]


class Command:
    """Calls ``inboxkit`` as the shell would, in the test's own folder."""

    def __init__(
        self, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str], folder: Path
    ) -> None:
        self._patch = patch
        self._capture = capture
        self.folder = folder

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Done:
        self._patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        said = self._capture.readouterr()
        code = stopped.value.code or 0
        assert isinstance(code, int)
        return Done(code, said.out, said.err)

    def rows(self, *arguments: str) -> list[dict[str, Any]]:
        """Return the JSON objects that a command prints; it must not fail."""
        done = self(*arguments, "--json")
        assert done.code == 0, done.err
        return done.rows


@pytest.fixture
def bare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Command]:
    """The command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in [n for n in os.environ if n.startswith("INBOXKIT_")]:
        monkeypatch.delenv(name)
    kept = {n: m for n, m in sys.modules.items() if n.partition(".")[0] == discovery.PACKAGE}
    discovery.forget()
    yield Command(monkeypatch, capsys, tmp_path)
    discovery.forget()
    sys.modules.update(kept)


@pytest.fixture
def inboxkit(bare: Command) -> Command:
    """The command in a folder that holds an empty database."""
    fresh_database(bare.folder / "inboxkit.db")  # to make one takes longer than most tests
    return bare


KEY = "k" * 20


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    """A server to point a command to, asked with its key."""
    with serving(api_key=KEY, any_recipient=True) as api:
        yield api.of(KEY)


@pytest.fixture
def there(bare: Command, api: Api, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command in an empty folder, pointed to the server by variables."""
    monkeypatch.setenv("INBOXKIT_URL", api.url)
    monkeypatch.setenv("INBOXKIT_API_KEY", KEY)
    return bare


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server that keeps what is posted to it, as a user's own would."""
    with receiving() as receiver:
        yield receiver
