"""The tools of agents: their flags, and serving them beside the API where ``mcp`` asks for it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.web import Application

    from ..settings import Settings

PATH = "/mcp"
F = TypeVar("F", bound="Callable[..., Any]")


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


def tool_options(command: F) -> F:
    """Add the flags that say what an agent may do."""
    flags = (
        click.option(
            "--read-only", is_flag=True, default=None, help="Make, delete and send nothing."
        ),
        click.option(
            "--inbox",
            "inboxes",
            multiple=True,
            metavar="ADDRESS",
            help="See this inbox alone; repeatable.",
        ),
        click.option(
            "--send",
            type=click.Choice(["auto", "draft", "deny"]),
            help="auto: send; draft: a person does (the default); deny: nobody.",
        ),
        click.option(
            "--allow-to",
            multiple=True,
            metavar="GLOB",
            help="Whom it may write to; nobody but who is answered otherwise. Repeatable.",
        ),
    )
    for flag in reversed(flags):
        command = flag(command)
    return command
