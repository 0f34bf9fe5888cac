"""Attachments on the wire: of messages, of threads, and those to send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import model_validator

from .... import base64_text
from ....tokens import public_id
from ....values import File
from .wire import Line, Request, Stamp, Text, Wire

if TYPE_CHECKING:
    from ....models import Attachment as MessageFile
    from ....store.conversations import File as ThreadFile

Disposition = Literal["inline", "attachment"]


class SendAttachment(Request):
    """A file to send: its ``content`` in base64, or a ``url`` where it can be had without a key."""

    filename: Line | None = None
    content_type: Line | None = None
    content_disposition: Disposition | None = None
    content_id: Line | None = None
    content: Text | None = None
    url: Text | None = None

    @model_validator(mode="after")
    def _one_source(self) -> SendAttachment:
        if (self.content is None) == (self.url is None):
            raise ValueError("give exactly one of content (base64) and url")
        return self

    def file(self) -> File:
        """Return the file; raise ValueError when its content is no base64."""
        try:
            data = base64_text.decode(self.content or "")
        except ValueError:
            raise ValueError("content is not base64") from None
        return self._made(data, self.filename or "attachment", self.content_type or "")

    def fetched(self, data: bytes, content_type: str) -> File:
        """Return the file once its URL has given this; without a name it has that of the URL."""
        name = unquote(urlsplit(self.url or "").path).rpartition("/")[2]
        return self._made(
            data, self.filename or name or "attachment", self.content_type or content_type
        )

    def _made(self, data: bytes, filename: str, content_type: str) -> File:
        return File(filename, data, content_type, (self.content_id or "").strip("<>"))


class Attachment(Wire):
    """A file of a message."""

    attachment_id: str
    filename: str | None = None
    size: int
    content_type: str | None = None
    content_disposition: str | None = None
    content_id: str | None = None


class AttachmentResponse(Attachment):
    """A file with where to download it, for an hour, without a key.

    A PDF, DOCX or XLSX has a ``text_url`` too, for its words alone.
    """

    download_url: str
    text_url: str | None = None
    expires_at: Stamp


def of_message(file: MessageFile) -> Attachment:
    """Return a message's file for the wire."""
    return Attachment(attachment_id=file.id, **_described(file))


def of_thread(file: ThreadFile) -> Attachment:
    """Return a thread's file for the wire."""
    return Attachment(attachment_id=public_id("att", file.id), **_described(file))


def _described(file: MessageFile | ThreadFile) -> dict[str, Any]:
    return {
        "filename": file.filename or None,
        "size": file.size,
        "content_type": file.content_type or None,
        "content_disposition": "inline" if file.inline else "attachment",
        "content_id": file.content_id or None,
    }
