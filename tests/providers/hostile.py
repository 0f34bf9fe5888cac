"""What outsiders and careless callers put into a mail, and where it must not turn up in a request.

A field that holds a line end is a second field for whoever takes it at its word: a vendor writes
what it is given into the header of a mail.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from hypothesis import strategies as st

from inboxkit.clock import Clock
from inboxkit.models import Message
from inboxkit.pipeline.outgoing import outgoing
from inboxkit.providers import forms
from inboxkit.providers.base import HttpRequest, SmtpRequest
from inboxkit.sending import Composer, Context
from inboxkit.settings import Settings
from inboxkit.store.inboxes import InboxRecord
from inboxkit.store.store import Store
from inboxkit.tokens import Keyring, TokenKey
from inboxkit.values import Address, Draft, Envelope, File

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit.models import Actions
    from inboxkit.providers.base import Outgoing
    from inboxkit.providers.registry import AnyProvider

NOW = datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)
SECOND_FIELD = "X-Evil: 1"
_ENDS = ("\r\n", "\n", "\r", "\0", "\x0b", "\x0c", "\x85", "\u2028", "\r\n ", "\n\t")
_INJECTED = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]\s*X-Evil: 1")
_ENCODED = ("=?utf-8?q?=0D=0AX-Evil:_1?=", "%0d%0aX-Evil: 1", "\\r\\nX-Evil: 1")

_evil = st.tuples(
    st.sampled_from(["", "a", "ü"]),
    st.sampled_from(_ENDS),
    st.just(SECOND_FIELD),
    st.sampled_from(["", "\r\n\r\nbody", ">", '"', ",", ";"]),
).map("".join) | st.sampled_from(_ENCODED)


def mostly(good: str) -> st.SearchStrategy[str]:
    """Draw something usable nearly always, so that most mails are composed."""
    return st.integers(0, 19).flatmap(lambda n: st.just(good) if n else _evil)


_foreign = st.integers(0, 1).flatmap(lambda n: st.just("Ann Lee") if n else _evil)
_people = st.builds(Address, mostly("ann@example.com"), _foreign)
_parents = st.builds(
    Message,
    id=st.just("msg_0000000000001"),
    message_id=st.just("<a1@example.com>") | _evil.map(lambda text: f"<{text}@example.com>"),
    direction=st.just("inbound"),
    inbox=st.just("support@shop.example"),
    sender=_people,
    envelope=st.just(Envelope("ann@example.com", ("support@shop.example",))),
    received_at=st.just(NOW),
    actions=st.just(cast("Actions", None)),
    reply_to=st.lists(_people, max_size=1).map(tuple),
    cc=st.lists(_people, max_size=1).map(tuple),
    subject=_foreign,
    references=st.lists(_evil | st.just("<r@example.com>"), max_size=2).map(tuple),
    in_reply_to=_evil | st.just(""),
    headers=st.fixed_dictionaries({"Thread-Index": _evil | st.just("")}),
    thread_id=st.just("thd_0000000000001"),
)
_files = st.builds(
    File, _foreign, st.just(b"data"), mostly("application/pdf"), mostly("") | mostly("logo")
)
_drafts = st.builds(
    Draft,
    to=st.lists(mostly("Ben <ben@example.com>"), max_size=1).map(tuple),
    cc=st.lists(mostly("cleo@example.com"), max_size=1).map(tuple),
    subject=st.just("") | mostly("Size"),
    text=st.just("Which size?"),
    html=st.sampled_from(["", "<p>Which size?"]),
    headers=st.dictionaries(mostly("X-Order"), mostly("42"), max_size=2),
    attachments=st.lists(_files, max_size=2).map(tuple),
    tag=mostly("order"),
    metadata=st.dictionaries(mostly("order"), mostly("42"), max_size=2),
)
SENDS = st.tuples(_drafts, st.none() | _parents, _foreign)


_INBOX = InboxRecord(
    id=1,
    address="support@shop.example",
    display_name="The Shop",
    metadata={},
    client_id=None,
    status="active",
    created_at=NOW,
    updated_at=NOW,
    expires_at=None,
)


@cache
def _store() -> Store:
    """Return a store that is never opened: it gives the keys, and packs bytes."""
    store = Store("sqlite:///never-opened.db", Clock())
    store.keys = Keyring((TokenKey(b"k" * 32),))
    return store


@cache
def _composer() -> Composer:
    return Composer(Settings(), _store())


class _Row:
    """A send as the outbox reads it."""

    def __init__(self, columns: dict[str, Any]) -> None:
        self._mapping = columns

    def __getattr__(self, name: str) -> Any:
        return self._mapping[name]


def composed(draft: Draft, parent: Message | None, name: str, *, provider: AnyProvider) -> Outgoing:
    """Return a send from an inbox of this name as the provider gets it; raise SendError."""
    inbox = replace(_INBOX, display_name=name)
    staged = _composer().stage(draft, Context(inbox=inbox, parent=parent), NOW)
    columns = {**staged.content, **staged.row}
    raw = _store().blobs.unpack(staged.packed)
    return outgoing(_Row(columns), raw, columns["rcpt_to"], provider)


def injected(request: object) -> list[str]:
    """Return every text of a request in which a second field follows a line end."""
    if isinstance(request, SmtpRequest):
        said = [request.mail_from, *request.rcpt_to, request.mime.decode("latin-1")]
        return [text for text in said if _INJECTED.search(text)]
    assert isinstance(request, HttpRequest)
    lines = [request.url, *(f"{name}: {value}" for name, value in request.headers.items())]
    odd = [line for line in lines if not line.isprintable() or not line.isascii()]
    return odd + [text for text in _texts(request) if _INJECTED.search(text)]


def _texts(request: HttpRequest) -> Iterator[str]:
    content_type = request.header("Content-Type")
    if forms.is_form(content_type):
        for item in forms.read(content_type, request.body).fields:
            yield from (item.name, item.filename or "", item.content_type)
            yield from _decoded(item.text)
    elif request.body:
        yield from _values(json.loads(request.body))


def _values(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in cast("dict[str, object]", value).items():
            yield name
            yield from _values(inner)
    elif isinstance(value, list):
        for inner in cast("list[object]", value):
            yield from _values(inner)
    elif isinstance(value, str):
        yield from _decoded(value)


def _decoded(text: str) -> Iterator[str]:
    """Give a text, and what it says when it is base64, as a whole mail is."""
    yield text
    if len(text) % 4 == 0:
        try:
            yield base64.b64decode(text, validate=True).decode("latin-1")
        except (binascii.Error, ValueError):
            return
