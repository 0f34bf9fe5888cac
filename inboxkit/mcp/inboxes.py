"""Tools for inboxes: list, create, delete; and the log of what happened in them."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from mcp.server.mcpserver import Context
from pydantic import BaseModel, Field

from .policy import Policy
from .tools import CREATES, DELETES, READS, DeskOf, Tool
from .views import NOTICE
from .words import address, line

if TYPE_CHECKING:
    from ..client.server import Asked

_REASON_CHARACTERS = 500
_MOST_WAIT_SECONDS = 50

Address = Annotated[str, Field(description="Address of an inbox.", min_length=1, max_length=320)]
Limit = Annotated[int, Field(ge=1, le=50, description="How many at most.")]
PageToken = Annotated[
    str | None, Field(description="next_page_token of the page before.", max_length=1_000)
]


class InboxView(BaseModel):
    """An inbox: an address that receives and sends."""

    inbox: str
    display_name: str


class Inboxes(BaseModel):
    """A page of inboxes."""

    inboxes: list[InboxView]
    next_page_token: str | None = None


class Deleted(BaseModel):
    """An inbox that is gone, with everything in it."""

    inbox: str


class Reason(BaseModel):
    """Why it happened, in the words of another mail server: untrusted."""

    notice: str = NOTICE
    reason: str


class EventView(BaseModel):
    """Something that happened to a message."""

    event_id: str
    event_type: str
    at: datetime
    message_id: str | None
    recipient: str | None
    is_permanent: bool
    untrusted: Reason | None


class Events(BaseModel):
    """Events in order; ``cursor`` is where to go on."""

    events: list[EventView]
    cursor: str


class InboxTools:
    """Lists, makes and deletes inboxes, and reads the log."""

    def __init__(self, desk_of: DeskOf) -> None:
        self._desk_of = desk_of

    def offered(self, policy: Policy) -> Sequence[Tool]:
        """Return the tools that a policy leaves."""
        tools = [
            Tool(self.list_inboxes, "List inboxes", READS),
            Tool(self.get_events, "What happened", READS),
        ]
        if policy.makes_inboxes:
            tools += [
                Tool(self.create_inbox, "Create an inbox", CREATES),
                Tool(self.delete_inbox, "Delete an inbox", DELETES),
            ]
        return tools

    async def list_inboxes(
        self, ctx: Context, limit: Limit = 20, page_token: PageToken = None
    ) -> Inboxes:
        """List the inboxes that you may use, newest first."""
        desk = self._desk_of(ctx)
        if desk.policy.inboxes:
            named = [await desk.server.get(desk.path(one)) for one in desk.policy.inboxes]
            return Inboxes(inboxes=[_inbox(one) for one in named])
        said = await desk.server.get("/v0/inboxes", {"limit": limit, "page_token": page_token})
        found = [_inbox(one) for one in said["inboxes"]]
        return Inboxes(inboxes=found, next_page_token=said.get("next_page_token"))

    async def create_inbox(
        self,
        ctx: Context,
        username: Annotated[
            str | None, Field(description="The part before the @; random when left out.")
        ] = None,
        domain: Annotated[
            str | None,
            Field(description="A domain whose mail this server gets; its own when left out."),
        ] = None,
        display_name: Annotated[str | None, Field(max_length=256)] = None,
        key: Annotated[
            str | None,
            Field(
                description="A name of your own: the same one returns the same inbox.",
                pattern=r"^[A-Za-z0-9._~-]{1,256}$",
            ),
        ] = None,
    ) -> InboxView:
        """Create an inbox with an address of its own."""
        asked = {"username": username, "domain": domain}
        asked |= {"display_name": display_name, "client_id": key}
        given = {name: value for name, value in asked.items() if value is not None}
        return _inbox(await self._desk_of(ctx).server.post("/v0/inboxes", given))

    async def delete_inbox(self, ctx: Context, inbox: Address) -> Deleted:
        """Delete an inbox with everything in it, for good."""
        desk = self._desk_of(ctx)
        await desk.server.delete(desk.path(inbox))
        return Deleted(inbox=inbox)

    async def get_events(
        self,
        ctx: Context,
        after: Annotated[
            str | None,
            Field(
                description="cursor of the last answer, or an event_id; 'start' for the beginning;"
                " left out: only what happens from now on."
            ),
        ] = None,
        inbox: Annotated[str | None, Field(description="Of this inbox alone.")] = None,
        limit: Limit = 20,
        wait_seconds: Annotated[
            float, Field(ge=0, le=_MOST_WAIT_SECONDS, description="Wait for the first so long.")
        ] = 0,
    ) -> Events:
        """Tell what happened to messages, in order: received, sent, delivered, bounced, opened.

        Every answer has a cursor to go on from, so nothing is missed between two calls.
        """
        desk = self._desk_of(ctx)
        named = [inbox] if inbox is not None else list(desk.policy.inboxes)
        for one in named:
            desk.path(one)
        asked: dict[str, Asked] = {"after": after, "limit": limit, "wait": wait_seconds}
        query = asked | {"inbox_ids": named, "brief": True}
        said = await desk.server.get("/v0/events", query, timeout=wait_seconds + 15)
        return Events(events=[_event(one) for one in said["events"]], cursor=said["cursor"])


def _inbox(said: dict[str, Any]) -> InboxView:
    return InboxView(inbox=said["email"], display_name=said.get("display_name") or "")


def _event(said: dict[str, Any]) -> EventView:
    facts = said["inboxkit"]
    reason = line(str(facts.get("reason") or ""), _REASON_CHARACTERS)
    recipient = facts.get("recipient")
    return EventView(
        event_id=said["event_id"],
        event_type=said["event_type"],
        at=facts["at"],
        message_id=facts.get("id"),
        recipient=None if recipient is None else address(recipient),
        is_permanent=bool(facts.get("hard")),
        untrusted=Reason(reason=reason) if reason else None,
    )
