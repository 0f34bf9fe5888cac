"""Sends of what no type checker would let pass: refused by name, nothing is stored."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest

from inboxkit import Address, File, InboxKit, SendError

from .mails import ANN, DESK, arrive

NONE: list[Any] = [None, b""]
HALF = "a\udcff"  # as os.listdir returns a name that is no UTF-8
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"metadata": {"order": 42}}, r"metadata\.order: a text \(str\) is wanted, not int"),
    ({"metadata": {"order": None}}, r"metadata\.order: .* not NoneType"),
    ({"metadata": {7: "seven"}}, "the key 7 of metadata: .* not int"),
    ({"subject": None}, "subject: .* not NoneType"),
    ({"metadata": "order"}, "metadata: a mapping is wanted, not str"),
    ({"headers": {"X-Order": 42}}, r"headers\.X-Order: .* not int"),
    ({"text": 42}, "text: .* not int"),
    ({"html": b"<p>"}, "html: .* not bytes"),
    ({"tag": 5}, "tag: .* not int"),
    ({"key": 5}, "key: .* not int"),
    ({"cc": [5]}, "cc: .* not int"),
    ({"at": "tomorrow"}, "at: a datetime is wanted, not str"),
    ({"at": datetime(2099, 1, 1)}, "at=2099-01-01 00:00:00 has no time zone"),
    ({"at": datetime.max.replace(tzinfo=timezone(-timedelta(hours=1)))}, "at=.* is outside the"),
    ({"key": HALF}, "key: it holds half a character"),
    ({"tag": HALF}, "tag: it holds half a character"),
    ({"metadata": {"order": HALF}}, r"metadata\.order: it holds half a character"),
    ({"key": ""}, "key: it is empty, and would be one key for all"),
    ({"to": None}, "to: .* not NoneType"),
    ({"to": Address(ANN)}, r"to: a text \(str\) is wanted, not Address; write its \.email"),
    ({"cc": [Address(ANN)]}, r"cc: .* not Address; write its \.email"),
    ({"options": {"track_opens": True}}, r"options: ProviderOptions\(\.\.\.\) is wanted, not dict"),
]


@pytest.mark.parametrize(("given", "said"), WRONG, ids=lambda value: str(value)[:25])
async def test_what_is_of_a_wrong_type_is_refused_by_name(
    kit: InboxKit, given: dict[str, Any], said: str
) -> None:
    desk = await kit.inbox(DESK)
    draft: dict[str, Any] = {"to": ANN, "subject": "Hi", "text": "Hello"}
    with pytest.raises(SendError, match=rf"send from desk@inbox\.example: {said}"):
        await desk.send(**draft | given)
    assert [m async for m in kit.search("is:outbound")] == []


FILES: list[Any] = ["a\0b", HALF, File(HALF, b""), File("a", b"", HALF), File(*NONE)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: ascii(file)[:40])
async def test_a_file_that_cannot_be_named_is_refused(kit: InboxKit, file: Any) -> None:
    desk = await kit.inbox(DESK)
    with pytest.raises(SendError, match="attachments: "):
        await desk.send(ANN, "Hi", "Hello", attachments=[file])
    assert [m async for m in kit.search("is:outbound")] == []


@pytest.mark.parametrize("way", ["reply", "reply_all", "forward", "thread"])
async def test_metadata_that_is_no_text_is_refused_whatever_sends_it(
    kit: InboxKit, way: str
) -> None:
    await kit.inbox(DESK)
    got = await arrive(kit)
    ways: dict[str, Any] = {
        "reply": got.reply,
        "reply_all": partial(got.reply, all=True),
        "forward": partial(got.forward, ANN),
        "thread": (await got.thread()).send,
    }
    given: dict[str, Any] = {"metadata": {"order": 42}}
    with pytest.raises(SendError, match=r"metadata\.order: "):
        await ways[way]("Hello", **given)
    assert [m async for m in kit.search("is:outbound")] == []
