"""Fixtures that many tests share: an open store, or a running kit, on a temporary database.

Tests of the folders in ``_ON_BOTH`` run on SQLite and on PostgreSQL when they ask for a database;
``@pytest.mark.sqlite`` or ``postgres`` says that one of them is meant. One server serves a session.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from inboxkit import InboxKit
from inboxkit.clock import Clock
from inboxkit.store.store import Store

from . import canary, postgres
from .databases import BACKENDS, SERVER_FOLDER, empty

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator

# The plain run takes a sample; for a long one: HYPOTHESIS_PROFILE=long. How slow a busy machine is
# fails nothing: pytest-timeout sees to what does not end.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("plain", _PATIENT, max_examples=25)
settings.register_profile("long", _PATIENT, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "plain"))

# The commands that tests start would each compile the whole package anew: 2 s instead of 1.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Where the tests run in the background of a script they would be deaf to SIGINT, as their parent.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_ON_BOTH = ("store", "pipeline", "crash", "e2e")


def pytest_configure(config: pytest.Config) -> None:
    for mark in (
        "sqlite: runs on SQLite only",
        "postgres: runs on PostgreSQL only",
        "long: takes many seconds; runs with: pytest -m long",
        "long_on_postgres: is long there, where a dead process is known after ten seconds",
    ):
        config.addinivalue_line("markers", mark)
    config.pluginmanager.register(canary)
    if _begins_the_session(config):
        folder = os.environ[SERVER_FOLDER] = tempfile.mkdtemp(prefix="inboxkit-pg-")
        Path(folder, "owner").write_text(str(os.getpid()))


def pytest_unconfigure(config: pytest.Config) -> None:
    if _begins_the_session(config) and SERVER_FOLDER in os.environ:
        postgres.Server(Path(os.environ.pop(SERVER_FOLDER))).stop()


def _begins_the_session(config: pytest.Config) -> bool:
    return not hasattr(config, "workerinput")  # what pytest-xdist gives to the others


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Spare the collector all that is there before the first test: it stays to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database" not in metafunc.fixturenames:
        return
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    wanted = marks & {"sqlite", "postgres"}
    if not wanted:
        of_both = metafunc.definition.path.parent.name in _ON_BOTH
        wanted = {"sqlite", "postgres"} if of_both else {"sqlite"}
    killing = metafunc.definition.path.parent.name == "crash" or "long_on_postgres" in marks
    backends = [
        pytest.param(b, marks=pytest.mark.long if killing and b == "postgres" else ())
        for b in BACKENDS
        if b in wanted
    ]
    metafunc.parametrize("database", backends, indirect=True)


@pytest.fixture(autouse=True)
def _untouched_log() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction] - used by pytest
    """Give our logger back as it was: commands send it to standard error."""
    logger = logging.getLogger("inboxkit")
    before = (logger.handlers[:], logger.level, logger.propagate)
    yield
    logger.handlers[:], logger.level, logger.propagate = before


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of an empty database with the current schema."""
    with empty(request.param, tmp_path) as url:
        yield url


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    opened = Store(database, Clock())
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def kit(database: str) -> AsyncIterator[InboxKit]:
    """A kit in the test's own loop, without handlers, that takes mail for known inboxes only."""
    async with InboxKit(database=database) as running:
        yield running
