"""The log as text: what others wrote makes no line of its own, nor does it steer a terminal."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from inboxkit.cli.opening import log_to_stderr
from inboxkit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG = logging.getLogger("inboxkit")


@pytest.fixture
def ours() -> Iterator[None]:
    """Put the logger back as it was."""
    before = list(LOG.handlers), LOG.level, LOG.propagate
    yield
    LOG.handlers[:], LOG.level, LOG.propagate = before


@pytest.mark.usefixtures("ours")
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_record_is_one_line(capsys: pytest.CaptureFixture[str], log_format: str) -> None:
    log_to_stderr(Settings(log_format=log_format))
    hostile = "/a\n2026-01-01 CRITICAL inboxkit: false\r\x1b[2J\x85\u2028\u202e\u2066é"
    LOG.warning("path %s", hostile)
    [line] = capsys.readouterr().err.splitlines()
    assert line.isprintable()
    assert "false" in line and "é" in line


@pytest.mark.usefixtures("ours")
def test_a_traceback_stands_below(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr(Settings())
    try:
        raise ValueError
    except ValueError:
        LOG.exception("it failed")
    said = capsys.readouterr().err.splitlines()
    assert said[0].endswith("it failed")
    assert "Traceback (most recent call last):" in said


@pytest.mark.usefixtures("ours")
def test_what_an_error_quotes_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr(Settings())
    try:
        raise ValueError("no date: \x1b[2J\x9b\u202e")
    except ValueError:
        LOG.exception("it failed")
    said = capsys.readouterr().err.splitlines()
    assert all(line.isprintable() for line in said)
    assert said[-1] == r"ValueError: no date: \x1b[2J\x9b\u202e"
