"""AgentMail's own client on what is live: webhooks, sockets, metrics, events; and the verifiers."""

from __future__ import annotations

import asyncio
import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.egress import LOOPBACK
from tests.http.receiver import Receiver, receiving
from tests.mails import mail
from tests.test_dns_records import Names

from .agentmail import ApiError, Server, check, served

if TYPE_CHECKING:
    from collections.abc import Iterator

svix: Any = import_module("svix.webhooks")
standard: Any = import_module("standardwebhooks.webhooks")
subscribe: Any = import_module("agentmail.websockets.types.subscribe").Subscribe
events: Any = import_module("agentmail.events.types")
pytestmark = pytest.mark.filterwarnings("ignore:.*websockets:DeprecationWarning")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served(egress_networks=LOOPBACK) as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def client(server: Server) -> Any:
    return server.client()


@pytest.fixture
def inbox(client: Any) -> str:
    return str(client.inboxes.create().inbox_id)


def arrive(server: Server, inbox: str) -> Any:
    return server.arrive(mail("Hello", to=inbox), to=inbox)


def test_both_verifiers_accept_what_we_post(
    server: Server, client: Any, inbox: str, receiver: Receiver
) -> None:
    hook = server.checked(
        client.webhooks.create(
            url=receiver.url, event_types=["message.received"], inbox_ids=[inbox], client_id="w-1"
        )
    )
    arrive(server, inbox)
    post = receiver.next()
    svix.Webhook(hook.secret).verify(post.body, post.headers)
    standard.Webhook(hook.secret).verify(
        post.body.decode(), {name.lower(): value for name, value in post.headers.items()}
    )
    check(events.MessageReceivedEvent, json.loads(post.body))
    with pytest.raises(svix.WebhookVerificationError):
        svix.Webhook(hook.secret).verify(post.body + b" ", post.headers)


def test_webhooks_are_kept_at_all_three_places(server: Server, client: Any, inbox: str) -> None:
    pod = client.pods.create(name="live").pod_id
    for place, at in ((client.webhooks, ()), (client.pods.webhooks, (pod,))):
        made = server.checked(
            place.create(*at, url="https://example.com/h", event_types=["message.sent"])
        )
        got = server.checked(place.get(*at, made.webhook_id))
        assert (got.enabled, got.event_types) == (True, ["message.sent"])
        changed = server.checked(
            place.update(*at, made.webhook_id, event_types=["message.bounced"], enabled=False)
        )
        assert (changed.enabled, changed.event_types) == (False, ["message.bounced"])
        assert made.webhook_id in [h.webhook_id for h in server.checked(place.list(*at)).webhooks]
        place.delete(*at, made.webhook_id)
        with pytest.raises(ApiError):
            place.get(*at, made.webhook_id)
    own = client.inboxes.webhooks
    made = server.checked(
        own.create(inbox, url="https://example.com/h", event_types=["message.received"])
    )
    assert made.inbox_id == inbox
    own.update_headers(inbox, made.webhook_id, headers={"X-Key": "s"})
    assert server.checked(own.get_headers(inbox, made.webhook_id)).header_names == ["X-Key"]


def test_a_socket_of_the_synchronous_client(server: Server, client: Any, inbox: str) -> None:
    with client.websockets.connect() as socket:
        socket.send_subscribe(subscribe(inbox_ids=[inbox]))
        said = socket.recv()
        came = arrive(server, inbox)
        event = socket.recv()
    assert (said.type, said.inbox_ids) == ("subscribed", [inbox])
    assert (event.event_type, event.message.thread_id) == ("message.received", came.thread_id)


def test_a_socket_of_the_asynchronous_client(server: Server, inbox: str) -> None:
    async def listen() -> Any:
        async with server.async_client() as client, client.websockets.connect() as socket:
            await socket.send_subscribe(
                subscribe(inbox_ids=[inbox], event_types=["message.sent", "message.received"])
            )
            await socket.recv()
            sent = await client.inboxes.messages.send(inbox, to="a@example.com", text="Hi")
            return sent, await asyncio.wait_for(socket.recv(), 10)

    sent, event = asyncio.run(listen())
    assert (event.event_type, event.send.message_id) == ("message.sent", sent.message_id)
    assert event.send.recipients == ["a@example.com"]


def test_a_socket_that_asks_for_too_much_is_told_so(client: Any) -> None:
    with client.websockets.connect() as socket:
        socket.send_subscribe(subscribe(inbox_ids=["nobody@inbox.example"]))
        said = socket.recv()
    assert (said.type, said.name) == ("error", "NotFoundError")


def test_polling_webhooks_are_kept_at_all_three_places(
    server: Server, client: Any, inbox: str
) -> None:
    pod = client.pods.create(name="polled").pod_id
    places = (
        (client.webhooks, ()),
        (client.pods.webhooks, (pod,)),
        (client.inboxes.webhooks, (inbox,)),
    )
    for webhooks, at in places:
        place, asked = webhooks.polling, {"client_id": "agent", "event_types": ["message.sent"]}
        made = server.checked(place.create(*at, **asked))
        assert made.token != server.checked(place.create(*at, **asked)).token
        got = server.checked(place.get(*at, made.webhook_id))
        assert (got.client_id, got.event_types) == ("agent", ["message.sent"])
        (listed,) = server.checked(place.list(*at)).polling_webhooks
        assert listed.webhook_id == made.webhook_id
        place.delete(*at, "agent")
        with pytest.raises(ApiError):
            place.get(*at, made.webhook_id)


def test_a_domain_that_is_verified_is_an_event_of_the_clients_own(
    server: Server, client: Any
) -> None:
    domain = client.domains.create(domain="told.example")
    texts = {r.name: [r.value] for r in domain.records if r.type == "TXT"}
    hosts = {r.name: [(10, r.value)] for r in domain.records if r.type == "MX"}
    server.runner.kit.runtime.resolver = Names(texts, hosts)
    with client.websockets.connect() as socket:
        socket.send_subscribe(subscribe())
        socket.recv()
        client.domains.verify(domain.domain_id)
        event = socket.recv()
    check(events.DomainVerifiedEvent, event.model_dump(mode="json", exclude_none=True))
    assert (event.event_type, event.domain.status) == ("domain.verified", "VERIFIED")


def test_metrics_and_label_events(server: Server, client: Any, inbox: str) -> None:
    came = arrive(server, inbox)
    client.inboxes.messages.update(inbox, came.message_id, add_labels=["vip"])
    listed = server.checked(client.inboxes.events.list(inbox))
    assert [(e.event_type, e.label) for e in listed.events] == [("label.added", "vip")]
    counted = client.inboxes.metrics.query_events(inbox, period=3600)
    assert sum(b.count for b in counted["message.received"]) == 1
    used = client.metrics.query_usage(usage_types=["inbox_count"], limit=1, descending=True)
    assert used["inbox_count"][0].value >= 1
    rates = client.metrics.query_rates(rate_types=["bounce"], limit=2)
    assert len(rates["bounce"]) == 2
