"""Who may do what by the Mailgun facade: every route with every kind of key, and without one."""

from __future__ import annotations

import re
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest

from inboxkit.http.mailgun.app import basic_password
from inboxkit.http.mailgun.resources import ROUTES
from inboxkit.providers.forms import Field

from .api import Answer, Api, path, serving
from .mailgun import BASE, DOMAIN, Mailgun, basic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit.http.mailgun.call import Route

ADMIN = "k" * 20


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(api_key=ADMIN) as running:
        yield running.of(ADMIN)


def asked(api: Api, route: Route, key: str | None) -> Answer:
    target = re.sub(r"\{\w+\}", "x", route.path.replace("{domain}", DOMAIN))
    headers = {"Authorization": ""} if key is None else basic(key)
    return api.ask(route.method, target, headers=headers)


def made(api: Api, where: str, permissions: dict[str, bool] | None = None) -> str:
    body = {} if permissions is None else {"permissions": permissions}
    return str(api.good("POST", f"/v0{where}/api-keys", body)["api_key"])


@pytest.mark.parametrize("key", [None, "guessed", ""], ids=["none", "guessed", "empty"])
def test_without_a_key_nothing_is_let_in(api: Api, key: str | None) -> None:
    nobody = api.of("")
    wrong = [r for r in ROUTES if asked(nobody, r, key).status != 401]
    assert wrong == []


def test_every_route_needs_its_permission(api: Api) -> None:
    powerless = made(api, "", {})
    answers = [(r, asked(api, r, powerless)) for r in ROUTES]
    expected = "The key lacks the permission "
    assert [r for r, a in answers if a.json["message"] != f"{expected}{r.permission}"] == []


def test_every_route_lets_its_own_permission_through(api: Api) -> None:
    keys = {name: made(api, "", {name: True}) for name in {r.permission for r in ROUTES}}
    answers = [(r, asked(api, r, keys[r.permission])) for r in ROUTES]
    assert [(r.path, a.status) for r, a in answers if a.status in (401, 403, 500)] == []


TELLING: dict[str, tuple[str, str, dict[str, str]]] = {
    "webhook": ("POST", f"/v3/domains/{DOMAIN}/webhooks", {"id": "opened"}),
    "changed webhook": ("PUT", f"/v3/domains/{DOMAIN}/webhooks/delivered", {}),
    "webhook of v4": ("POST", f"/v4/domains/{DOMAIN}/webhooks", {"event_types": "delivered"}),
    "account webhook": ("POST", "/v1/webhooks", {"event_types": "delivered"}),
    "route": ("POST", "/v3/routes", {"expression": "catch_all()", "action": "stop()"}),
}


@pytest.mark.parametrize(("method", "target", "fields"), TELLING.values(), ids=TELLING.keys())
def test_who_may_not_read_messages_makes_nothing_that_tells_of_them(
    api: Api, method: str, target: str, fields: dict[str, str]
) -> None:
    powers = {f"webhook_{verb}": True for verb in ("read", "create", "update")}
    given = {"url": "https://example.com/hook"} | fields
    Mailgun(api, ADMIN).ask("POST", f"/v3/domains/{DOMAIN}/webhooks", **given | {"id": "delivered"})
    refused = Mailgun(api, made(api, "", powers)).ask(method, target, **given)
    expected = (403, "The key lacks the permission message_read")
    assert (refused.status, refused.json["message"]) == expected
    reader = Mailgun(api, made(api, "", powers | {"message_read": True}))
    assert reader.ask(method, target, **given).status != 403


@pytest.mark.parametrize("where", ["pod", "inbox"])
def test_what_belongs_to_all_tenants_is_for_no_bound_key(api: Api, where: str) -> None:
    pod = api.good("POST", "/v0/pods", {"name": where})["pod_id"]
    inbox = api.good("POST", f"/v0/pods/{pod}/inboxes", {})["inbox_id"]
    key = made(api, f"/pods/{pod}" if where == "pod" else f"/inboxes/{inbox}")
    answers = [(r, asked(api, r, key)) for r in ROUTES if r.account]
    assert [r.path for r, a in answers if a.status != 403] == []


