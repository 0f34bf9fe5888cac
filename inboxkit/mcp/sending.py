"""Tools that write to people: send a mail, answer one."""

from collections.abc import Sequence
from typing import Annotated

from mcp.server.mcpserver import Context
from pydantic import Field

from ..errors import SendError
from ..models import Message
from ..sending import people
from ..values import Address as Person
from ..values import Direction, Draft
from .files import Files, to_send
from .inboxes import Address
from .policy import Policy
from .reading import MessageId
from .tools import SENDS, DeskOf, Tool, one_or_many
from .views import Sent, sent
from .words import address

_MOST_CHARACTERS = 200_000
_MOST_PEOPLE = 50

Key = Annotated[
    str,
    Field(
        description="A name of your own for this mail, such as order-42-paid. A repeated call "
        "with the same key sends nothing more.",
        pattern=r"^[A-Za-z0-9._~-]{1,200}$",
    ),
]
Others = Annotated[
    list[str],
    one_or_many(_MOST_PEOPLE),
    Field(description="Addresses.", max_length=_MOST_PEOPLE),
]
To = Annotated[Others, Field(min_length=1)]
Subject = Annotated[str, Field(max_length=500)]
Text = Annotated[str, Field(description="Plain text.", min_length=1, max_length=_MOST_CHARACTERS)]
Html = Annotated[str, Field(description="The same as HTML.", max_length=_MOST_CHARACTERS)]


class SendingTools:
    """Writes, as far as the policy goes."""

    def __init__(self, desk_of: DeskOf) -> None:
        self._desk_of = desk_of

    def offered(self, policy: Policy) -> Sequence[Tool]:
        """Return the tools that a policy leaves."""
        tools = [
            (policy.answers, Tool(self.reply_to_message, "Answer a message", SENDS)),
            (policy.writes, Tool(self.send_message, "Send a mail", SENDS)),
        ]
        return [tool for is_left, tool in tools if is_left]

    async def send_message(
        self,
        ctx: Context,
        inbox: Address,
        to: To,
        subject: Subject,
        text: Text,
        key: Key,
        html: Html = "",
        cc: Others = [],  # noqa: B006 - read only, and what the schema shows as the default
        attachments: Files = [],  # noqa: B006 - see above
    ) -> Sent:
        """Send a mail from an inbox, to addresses that this server may write to."""
        desk = self._desk_of(ctx)
        desk.path(inbox)
        desk.policy.check_recipients((*people(to), *people(cc)))
        draft = Draft(
            to=tuple(to),
            cc=tuple(cc),
            subject=subject,
            text=text,
            html=html,
            attachments=await to_send(desk, attachments),
            key=key,
        )
        return sent(await desk.settled(await desk.actions.send(inbox, draft)))

    async def reply_to_message(
        self,
        ctx: Context,
        message_id: MessageId,
        text: Text,
        key: Key,
        html: Html = "",
        reply_all: Annotated[
            bool, Field(description="Answer also those it was to and in copy.")
        ] = False,
        attachments: Files = [],  # noqa: B006 - see above
    ) -> Sent:
        """Answer a message, in its thread."""
        desk = self._desk_of(ctx)
        parent = await desk.message(message_id)
        desk.policy.check_recipients(answered(parent, everyone=reply_all))
        files = await to_send(desk, attachments)
        draft = Draft(text=text, html=html, attachments=files, key=key)
        answer = await desk.actions.reply(parent, draft, everyone=reply_all)
        return sent(await desk.settled(answer))


def answered(parent: Message, *, everyone: bool) -> Sequence[Person]:
    """Return whom an answer would reach, and perhaps more: the inbox itself among ``to``.

    Raise SendError, without what may be a whole sentence, for somebody who cannot be written to.
    """
    found = _addressees(parent, everyone=everyone)
    for one in found:
        if address(one.email) != one.email:
            raise SendError(f"message {parent.id}: {address(one.email)} cannot be written to")
    return found


def _addressees(parent: Message, *, everyone: bool) -> Sequence[Person]:
    if parent.direction == Direction.OUTBOUND:
        return (*parent.to, *parent.cc)
    first = parent.reply_to or (parent.sender,)
    others = (*parent.to, *parent.cc) if everyone else ()
    return (*first, *(one for one in others if one.email.lower() != parent.inbox))
