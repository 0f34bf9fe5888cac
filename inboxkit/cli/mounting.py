"""The tools of agents beside the API, where the setting ``mcp`` asks for them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.web import Application

    from ..settings import Settings

PATH = "/mcp"


def check_installed() -> None:
    """Raise ConfigurationError that names the extra when it is not there."""
    if find_spec("mcp") is None:
        raise ConfigurationError("mcp: needs the package mcp; pip install 'inboxkit[mcp]'")


def mounted(settings: Settings) -> Callable[[Application], None]:
    """Return what serves the tools; raise ConfigurationError when the extra is not there."""
    check_installed()
    from ..mcp import mount  # slow to import
    from ..mcp.policy import policy

    return mount.serving(PATH, policy(settings))
