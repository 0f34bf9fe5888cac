"""What a tool is: a function with a desk, and what it does to the world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from mcp_types import ToolAnnotations
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from collections.abc import Callable, Sized

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


def one_or_many(most: int) -> BeforeValidator:
    """Take one of what a list is wanted of, as models often write it; refuse a list too long.

    That is done first: to say of each of a million items what is wrong with it takes many seconds,
    in which the process does nothing else.
    """

    def read(given: Any) -> Any:
        listed: Any = [given] if isinstance(given, (str, dict)) else given
        check_number(listed, most)
        return listed

    return BeforeValidator(read)


def check_number(given: object, most: int) -> None:
    """Raise for a list or an object with more than so many items."""
    number = len(cast("Sized", given)) if isinstance(given, (list, dict)) else 0
    if number > most:
        told = {"most": most, "given": number}
        raise PydanticCustomError("too_long", "{given} are given; at most {most} are taken", told)


class DeskOf(Protocol):
    """Finds the desk of whoever calls a tool."""

    def __call__(self, context: Context[Any, Any], /) -> Desk: ...


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool to offer; its docstring and its types are what the agent is told."""

    function: Callable[..., Any]
    title: str
    does: ToolAnnotations
