"""Waiting for what the runtime says in its log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    import pytest


async def said(caplog: pytest.LogCaptureFixture, text: str, *, timeout: float = 10) -> None:
    """Return once ``text`` is in the log."""
    with anyio.fail_after(timeout):
        while text not in caplog.text:
            await anyio.sleep(0.01)