def test_another_tenants_mail_is_not_there(api: Api) -> None:
    pods = [api.good("POST", "/v0/pods", {"name": n})["pod_id"] for n in ("mine", "theirs")]
    mine, theirs = (Mailgun(api, made(api, f"/pods/{pod}")) for pod in pods)
    sent = theirs.good("POST", f"/v3/{DOMAIN}/messages", **BASE)["id"]
    theirs.settle()

    key = theirs.good("GET", f"/v3/{DOMAIN}/events")["items"][0]["storage"]["key"]
    item = f"/v3/domains/{DOMAIN}/messages/{key}"
    assert theirs.good("GET", item)["Message-Id"] == sent
    assert mine.ask("GET", item).json == mine.ask("GET", item[:-1] + "0").json
    assert mine.good("GET", f"/v3/{DOMAIN}/events")["items"] == []
    refused = mine.ask("POST", f"/v3/{DOMAIN}/messages", **BASE)
    assert (refused.status, "may not send as" in refused.json["message"]) == (400, True)


def test_tenants_of_one_domain_read_and_take_back_their_own_mail_only(api: Api) -> None:
    later = format_datetime(api.runner.clock.now() + timedelta(days=2))
    sent: dict[str, Mailgun] = {}
    for name in ("left", "right"):
        pod = api.good("POST", "/v0/pods", {"name": name})["pod_id"]
        mailgun = Mailgun(api, made(api, f"/pods/{pod}"))
        for time in ({}, {"o:deliverytime": later}):
            asked = BASE | {"from": f"{name}@{DOMAIN}"} | time
            sent[mailgun.good("POST", f"/v3/{DOMAIN}/messages", **asked)["id"]] = mailgun
    [left, waits, right, stays] = sent
    sent[left].settle()

    key = sent[right].good("GET", f"/v3/{DOMAIN}/events")["items"][0]["storage"]["key"]
    item = f"/v3/domains/{DOMAIN}/messages/{key}"
    assert sent[right].ask("GET", item).status == 200
    assert sent[left].ask("GET", item).status == 404
    sent[left].good("DELETE", f"/v3/{DOMAIN}/envelopes")
    assert api.ask("GET", path(f"left@{DOMAIN}", waits)).status == 404
    assert api.ask("GET", path(f"right@{DOMAIN}", stays)).status == 200


def test_templates_serve_their_own_pod_only(api: Api) -> None:
    pods = [api.good("POST", "/v0/pods", {"name": n})["pod_id"] for n in ("writes", "looks")]
    writes, looks = (Mailgun(api, made(api, f"/pods/{pod}")) for pod in pods)
    many, base = f"/v3/{DOMAIN}/templates", {k: v for k, v in BASE.items() if k != "text"}
    for mailgun, name in ((writes, "writes"), (looks, "looks")):
        mailgun.send(**{"from": f"{name}@{DOMAIN}"})
    writes.good("POST", many, name="welcome", template="Hi")

    assert (writes.ask("GET", f"{many}/welcome").status, looks.good("GET", many)["items"]) == (
        200,
        [],
    )
    for mailgun, name, status in ((writes, "writes", 200), (looks, "looks", 400)):
        asked = base | {"from": f"{name}@{DOMAIN}", "template": "welcome"}
        assert mailgun.ask("POST", f"/v3/{DOMAIN}/messages", **asked).status == status


UNKNOWN = {
    "domain": "nowhere.example",
    "key": "msg_0000000000001",
    "number": "0",
    "name": "no-such-name",
    "tag": "no-such-tag",
    "new_tag": "another",
    "token": "none",
}


