"""Templates by the Mailgun facade: versions, and mails that are made of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from .api import serving
from .mailgun import BASE, DOMAIN, Mailgun

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY = f"/v3/{DOMAIN}/templates"
WELCOME = f"{MANY}/welcome"


@pytest.fixture(scope="module")
def server() -> Iterator[Mailgun]:
    with serving() as api:
        yield Mailgun(api)


@pytest.fixture
def mailgun(server: Mailgun) -> Mailgun:
    server.good("DELETE", MANY)
    first = {"name": "Welcome", "description": "Hello", "template": "<b>Hi {{name}}</b>"}
    server.good("POST", MANY, **first, headers=json.dumps({"Subject": "Hi {{name}}"}))
    return server


def active(mailgun: Mailgun) -> Any:
    return mailgun.good("GET", WELCOME, active="yes")["template"]["version"]


def test_a_template_is_kept_with_its_first_version(mailgun: Mailgun) -> None:
    found = mailgun.good("GET", WELCOME)["template"]
    assert (found["name"], found["description"], "version" in found) == ("welcome", "Hello", False)
    assert (active(mailgun)["template"], active(mailgun)["tag"]) == (
        "<b>Hi {{name}}</b>",
        "initial",
    )
    mailgun.good("PUT", WELCOME, description="Changed")
    assert mailgun.good("GET", "/v4/templates/welcome")["template"]["description"] == "Changed"
    mailgun.good("DELETE", WELCOME)
    assert mailgun.ask("GET", WELCOME).status == 404


def test_one_version_is_active(mailgun: Mailgun) -> None:
    mailgun.good("POST", f"{WELCOME}/versions", tag="v2", template="Hello {{name}}", active="yes")
    assert active(mailgun)["tag"] == "v2"
    mailgun.good("PUT", f"{WELCOME}/versions/initial", active="yes", comment="again")
    assert (active(mailgun)["tag"], active(mailgun)["comment"]) == ("initial", "again")
    assert mailgun.ask("DELETE", f"{WELCOME}/versions/initial").status == 409
    mailgun.good("DELETE", f"{WELCOME}/versions/v2")
    assert mailgun.ask("GET", f"{WELCOME}/versions/v2").status == 404


def test_a_version_is_copied(mailgun: Mailgun) -> None:
    mailgun.good("PUT", f"{WELCOME}/versions/initial/copy/v3", comment="copied")
    versions = mailgun.good("GET", f"{WELCOME}/versions")["template"]["versions"]
    assert [(v["tag"], v["comment"]) for v in versions] == [("initial", ""), ("v3", "copied")]
    copied = mailgun.good("GET", f"{WELCOME}/versions/v3")["template"]["version"]
    assert copied["headers"] == {"Subject": "Hi {{name}}"}


def test_headers_hold_only_what_can_be_stored(mailgun: Mailgun) -> None:
    odd = r'{"Subject": "\ud800\u0000", "X-\ud800": "a"}'
    mailgun.good("PUT", f"{WELCOME}/versions/initial", headers=odd)
    assert active(mailgun)["headers"] == {"Subject": "?\ufffd", "X-?": "a"}


def test_pages_lead_through_templates(mailgun: Mailgun) -> None:
    for name in ("a", "b"):
        mailgun.good("POST", MANY, name=name)
    first = mailgun.good("GET", MANY, limit=2)
    second = mailgun.good("GET", first["paging"]["next"].removeprefix(mailgun.api.url))
    names = [[t["name"] for t in page["items"]] for page in (first, second)]
    assert names == [["welcome", "a"], ["b"]]


def test_a_mail_is_made_of_a_template(mailgun: Mailgun) -> None:
    asked = {"template": "welcome", "t:variables": json.dumps({"name": "Ann & Ben"})}
    given = {k: v for k, v in BASE.items() if k not in ("subject", "text")}
    sent = mailgun.good("POST", f"/v3/{DOMAIN}/messages", **given, **asked)["id"]

    shown = mailgun.message(sent)
    assert (shown["subject"], shown["html"]) == ("Hi Ann & Ben", "<b>Hi Ann &amp; Ben</b>")


def test_a_version_is_chosen_by_its_tag(mailgun: Mailgun) -> None:
    mailgun.good("POST", f"{WELCOME}/versions", tag="v2", template="<i>{{name}}</i>")
    sent = mailgun.send(template="welcome", **{"t:version": "v2", "v:name": "Ann"})
    assert (mailgun.message(sent)["html"], mailgun.message(sent)["subject"]) == ("<i>Ann</i>", "Hi")


WRONG = {
    "no name": (MANY, {"template": "x"}, 400),
    "a name that is there": (MANY, {"name": "welcome"}, 400),
    "a broken template": (MANY, {"name": "x", "template": "{{#if a}}"}, 400),
    "an unknown language": (MANY, {"name": "x", "template": "x", "engine": "go"}, 400),
    "no object of headers": (MANY, {"name": "x", "template": "x", "headers": "[]"}, 400),
    "no tag": (f"{WELCOME}/versions", {"template": "x"}, 400),
    "no words": (f"{WELCOME}/versions", {"tag": "x"}, 400),
    "a tag that is there": (f"{WELCOME}/versions", {"tag": "initial", "template": "x"}, 400),
    "no such template": (f"{MANY}/none/versions", {"tag": "x", "template": "x"}, 404),
    "no such version": (f"/v3/{DOMAIN}/messages", BASE | {"template": "x", "t:version": "9"}, 400),
}


@pytest.mark.parametrize(("target", "given", "status"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_refused(
    mailgun: Mailgun, target: str, given: dict[str, str], status: int
) -> None:
    answer = mailgun.ask("POST", target, **given)
    assert (answer.status, list(answer.json)) == (status, ["message"])


WRITES: dict[str, tuple[str, str, dict[str, str]]] = {
    "create": ("POST", "", {"name": "new"}),
    "clear": ("DELETE", "", {}),
    "update": ("PUT", "/welcome", {"description": "x"}),
    "delete": ("DELETE", "/welcome", {}),
    "create a version": ("POST", "/welcome/versions", {"tag": "v9", "template": "x"}),
    "update a version": ("PUT", "/welcome/versions/initial", {"template": "x"}),
    "delete a version": ("DELETE", "/welcome/versions/initial", {}),
    "copy a version": ("PUT", "/welcome/versions/initial/copy/v2", {}),
}


@pytest.fixture(scope="module")
def bound() -> Iterator[Mailgun]:
    """Return a server, asked with a key of one inbox, whose pod has a template."""
    with serving(api_key="k" * 20) as running:
        admin = running.of("k" * 20)
        Mailgun(running, "k" * 20).good("POST", MANY, name="welcome", template="Hi")
        key = admin.good("POST", f"/v0/inboxes/{admin.inbox()}/api-keys", {})
        yield Mailgun(running, key["api_key"])


@pytest.mark.parametrize("many", [MANY, "/v4/templates"], ids=["v3", "v4"])
@pytest.mark.parametrize(("method", "target", "fields"), WRITES.values(), ids=WRITES.keys())
def test_a_key_of_one_inbox_changes_no_templates(
    bound: Mailgun, many: str, method: str, target: str, fields: dict[str, str]
) -> None:
    refused = bound.ask(method, f"{many}{target}", **fields)
    assert (refused.status, "bound to an inbox" in refused.json["message"]) == (403, True)
    assert bound.good("GET", f"{many}/welcome")["template"]["name"] == "welcome"
