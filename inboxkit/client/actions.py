"""What messages, threads and inboxes can do on a server that is asked over HTTP."""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ..errors import InboxKitError, NotFound, RemoteError, SendError
from ..inbox import check_asked
from ..saving import write_once
from ..values import check_given, check_search
from . import values
from .server import Invalid, piece
from .transport import Unreachable
from .waiting import Patience, Waiting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from ..inbox import Inbox
    from ..models import Attachment, Event, Message, Thread, Want
    from ..parsing.extraction import FileReader
    from ..parsing.model import ParsedMessage
    from ..values import Draft
    from .server import Asked, Server

_PAGE, _THREAD_PAGE, _EVENT_PAGE = 50, 200, 100
_STORED_SECONDS = 15.0  # how long a server may need to start anew


class RemoteActions:
    """Implements ``models.Actions`` by asking a server.

    ``files`` reads the words of files; many callers of one process share one, as each file of
    theirs has a process of its own.
    """

    def __init__(self, server: Server, files: FileReader | None = None) -> None:
        self._server = server
        self._files = files
        self.waiting = Waiting(server, self)

    # reading

    async def raw(self, message: Message) -> bytes:
        said = await self._server.get(f"{_path(message)}/raw")
        return await self._server.download(said["download_url"])

    async def read_attachment(self, attachment: Attachment) -> bytes:
        path = f"{_path(attachment.message)}/attachments/{piece(attachment.id)}"
        said = await self._server.get(path)
        return await self._server.download(said["download_url"])

    async def save_attachment(self, attachment: Attachment, folder: Path) -> Path:
        name = f"{attachment.sha256[:16]}-{attachment.safe_name}"
        return write_once(folder, name, await self.read_attachment(attachment))

    async def attachment_text(self, attachment: Attachment, limit: int) -> str | None:
        from ..parsing.extraction import FileReader  # only who looks into files pays for it

        if self._files is None:
            self._files = FileReader()
        data = await self.read_attachment(attachment)
        return await self._files.words(
            data, attachment.content_type, attachment.filename, limit=limit
        )

    async def attachment_dimensions(self, attachment: Attachment) -> tuple[int, int] | None:
        from ..parsing.images import dimensions  # see above

        return dimensions(await self.read_attachment(attachment))

    async def attachment_message(self, attachment: Attachment) -> ParsedMessage | None:
        from ..parsing import parse  # see above
        from ..parsing.attachments import is_message

        if not is_message(attachment.content_type, attachment.filename):
            return None
        return parse(await self.read_attachment(attachment))

    async def forensics(self, message: Message) -> Mapping[str, Any]:
        from ..parsing.forensics import forensics  # see above

        return forensics(await self.raw(message))

    async def message(self, id: str) -> Message:
        """Return a message; raise NotFound."""
        return values.message(await self._server.get(f"/v0/messages/{piece(id)}"), self)

    async def messages(self, ids: Sequence[str]) -> list[Message]:
        """Return messages in the order of their ids; those that are gone are left out."""
        if not ids:
            return []
        said = await self._server.get("/v0/messages", {"ids": list(ids)})
        return [values.message(one, self) for one in said["messages"]]

    async def thread(self, thread_id: str) -> Thread:
        return values.thread(await self._server.get(_state(thread_id)), self)

    async def thread_messages(self, thread: Thread) -> Sequence[Message]:
        query: dict[str, Asked] = {"thread": thread.id, "ascending": True}
        return [m async for m in self._listed(query, None, _THREAD_PAGE)]

    async def search(
        self, inbox: str | None, query: str, limit: int | None
    ) -> AsyncIterator[Message]:
        check_search(query, limit)
        asked: dict[str, Asked] = {"inbox": inbox, "query": query or None}
        async for found in self._listed(asked, limit, _PAGE):
            yield found

    async def _listed(
        self, query: Mapping[str, Asked], limit: int | None, size: int
    ) -> AsyncIterator[Message]:
        token: str | None = None
        left = limit
        while left is None or left > 0:
            page: dict[str, Asked] = {
                "limit": size if left is None else min(size, left),
                "page_token": token,
            }
            said = await self._server.get("/v0/messages", {**query, **page})
            for one in said["messages"]:
                yield values.message(one, self)
            token = said.get("next_page_token")
            left = None if left is None else left - len(said["messages"])
            if token is None:
                return

    async def events(self, after: str | None) -> AsyncIterator[Event]:
        """Iterate over the event log for ever, from a cursor or from now on."""
        async for found in self.waiting.events(after):
            yield found

    async def logged(self, after: str | None, *, wait: float = 0) -> tuple[list[Event], str]:
        """Return the next events of the log after a cursor, and the cursor to go on from.

        The cursor "start" is the beginning, None the end, where the cursor stays as it is unless
        something happens within ``wait`` seconds (at most 60).
        """
        return await self.waiting.page(after, wait=wait)

    # changing

    async def open_inbox(
        self,
        address: str | None,
        *,
        display_name: str = "",
        metadata: Mapping[str, Any] | None = None,
        client_id: str | None = None,
        since: datetime | timedelta | None = None,
    ) -> Inbox:
        """Return the inbox of an address, made if it is new; without one, a new address."""
        texts = {"address": address, "display_name": display_name, "client_id": client_id}
        check_asked(since=since, metadata=metadata, **texts)
        asked: dict[str, Any] = {"address": address, "client_id": client_id}
        asked |= {"display_name": display_name or None, "metadata": metadata or None}
        if isinstance(since, timedelta):
            asked["since_seconds"] = since.total_seconds()
        elif since is not None:
            asked["since"] = since.isoformat()
        given = {name: value for name, value in asked.items() if value is not None}
        return values.inbox(await self._server.post("/v0/inboxes/open", given), self)

    async def label(self, message: Message, *, add: Sequence[str], remove: Sequence[str]) -> None:
        if add or remove:
            asked = {"add_labels": list(add), "remove_labels": list(remove)}
            await self._server.patch(_path(message), asked)

    async def cancel(self, message: Message) -> None:
        with suppress(NotFound):  # gone already
            await self._server.post(f"{_path(message)}/cancel", {})

    async def update_thread(self, thread: Thread, state: Mapping[str, Any]) -> None:
        await self._server.patch(_state(thread.id), {"state": dict(state)})

    async def delete_inbox(self, inbox: str) -> None:
        await self._server.delete(f"/v0/inboxes/{piece(inbox)}")

    # waiting

    async def wait(self, inbox: str, want: Want, *, timeout: float) -> Message:
        return await self.waiting.message(inbox, want, timeout=timeout)

    async def wait_for_reply(self, message: Message, *, timeout: float) -> Message:
        return await self.waiting.reply(message, timeout=timeout)

    # sending

    async def send(self, inbox: str, draft: Draft) -> Message:
        return await self._send(f"/v0/inboxes/{piece(inbox)}/messages/send", inbox, draft)

    async def reply(self, message: Message, draft: Draft, *, everyone: bool) -> Message:
        path = f"{_path(message)}/reply"
        return await self._send(path, message.inbox, draft, everyone=everyone)

    async def forward(self, message: Message, draft: Draft) -> Message:
        return await self._send(f"{_path(message)}/forward", message.inbox, draft)

    async def send_in_thread(self, thread: Thread, draft: Draft) -> Message:
        path = f"/v0/inboxes/{piece(thread.inbox)}/threads/{piece(thread.id)}/send"
        return await self._send(path, thread.inbox, draft)

    async def _send(
        self, path: str, inbox: str, draft: Draft, *, everyone: bool = False
    ) -> Message:
        check_given(draft, inbox)
        body = values.draft(draft, everyone=everyone)
        try:
            said = await self._server.post(path, body, key=secrets.token_hex(16))
        except Invalid as error:
            raise SendError(str(error)) from None
        except Unreachable as error:
            raise error if error.is_unheard else _unknown(error, draft) from None
        return await self.stored(said["inboxkit"]["id"])

    async def stored(self, id: str) -> Message:
        """Return a send that is stored; raise RemoteError if it cannot be read.

        Not what the reading raises: that may say that nothing was stored, and to send it again.
        """
        patience = Patience(self._server, time.monotonic() + _STORED_SECONDS)
        said: Any = None
        try:
            while said is None:
                said = await patience.ask(f"/v0/messages/{piece(id)}", {}, _STORED_SECONDS)
        except InboxKitError as error:
            words = f"message {id}: is stored and will leave, but cannot be read: {error}"
            raise RemoteError(words) from error
        return values.message(said, self)


def _unknown(error: Unreachable, draft: Draft) -> Unreachable:
    """Return the error for a send of which nobody knows whether it was stored."""
    if draft.key:
        way_out = "send it again with the same key, and it leaves once"
    else:
        way_out = "look before you send it again; one with a key= may be repeated"
    return Unreachable(f"{error}; whether the send was stored is not known: {way_out}")


def _path(message: Message) -> str:
    return f"/v0/inboxes/{piece(message.inbox)}/messages/{piece(message.id)}"


def _state(thread_id: str) -> str:
    return f"/v0/threads/{piece(thread_id)}/state"
