"""Waiting for what the runtime says in its log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


async def until(holds: Callable[[], bool], *, timeout: float = 30) -> None:
    """Return once something holds that rings no bell."""
    with anyio.fail_after(timeout):
        while not holds():  # noqa: ASYNC110 - what is waited for sets no event
            await anyio.sleep(0.01)


async def said(caplog: pytest.LogCaptureFixture, text: str, *, timeout: float = 30) -> None:
    """Return once ``text`` is in the log."""
    await until(lambda: text in caplog.text, timeout=timeout)
