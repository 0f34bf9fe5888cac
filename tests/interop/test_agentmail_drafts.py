"""AgentMail's own client on drafts, lists and domains."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.mails import mail
from tests.test_dns_records import Names

from .agentmail import ApiError, Server, check, sdk, served

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served() as running:
        yield running


@pytest.fixture
def client(server: Server) -> Any:
    return server.client()


@pytest.fixture
def me(client: Any) -> str:
    return str(client.inboxes.create().inbox_id)


def drafted(server: Server, client: Any, me: str, client_id: str) -> Any:
    file = sdk.SendAttachment(filename="a.txt", content=b64encode(b"abc").decode())
    return server.checked(
        client.inboxes.drafts.create(
            me,
            to=["ann@example.com"],
            cc="ben@example.com",
            subject="Hi",
            text="Hello",
            html="<p>Hello</p>",
            labels=["offer"],
            attachments=[file],
            client_id=client_id,
        )
    )


def test_a_draft_is_made_changed_and_found(server: Server, client: Any, me: str) -> None:
    drafts, made = client.inboxes.drafts, drafted(server, client, me, "d-1")
    assert drafted(server, client, me, "d-1").draft_id == made.draft_id
    changed = server.checked(drafts.update(me, made.draft_id, subject="Ho", add_labels=["x"]))
    assert (changed.subject, changed.labels) == ("Ho", ["offer", "x"])
    assert server.checked(drafts.list(me, labels=["x"])).drafts[0].draft_id == made.draft_id
    assert server.checked(client.drafts.get(made.draft_id)).text == "Hello"
    assert server.checked(client.drafts.list(limit=1)).count == 1
    assert server.checked(client.pods.drafts.list("pod_default")).count >= 1
    name = made.attachments[0].attachment_id
    assert server.checked(drafts.get_attachment(me, made.draft_id, name)).download_url


def test_a_draft_is_sent_once(server: Server, client: Any, me: str) -> None:
    drafts, made = client.inboxes.drafts, drafted(server, client, me, "d-2")
    key = {"idempotency_key": "send-1"}
    sent = server.checked(drafts.send(me, made.draft_id, add_labels=["y"], **key))
    again = server.checked(drafts.send(me, made.draft_id, add_labels=["y"], **key))
    assert again.message_id == sent.message_id
    found = server.checked(client.inboxes.messages.get(me, sent.message_id))
    assert found.labels == ["offer", "sent", "y"]
    with pytest.raises(ApiError) as error:
        drafts.get(me, made.draft_id)
    assert error.value.status_code == 404


def test_a_scheduled_draft_and_answers(server: Server, client: Any, me: str) -> None:
    drafts = client.inboxes.drafts
    came = server.arrive(mail("Size?", to=me, subject="Order"), to=me)
    at = datetime.now(UTC) + timedelta(days=1)
    made = server.checked(drafts.create(me, in_reply_to=came.message_id, text="L", send_at=at))
    assert (made.send_status, made.labels, made.in_reply_to) == (
        "scheduled",
        ["scheduled"],
        came.message_id,
    )
    sent = server.checked(drafts.create(me, forward_of=came.message_id, to="ann@example.com"))
    assert sent.forward_of == came.message_id
    drafts.delete(me, made.draft_id)
    assert server.checked(drafts.list(me)).count == 1


def test_lists_at_every_scope(server: Server, client: Any, me: str) -> None:
    lists = (
        (client.lists, ()),
        (client.pods.lists, ("pod_default",)),
        (client.inboxes.lists, (me,)),
    )
    for resource, scope in lists:
        made = server.checked(
            resource.create(*scope, "receive", "block", entry="eve@evil.example", reason="spam")
        )
        assert (made.entry_type, made.reason) == ("email", "spam")
        assert server.checked(resource.get(*scope, "receive", "block", made.entry)) == made
        found = server.checked(resource.list(*scope, "receive", "block", limit=5))
        assert [e.entry for e in found.entries] == ["eve@evil.example"]
        resource.delete(*scope, "receive", "block", made.entry)
        assert server.checked(resource.list(*scope, "receive", "block")).count == 0


def test_domains(server: Server, client: Any) -> None:
    made = server.checked(client.domains.create(domain="shop.example", subdomains_enabled=True))
    texts = {r.name: [r.value] for r in made.records if r.type == "TXT"}
    hosts = {"shop.example": [(10, made.records[0].value)]}
    server.runner.kit.runtime.resolver = Names(
        texts, {**hosts, "inboxkit-check.shop.example": hosts["shop.example"]}
    )
    client.domains.verify("shop.example")
    check(sdk.domains.Domain, server.answers[-1].json())
    found = server.checked(client.domains.get("shop.example"))
    assert (found.status, {r.status for r in found.records}) == ("VERIFIED", {"VALID"})
    zone = b"".join(client.domains.get_zone_file("shop.example"))
    assert b"_dmarc.shop.example." in zone
    assert server.checked(client.domains.get_setup_link("shop.example")).supported is False
    assert server.checked(client.domains.list()).domains[0].domain == "shop.example"
    assert server.checked(client.pods.domains.list("pod_default")).count == 0
    server.checked(client.domains.update("shop.example", tracking_enabled=True))
    client.domains.delete("shop.example")


async def test_drafts_asynchronously(server: Server, me: str) -> None:
    async with server.async_client() as client:
        made = server.checked(await client.inboxes.drafts.create(me, to="ann@example.com"))
        sent = server.checked(await client.inboxes.drafts.send(me, made.draft_id))
        assert sent.thread_id
