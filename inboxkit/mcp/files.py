"""Files that an agent sends: those of messages by their ids, small ones that it writes itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..base64_text import decode
from ..errors import NotFound, SendError
from ..values import File as SentFile
from .tools import check_number, one_or_many

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..models import Attachment, Message
    from .desk import Desk

_MOST_FILES = 10
_MOST_FIELDS = 20
_MOST_OWN_BYTES = 64 * 1024
_MOST_BYTES = 10 * 1024 * 1024


class FileToSend(BaseModel):
    """A file of a message by its two ids, or your own: filename, and text or base64."""

    model_config = ConfigDict(extra="forbid")

    message_id: str = ""
    attachment_id: str = ""
    filename: str = Field(default="", max_length=200)
    text: str = ""
    base64: str = ""

    @model_validator(mode="before")
    @classmethod
    def _check_number(cls, given: Any) -> Any:
        check_number(given, _MOST_FIELDS)  # each that is unknown would be told
        return given


Files = Annotated[
    list[FileToSend],
    one_or_many(_MOST_FILES),
    Field(
        description="Files to send: of messages, 10 MiB together; your own, 64 KiB together.",
        max_length=_MOST_FILES,
    ),
]


def attachment_of(message: Message, id: str) -> Attachment:
    """Return an attachment of a message; raise NotFound."""
    found = next((one for one in message.attachments if one.id == id), None)
    if found is None:
        told = f"message {message.id}: has no attachment {id}"
        raise NotFound(f"{told}; get_message lists what it has")
    return found


async def to_send(desk: Desk, asked: Sequence[FileToSend]) -> tuple[SentFile, ...]:
    """Return the files to send, in their order; raise NotFound or SendError."""
    found: list[SentFile] = []
    own = theirs = 0
    for place, one in enumerate(asked):
        where = f"attachments.{place}"
        if one.message_id or one.attachment_id:
            wanted = await _named(desk, one, where)
            theirs += wanted.size
            _check(where, theirs, _MOST_BYTES, "no more leaves with a mail from here")
            name = one.filename or wanted.safe_name
            found.append(SentFile(name, await wanted.read(), wanted.content_type))
        else:
            data = _written(one, where)
            own += len(data)
            _check(where, own, _MOST_OWN_BYTES, "name larger files by message_id and attachment_id")
            found.append(SentFile(one.filename, data))
    return tuple(found)


async def _named(desk: Desk, one: FileToSend, where: str) -> Attachment:
    if not (one.message_id and one.attachment_id) or one.text or one.base64:
        raise SendError(f"{where}: give message_id and attachment_id, without text and base64")
    return attachment_of(await desk.message(one.message_id), one.attachment_id)


def _written(one: FileToSend, where: str) -> bytes:
    if not one.filename or bool(one.text) == bool(one.base64):
        raise SendError(
            f"{where}: give filename with one of text and base64, or message_id and attachment_id"
        )
    if one.text:
        return one.text.encode("utf-8", "replace")
    try:
        return decode(one.base64)
    except ValueError:
        raise SendError(f"{where}: base64 is not base64; give what is text as text") from None


def _check(where: str, size: int, most: int, way_out: str) -> None:
    if size > most:
        raise SendError(f"{where}: is more than {most} bytes with those before it; {way_out}")