def tenant(api: Api, name: str) -> tuple[Mailgun, dict[str, str]]:
    """Make a pod with what has a name by Mailgun's API; return its key's door, and the names."""
    pod, domain = api.good("POST", "/v0/pods", {"name": name})["pod_id"], f"{name}.example"
    api.good("POST", f"/v0/pods/{pod}/inboxes", {"username": "box", "domain": domain})
    mailgun = Mailgun(api, made(api, f"/pods/{pod}"))
    api.good("POST", f"/v0/pods/{pod}/domains", {"domain": domain})
    file = Field("attachment", b"a", "a.txt", "text/plain")
    mail = BASE | {"from": f"box@{domain}", "o:tag": name}
    fields = [Field(n, value.encode()) for n, value in mail.items()]
    assert mailgun.upload(f"/v3/{domain}/messages", [*fields, file]).status == 200
    mailgun.good("POST", "/v4/templates", name=name, template="x", tag=name)
    listed = Field("file", b"email\nann@shop.example", "a.csv")
    assert mailgun.upload(f"/v4/address/validate/bulk/{name}", [listed]).status == 202
    mailgun.settle()
    event = mailgun.good("GET", f"/v3/{domain}/events")["items"][0]
    own = {"domain": domain, "key": event["storage"]["key"], "name": name, "tag": name}
    return mailgun, UNKNOWN | own


def told(mailgun: Mailgun, route: Route, ids: dict[str, str]) -> tuple[int, str]:
    """Return what is said about things, without their names."""
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    form = f"to=ann%40example.com&template=x&tag={ids['tag']}&list_id=x".encode()
    target = route.path.format(**ids)
    if route.path.endswith(("/tag", "/tag/stats")):
        target += f"?tag={ids['tag']}"
    body = None if route.method == "GET" else form
    answer = mailgun.api.ask(route.method, target, body, {**mailgun.headers, **kind})
    said = answer.body.decode()
    for value in sorted(ids.values(), key=len, reverse=True):
        said = said.replace(value, "ID") if len(value) > 1 else said
    return answer.status, said


def test_what_is_anothers_looks_like_what_is_not_there_on_every_route(api: Api) -> None:
    (mine, own), (_, foreign) = tenant(api, "oursmine"), tenant(api, "theirown")
    named = [r for r in ROUTES if "{" in r.path and not r.account]
    held = [r for r in named if r.path.count("{") > 1]
    for routes, ids in ((named, {}), (held, {"domain": own["domain"]})):
        unknown = [told(mine, r, UNKNOWN | ids) for r in routes]
        found = [told(mine, r, foreign | ids) for r in routes]
        pairs = zip(routes, unknown, found, strict=True)
        assert [(r.method, r.path, a, b) for r, a, b in pairs if a != b] == []


@pytest.mark.parametrize("where", ["/pods/{pod}", "/inboxes/{inbox}"], ids=["pod", "inbox"])
def test_what_others_met_at_an_address_is_not_told(api: Api, where: str) -> None:
    name = where[1:4]
    mine, theirs = (api.good("POST", "/v0/pods", {"name": n + name}) for n in "mt")
    inbox = api.good("POST", f"/v0/pods/{mine['pod_id']}/inboxes", {"domain": f"{name}.example"})
    key = made(api, where.format(pod=mine["pod_id"], inbox=inbox["inbox_id"]))
    told = {"": True, mine["pod_id"]: True, f"{name}.example": True}
    told |= {theirs["pod_id"]: False, "else.example": False}
    for place, scope in enumerate(told):
        asked = {"address": f"{name}{place}@shop.example", "domain": scope, "reason": "complained"}
        api.good("POST", "/v0/suppressions", asked)
    addresses = [f"{name}{place}@shop.example" for place in range(len(told))]

    bound, path = Mailgun(api, key), "/v4/address/validate"
    table = Field("file", "\n".join(["email", *addresses]).encode(), "a.csv")
    assert bound.upload(f"{path}/bulk/all", [table]).status == 202
    bound.settle()
    listed = bound.good("GET", f"{path}/bulk/all/results.json")
    assert [v["reason"] == ["suppressed here: complained"] for v in listed] == [*told.values()]
    assert [bound.good("GET", path, address=one) for one in addresses] == listed
    assert bound.good("GET", path, address=addresses[-1])["reason"] == ["no_data"]
    of_all = Mailgun(api, ADMIN).good("GET", path, address=addresses[-1])
    assert of_all["reason"] == ["suppressed here: complained"]


