"""What a tool is: a function with a desk, and what it does to the world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from mcp_types import ToolAnnotations
from pydantic import BeforeValidator

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp.server.mcpserver import Context

    from .desk import Desk

READS = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
# What a wait returns no other wait gets: it changes that, and nothing else.
TAKES = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True
)
MAKES = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
# Without a key each call makes another.
CREATES = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
)
SENDS = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=True
)
DELETES = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)

# Models often write one address, label or file where a list is wanted.
ONE_OR_MANY = BeforeValidator(lambda given: [given] if isinstance(given, (str, dict)) else given)


class DeskOf(Protocol):
    """Finds the desk of whoever calls a tool."""

    def __call__(self, context: Context[Any, Any], /) -> Desk: ...


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool to offer; its docstring and its types are what the agent is told."""

    function: Callable[..., Any]
    title: str
    does: ToolAnnotations
