"""Forms of pages against those who should not send them: other sites, other keys, other tenants."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from inboxkit.clock import Clock

from .api import Answer, Api, path, serving
from .forms import Form, forms_of, opened, press, sent
from .pages import look, page
from .test_pages_access import ADMIN, cookie

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiohttp import web

    from inboxkit import Message

FOREIGN: list[dict[str, str]] = [
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "null", "Sec-Fetch-Site": "same-site"},
    {"Origin": "{url}", "Sec-Fetch-Site": "same-site"},  # another port of this host
]
LARGE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Desk:
    """A server with keys, a message, and the cookie of who may do everything."""

    server: Api
    admin: Api
    came: Message
    held: str

    @property
    def inbox(self) -> str:
        return self.came.inbox

    def key(self, place: str = "", **permissions: bool) -> str:
        """Return the cookie of a key that may do this and nothing else; {} of one that may all."""
        asked = {"permissions": permissions} if permissions else {}
        made = self.admin.good("POST", f"/v0{place}/api-keys", asked)
        return cookie(self.server, made["api_key"])

    def form(self, target: str, held: str = "") -> Form:
        return opened(self.server, target, Cookie=held or self.held)

    def press(self, form: Form, held: str = "", **given: Any) -> Answer:
        headers = {"Cookie": held or self.held, **given.pop("headers", {})}
        return press(self.server, form, headers=headers, **given)

    def sends(self) -> int:
        """Return how many mails have been sent from the inbox."""
        listed = self.admin.good("GET", f"/v0/messages?inbox={self.inbox}")["messages"]
        return sum(one["direction"] == "outbound" for one in listed)


@pytest.fixture(scope="module")
def server() -> Iterator[Api]:
    with serving(api_key=ADMIN, http_pages=True) as api:
        yield api


@pytest.fixture
def desk(server: Api) -> Desk:
    admin = server.of(ADMIN)
    came = admin.arrive(admin.inbox(), subject="Lids")
    return Desk(server, admin, came, cookie(server, ADMIN))


def reply(desk: Desk) -> str:
    return f"/mail/messages/{desk.came.id}/reply"


def test_who_has_signed_in_answers(desk: Desk) -> None:
    sent(desk.press(desk.form(reply(desk)), text="Hello"))
    assert desk.sends() == 1


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_another_site_sends_nothing(desk: Desk, headers: dict[str, str]) -> None:
    own = {name: value.format(url=desk.server.url) for name, value in headers.items()}
    answer = desk.press(desk.form(reply(desk)), text="Hello", headers=own)
    assert (answer.status, desk.sends()) == (403, 0)
    assert "comes from another site" in page(answer).text


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("{url}", 303),
        ("https://evil.example", 403),
        ("null", 403),
        ("http://[", 403),
        ("", 403),
        ("{url}@evil.example", 403),
    ],
)
def test_an_old_browser_is_told_apart_by_its_origin(desk: Desk, origin: str, status: int) -> None:
    form = desk.form(reply(desk))
    old = {"Cookie": desk.held, "Origin": origin.format(url=desk.server.url)}  # no Sec-Fetch-Site
    old["Content-Type"] = "application/x-www-form-urlencoded"
    body = urlencode(form.fields | {"text": "Hello"}).encode()
    assert desk.server.ask("POST", form.action, body, old).status == status
    assert desk.sends() == (status == 303)


def test_every_form_is_refused_to_another_site(desk: Desk) -> None:
    paths: set[str] = set()

    def look_at(app: web.Application) -> None:
        posts = [r.resource for r in app.router.routes() if r.method == "POST" and r.resource]
        paths.update(one.canonical for one in posts if one.canonical.startswith("/mail"))

    desk.server.runner.kit.runtime.edges.mount(look_at)
    assert "/mail/messages/{message_id}/reply" in paths
    braces = str.maketrans("", "", "{}")
    for target in paths - {"/mail/sign-out"}:
        form = Form(target.translate(braces), "post")
        answer = desk.press(form, headers={"Sec-Fetch-Site": "cross-site"})
        assert (answer.status, "another site" in page(answer).text) == (403, True), target


@pytest.mark.parametrize("token", [None, "", "x", "é", "A" * 75, "{whole}A", "{whole}"[:0] + "-"])
def test_without_its_token_a_form_does_nothing(desk: Desk, token: str | None) -> None:
    form = desk.form(reply(desk))
    given = None if token is None else token.format(whole=form.fields["token"])
    answer = desk.press(form, text="Kept words", token=given)
    assert (answer.status, desk.sends()) == (403, 0)
    (again,) = forms_of(page(answer).html)
    assert again.fields["text"] == "Kept words"
    sent(desk.press(again))


def test_a_token_is_good_for_one_form_and_one_key(desk: Desk) -> None:
    form = desk.form(reply(desk))
    other = desk.admin.arrive(desk.inbox)
    moved = replace(form, action=f"/mail/messages/{other.id}/reply")
    assert desk.press(moved, text="Hello").status == 403
    assert desk.press(form, desk.key(), text="Hello").status == 403
    assert desk.sends() == 0


def test_a_token_ends_before_its_answer_is_forgotten() -> None:
    clock = Clock()
    with serving(http_pages=True, clock=clock) as api:
        came = api.arrive(api.inbox())
        form = opened(api, f"/mail/messages/{came.id}/reply")
        clock.advance(timedelta(hours=1))
        first = sent(press(api, form, text="Hello"))
        clock.advance(timedelta(hours=22, minutes=59))
        assert sent(press(api, form, text="Hello")) == first
        clock.advance(timedelta(minutes=2))
        assert press(api, form, text="Hello").status == 403


def test_who_may_only_see_sees_no_form(desk: Desk) -> None:
    held = desk.key(message_read=True)
    form = desk.form(reply(desk))
    shown = look(desk.server, f"/mail/messages/{desk.came.id}", Cookie=held)
    assert "Reply\n" not in shown.text and "/reply" not in shown.html
    refused = look(desk.server, reply(desk), 403, Cookie=held)
    assert "message_send" in refused.text and forms_of(refused.html) == []
    answer = desk.press(form, held, text="Hello")
    assert (answer.status, forms_of(page(answer).html), desk.sends()) == (403, [], 0)


def test_who_may_not_read_answers_nothing_on_pages(desk: Desk) -> None:
    held = desk.key(message_send=True)
    assert desk.press(desk.form(reply(desk)), held, text="Hello").status == 403
    assert desk.sends() == 0


def test_messages_of_others_are_not_answered(desk: Desk) -> None:
    held = desk.key(f"/inboxes/{desk.admin.inbox()}")
    look(desk.server, reply(desk), 404, Cookie=held)
    assert desk.press(desk.form(reply(desk)), held, text="Hello").status == 404
    assert desk.sends() == 0


def test_what_a_label_hides_is_not_answered(desk: Desk) -> None:
    form = desk.form(reply(desk))
    desk.admin.good("PATCH", path(desk.inbox, desk.came), {"add_labels": ["spam"]})
    held = desk.key(message_read=True, message_send=True)
    look(desk.server, reply(desk), 404, Cookie=held)
    assert (desk.press(form, held, text="Hello").status, desk.sends()) == (404, 0)


def test_a_test_key_reaches_nobody() -> None:
    kept: dict[str, Any] = {"provider": ("smtp",), "domain": "shop.example"}
    kept["options"] = {"smtp": {"host": "127.0.0.1"}}
    with serving(api_key=ADMIN, http_pages=True, **kept) as server:
        admin = server.of(ADMIN)
        came = admin.arrive(admin.inbox())
        desk = Desk(server, admin, came, cookie(server, ADMIN))
        held = desk.key()
        answer = desk.press(desk.form(reply(desk), held), held, text="Hello")
        assert (answer.status, desk.sends()) == (403, 0)
        assert "A test key cannot send" in page(answer).text


def test_without_signing_in_there_is_no_form(desk: Desk) -> None:
    look(desk.server, reply(desk), 401)
    form = desk.form(reply(desk))
    answer = press(desk.server, form, text="Hello")
    assert (answer.status, desk.sends()) == (401, 0)
    assert "Sign in in another tab" in page(answer).text
    sent(desk.press(form, cookie(desk.server, ADMIN), text="Hello"))  # as a reload does then


def test_an_address_alone_sends_nothing(desk: Desk) -> None:
    form = desk.form(reply(desk))
    query = f"text=Hello&token={form.fields['token']}"
    assert look(desk.server, f"{reply(desk)}?{query}", Cookie=desk.held).text
    assert desk.sends() == 0


def test_a_form_that_is_too_large_is_refused(desk: Desk) -> None:
    answer = desk.press(desk.form(reply(desk)), text="x" * LARGE)
    assert (answer.status, desk.sends()) == (413, 0)
    assert "is larger than" in page(answer).text


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"text": "Hello"}'),
        ("multipart/form-data", b"--x--"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disp"),
        ("text/plain", b"text=Hello"),
        ("application/x-www-form-urlencoded", b"&" * 20_000),
    ],
    ids=["json", "no boundary", "cut off", "plain", "many"],
)
def test_what_is_no_form_is_refused(desk: Desk, kind: str, body: bytes) -> None:
    headers = {"Cookie": desk.held, "Content-Type": kind}
    answer = desk.server.ask("POST", reply(desk), body, headers)
    assert (answer.status, desk.sends()) == (400, 0)