def test_a_key_of_one_inbox_sends_only_from_there(api: Api) -> None:
    inbox = api.inbox(username="only")
    mailgun = Mailgun(api, made(api, f"/inboxes/{inbox}"))
    assert mailgun.ask("POST", f"/v3/{DOMAIN}/messages", **BASE | {"from": inbox}).status == 200
    other = BASE | {"from": f"new@{DOMAIN}"}
    assert mailgun.ask("POST", f"/v3/{DOMAIN}/messages", **other).status == 400


def test_keys_of_inboxes_do_not_meet_under_one_idempotency_key(api: Api) -> None:
    for name in ("first", "second"):
        inbox = api.inbox(username=name)
        mailgun = Mailgun(api, made(api, f"/inboxes/{inbox}"))
        asked = BASE | {"from": inbox, "h:X-Idempotency-Key": "order-1"}
        sent = mailgun.good("POST", f"/v3/{DOMAIN}/messages", **asked)
        assert mailgun.good("POST", f"/v3/{DOMAIN}/messages", **asked) == sent
        other = asked | {"text": "Another"}
        assert mailgun.ask("POST", f"/v3/{DOMAIN}/messages", **other).status == 409


def test_a_web_page_cannot_send_where_no_key_is_needed() -> None:
    with serving() as open_:
        mailgun = Mailgun(open_)
        fields = [Field(name, value.encode()) for name, value in BASE.items()]
        target = f"/v3/{DOMAIN}/messages"
        answer = mailgun.upload(target, fields, Origin="https://evil.example")
        assert (answer.status, mailgun.upload(target, fields).status) == (403, 200)


HEADERS = {
    "good": (basic("secret")["Authorization"], "secret"),
    "with a colon": (basic("a:b")["Authorization"], "a:b"),
    "another user": (basic("secret", "root")["Authorization"], ""),
    "not base64": ("Basic ***", ""),
    "not text": ("Basic /w==", ""),
    "another scheme": ("Digest x", ""),
    "nothing": ("", ""),
}


@pytest.mark.parametrize(("header", "password"), HEADERS.values(), ids=HEADERS.keys())
def test_the_password_of_basic_authentication(header: str, password: str) -> None:
    assert basic_password(header) == password


def test_unknown_paths_and_methods_are_told_apart(api: Api) -> None:
    mailgun = Mailgun(api, ADMIN)
    assert mailgun.ask("GET", "/v3/nothing/at/all").status == 404
    assert mailgun.ask("PATCH", "/v3/routes").status == 405
    assert mailgun.ask("GET", "/v2/whatever").status == 404


def test_only_mails_and_files_may_be_large(api: Api) -> None:
    large = b"x" * (4 * 1024 * 1024 + 1)
    takes = {r for r in ROUTES if r.method in ("POST", "PUT") and r.most_bytes <= len(large)}
    assert len(takes) > 20
    kind = {"Content-Type": "application/json"}
    for route in takes:
        target = re.sub(r"\{\w+\}", "x", route.path.replace("{domain}", DOMAIN))
        answer = api.ask(route.method, target, large, {**basic(ADMIN), **kind})
        assert (answer.status, "a body may have" in answer.json["message"]) == (413, True), route
    asked = b'{"dimensions": [' + b'"time",' * 10_000 + b'"tag"]}'
    for name in ("logs", "metrics", "tags"):
        answer = api.ask("POST", f"/v1/analytics/{name}", asked, {**basic(ADMIN), **kind})
        assert answer.status == 413
