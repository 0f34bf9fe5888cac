"""Who sees the pages: this machine where no key is, else whoever has signed in with a key."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from inboxkit.clock import Clock
from inboxkit.http.ui.sessions import LIFETIME

from .api import Answer, Api, serving
from .forms import opened, press, sent
from .pages import look, page
from .test_api_access import FOREIGN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ADMIN = "k" * 20
PAGES = ("/", "/mail/inboxes")
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def server() -> Iterator[Api]:
    with serving(api_key=ADMIN, http_pages=True) as api:
        yield api


@pytest.fixture(scope="module")
def admin(server: Api) -> Api:
    return server.of(ADMIN)


def sign_in(api: Api, key: str, place: str = "/", **headers: str) -> Answer:
    """Send the form as a browser does."""
    form = urlencode({"key": key, "next": place}).encode()
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return api.ask("POST", "/mail/sign-in", form, {**_FORM, **given})


def cookie(api: Api, key: str) -> str:
    """Sign in and return the cookie."""
    answer = sign_in(api, key)
    assert answer.status == 303, answer
    return answer.headers["set-cookie"].partition(";")[0]


def status(api: Api, held: str) -> int:
    """Return how whoever holds a cookie is answered."""
    return api.ask("GET", "/", headers={"Cookie": held}).status


def with_cookie(api: Api, target: str, held: str, status: int = 200) -> Any:
    return look(api, target, status, Cookie=held)


def test_without_a_key_pages_ask_for_one(server: Api) -> None:
    for target in (*PAGES, "/mail/messages/msg_0000000000001", "/mail/threads/x?a=b"):
        shown = look(server, target, 401)
        assert ("form", {"action": "/mail/sign-in"}) in shown.active
        assert f'name="next" value="{target}"' in shown.html


def test_who_signs_in_sees_mail_and_the_cookie_is_not_the_key(server: Api, admin: Api) -> None:
    came = admin.arrive(admin.inbox(), subject="Secret matters")
    place = f"/mail/messages/{came.id}"
    answer = sign_in(server, f" {ADMIN}\n", place)  # as it was copied
    assert (answer.status, answer.headers["location"]) == (303, place)
    held, *attributes = answer.headers["set-cookie"].split("; ")
    assert sorted(attributes) == ["HttpOnly", "Max-Age=43200", "Path=/", "SameSite=Strict"]
    assert ADMIN not in held
    shown = with_cookie(server, place, held)
    assert "Secret matters" in shown.text and "Sign out" in shown.text


def test_the_cookie_is_secure_when_it_came_by_https(server: Api) -> None:
    answer = sign_in(server, ADMIN, X_Forwarded_Proto="https")
    assert "Secure" in answer.headers["set-cookie"].split("; ")


@pytest.mark.parametrize("key", ["", "wrong", "ik_test_" + "x" * 43, ADMIN + "k", "\0é"])
def test_a_wrong_key_is_asked_for_again(server: Api, key: str) -> None:
    answer = sign_in(server, key)
    assert answer.status == 401 and "set-cookie" not in answer.headers
    shown = page(answer)
    assert "unknown, expired or revoked" in shown.text
    assert not key or f'value="{key}"' not in shown.html


@pytest.mark.parametrize(
    "place",
    [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "/mail/\\..",
        "/v0/inboxes",
        "/mail/x\r\nSet-Cookie: a=b",
        "javascript:alert(1)",
    ],
)
def test_signing_in_leads_to_pages_of_ours_only(server: Api, place: str) -> None:
    answer = sign_in(server, f" {ADMIN}\n", place)  # as it was copied
    assert (answer.status, answer.headers["location"]) == (303, "/")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
    ids=str,
)
def test_another_site_signs_nobody_in(server: Api, headers: dict[str, str]) -> None:
    answer = sign_in(server, ADMIN, **headers)
    assert answer.status == 403 and "set-cookie" not in answer.headers


OWN = [
    {},
    {"Origin": "{url}"},  # over plain HTTP to another host there is no more
    {"Origin": "null", "Sec_Fetch_Site": "same-origin"},
    {"Origin": "{url}", "Sec_Fetch_Site": "same-origin"},
]


@pytest.mark.parametrize("headers", OWN, ids=str)
def test_the_form_is_taken_from_pages_of_ours(server: Api, headers: dict[str, str]) -> None:
    sent = {name: value.format(url=server.url) for name, value in headers.items()}
    assert sign_in(server, ADMIN, **sent).status == 303


def test_the_address_of_the_form_leads_to_mail(server: Api) -> None:
    assert server.ask("GET", "/mail/sign-in").headers["location"] == "/"


def test_a_long_form_is_refused(server: Api) -> None:
    assert sign_in(server, "k" * 10_000).status == 400


def test_signing_out_forgets_the_cookie(server: Api) -> None:
    answer = server.ask("POST", "/mail/sign-out", b"", _FORM)
    assert answer.status == 303 and "Max-Age=0" in answer.headers["set-cookie"]


def changed(held: str) -> Iterator[str]:
    name, _, value = held.partition("=")
    for place in (0, 5, 12, 20, len(value) - 1):
        other = "A" if value[place] != "A" else "B"
        yield f"{name}={value[:place]}{other}{value[place + 1 :]}"
    yield from (f"{name}=", f"{name}=é", f"{name}={value[:22]}", f"{name}=AAAA", name)


def test_a_changed_cookie_is_worth_nothing(server: Api) -> None:
    held = cookie(server, ADMIN)
    forged = [each.encode().decode("latin-1") for each in changed(held)]
    assert status(server, held) == 200
    assert {status(server, each) for each in forged} == {401}


def test_two_servers_of_a_host_keep_a_cookie_each(server: Api) -> None:
    with serving(api_key=ADMIN, http_pages=True) as other:
        both = f"{cookie(server, ADMIN)}; {cookie(other, ADMIN)}"
        for api in (server, other):
            with_cookie(api, "/", both)
        with_cookie(other, "/", cookie(server, ADMIN), 401)


def test_a_session_ends_with_its_key(server: Api, admin: Api) -> None:
    made = admin.good("POST", "/v0/api-keys", {"name": "browser"})
    held = cookie(server, made["api_key"])
    before = status(server, held)
    admin.good("DELETE", f"/v0/api-keys/{made['api_key_id']}")
    assert (before, status(server, held)) == (200, 401)


def test_a_session_ends_after_half_a_day_and_with_an_expiring_key() -> None:
    clock = Clock()
    with serving(api_key=ADMIN, http_pages=True, clock=clock) as api:
        expires = (clock.now() + timedelta(hours=1)).isoformat()
        made = api.of(ADMIN).good("POST", "/v0/api-keys", {"expires_at": expires})
        held = [cookie(api, ADMIN), cookie(api, made["api_key"])]
        clock.advance(LIFETIME - timedelta(minutes=1))
        with_cookie(api, "/", held[0])
        with_cookie(api, "/", held[1], 401)
        clock.advance(timedelta(minutes=2))
        with_cookie(api, "/", held[0], 401)


def test_a_session_and_its_forms_end_with_the_key_of_the_settings(tmp_path: Path) -> None:
    kept: dict[str, Any] = {"database": f"sqlite:///{tmp_path}/kept.db", "http_pages": True}
    words: dict[str, Any] = {"to": "ann@example.com", "text": "Hello"}
    with serving(api_key=ADMIN, **kept) as api:
        held, inbox = cookie(api, ADMIN), api.of(ADMIN).inbox()
        form = opened(api, f"/mail/compose?inbox={inbox}", Cookie=held)
    with serving(api_key=ADMIN, **kept) as api:
        with_cookie(api, "/", held)  # no process remembers it
        sent(press(api, form, headers={"Cookie": held}, **words))
    with serving(api_key=f"{ADMIN}2", **kept) as api:
        with_cookie(api, "/", held, 401)
        other = {"Cookie": cookie(api, f"{ADMIN}2")}
        assert press(api, form, headers=other, **words).status == 403


def test_a_key_sees_what_is_in_its_scope(server: Api, admin: Api) -> None:
    ours, theirs = admin.inbox(), admin.inbox()
    mine, other = (
        admin.arrive(ours, subject="Our words", files={"a.txt": b"a"}),
        admin.arrive(theirs, "<p>x", subject="Their words", files={"a.txt": b"a"}),
    )
    key = admin.good("POST", f"/v0/inboxes/{ours}/api-keys", {})["api_key"]
    held = cookie(server, key)
    shown = with_cookie(server, "/", held)
    assert "Our words" in shown.text
    assert "Their words" not in shown.text and theirs not in shown.text
    assert theirs not in with_cookie(server, "/mail/inboxes", held).text
    with_cookie(server, f"/mail/messages/{mine.id}", held)
    for target in (
        f"/?inbox={theirs}",
        f"/mail/threads/{other.thread_id}",
        f"/mail/messages/{other.id}",
        f"/mail/messages/{other.id}/html",
        f"/mail/messages/{other.id}/raw",
        f"/mail/messages/{other.id}/source",
        f"/mail/messages/{other.id}/attachments/{other.attachments[0].id}",
    ):
        with_cookie(server, target, held, 404)


def test_a_key_sees_what_its_permissions_allow(server: Api, admin: Api) -> None:
    came = admin.arrive(admin.inbox(), subject="Words")
    blind = admin.good("POST", "/v0/api-keys", {"permissions": {"inbox_read": True}})["api_key"]
    held = cookie(server, blind)
    for target in ("/", f"/mail/messages/{came.id}", f"/mail/messages/{came.id}/html"):
        with_cookie(server, target, held, 403)
    reads = {"permissions": {"message_read": True}}
    held = cookie(server, admin.good("POST", "/v0/api-keys", reads)["api_key"])
    assert "Inboxes\n" not in with_cookie(server, "/", held).text.partition("API")[2]
    with_cookie(server, f"/mail/messages/{came.id}", held)
    with_cookie(server, "/mail/inboxes", held, 403)


def test_where_no_key_is_only_this_machine_sees_pages() -> None:
    with serving(http_pages=True) as api:
        came = api.arrive(api.inbox())
        for target in ("/", f"/mail/messages/{came.id}", f"/mail/messages/{came.id}/html"):
            assert api.ask("GET", target).status == 200
            refused = {n: api.ask("GET", target, headers=h).status for n, h in FOREIGN.items()}
            assert refused == dict.fromkeys(FOREIGN, 403)
        api.good("POST", "/v0/api-keys", {})
        look(api, "/", 401)  # from now on a key is asked for
