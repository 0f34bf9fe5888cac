"""Tools that write: send, answer, and drafts that a person sends."""

from collections.abc import Mapping, Sequence
from email.utils import parseaddr
from typing import TYPE_CHECKING, Annotated, Any

from mcp.server.mcpserver import Context
from pydantic import BaseModel, Field

from ..errors import KeyReused, SendError
from ..http.api.targets import shown_message_id
from ..models import Message
from ..sending import people
from ..values import Address as Person
from ..values import Direction, Draft
from .inboxes import Address
from .policy import Policy
from .reading import MessageId
from .tools import MAKES, SENDS, DeskOf, Tool
from .views import Sent, sent
from .words import address

if TYPE_CHECKING:
    from ..client.server import Asked

_MOST_CHARACTERS = 200_000

Key = Annotated[
    str,
    Field(
        description="A name of your own for this mail, such as order-42-paid. A repeated call "
        "with the same key sends nothing more.",
        pattern=r"^[A-Za-z0-9._~-]{1,200}$",
    ),
]
To = Annotated[list[str], Field(description="Addresses.", min_length=1, max_length=50)]
Others = Annotated[list[str], Field(description="Addresses.", max_length=50)]
Subject = Annotated[str, Field(max_length=500)]
Text = Annotated[str, Field(description="Plain text.", min_length=1, max_length=_MOST_CHARACTERS)]
Html = Annotated[str, Field(description="The same as HTML.", max_length=_MOST_CHARACTERS)]


class DraftView(BaseModel):
    """A mail that is not sent: a person looks at it and sends it."""

    draft_id: str
    inbox: str
    to: list[str]
    note: str = "This is a draft. Nothing is sent until a person sends it."


class SendingTools:
    """Writes, as far as the policy goes."""

    def __init__(self, desk_of: DeskOf) -> None:
        self._desk_of = desk_of

    def offered(self, policy: Policy) -> Sequence[Tool]:
        """Return the tools that a policy leaves."""
        tools = [
            (policy.drafts, Tool(self.create_draft, "Draft a mail for a person to send", MAKES)),
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
    ) -> Sent:
        """Send a mail from an inbox, to addresses that this server may write to."""
        desk = self._desk_of(ctx)
        desk.path(inbox)
        desk.policy.check_recipients((*people(to), *people(cc)))
        draft = Draft(to=tuple(to), cc=tuple(cc), subject=subject, text=text, html=html, key=key)
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
    ) -> Sent:
        """Answer a message, in its thread."""
        desk = self._desk_of(ctx)
        parent = await desk.message(message_id)
        desk.policy.check_recipients(_answered(parent, everyone=reply_all))
        draft = Draft(text=text, html=html, key=key)
        answer = await desk.actions.reply(parent, draft, everyone=reply_all)
        return sent(await desk.settled(answer))

    async def create_draft(
        self,
        ctx: Context,
        inbox: Address,
        text: Text,
        key: Key,
        to: Others = [],  # noqa: B006 - see above
        subject: Subject = "",
        html: Html = "",
        cc: Others = [],  # noqa: B006 - see above
        in_reply_to: Annotated[
            str | None,
            Field(description="message_id that it answers; then to and subject come from there."),
        ] = None,
    ) -> DraftView:
        """Draft a mail that a person looks at and sends. The same key returns the same draft.

        A key that has another draft, or whose mail was sent, is refused: nothing is drafted twice.
        """
        desk = self._desk_of(ctx)
        named = (*people(to), *people(cc))
        parent = None
        if in_reply_to is not None:
            parent = await desk.message(in_reply_to)
            named = named if to else (*named, *_answered(parent, everyone=False))
        elif not named:
            raise SendError("to: name somebody, or the message that it answers (in_reply_to)")
        desk.policy.check_recipients(named)
        asked: dict[str, Asked] = {"to": to, "cc": cc, "subject": subject, "text": text}
        asked |= {"html": html, "client_id": key, "in_reply_to": in_reply_to}
        given = {name: value for name, value in asked.items() if value} | {"inboxkit": {"key": key}}
        said = await desk.server.post(desk.path(inbox, "/drafts"), given)
        if not _is_same(said, given, parent):
            raise KeyReused(
                f"key {key!r}: its draft {said['draft_id']} says something else, or was changed "
                "since by a person; use a new key for another mail"
            )
        return _draft(said, inbox)


def _answered(parent: Message, *, everyone: bool) -> Sequence[Person]:
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


def _is_same(said: dict[str, Any], asked: Mapping[str, Any], parent: Message | None) -> bool:
    """Whether a draft says what was asked for; what it takes from its parent may differ."""
    if any((said.get(name) or "") != asked.get(name, "") for name in ("text", "html")):
        return False
    if "subject" in asked and said.get("subject") != asked["subject"]:
        return False
    if any(_emails(said.get(n)) != _emails(asked[n]) for n in ("to", "cc") if n in asked):
        return False
    ours = set[str | None]() if parent is None else {shown_message_id(parent.message_id), parent.id}
    return (said.get("in_reply_to") or None) in (ours or {None})


def _emails(written: Sequence[str] | None) -> list[str]:
    return [one.email.lower() for one in people(written or ())]


def _draft(said: dict[str, Any], inbox: str) -> DraftView:
    return DraftView(
        draft_id=said["draft_id"],
        inbox=inbox,
        to=[address(parseaddr(one)[1]) for one in said.get("to") or ()],
    )
