"""The tool for labels: an agent's own notes on messages."""

from collections.abc import Sequence
from typing import Annotated

from mcp.server.mcpserver import Context
from pydantic import BaseModel, Field

from ..client.server import piece
from ..errors import ConfigurationError
from .policy import Policy
from .reading import MessageId
from .tools import MAKES, DeskOf, Tool, one_or_many

_MOST_LABELS = 20
_VERDICTS = frozenset({"blocked", "unauthenticated", "held"})

Labels = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=100)]],
    one_or_many(_MOST_LABELS),
    Field(max_length=_MOST_LABELS),
]


class Labelled(BaseModel):
    """A message and the labels that it has now."""

    message_id: str
    labels: list[str]


class LabelTools:
    """Labels messages."""

    def __init__(self, desk_of: DeskOf) -> None:
        self._desk_of = desk_of

    def offered(self, policy: Policy) -> Sequence[Tool]:
        """Return the tools that a policy leaves."""
        return [] if policy.read_only else [Tool(self.label_message, "Label a message", MAKES)]

    async def label_message(
        self,
        ctx: Context,
        message_id: MessageId,
        add: Labels = [],  # noqa: B006 - read only, and what the schema shows as the default
        remove: Labels = [],  # noqa: B006 - see above
    ) -> Labelled:
        """Add labels to a message, or remove some: names of your own, unread, spam, trash.

        list_messages finds them by label:NAME. What is spam or trash it finds by that alone.
        """
        desk = self._desk_of(ctx)
        if not (add or remove):
            raise ConfigurationError("add: name a label to add, or one to remove")
        if told := sorted(_VERDICTS.intersection((*add, *remove))):
            raise ConfigurationError(
                f"{told[0]!r} is what the server found; it is not changed here"
            )
        message = await desk.message(message_id)
        path = desk.path(message.inbox, f"/messages/{piece(message.id)}")
        await desk.server.patch(path, {"add_labels": add, "remove_labels": remove})
        now = await desk.message(message_id)
        return Labelled(message_id=now.id, labels=sorted(now.labels))
