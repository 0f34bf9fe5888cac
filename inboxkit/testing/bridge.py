"""The kit's objects for another event loop: values whose actions run in the kit's own loop."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import WaitTimeout
from ..extracted import Link, Otp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from ..inbox import Inbox
    from ..models import Actions, Attachment, Event, Message, Thread, Want
    from ..parsing.model import ParsedMessage
    from ..values import Draft
    from .runner import Runner


class Bridge:
    """Implements ``models.Actions`` by calling those of the kit across threads."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    @property
    def _there(self) -> Actions:
        return self._runner.kit.runtime.actions

    async def read_attachment(self, attachment: Attachment) -> bytes:
        return await self._runner.acall(self._there.read_attachment, attachment)

    async def save_attachment(self, attachment: Attachment, folder: Path) -> Path:
        return await self._runner.acall(self._there.save_attachment, attachment, folder)

    async def attachment_text(self, attachment: Attachment, limit: int) -> str | None:
        return await self._runner.acall(self._there.attachment_text, attachment, limit)

    async def attachment_dimensions(self, attachment: Attachment) -> tuple[int, int] | None:
        return await self._runner.acall(self._there.attachment_dimensions, attachment)

    async def attachment_message(self, attachment: Attachment) -> ParsedMessage | None:
        return await self._runner.acall(self._there.attachment_message, attachment)

    async def raw(self, message: Message) -> bytes:
        return await self._runner.acall(self._there.raw, message)

    async def forensics(self, message: Message) -> Mapping[str, Any]:
        return await self._runner.acall(self._there.forensics, message)

    async def thread(self, thread_id: str) -> Thread:
        return self.over_thread(await self._runner.acall(self._there.thread, thread_id))

    async def thread_messages(self, thread: Thread) -> Sequence[Message]:
        found = await self._runner.acall(self._there.thread_messages, thread)
        return [self.over(m) for m in found]

    async def update_thread(self, thread: Thread, state: Mapping[str, Any]) -> None:
        await self._runner.acall(self._there.update_thread, thread, state)

    async def send(self, inbox: str, draft: Draft) -> Message:
        return self.over(await self._runner.acall(self._there.send, inbox, draft))

    async def reply(self, message: Message, draft: Draft, *, everyone: bool) -> Message:
        sent = await self._runner.acall(self._there.reply, message, draft, everyone=everyone)
        return self.over(sent)

    async def forward(self, message: Message, draft: Draft) -> Message:
        return self.over(await self._runner.acall(self._there.forward, message, draft))

    async def send_in_thread(self, thread: Thread, draft: Draft) -> Message:
        return self.over(await self._runner.acall(self._there.send_in_thread, thread, draft))

    async def label(self, message: Message, *, add: Sequence[str], remove: Sequence[str]) -> None:
        await self._runner.acall(self._there.label, message, add=add, remove=remove)

    async def cancel(self, message: Message) -> None:
        await self._runner.acall(self._there.cancel, message)

    async def wait_for_reply(self, message: Message, *, timeout: float) -> Message:
        return await self._waited(self._there.wait_for_reply, message, timeout=timeout)

    async def wait(self, inbox: str, want: Want, *, timeout: float) -> Message:
        return await self._waited(self._there.wait, inbox, want, timeout=timeout)

    async def _waited(
        self, wait: Callable[..., Awaitable[Message]], *args: Any, timeout: float
    ) -> Message:
        """Wait over there; what was taken for a caller who has gone is given back."""
        give_back = self._runner.kit.runtime.actions.give_back
        try:
            found = await self._runner.acall(wait, *args, timeout=timeout, undo=give_back)
        except WaitTimeout as late:
            raise self.over_timeout(late) from None
        return self.over(found)

    def over_timeout(self, late: WaitTimeout) -> WaitTimeout:
        """Return a timeout whose messages' calls go over this bridge."""
        return WaitTimeout(late.args[0], [self.over(m) for m in late.arrived])

    async def search(
        self, inbox: str | None, query: str, limit: int | None
    ) -> AsyncIterator[Message]:
        for found in await self._runner.acall(self._search, inbox, query, limit):
            yield self.over(found)

    async def _search(self, inbox: str | None, query: str, limit: int | None) -> list[Message]:
        return [m async for m in self._there.search(inbox, query, limit)]

    async def delete_inbox(self, inbox: str) -> None:
        await self._runner.acall(self._there.delete_inbox, inbox)

    def over_inbox(self, inbox: Inbox) -> Inbox:
        """Return an inbox whose calls go over this bridge."""
        return replace(inbox, actions=self)

    def over_thread(self, thread: Thread) -> Thread:
        """Return a thread whose calls go over this bridge."""
        return replace(thread, actions=self)

    def over_event(self, event: Event) -> Event:
        """Return an event whose message's calls go over this bridge."""
        return replace(event, message=self.over(event.message))

    def over(self, message: Message) -> Message:
        """Return a message whose calls, and those of its parts, go over this bridge."""
        answers = None if message.answers is None else self.over(message.answers)
        made = replace(message, actions=self, answers=answers)
        if message.otp is not None:
            object.__setattr__(made, "otp", Otp(message.otp, made, message.otp.link))
        if message.link is not None:
            object.__setattr__(made, "link", Link(message.link, made))
        parts = tuple(replace(a, message=made) for a in message.attachments)
        object.__setattr__(made, "attachments", parts)
        return made
