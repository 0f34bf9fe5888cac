"""An agent of a test: the MCP package's own client, and the tools of a kit in this process."""

from __future__ import annotations

from contextlib import asynccontextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any

from mcp import Client

from inboxkit.http.api.access import Identity
from inboxkit.http.api.app import Api
from inboxkit.http.api.inside import Inside
from inboxkit.mcp.desk import desk
from inboxkit.mcp.policy import Policy
from inboxkit.mcp.server import make_server

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from mcp.client.client import Client as AnyClient
    from mcp_types import CallToolResult

    from inboxkit import InboxKit
    from inboxkit.mcp.desk import Desk
    from inboxkit.mcp.server import InboxServer

_desk = ContextVar["Desk"]("desk of the agent")
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


class Agent:
    """Calls tools."""

    def __init__(self, client: AnyClient) -> None:
        self.client = client

    async def call(self, tool: str, **arguments: Any) -> CallToolResult:
        """Call a tool, whatever comes of it."""
        return await self.client.call_tool(tool, arguments)

    async def get(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool that must succeed; return its structured content."""
        said = await self.call(tool, **arguments)
        assert not said.is_error, words(said)
        content: dict[str, Any] = said.structured_content
        return content

    async def refused(self, tool: str, **arguments: Any) -> str:
        """Call a tool that must fail; return what it says."""
        said = await self.call(tool, **arguments)
        assert said.is_error, said.structured_content
        return words(said)

    async def tools(self) -> Mapping[str, Any]:
        """Return the tools by name."""
        return {tool.name: tool for tool in (await self.client.list_tools()).tools}


def words(said: CallToolResult) -> str:
    """Return the text of a result."""
    (content,) = said.content
    assert content.type == "text"
    return content.text


@asynccontextmanager
async def agent(kit: InboxKit, policy: Policy | None = None) -> AsyncGenerator[Agent]:
    """Connect an agent to a kit, as its owner."""
    inside = Inside(Api(kit.runtime.parts), Identity(live=True))
    async with at(desk(inside, policy or Policy())) as asked:
        yield asked


@asynccontextmanager
async def at(found: Desk) -> AsyncGenerator[Agent]:
    """Connect an agent to a desk."""
    token = _desk.set(found)
    try:
        async with Client(_server(found.policy)) as client:
            yield Agent(client)
    finally:
        _desk.reset(token)


@cache
def _server(policy: Policy) -> InboxServer:
    """Return the server of all desks with a policy: its schemas take a tenth of a second."""
    return make_server(policy, lambda _: _desk.get())
