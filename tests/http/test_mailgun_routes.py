"""Routes and webhooks of the Mailgun facade: what arrives and what happens is told of."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.providers.base import Verified
from inboxkit.providers.mailgun import Mailgun as Provider
from inboxkit.providers.mailgun import sign
from inboxkit.store import mailgun_routes

from .api import Api, path
from .mailgun import DOMAIN, Mailgun, Receiver, shop

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOP = f"shop@{DOMAIN}"
HOOKS = f"/v3/domains/{DOMAIN}/webhooks"
ACCOUNT = "/v1/webhooks"


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with shop() as running:
        yield running


@pytest.fixture
def mailgun(api: Api) -> Iterator[Mailgun]:
    found = Mailgun(api)
    yield found
    for route in found.good("GET", "/v3/routes")["items"]:
        found.good("DELETE", f"/v3/routes/{route['id']}")
    for name in found.good("GET", HOOKS)["webhooks"]:
        found.good("DELETE", f"{HOOKS}/{name}")
    found.ask("DELETE", f"{ACCOUNT}?all=true")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


def route(mailgun: Mailgun, expression: str, *actions: str, priority: int = 0) -> str:
    given = {"expression": expression, "action": list(actions), "priority": priority}
    return str(mailgun.good("POST", "/v3/routes", **given)["route"]["id"])


def test_a_route_is_kept_by_priority(mailgun: Mailgun) -> None:
    later = route(mailgun, "catch_all()", "store()", priority=5)
    first = route(mailgun, 'match_recipient("shop@.*")', "stop()")
    listed = mailgun.good("GET", "/v3/routes")
    assert ([r["id"] for r in listed["items"]], listed["total_count"]) == ([first, later], 2)

    mailgun.good("PUT", f"/v3/routes/{later}", description="all", priority=1)
    shown = mailgun.good("GET", f"/v3/routes/{later}")["route"]
    assert (shown["description"], shown["priority"], shown["actions"]) == ("all", 1, ["store()"])
    assert mailgun.good("GET", "/v3/routes/match", address="x@y.example")["route"]["id"] == later


def test_a_stored_pattern_that_is_refused_now_is_passed_over(
    api: Api, mailgun: Mailgun, receiver: Receiver
) -> None:
    store, bad = api.runner.kit.runtime.store, f'match_recipient("{"(s|s)" * 30}")'
    given = {"priority": 0, "description": "", "expression": bad, "actions": ["stop()"]}
    api.runner.call(store.write, mailgun_routes.create, store.clock.now(), given, base=api.url)
    good = route(mailgun, "catch_all()", f'forward("{receiver.url}/in")', priority=1)

    api.arrive(SHOP, "Hello")
    assert receiver.mail()[0] == "/in"
    assert mailgun.good("GET", "/v3/routes/match", address=SHOP)["route"]["id"] == good


def test_mail_is_posted_to_a_url(api: Api, mailgun: Mailgun, receiver: Receiver) -> None:
    target = rf'forward("{receiver.url}/in?who=\g<who>")'
    route(mailgun, r'match_recipient("(?P<who>.*)\+.*@.*")', target)
    api.arrive(f"shop+a@{DOMAIN}", "Thanks\n\n> Hello", files={"a.txt": b"a"})

    where, form = receiver.mail()
    key = mailgun.good("GET", "/v5/accounts/http_signing_key")["http_signing_key"]
    assert (where, form.text("recipient")) == ("/in?who=shop", f"shop+a@{DOMAIN}")
    assert (form.text("stripped-text"), form.all("attachment-1")[0].data) == ("Thanks", b"a")
    assert form.texts("Message-Id") == form.texts("Message-ID")  # the second is the sender's
    assert form.text("signature") == sign(key, form.text("timestamp"), form.text("token"))


def test_a_url_that_ends_in_mime_gets_the_bytes(
    api: Api, mailgun: Mailgun, receiver: Receiver
) -> None:
    route(mailgun, 'match_header("subject", "raw")', f'forward("{receiver.url}/mime")')
    came = api.arrive(SHOP, "As it is", subject="Raw")
    _, form = receiver.mail()
    assert form.all("body-mime")[0].data == api.runner.call(came.raw)
    assert form.text("Message-Id") == came.message_id


def test_storing_tells_where_the_mail_is(api: Api, mailgun: Mailgun, receiver: Receiver) -> None:
    route(mailgun, "catch_all()", f'store(notify="{receiver.url}/stored")')
    came = api.arrive(SHOP, "Keep", files={"a.txt": b"a"})
    _, form = receiver.mail()
    url = form.text("message-url").removeprefix(api.url)
    assert mailgun.good("GET", url)["Message-Id"] == came.message_id
    assert "attachment-1" not in form


def test_a_file_of_a_stored_mail_is_fetched_by_its_url(
    api: Api, mailgun: Mailgun, receiver: Receiver
) -> None:
    route(mailgun, "catch_all()", f'store(notify="{receiver.url}/stored")')
    api.arrive(SHOP, "Keep", files={"a.txt": b"a", "b.html": b"<script>"})
    _, form = receiver.mail()
    urls = [f["url"].removeprefix(api.url) for f in json.loads(form.text("attachments"))]

    first, second = (mailgun.ask("GET", url) for url in urls)

    assert (first.body, second.body) == (b"a", b"<script>")
    assert second.headers["content-type"] == "application/octet-stream"
    assert second.headers["content-disposition"] == "attachment; filename*=UTF-8''b.html"
    for place in ("2", "00", "-1", "x", "9" * 5_000):
        assert mailgun.ask("GET", f"{urls[0][:-1]}{place}").status == 404


def test_stop_ends_the_search(api: Api, mailgun: Mailgun, receiver: Receiver) -> None:
    route(mailgun, "catch_all()", f'forward("{receiver.url}/first")', "stop()", priority=1)
    route(mailgun, "catch_all()", f'forward("{receiver.url}/second")', priority=2)
    api.arrive(SHOP, "One")
    assert receiver.mail()[0] == "/first"
    mailgun.settle()
    assert receiver.posts.empty()


def test_mail_is_sent_on_to_an_address_once(api: Api, mailgun: Mailgun) -> None:
    route(mailgun, 'match_header("subject", "On")', 'forward("boss@example.com")')
    came = api.arrive(SHOP, "Look", subject="On")
    mailgun.settle()

    asked = {"event": "accepted", "recipient": "boss@example.com"}
    [event] = mailgun.good("GET", f"/v3/{DOMAIN}/events", **asked)["items"]
    sent = api.good("GET", path(SHOP, f"<{event['message']['headers']['message-id']}>"))
    assert (sent["subject"], came.subject) == ("Fwd: On", "On")


def test_an_automatic_answer_is_not_sent_on(api: Api, mailgun: Mailgun, receiver: Receiver) -> None:
    actions = ('forward("loop@example.com")', f'forward("{receiver.url}/x")')
    route(mailgun, 'match_header("subject", "Away")', *actions)
    api.arrive(SHOP, "I am away", subject="Away", headers={"Auto-Submitted": "auto-replied"})
    assert receiver.mail()[0] == "/x"
    mailgun.settle()
    asked = {"recipient": "loop@example.com"}
    assert mailgun.good("GET", f"/v3/{DOMAIN}/events", **asked)["items"] == []


def test_events_are_posted_as_mailgun_posts_them(mailgun: Mailgun, receiver: Receiver) -> None:
    mailgun.good("POST", HOOKS, id="delivered", url=[f"{receiver.url}/a", f"{receiver.url}/b"])
    sent = mailgun.send(**{"v:order": "42"})

    posts = dict(receiver.event() for _ in range(2))
    assert sorted(posts) == ["/a", "/b"]
    data = posts["/a"]["event-data"]
    assert (data["event"], data["recipient"]) == ("delivered", "ann@example.com")
    assert (data["user-variables"], f"<{data['message']['headers']['message-id']}>") == (
        {"order": "42"},
        sent,
    )


def test_a_new_key_signs_what_is_posted_from_then_on(mailgun: Mailgun, receiver: Receiver) -> None:
    where = "/v5/accounts/http_signing_key"
    old = mailgun.good("GET", where)["http_signing_key"]
    new = mailgun.good("POST", where)["http_signing_key"]
    mailgun.good("POST", HOOKS, id="delivered", url=receiver.url)
    mailgun.send()

    signed = receiver.event()[1]["signature"]
    assert old != new == mailgun.good("GET", where)["http_signing_key"]
    assert signed["signature"] == sign(new, signed["timestamp"], signed["token"])


def test_what_is_suppressed_is_told_as_a_permanent_failure(
    mailgun: Mailgun, receiver: Receiver
) -> None:
    mailgun.good("POST", HOOKS, id="permanent_fail", url=receiver.url)
    mailgun.good("POST", f"/v3/{DOMAIN}/bounces", address="dead@example.com")
    mailgun.send(to=["dead@example.com", "ann@example.com"])

    data = receiver.event()[1]["event-data"]
    assert (data["event"], data["severity"]) == ("failed", "permanent")
    assert (data["recipient"], data["reason"]) == ("dead@example.com", "suppress-bounce")


def test_our_own_provider_reads_what_is_posted(mailgun: Mailgun, receiver: Receiver) -> None:
    key = mailgun.good("GET", "/v5/accounts/http_signing_key")["http_signing_key"]
    options = {"api_key": "k", "domain": DOMAIN, "signing_key": key}
    config = Provider().configure(options)
    mailgun.good("POST", HOOKS, id="delivered", url=receiver.url)
    mailgun.send()
    _, kind, body = receiver.posts.get(timeout=30)

    request: Any = request_of(kind, body)
    assert isinstance(Provider().verify(request, config, datetime.now(UTC)), Verified)
    [event] = Provider().parse_events(request, config)
    assert (event.type, event.recipient) == ("delivered", "ann@example.com")


def request_of(kind: str, body: bytes) -> object:
    from inboxkit.providers.base import WebhookRequest

    return WebhookRequest(headers={"content-type": kind}, body=body)


def test_a_post_that_fails_is_tried_again_and_406_ends_it(
    mailgun: Mailgun, receiver: Receiver
) -> None:
    receiver.answer = 500
    mailgun.good("POST", HOOKS, id="delivered", url=receiver.url)
    mailgun.send()
    receiver.event()
    mailgun.settle()
    receiver.answer = 406
    mailgun.later(minutes=11)
    receiver.event()
    mailgun.settle()
    mailgun.later(hours=9)
    mailgun.settle()
    assert receiver.posts.empty()


def test_webhooks_are_kept_by_event_and_by_url(mailgun: Mailgun) -> None:
    url, v4 = "https://shop.example/hook", f"/v4/domains/{DOMAIN}/webhooks"
    mailgun.good("POST", v4, url=url, event_types="opened,clicked")
    assert mailgun.good("GET", f"{HOOKS}/opened") == {"webhook": {"urls": [url]}}
    mailgun.good("PUT", v4, url=url, event_types="clicked")
    assert mailgun.ask("GET", f"{HOOKS}/opened").status == 404
    mailgun.good("PUT", f"{HOOKS}/clicked", url=["https://a.example", "https://b.example"])
    mailgun.good("DELETE", f"{v4}?url=https://a.example")
    assert mailgun.good("GET", HOOKS)["webhooks"] == {"clicked": {"urls": ["https://b.example"]}}


def test_webhooks_of_the_account_are_kept(mailgun: Mailgun) -> None:
    given = {"url": "https://a.example", "event_types": ["opened", "clicked"], "description": "A"}
    first = mailgun.good("POST", ACCOUNT, **given)["webhook_id"]
    second = mailgun.good("POST", ACCOUNT, **given | {"event_types": "delivered"})["webhook_id"]
    changed = mailgun.ask(
        "PUT", f"{ACCOUNT}/{first}", url="https://b.example", event_types="opened"
    )

    shown = mailgun.good("GET", f"{ACCOUNT}/{first}")
    assert (changed.status, shown["url"], shown["event_types"]) == (
        204,
        "https://b.example",
        ["opened"],
    )
    assert [w["webhook_id"] for w in mailgun.good("GET", ACCOUNT)["webhooks"]] == [first, second]
    [found] = mailgun.good("GET", f"{ACCOUNT}?webhook_ids={second}")["webhooks"]
    assert (found["description"], found["event_types"]) == ("A", ["delivered"])
    assert mailgun.ask("DELETE", f"{ACCOUNT}?webhook_ids={second}").status == 204
    assert mailgun.ask("DELETE", f"{ACCOUNT}/{first}").status == 204
    assert mailgun.good("GET", ACCOUNT) == {"webhooks": []}


def test_the_account_is_told_of_every_domain_but_each_url_once(
    mailgun: Mailgun, receiver: Receiver
) -> None:
    both = f"{receiver.url}/both"
    mailgun.good("POST", HOOKS, id="delivered", url=both)
    for url in (both, f"{receiver.url}/all"):
        mailgun.good("POST", ACCOUNT, url=url, event_types="delivered")
    mailgun.send()
    mailgun.settle()
    assert sorted(receiver.event()[0] for _ in range(2)) == ["/all", "/both"]
    assert receiver.posts.empty()


def test_what_no_webhook_of_the_account_can_be(mailgun: Mailgun) -> None:
    for number in range(3):
        mailgun.good("POST", ACCOUNT, url=f"https://{number}.example", event_types="opened")
    given = {"url": "https://4.example", "event_types": "opened"}
    answers = [
        mailgun.ask("POST", ACCOUNT, **given),
        mailgun.ask("POST", ACCOUNT, url="https://a.example"),
        mailgun.ask("DELETE", ACCOUNT),
        mailgun.ask("PUT", f"{ACCOUNT}/whk_1", **given | {"event_types": "clicked"}),
        mailgun.ask("GET", f"{ACCOUNT}/nonsense"),
        mailgun.ask("DELETE", f"{ACCOUNT}/nonsense"),
    ]
    assert [answer.status for answer in answers] == [400, 400, 400, 404, 404, 404]


WRONG = {
    "no expression": ("/v3/routes", {"action": "stop()"}),
    "a wrong expression": ("/v3/routes", {"expression": "x"}),
    "a wrong action": ("/v3/routes", {"expression": "catch_all()", "action": "drop()"}),
    "no priority": ("/v3/routes", {"expression": "catch_all()", "priority": "x"}),
    "no event": (HOOKS, {"url": "https://a.example"}),
    "an unknown event": (HOOKS, {"id": "bounced", "url": "https://a.example"}),
    "no url": (HOOKS, {"id": "opened"}),
    "no good url": (HOOKS, {"id": "opened", "url": "ftp://a.example"}),
    "a url with a secret": (HOOKS, {"id": "opened", "url": "https://a:b@a.example"}),
    "many urls": (HOOKS, {"id": "opened", "url": [f"https://{n}.example" for n in range(4)]}),
}


@pytest.mark.parametrize(("target", "given"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_refused(mailgun: Mailgun, target: str, given: dict[str, Any]) -> None:
    answer = mailgun.ask("POST", target, **given)
    assert (answer.status, list(answer.json)) == (400, ["message"])
