"""What messages, threads and inboxes do over HTTP."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit import Address, ConfigurationError, KeyReused, NotFound, SendError, Suppressed
from inboxkit.client import AsyncClient, Client
from inboxkit.store import suppressions

from .conftest import KEY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.http.api import Api


def test_an_inbox_is_made_once_and_found_again(client: Client) -> None:
    made = client.inbox("once@inbox.example", display_name="Once", metadata={"a": 1})
    again = client.inbox("ONCE@inbox.example")
    assert made.address == again.address == "once@inbox.example"
    assert client.inbox(client_id="c1").address == client.inbox(client_id="c1").address
    assert client.inbox().address != client.inbox().address


async def test_the_inbox_knows_from_when_its_waits_see_mail(api: Api) -> None:
    before = datetime.now(UTC)
    async with AsyncClient(api.url, KEY) as client:
        assert (await client.inbox("since@inbox.example")).since is None
        known = (await client.inbox("since@inbox.example")).since
        back = (await client.inbox("since@inbox.example", since=timedelta(minutes=5))).since
        fixed = (await client.inbox("since@inbox.example", since=before)).since
    assert known is not None and back is not None
    assert before <= known and known - back > timedelta(minutes=4)
    assert fixed == before


def test_the_same_key_sends_once_and_other_content_is_refused(client: Client) -> None:
    inbox = client.inbox("key@inbox.example")
    first = inbox.send("ann@example.com", "Size?", "Which?", key="order-42")
    assert inbox.send("ann@example.com", "Size?", "Which?", key="order-42") == first
    with pytest.raises(KeyReused, match="order-42") as refused:
        inbox.send("ann@example.com", "Size?", "Another", key="order-42")
    assert str(refused.value).count("use a new key") == 1


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"to": Address("ann@example.com")}, r"to: .* not Address; write its \.email"),
    ({"text": b"Which?"}, "text: .* not bytes"),
    ({"at": datetime(2099, 1, 1)}, "at=2099-01-01 00:00:00 has no time zone"),
]


@pytest.mark.parametrize(("given", "said"), WRONG, ids=lambda value: str(value)[:25])
def test_what_is_of_a_wrong_type_is_refused_as_in_process(
    client: Client, given: dict[str, Any], said: str
) -> None:
    inbox = client.inbox("wrong@inbox.example")
    draft: dict[str, Any] = {"to": "ann@example.com", "subject": "Size?"}
    with pytest.raises(SendError, match=rf"send from wrong@inbox\.example: {said}"):
        inbox.send(**draft | given)
    assert list(inbox.search()) == []


def test_a_send_for_later_is_scheduled(client: Client) -> None:
    at = datetime.now(UTC) + timedelta(days=1)
    assert client.inbox("at@inbox.example").send("a@example.com", "x", at=at).state == "scheduled"


def test_a_send_for_later_is_taken_back(client: Client) -> None:
    inbox = client.inbox("back@inbox.example")
    sent = inbox.send("a@example.com", "x", at=datetime.now(UTC) + timedelta(days=1))
    asyncio.run(sent.cancel())
    asyncio.run(sent.cancel())
    with pytest.raises(NotFound):
        client.message(sent.id)


async def test_what_has_left_is_not_taken_back(api: Api) -> None:
    async with AsyncClient(api.url, KEY) as client:
        inbox = await client.inbox("left@inbox.example")
        sent = await inbox.send("a@example.com", "x")
        with pytest.raises(SendError, match=f"{sent.id}: is .*; only what is still scheduled"):
            await sent.cancel()
        assert await client.message(sent.id) == sent


async def test_a_conversation(api: Api) -> None:
    async with AsyncClient(api.url, KEY) as client:
        inbox = await client.inbox("talk@inbox.example")
        came = api.arrive(inbox.address, "How much?", headers={"Cc": "ben@example.com"})
        question = await client.message(came.id)
        answer = await question.reply("Ten.", all=True, cc="eve@example.com", tag="price")
        assert answer.text.strip() == "Ten." and answer.tag == "price"
        assert set(answer.envelope.rcpt_to) == {f"{n}@example.com" for n in ("ann", "ben", "eve")}
        thread = await question.thread()
        await thread.update(step=2)
        more = await thread.send("Or nine.")
        again = await client.thread(thread.id)
        assert (again.state, again.inbox) == ({"step": 2}, inbox.address)
        assert [m.id for m in await again.messages()] == [question.id, answer.id, more.id]
        assert (await question.forward("boss@example.com", "See")).subject == "Fwd: Question"


async def test_bytes_and_files(api: Api, tmp_path: Path) -> None:
    came = api.arrive("bytes@inbox.example", files={"a.txt": b"abc"})
    async with AsyncClient(api.url, KEY) as client:
        found = await client.message(came.id)
        assert await found.raw() == api.runner.call(came.raw)
        file = found.attachments[0]
        assert (await file.read(), await file.text()) == (b"abc", "abc")
        assert (await file.dimensions(), await file.parsed()) == (None, None)
        path = await file.save(tmp_path)
        assert path == await file.save(tmp_path) and path.read_bytes() == b"abc"
        assert await found.forensics() == api.runner.call(came.forensics)


def test_labels(api: Api, client: Client) -> None:
    message = client.message(api.arrive("label@inbox.example").id)
    asyncio.run(message.label(add=["vip"], remove=["unread"]))
    asyncio.run(message.label())
    assert client.message(message.id).labels == {"received", "vip"}


ODD: dict[str, tuple[Callable[[Any], Any], type[Exception]]] = {
    "an id": (lambda client: client.message("a\udcff"), NotFound),
    "an id that is none": (lambda client: client.thread(5), NotFound),
    "a query": (lambda client: list(client.search("a\udcff")), ConfigurationError),
    "a limit": (lambda client: list(client.search("", limit="5")), ConfigurationError),
    "a glob": (
        lambda client: client.inbox("desk@inbox.example").wait_for_message(
            timeout=0, subject="a\udcff"
        ),
        ConfigurationError,
    ),
}


@pytest.mark.parametrize(("ask", "error"), ODD.values(), ids=ODD)
def test_what_no_request_can_hold_is_refused(
    client: Client, ask: Callable[[Any], Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        ask(client)


def test_a_search_goes_over_all_pages(api: Api, client: Client) -> None:
    inbox = client.inbox("pages@inbox.example")
    sent = [inbox.send("ann@example.com", f"Nr {n}").id for n in range(53)]
    assert [m.id for m in inbox.search()] == sent[::-1]
    assert [m.id for m in inbox.search(limit=51)] == sent[:1:-1]
    assert [m.subject for m in inbox.search("subject:52")] == ["Nr 52"]
    assert next(client.search("inbox:pages@inbox.example")).id == sent[-1]


def test_what_is_deleted_is_gone(client: Client) -> None:
    inbox = client.inbox("gone@inbox.example")
    sent = inbox.send("ann@example.com", "x")
    inbox.delete()
    with pytest.raises(NotFound, match=sent.id):
        client.message(sent.id)


def test_errors_are_those_of_the_process(api: Api, client: Client) -> None:
    store = api.runner.kit.runtime.store
    now = store.clock.now()
    api.runner.call(store.write, suppressions.add, "no@example.com", reason="bounced", now=now)
    inbox = client.inbox("errors@inbox.example")
    with pytest.raises(Suppressed, match=r"no@example\.com"):
        inbox.send("no@example.com", "x")
    with pytest.raises(SendError, match="headers"):
        inbox.send("ann@example.com", "x", headers={"X\n": "y"})
    with pytest.raises(NotFound):
        client.thread("thd_none")
    with pytest.raises(ConfigurationError, match="nonsense"):
        list(inbox.search("nonsense:1"))
    with pytest.raises(ConfigurationError, match="address"):
        client.inbox("no address")
