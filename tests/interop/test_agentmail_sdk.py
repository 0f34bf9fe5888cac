"""AgentMail's own Python client, sync and async, unmodified, on our server."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.blocks import blocks
from tests.mails import mail

from .agentmail import ApiError, Server, sdk, served

if TYPE_CHECKING:
    from collections.abc import Iterator

BOT = "bot@inbox.example"
ONCE: dict[str, Any] = {"request_options": {"max_retries": 0}}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served() as running:
        yield running


@pytest.fixture
def client(server: Server) -> Any:
    return server.client()


@pytest.fixture
def inbox(server: Server, client: Any) -> Any:
    return server.checked(client.inboxes.create())


def test_inboxes_are_made_once_for_a_client_id(server: Server, client: Any) -> None:
    request = {"username": "bot", "client_id": "u-1", "metadata": {"tier": 2, "active": True}}

    made = server.checked(client.inboxes.create(request=request))
    again = server.checked(client.inboxes.create(request=request))

    assert (made.inbox_id, made.metadata) == (BOT, {"tier": 2, "active": True})
    assert again.created_at == made.created_at
    with pytest.raises(ApiError) as error:
        client.inboxes.create(request={"username": "bot"})
    assert error.value.body["name"] == "IsTakenError"
    assert server.checked(client.inboxes.get(BOT)).client_id == "u-1"
    assert BOT in [i.inbox_id for i in server.checked(client.inboxes.list(limit=100)).inboxes]
    assert server.checked(client.inboxes.search(q="bo")).inboxes[0].inbox_id == BOT


def test_metadata_is_merged_and_cleared(server: Server, client: Any, inbox: Any) -> None:
    update = client.inboxes.update
    update(inbox.inbox_id, metadata={"a": "x", "b": 1}, display_name="Bot")

    merged = server.checked(update(inbox.inbox_id, metadata={"a": None, "c": True}))
    cleared = server.checked(update(inbox.inbox_id, metadata=None, status="paused"))

    assert (merged.metadata, merged.display_name) == ({"b": 1, "c": True}, "Bot")
    assert (cleared.metadata, cleared.status) == (None, "paused")
    with pytest.raises(sdk.messages.MessageRejectedError):
        client.inboxes.messages.send(inbox.inbox_id, to="ann@example.com", text="Hi")


def test_a_conversation(server: Server, client: Any, inbox: Any) -> None:
    messages, me = client.inboxes.messages, inbox.inbox_id
    sent = server.checked(messages.send(me, to="ann@example.com", subject="Size?", text="Which?"))
    reply = {"In-Reply-To": sent.message_id, "References": sent.message_id}
    came = server.arrive(mail("Large, please", to=me, subject="Re: Size?", headers=reply), to=me)

    answered = server.checked(messages.reply(me, came.message_id, text="Noted."))
    got = server.checked(messages.get(me, answered.message_id))
    thread = server.checked(client.threads.get(sent.thread_id))

    assert answered.thread_id == sent.thread_id == came.thread_id
    assert (got.to, got.in_reply_to, got.extracted_text) == (
        ["ann@example.com"],
        came.message_id,
        "Noted.",
    )
    assert "> Large, please" in got.text
    assert [m.message_id for m in thread.messages] == [
        sent.message_id,
        came.message_id,
        answered.message_id,
    ]
    assert (thread.count, thread.message_count, thread.last_message_id) == (
        3,
        3,
        answered.message_id,
    )


def test_reply_all_and_forward(server: Server, client: Any, inbox: Any) -> None:
    messages, me = client.inboxes.messages, inbox.inbox_id
    raw = mail("All of you", to=me, headers={"Cc": "ben@example.com"})
    came = server.arrive(raw, to=me)

    everyone = server.checked(messages.reply_all(me, came.message_id, text="Thanks"))
    on = server.checked(messages.forward(me, came.message_id, to=["eve@example.com"]))

    assert server.checked(messages.get(me, everyone.message_id)).cc == ["ben@example.com"]
    forwarded = server.checked(messages.get(me, on.message_id))
    assert (forwarded.to, forwarded.subject) == (["eve@example.com"], "Fwd: Question")


def test_an_idempotency_key_sends_once(server: Server, client: Any, inbox: Any) -> None:
    send = client.inboxes.messages.send
    asked: dict[str, Any] = {"to": ["ann@example.com"], "subject": "Hi", "text": "Once"}

    first = server.checked(send(inbox.inbox_id, **asked, idempotency_key="k-1"))
    again = server.checked(send(inbox.inbox_id, **asked, idempotency_key="k-1"))

    assert again == first
    assert server.checked(client.inboxes.messages.list(inbox.inbox_id)).count == 1
    with pytest.raises(ApiError) as error:
        send(inbox.inbox_id, **asked | {"text": "Other"}, idempotency_key="k-1", **ONCE)
    assert (error.value.status_code, error.value.body.code) == (409, "conflict")


def test_lists_filter_page_and_hide(server: Server, client: Any, inbox: Any) -> None:
    me, messages = inbox.inbox_id, client.inboxes.messages
    for number in range(3):
        server.arrive(mail(to=me, subject=f"Order {number}"), to=me)
    newest, middle, _ = server.checked(messages.list(me)).messages
    messages.update(me, newest.message_id, add_labels=["vip", "spam"])
    messages.update(me, middle.message_id, add_labels="vip", remove_labels="unread")

    shown = server.checked(messages.list(me, labels=["vip", "received"]))
    every = server.checked(messages.list(me, labels=["vip"], include_spam=True))
    page = server.checked(messages.list(me, limit=1))
    rest = server.checked(messages.list(me, limit=1, page_token=page.next_page_token))

    assert [m.subject for m in shown.messages] == ["Order 1"]
    assert [m.subject for m in every.messages] == ["Order 2", "Order 1"]
    assert [m.subject for m in (*page.messages, *rest.messages)] == ["Order 1", "Order 0"]
    assert rest.next_page_token is None
    assert server.checked(messages.list(me, subject=["order", "0"], from_="ann")).count == 1
    assert server.checked(messages.list(me, after=newest.timestamp, include_spam=True)).count == 1


def test_files_and_bytes_are_downloaded_without_a_key(
    server: Server, client: Any, inbox: Any
) -> None:
    me, messages = inbox.inbox_id, client.inboxes.messages
    raw = mail(to=me, files={"plan.pdf": b"%PDF-1.7\x00\xff"})
    came = server.arrive(raw, to=me)
    [file] = server.checked(messages.get(me, came.message_id)).attachments

    link = server.checked(messages.get_attachment(me, came.message_id, file.attachment_id))
    whole = server.checked(messages.get_raw(me, came.message_id))
    same = server.checked(client.threads.get_attachment(came.thread_id, file.attachment_id))

    with urllib.request.urlopen(link.download_url) as answer:
        assert answer.read() == b"%PDF-1.7\x00\xff"
        assert "plan.pdf" in answer.headers["content-disposition"]
    with urllib.request.urlopen(whole.download_url) as answer:
        assert answer.read() == raw
    assert (same.attachment_id, link.filename) == (file.attachment_id, "plan.pdf")


def test_what_is_attached_is_sent(server: Server, client: Any, inbox: Any) -> None:
    file = {"filename": "a.txt", "content": "aGVsbG8=", "content_type": "text/plain"}
    sent = client.inboxes.messages.send(
        inbox.inbox_id, to="ann@example.com", text="See", attachments=[file], labels=["out"]
    )
    got = server.checked(client.inboxes.messages.get(inbox.inbox_id, sent.message_id))
    assert [(a.filename, a.size) for a in got.attachments] == [("a.txt", 5)]
    assert got.labels == ["out", "sent"]


def test_search_marks_what_it_found(server: Server, client: Any, inbox: Any) -> None:
    me = inbox.inbox_id
    server.arrive(mail("The invoice is attached", to=me, subject="Invoice 7"), to=me)

    found = server.checked(client.inboxes.messages.search(me, q="invoice"))
    threads = server.checked(client.inboxes.threads.search(me, q="invoice"))

    [highlights] = [m.highlights for m in found.messages]
    assert highlights.subject == ["**Invoice** 7"]
    assert highlights.text == ["The **invoice** is attached"]
    assert [t.subject for t in threads.threads] == ["Invoice 7"]


def test_many_messages_at_once(server: Server, client: Any, inbox: Any) -> None:
    me, messages = inbox.inbox_id, client.inboxes.messages
    ids = [server.arrive(mail(to=me), to=me).message_id for _ in range(2)]

    got = server.checked(messages.batch_get(me, message_ids=[*ids, "<gone@example.com>"]))
    changed = server.checked(messages.batch_update(me, message_ids=ids, add_labels=["seen"]))

    assert ([m.message_id for m in got.messages], got.limit, got.count) == (ids, 3, 2)
    assert got.messages[0].text is None
    assert [u.labels for u in changed.updates] == [["received", "seen", "unread"]] * 2


@pytest.mark.parametrize(
    "local", ["a/b", "a?b", "a#b", "a%41b", "a+b", "a=b&c", "a/../b", "a?b/reply", "%"], ids=str
)
def test_odd_message_ids_come_back(server: Server, client: Any, inbox: Any, local: str) -> None:
    me, messages = inbox.inbox_id, client.inboxes.messages
    raw = mail(to=me).replace(b"Message-ID: <", f"Message-ID: <{local}.".encode())
    came = server.arrive(raw, to=me)
    [shown] = server.checked(messages.list(me)).messages

    got = server.checked(messages.get(me, shown.message_id))
    answered = server.checked(messages.reply(me, shown.message_id, text="Yes"))

    assert got.inboxkit["id"] == came.id
    assert answered.thread_id == came.thread_id
    assert messages.delete(me, shown.message_id) is None


def test_threads_are_listed_labelled_and_deleted(server: Server, client: Any, inbox: Any) -> None:
    me = inbox.inbox_id
    came = server.arrive(mail(to=me, subject="Plans"), to=me)

    [listed] = server.checked(client.inboxes.threads.list(me, senders=["ann"])).threads
    labelled = server.checked(client.threads.update(came.thread_id, add_labels=["todo"]))
    assert client.inboxes.threads.delete(me, came.thread_id) is None

    assert (listed.thread_id, listed.senders) == (came.thread_id, ["ann@example.com"])
    assert "todo" in labelled.labels
    with pytest.raises(sdk.NotFoundError) as error:
        client.threads.get(came.thread_id)
    assert error.value.body.code == "not_found"


def test_keys_of_a_pod_see_only_their_pod(server: Server) -> None:
    with served(api_key="k" * 20) as guarded:
        admin = guarded.client("k" * 20)
        pod = guarded.checked(admin.pods.create(name="acme", client_id="acme"))
        theirs = guarded.checked(admin.pods.inboxes.create(pod.pod_id, username="ours"))
        ours = guarded.checked(admin.inboxes.create())
        key = guarded.checked(admin.pods.api_keys.create(pod.pod_id, request={"name": "tenant"}))
        tenant = guarded.client(key.api_key)

        me = guarded.checked(tenant.auth.me())
        seen = guarded.checked(tenant.inboxes.list())

        assert (me.scope_type, me.pod_id) == ("pod", pod.pod_id)
        assert [i.inbox_id for i in seen.inboxes] == [theirs.inbox_id]
        with pytest.raises(sdk.NotFoundError):
            tenant.inboxes.get(ours.inbox_id)
        assert guarded.checked(admin.organizations.get()).inbox_count == 2
        assert guarded.checked(admin.api_keys.list()).count == 1
        assert guarded.checked(admin.api_keys.get(key.api_key_id)).name == "tenant"
        admin.api_keys.delete(key.api_key_id)
        with pytest.raises(ApiError):
            tenant.auth.me()


def test_what_is_left_out_is_not_found(client: Any, inbox: Any) -> None:
    with pytest.raises(ApiError) as error:
        client.apps.list()
    assert error.value.status_code == 404
    assert error.value.body["name"] == "NotFoundError"


async def test_the_asynchronous_client(server: Server) -> None:
    async with server.async_client() as client:
        inbox = server.checked(await client.inboxes.create())
        messages, me = client.inboxes.messages, inbox.inbox_id
        sent = server.checked(await messages.send(me, to="ann@example.com", text="Hi"))
        got = server.checked(await messages.get(me, sent.message_id))
        await client.inboxes.delete(me)
    assert (got.text, got.labels) == ("Hi", ["sent"])


def test_the_example_of_the_page_runs(server: Server) -> None:
    [block] = blocks("docs/api.md", "py")
    names = {"url": server.runner.kit.url, "key": "any"}
    exec(compile(block.text, str(block), "exec"), names)
    sent: Any = names["sent"]
    assert sent.thread_id.startswith("thd_")
    names["client"]._client_wrapper.httpx_client.httpx_client.close()
