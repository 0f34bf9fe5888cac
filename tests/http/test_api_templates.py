"""Templates by HTTP: versions, previews, and mails that are made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .api import Api, path, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

HELLO = {"subject": "Hi {{ name }}", "text": "Dear {{ name }}", "html": "<p>{{ name }}</p>"}


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving() as running:
        yield running


def made(api: Api, name: str, **version: Any) -> Any:
    return api.good("POST", "/v0/templates", {"name": name, "version": HELLO | version})


def preview(api: Api, name: str, **asked: Any) -> Any:
    return api.good("POST", f"/v0/templates/{name}/preview", asked)


def test_the_first_version_is_active_until_another_is(api: Api) -> None:
    first = made(api, "hello")
    assert (first["version"]["tag"], first["version"]["active"]) == ("initial", True)
    target = "/v0/templates/hello/versions"
    api.good("POST", target, {"tag": "v2", "engine": "handlebars", "text": "{{{name}}}!"})
    given = {"variables": {"name": "<Ann>"}}
    assert preview(api, "hello", **given)["text"] == "Dear <Ann>"
    assert preview(api, "hello", tag="v2", **given)["text"] == "<Ann>!"
    assert api.good("PATCH", f"{target}/v2", {"active": True})["active"] is True
    assert preview(api, "hello", **given)["text"] == "<Ann>!"
    states = {v["tag"]: v["active"] for v in api.good("GET", target)["versions"]}
    assert states == {"initial": False, "v2": True}
    assert api.ask("DELETE", f"{target}/v2").code == "cannot_delete"
    api.good("DELETE", f"{target}/initial")
    assert api.ask("GET", f"{target}/initial").status == 404


def test_only_html_is_escaped_and_a_subject_is_one_line(api: Api) -> None:
    made(api, "escaped", headers={"X-Name": "{{ name }}"})
    found = preview(api, "escaped", variables={"name": "<A>\r\nBcc: eve@evil.example"})
    assert found["html"].startswith("<p>&lt;A&gt;")
    assert found["subject"] == "Hi <A> Bcc: eve@evil.example"
    assert found["headers"] == {"X-Name": "<A> Bcc: eve@evil.example"}


def test_strict_refuses_what_is_missing(api: Api) -> None:
    made(api, "strict")
    assert preview(api, "strict")["text"] == "Dear "
    answer = api.ask("POST", "/v0/templates/strict/preview", {"strict": True})
    assert (answer.status, answer.code) == (422, "unprocessable")
    assert "subject: 'name' is undefined" in answer.json["message"]


def test_a_mail_is_made_of_a_template(api: Api) -> None:
    made(api, "mail")
    inbox = api.inbox()
    target = f"/v0/inboxes/{inbox}/templates/mail/send"
    asked = {"to": "ann@example.com", "template": {"variables": {"name": "Ann"}}, "labels": "x"}
    sent = api.good("POST", target, asked, **{"Idempotency-Key": "one"})
    assert api.good("POST", target, asked, **{"Idempotency-Key": "one"}) == sent
    got = api.good("GET", path(inbox, sent["message_id"]))
    assert (got["subject"], got["text"], got["html"]) == ("Hi Ann", "Dear Ann", "<p>Ann</p>")
    assert got["labels"] == ["sent", "x"]
    refused = api.ask("POST", target, asked | {"template": {"strict": True}})
    assert refused.code == "unprocessable"
    assert api.good("GET", f"/v0/inboxes/{inbox}/messages")["count"] == 1


@pytest.mark.parametrize(
    "asked",
    [
        {"name": "a b"},
        {"name": "bad", "version": {"text": "{% if %}"}},
        {"name": "bad", "version": {"engine": "handlebars", "html": "{{#if a}}"}},
        {"name": "bad", "version": {"engine": "php"}},
        {"name": "bad", "version": {"headers": {"X-A": "{{ a() }}"}}},
    ],
    ids=str,
)
def test_what_cannot_be_read_is_not_stored(api: Api, asked: Any) -> None:
    answer = api.ask("POST", "/v0/templates", asked)
    assert (answer.status, answer.code) == (400, "validation_error")
    assert api.ask("GET", "/v0/templates/bad").status == 404


def test_a_change_is_checked_with_what_stays(api: Api) -> None:
    made(api, "changed")
    target = "/v0/templates/changed/versions/initial"
    assert api.ask("PATCH", target, {"text": "{{"}).status == 400
    api.good("PATCH", target, {"text": "Bye", "comment": "shorter"})
    found = api.good("GET", "/v0/templates/changed")["version"]
    assert (found["text"], found["subject"], found["comment"]) == (
        "Bye",
        HELLO["subject"],
        "shorter",
    )


def test_templates_are_listed_renamed_never_taken_twice_and_deleted(api: Api) -> None:
    pod = api.good("POST", "/v0/pods", {})["pod_id"]
    target = f"/v0/pods/{pod}/templates"
    for name in ("a", "b", "c"):
        api.good("POST", target, {"name": name})
    first = api.good("GET", f"{target}?limit=2")
    rest = api.good("GET", f"{target}?page_token={first['next_page_token']}")
    assert [t["name"] for t in first["templates"] + rest["templates"]] == ["c", "b", "a"]
    again = api.ask("POST", target, {"name": "a"})
    assert (again.status, again.code) == (403, "resource_taken")
    assert api.good("PATCH", f"{target}/a", {"description": "First"})["description"] == "First"
    assert api.ask("GET", "/v0/templates/a").status == 404
    assert api.ask("POST", f"{target}/a/preview", {}).code == "unprocessable"  # no version yet
    assert api.ask("POST", f"{target}/a/preview", {"tag": "no-such"}).status == 400
    api.good("DELETE", f"{target}/a")
    assert api.ask("GET", f"{target}/a").status == 404


# By a key that is bound to one inbox.
WRITES: dict[str, tuple[str, str, Any]] = {
    "create": ("POST", "", {"name": "new"}),
    "update": ("PATCH", "/shared", {"description": "x"}),
    "delete": ("DELETE", "/shared", None),
    "create a version": ("POST", "/shared/versions", {"tag": "v9", "text": "x"}),
    "update a version": ("PATCH", "/shared/versions/initial", {"text": "x"}),
    "delete a version": ("DELETE", "/shared/versions/spare", None),
}


@pytest.fixture(scope="module")
def bound() -> Iterator[Api]:
    """Return a server, asked with a key of one inbox, whose pod has a template."""
    with serving(api_key="k" * 20) as running:
        admin = running.of("k" * 20)
        made(admin, "shared")
        admin.good("POST", "/v0/templates/shared/versions", {"tag": "spare", "text": "x"})
        key = admin.good("POST", f"/v0/inboxes/{admin.inbox()}/api-keys", {})
        yield running.of(key["api_key"])


@pytest.mark.parametrize(("method", "target", "body"), WRITES.values(), ids=WRITES.keys())
def test_a_key_of_one_inbox_changes_no_templates(
    bound: Api, method: str, target: str, body: Any
) -> None:
    refused = bound.ask(method, f"/v0/templates{target}", body)
    assert (refused.status, refused.code) == (403, "forbidden")
    assert preview(bound, "shared", variables={"name": "Ann"})["text"] == "Dear Ann"
