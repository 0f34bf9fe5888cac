"""Example events over HTTP: posted once when asked for, signed, and to be told from real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.egress import LOOPBACK
from inboxkit.http.api.schemas.events import TYPES, types_named
from inboxkit.webhooks import WebhookEvent, verify

from .api import Api, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .receiver import Receiver

KEY = "k" * 20


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(egress_networks=LOOPBACK, api_key=KEY) as api:
        yield api.of(KEY)


def made(api: Api, receiver: Receiver, at: str = "", **asked: Any) -> Any:
    wanted = {"url": receiver.url, "event_types": ["message.received"]} | asked
    return api.good("POST", f"/v0{at}/webhooks", wanted)


def sent(api: Api, hook: Any, **asked: Any) -> Any:
    return api.good("POST", f"/v0/webhooks/{hook['webhook_id']}/test", asked)


def posted(api: Api, receiver: Receiver, hook: Any) -> WebhookEvent:
    post = receiver.next()
    return verify(post.body, post.headers, hook["secret"], now=api.runner.clock.now())


def test_an_example_is_signed_as_any_event_and_says_that_it_is_one(
    api: Api, receiver: Receiver
) -> None:
    inbox = api.inbox()
    hook = made(api, receiver, f"/inboxes/{inbox}", headers={"X-Api-Key": "s3cret"})
    said = sent(api, hook)
    event = posted(api, receiver, hook)
    assert (said["good"], said["status"], said["event_type"]) == (True, 200, "message.received")
    assert (event.id, event.type) == (said["event_id"], "message.received")
    assert event.data["inboxkit"]["data"] == {"example": True}
    assert event.data["message"]["to"] == [inbox] and event.data["thread"]["message_count"] == 1
    assert sent(api, hook)["event_id"] != event.id


def test_an_example_has_the_fields_of_a_real_event(api: Api, receiver: Receiver) -> None:
    inbox = api.inbox()
    hook = made(api, receiver, f"/inboxes/{inbox}")
    api.arrive(inbox)
    real = posted(api, receiver, hook).data
    sent(api, hook)
    example = posted(api, receiver, hook).data
    assert set(example) == set(real)
    assert set(real["thread"]) == set(example["thread"])
    # A mail that came has headers of its own.
    assert set(real["message"]) - set(example["message"]) == {"headers"}


@pytest.mark.parametrize("name", sorted(name for name in TYPES if types_named(name)))
def test_there_is_an_example_of_every_type_that_happens(
    api: Api, receiver: Receiver, name: str
) -> None:
    hook = made(api, receiver)
    assert sent(api, hook, event_type=name)["event_type"] == name
    event = posted(api, receiver, hook)
    assert event.type == event.data["event_type"] == name


def test_what_was_answered_is_told_and_nothing_is_tried_again(api: Api, receiver: Receiver) -> None:
    hook = made(api, receiver)
    path = f"/v0/webhooks/{hook['webhook_id']}"
    receiver.statuses = [410]
    said = sent(api, hook)
    assert (said["good"], said["status"], said["error"]) == (False, 410, "answered 410")
    assert api.good("GET", path) == hook
    assert api.good("GET", f"{path}/attempts")["attempts"] == []
    assert receiver.posts.qsize() == 1


def test_a_webhook_that_is_switched_off_can_be_tried(api: Api, receiver: Receiver) -> None:
    hook = made(api, receiver)
    api.good("PATCH", f"/v0/webhooks/{hook['webhook_id']}", {"enabled": False})
    assert sent(api, hook)["good"] is True


def test_an_example_is_no_cursor(api: Api, receiver: Receiver) -> None:
    id = sent(api, made(api, receiver))["event_id"]
    assert api.ask("GET", f"/v0/events?after={id}").code == "validation_error"


@pytest.mark.parametrize(
    ("name", "words"),
    [("message.exploded", "known: "), ("calendar.event.created", "never happens here")],
)
def test_what_there_is_no_example_of_is_refused(
    api: Api, receiver: Receiver, name: str, words: str
) -> None:
    hook = made(api, receiver)
    answer = api.ask("POST", f"/v0/webhooks/{hook['webhook_id']}/test", {"event_type": name})
    assert answer.code == "validation_error" and words in str(answer.json)


def test_a_network_that_is_allowed_no_more_is_not_posted_to(
    api: Api, receiver: Receiver, tmp_path: Any
) -> None:
    database = f"sqlite:///{tmp_path / 'inboxkit.db'}"
    with serving(egress_networks=LOOPBACK, database=database) as before:
        hook = made(before, receiver)
    with serving(database=database) as after:
        said = sent(after, hook)
    assert (said["good"], said["status"], receiver.posts.empty()) == (False, 0, True)
    assert "not a public address" in said["error"]
