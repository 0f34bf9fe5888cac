"""The command ``mcp``: inboxes as tools of an agent, over standard input and output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .mounting import check_installed, tool_options
from .opening import log_to_stderr, run, settings_of, url_of
from .reaching import api_of
from .serving import first, stop_signals

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..mcp.desk import Desk
    from ..mcp.policy import Policy
    from ..settings import Settings


@click.command()
@tool_options
@click.pass_context
def mcp(
    ctx: click.Context,
    read_only: bool | None,
    inboxes: tuple[str, ...],
    send: str | None,
    allow_to: tuple[str, ...],
) -> None:
    """Serve an agent inboxes as tools (MCP), over standard input and output.

    The agent's program starts it. It ends when standard input does.
    """
    check_installed()
    from ..mcp.policy import policy  # only once it is known that the extra is there

    given: dict[str, Any] = {"mcp_read_only": read_only, "mcp_send": send}
    given |= {"mcp_inboxes": inboxes or None, "mcp_allow_to": allow_to or None}
    settings = settings_of(ctx, **given)
    log_to_stderr(settings)
    allowed = policy(settings)
    from ..mcp.stdio import serve  # slow, so before there is an event loop to hold up

    run(_serve(ctx, settings, allowed, serve))


async def _serve(
    ctx: click.Context,
    settings: Settings,
    policy: Policy,
    serve: Callable[[Desk], Awaitable[None]],
) -> None:
    from ..mcp.desk import desk

    async with api_of(ctx, settings, works=True) as (transport, key):
        found = desk(transport, policy, key, is_remote=bool(url_of(ctx)))
        await found.check()
        with stop_signals() as told:
            await first(told.wait, lambda: serve(found))
