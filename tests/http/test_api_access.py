"""Who may do what: every route with every kind of key, and callers without one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import aiohttp
import pytest
from sqlalchemy import text

from inboxkit import Message, Router
from inboxkit.errors import ConfigurationError
from inboxkit.http.api.resources import ROUTES
from inboxkit.http.api.routing import Mounted, Table
from inboxkit.http.app import check_bind
from inboxkit.settings import Settings
from inboxkit.store import api_keys
from inboxkit.store.api_keys import KeyRecord
from inboxkit.testing.settling import settle

from .api import Answer, Api, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

    from inboxkit import InboxKit
    from inboxkit.store.transactions import Tx

ADMIN = "k" * 20
MOUNTED = sorted(Table(ROUTES).mounted, key=lambda m: (m.path, m.route.method))
UNKNOWN = {
    "pod_id": "pod_0000000000001",
    "inbox_id": "nobody@inbox.example",
    "message_id": "%3Cnone@example.com%3E",
    "thread_id": "thd_0000000000001",
    "attachment_id": "att_0000000000001",
    "api_key_id": "key_0000000000001",
    "webhook_id": "ep_0000000000001",
    "run_id": "run_0000000000001",
    "address": "nobody@example.net",
    "draft_id": "drf_0000000000001",
    "direction": "sideways",
    "type": "block",
    "entry": "nobody@example.com",
    "domain_id": "nowhere.example",
    "name": "no-such-template",
    "tag": "no-such-version",
}
# What some route asks for; the others pass it over.
GIVEN = {
    "name": "x",
    "description": "x",
    "tracking_enabled": True,
    "entry": "x.example",
    "display_name": "x",
    "to": "ann@example.com",
    "add_labels": ["x"],
    "message_ids": ["<none@example.com>"],
    "headers": {"X-Any": "x"},
    "event_ids": ["evt_0000000000001"],
}


@pytest.fixture(scope="module")
def admin() -> Iterator[Api]:
    router = Router()

    @router.on_message(to="*")
    async def keep(message: Message) -> None:
        """Make a Run for every mail."""

    with serving(api_key=ADMIN) as api:
        api.runner.call(api.runner.kit.runtime.include, router)
        yield api.of(ADMIN)


def named(admin: Api, name: str, pod: str, inbox: str) -> dict[str, str]:
    """Make what a tenant has under a name: a domain, entries of lists, a template."""
    domain = admin.good("POST", f"/v0/pods/{pod}/domains", {"domain": f"{name}.example"})
    for where in (f"/v0/pods/{pod}", f"/v0/inboxes/{inbox}"):
        admin.good("POST", f"{where}/lists/receive/block", {"entry": f"{name}.example"})
    template = {"name": f"template-{name}", "version": {"text": "x"}}
    return {
        "entry": f"{name}.example",
        "domain_id": domain["domain_id"],
        "name": admin.good("POST", f"/v0/pods/{pod}/templates", template)["name"],
        "tag": "initial",
    }


def tenant(admin: Api, name: str) -> dict[str, str]:
    """Make a pod with an inbox, a thread and a key of its own; return all their ids."""
    pod = admin.good("POST", "/v0/pods", {"name": name})["pod_id"]
    inbox = admin.good("POST", f"/v0/pods/{pod}/inboxes", {"username": name})["inbox_id"]
    came = admin.arrive(inbox, files={"a.txt": b"a"})
    key = admin.good("POST", f"/v0/pods/{pod}/api-keys", {})
    url = {"url": "https://example.com/", "event_types": ["message.received"]}
    hook = admin.good("POST", f"/v0/inboxes/{inbox}/webhooks", url)
    draft = admin.good("POST", f"/v0/inboxes/{inbox}/drafts", {"to": "ann@example.com"})
    admin.runner.call(settle, admin.runner.kit, timeout=30.0)
    return {
        **UNKNOWN,
        **named(admin, name, pod, inbox),
        "run_id": admin.good("GET", f"/v0/inboxes/{inbox}/runs")["runs"][0]["run_id"],
        "draft_id": draft["draft_id"],
        "pod_id": pod,
        "inbox_id": inbox,
        "message_id": came.message_id.replace("<", "%3C").replace(">", "%3E"),
        "thread_id": came.thread_id,
        "attachment_id": came.attachments[0].id,
        "api_key_id": key["api_key_id"],
        "webhook_id": hook["webhook_id"],
        "key": key["api_key"],
    }


@pytest.fixture(scope="module")
def ours(admin: Api) -> dict[str, str]:
    return tenant(admin, "ours")


@pytest.fixture(scope="module")
def theirs(admin: Api) -> dict[str, str]:
    return tenant(admin, "theirs")


def asked(api: Api, mounted: Mounted, ids: dict[str, str]) -> Answer:
    target = mounted.path.format(**ids)
    body = None if mounted.route.method in ("GET", "DELETE") else GIVEN
    return api.ask(mounted.route.method, target, body)


def wrong(expected: Callable[[Mounted], object], found: Callable[[Mounted], object]) -> list[str]:
    """Return the routes that do not answer as expected; one test asks them all, to be quick."""
    return [f"{m.route.method} {m.path}: {found(m)}" for m in MOUNTED if found(m) != expected(m)]


def test_without_a_key_nothing_is_let_in(admin: Api) -> None:
    nobody, guessing = admin.of(""), admin.of("guessed")
    assert wrong(lambda m: "missing_authorization", lambda m: asked(nobody, m, UNKNOWN).code) == []
    assert wrong(lambda m: "unknown_api_key", lambda m: asked(guessing, m, UNKNOWN).code) == []


def test_a_key_in_a_url_opens_sockets_only(admin: Api) -> None:
    assert admin.of("").ask("GET", f"/v0/pods?api_key={ADMIN}").code == "missing_authorization"


def test_every_route_needs_its_permission(admin: Api) -> None:
    powerless = admin.of(admin.good("POST", "/v0/api-keys", {"permissions": {}})["api_key"])

    def needed(mounted: Mounted) -> str:
        answer = asked(powerless, mounted, UNKNOWN)
        return str(answer.json.get("message", "")).rpartition(" ")[2]

    open_to_all = {"/v0/auth/me", "/v0/organizations"}
    assert wrong(lambda m: "" if m.path in open_to_all else m.route.permission, needed) == []


def masked(answer: Answer, ids: dict[str, str]) -> tuple[int, str]:
    said = json.dumps(answer.json)
    for value in (*ids.values(), ids["message_id"].replace("%3C", "<").replace("%3E", ">")):
        said = said.replace(value, "ID")
    return answer.status, said


def test_what_is_anothers_looks_like_what_is_not_there(
    admin: Api, ours: dict[str, str], theirs: dict[str, str]
) -> None:
    api = admin.of(ours["key"])
    bound = [m for m in MOUNTED if "{" in m.path]
    unknown = [masked(asked(api, m, UNKNOWN), UNKNOWN) for m in bound]
    assert [masked(asked(api, m, theirs), theirs) for m in bound] == unknown
    assert [m.path for m, (status, _) in zip(bound, unknown, strict=True) if status != 404] == []


# Whoever has these may find such a thing within its own scope under any name.
_OF_NO_SCOPE = frozenset({"direction", "type"})


def ids_of(mounted: Mounted) -> list[str]:
    """Return the ids in a path."""
    return [piece.strip("{}") for piece in mounted.template if piece.startswith("{")]


def held(mounted: Mounted) -> list[str]:
    """Return the ids in a path of what lies within a pod or an inbox that it names as well."""
    names = ids_of(mounted)
    within = names[1:] if names[:1] in (["pod_id"], ["inbox_id"]) else []
    return [name for name in within if name not in _OF_NO_SCOPE]


def test_what_is_anothers_is_not_there_within_ones_own_scope_either(
    admin: Api, ours: dict[str, str], theirs: dict[str, str]
) -> None:
    api = admin.of(ours["key"])
    own = {"pod_id": ours["pod_id"], "inbox_id": ours["inbox_id"], "direction": "receive"}
    found: list[str] = []
    for mounted in filter(held, MOUNTED):
        unknown, foreign = {**UNKNOWN, **own}, {**theirs, **own}
        if mounted.path.startswith("/v0/pods/{pod_id}/inboxes/"):
            unknown["inbox_id"], foreign["inbox_id"] = UNKNOWN["inbox_id"], theirs["inbox_id"]
        answers = masked(asked(api, mounted, unknown), unknown)
        if answers != masked(asked(api, mounted, foreign), foreign) or answers[0] != 404:
            found.append(f"{mounted.route.method} {mounted.path}: {answers}")
    assert found == []


def test_a_key_with_one_permission_is_let_in_where_that_is_enough(admin: Api) -> None:
    permissions = sorted({m.route.permission for m in MOUNTED} - {""})
    keys = {
        name: admin.of(admin.good("POST", "/v0/api-keys", {"permissions": {name: True}})["api_key"])
        for name in permissions
    }

    def refused(mounted: Mounted) -> bool:
        key = keys.get(mounted.route.permission, admin)
        return asked(key, mounted, UNKNOWN).status in (401, 403)

    makes_one = "/v0/inboxes/open"  # which asks for another permission as well
    assert wrong(lambda m: m.path == makes_one, refused) == []


_SEEN = (
    *("pod_id", "inbox_id", "thread_id", "draft_id", "api_key_id", "webhook_id", "run_id"),
    *("domain_id", "name", "entry"),
)


def listed(mounted: Mounted, ids: dict[str, str]) -> str:
    """Return what to ask a route that lists things for, "" for other routes."""
    about = {"pod_id", "inbox_id", "direction", "type"}
    path = mounted.path
    if mounted.route.method != "GET" or path.endswith("/wait") or not set(ids_of(mounted)) <= about:
        return ""
    is_log = path.endswith("/events") and "metrics" not in path
    return f"{path.format(**ids)}?q=in{'&after=start' if is_log else ''}"


def test_lists_of_a_tenant_hold_only_its_own(
    admin: Api, ours: dict[str, str], theirs: dict[str, str]
) -> None:
    api, where = admin.of(ours["key"]), {**ours, "direction": "receive"}
    asks = [ask for m in MOUNTED if (ask := listed(m, where))]
    answers = {ask: api.ask("GET", ask) for ask in asks}
    said = {ask: answer.body.decode() for ask, answer in answers.items()}

    assert {answer.status for answer in answers.values()} == {200, 403}  # suppressions are no pod's
    foreign = [theirs[name] for name in _SEEN]
    assert [(ask, one) for ask, text in said.items() for one in foreign if one in text] == []
    assert [name for name in _SEEN if ours[name] not in str(said)] == []


def test_a_key_of_an_inbox_reaches_nothing_else(
    admin: Api, ours: dict[str, str], theirs: dict[str, str]
) -> None:
    made = admin.good("POST", f"/v0/inboxes/{ours['inbox_id']}/api-keys", {"name": "bot"})
    api = admin.of(made["api_key"])
    assert api.good("GET", "/v0/auth/me")["scope_id"] == ours["inbox_id"]
    assert api.good("GET", f"/v0/inboxes/{ours['inbox_id']}/messages")["count"] == 1
    assert api.ask("GET", f"/v0/inboxes/{theirs['inbox_id']}").status == 404
    assert api.ask("GET", f"/v0/pods/{ours['pod_id']}").status == 404
    for makes, asked in (("inboxes", {}), ("pods", {}), ("domains", {"domain": "new.example"})):
        assert api.ask("POST", f"/v0/{makes}", asked).code == "forbidden"
    assert admin.of(ours["key"]).ask("POST", "/v0/pods", {}).code == "forbidden"
    assert [i["inbox_id"] for i in api.good("GET", "/v0/inboxes")["inboxes"]] == [ours["inbox_id"]]


def test_only_a_hash_of_a_key_is_stored(admin: Api) -> None:
    secret = admin.good("POST", "/v0/api-keys", {"name": "stored"})["api_key"]

    def dump(connection: Connection) -> str:
        return repr(connection.execute(text("SELECT * FROM inboxkit_apikey")).all())

    read = admin.runner.kit.runtime.store.read
    stored = str(admin.runner.call(read, dump))
    assert "'stored'" in stored and secret[:12] in stored
    assert secret not in stored and secret[-20:] not in stored


FOREIGN = {
    "host": {"Host": "evil.example"},
    "origin": {"Origin": "https://evil.example"},
    "no origin": {"Origin": "null"},
    "cross-site": {"Sec-Fetch-Site": "cross-site"},
    "proxy": {"X-Forwarded-For": "203.0.113.9"},
    "another proxy": {"X-Real-IP": "203.0.113.9"},
    "standard proxy": {"Forwarded": "for=203.0.113.9"},
    "name that ends alike": {"Host": "evillocalhost"},
}


def test_without_any_key_only_programs_of_this_machine_are_let_in() -> None:
    with serving() as api:
        refused = {name: api.ask("GET", "/v0/pods", headers=h) for name, h in FOREIGN.items()}
        assert {name: a.code for name, a in refused.items()} == dict.fromkeys(FOREIGN, "forbidden")
        local = {"Origin": "http://localhost:3000", "Host": "localhost:8025"}
        assert api.ask("GET", "/v0/pods", headers=local).status == 200


def live_key(api: Api) -> str:
    """Make a live key as the command line does; over HTTP only a live key makes one."""
    runtime = api.runner.kit.runtime
    now = runtime.clock.now()
    record = KeyRecord(id=0, prefix="", name="live", live=True, created_at=now, updated_at=now)

    def make(tx: Tx) -> str:
        return api_keys.create(tx, record)[1]

    return str(api.runner.call(runtime.store.write, make))


def test_a_test_key_never_reaches_a_real_provider() -> None:
    options = {"smtp": {"host": "127.0.0.1", "port": "9"}}
    with serving(provider=("smtp",), domain="shop.example", options=options) as api:
        inbox = api.inbox()
        send = f"/v0/inboxes/{inbox}/messages/send"
        mail = {"to": "ann@example.com", "text": "Hi"}
        nobody, tester = api, api.of(api.good("POST", "/v0/api-keys", {})["api_key"])
        live = api.of(live_key(api))
        refused = tester.ask("POST", send, mail)
        assert (refused.status, refused.code) == (403, "message_rejected")
        assert "key create --live" in refused.json["fix"]
        assert nobody.ask("POST", send, mail).status == 401
        assert tester.good("GET", f"/v0/inboxes/{inbox}/messages")["count"] == 0
        assert live.ask("POST", send, mail).status == 200


async def test_a_port_that_is_opened_later_is_open_to_this_machine(kit: InboxKit) -> None:
    assert kit.settings.http == ""
    await kit.runtime.edges.open(smtp="", http="127.0.0.1:0")
    async with aiohttp.ClientSession(kit.url) as http, http.get("/v0/pods") as answer:
        assert answer.status == 200


def test_a_bind_to_the_outside_needs_a_key() -> None:
    outside = Settings(http="0.0.0.0:8025")
    with pytest.raises(ConfigurationError, match="key create"):
        check_bind(outside)
    check_bind(outside, has_keys=True)
    check_bind(outside.model_copy(update={"api_key": ADMIN}))
