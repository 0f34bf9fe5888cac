"""A new mail that is written on a page: recipients, files, and what is wrong with either."""

from __future__ import annotations

import urllib.request
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from .api import Answer, Api, serving
from .forms import Form, forms_of, opened, press, sent
from .pages import look, page
from .test_pages_access import ADMIN, cookie

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(http_pages=True) as api:
        yield api


@pytest.fixture
def inbox(api: Api) -> str:
    return api.inbox()


def target(inbox: str) -> str:
    return f"/mail/compose?inbox={quote(inbox)}"


def write(api: Api, inbox: str, **typed: Any) -> Answer:
    words: dict[str, Any] = {"to": "ann@example.com", "subject": "Offer", "text": "Ten boxes"}
    return press(api, opened(api, target(inbox)), **{**words, **typed})


def count(api: Api, inbox: str) -> int:
    return len(api.good("GET", f"/v0/messages?inbox={inbox}")["messages"])


def again(answer: Answer) -> Form:
    """Return the form that is shown once more."""
    (form,) = forms_of(page(answer).html)
    return form


def test_the_page_of_an_inbox_leads_to_the_form(api: Api, inbox: str) -> None:
    links = look(api, f"/?inbox={inbox}").links
    assert target(inbox).replace("%40", "@") in {href.replace("%40", "@") for href in links}
    assert not [href for href in look(api, "/").links if "compose" in href]


def test_a_mail_goes_to_all_that_are_named(api: Api, inbox: str) -> None:
    to = '"Doe, Ann" <ann@example.com>, ben@example.com; Cid <cid@example.com>,'
    message = sent(write(api, inbox, to=to, cc="dora@example.com", text="Ten\nboxes"))
    found = api.good("GET", f"/v0/messages/{message}")
    assert [(one["name"], one["email"]) for one in found["to"]] == [
        ("Doe, Ann", "ann@example.com"),
        ("", "ben@example.com"),
        ("Cid", "cid@example.com"),
    ]
    assert [one["email"] for one in found["cc"]] == ["dora@example.com"]
    assert (found["subject"], found["text"].strip()) == ("Offer", "Ten\nboxes")


def test_files_go_with_it(api: Api, inbox: str) -> None:
    files = {"a.txt": b"one\r\n", "blåbær.bin": bytes(range(256))}
    message = sent(write(api, inbox, files=files))
    found = api.good("GET", f"/v0/messages/{message}")["attachments"]
    assert [one["safe_name"] for one in found] == ["a.txt", "blåbær.bin"]
    where = f"/mail/messages/{message}/attachments/{found[1]['id']}"
    with urllib.request.urlopen(f"{api.url}{where}") as answer:
        assert answer.read() == bytes(range(256))


def test_a_file_alone_is_a_mail_and_nothing_is_none(api: Api, inbox: str) -> None:
    sent(write(api, inbox, text="", files={"a.txt": b"x"}))
    for files in ({}, {"": b""}):  # a browser sends a file without a name for none
        answer = write(api, inbox, text="", files=files)
        assert (answer.status, count(api, inbox)) == (400, 1)
        assert "nothing to send yet" in page(answer).text


def test_a_second_click_sends_nothing_again(api: Api, inbox: str) -> None:
    form = opened(api, target(inbox))
    typed: dict[str, Any] = {"to": "ann@example.com", "text": "Ten", "files": {"a.txt": b"x"}}
    first, second = (sent(press(api, form, **typed)) for _ in range(2))
    assert (first == second, count(api, inbox)) == (True, 1)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"to": ""}, "to"),
        ({"to": "ann"}, "to"),
        ({"to": "Doe, Ann <ann@example.com>"}, "to"),
        ({"to": '"Ann <ann@example.com>'}, "to"),
        ({"to": "ann@example.com ben@example.com"}, "to"),
        ({"to": "ann@example.com\nBcc: eve@evil.example"}, "to"),
        ({"to": "Ann\nBcc: eve@evil.example <ann@example.com>"}, "to"),
        ({"cc": "ann@example.com\rX: y"}, "cc"),
        ({"subject": "Offer\nBcc: eve@evil.example"}, "subject"),
        ({"subject": "Offer\rBcc: eve@evil.example"}, "subject"),
        ({"subject": "Offer\x0bmore"}, "subject"),
    ],
    ids=str,
)
def test_what_is_no_mail_is_said_at_its_field(
    api: Api, inbox: str, wrong: dict[str, str], field: str
) -> None:
    answer = write(api, inbox, **wrong)
    assert (answer.status, count(api, inbox)) == (400, 0)
    marked = page(answer).html.partition(' aria-invalid="true"')[0].rpartition('name="')[2]
    assert marked.partition('"')[0] == field
    form = again(answer)
    assert (form.fields["text"], form.fields["token"] != "") == ("Ten boxes", True)
    sent(press(api, form, to="ann@example.com", cc="", subject="Offer"))


def test_a_file_whose_name_would_be_a_header_is_refused(api: Api, inbox: str) -> None:
    form = opened(api, target(inbox))
    head = "form-data; name=\"files\"; filename*=UTF-8''a%0D%0ABcc:%20eve@evil.example"
    fields = {**form.fields, "to": "ann@example.com", "text": "Ten"}
    parts = [f'form-data; name="{name}"\r\n\r\n{value}' for name, value in fields.items()]
    body = "".join(
        f"--b\r\nContent-Disposition: {part}\r\n" for part in (*parts, f"{head}\r\n\r\nx")
    )
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = api.ask("POST", form.action, f"{body}--b--\r\n".encode(), kind)
    assert (answer.status, count(api, inbox)) == (400, 0)
    assert "Choose this file once more: a Bcc: eve@evil.example." in page(answer).text


def test_what_was_typed_comes_back_as_words(api: Api, inbox: str) -> None:
    attack = '"><script>alert(1)</script>'
    answer = write(api, inbox, to=attack, cc=attack, subject=attack, text=f"</textarea>{attack}")
    fields = again(answer).fields  # ``page`` fails where something acts
    assert [fields[name] for name in ("to", "cc", "subject")] == [attack] * 3
    assert fields["text"] == f"</textarea>{attack}"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], None),
        (["a.pdf"], "this file once more: a.pdf."),
        (["a.pdf", "Grüße <b>.png"], "these files once more: a.pdf, Grüße <b>.png."),
        ([f"{n}.txt" for n in range(22)], "18.txt, 19.txt and 2 more."),
        (["x" * 300], f"{'x' * 97}..."),
    ],
    ids=["none", "one", "two", "many", "long"],
)
def test_files_to_choose_once_more_are_named(
    api: Api, inbox: str, names: list[str], said: str | None
) -> None:
    answer = write(api, inbox, to="nobody", files=dict.fromkeys(names, b"x"))
    assert (answer.status, again(answer).fields["text"]) == (400, "Ten boxes")
    found = page(answer).text
    assert said in found if said else "once more" not in found


def test_files_that_are_too_large_are_refused(api: Api, inbox: str) -> None:
    answer = write(api, inbox, files={"a.bin": bytes(25 * MIB), "b.bin": b"x"})
    assert (answer.status, again(answer).fields["text"]) == (413, "Ten boxes")
    assert "Choose these files once more: a.bin, b.bin." in page(answer).text
    answer = write(api, inbox, files={"a.bin": bytes(26 * MIB)})
    assert (answer.status, count(api, inbox)) == (413, 0)


@pytest.mark.parametrize("field", ["to", "cc", "subject"])
def test_a_head_that_is_too_long_is_refused(api: Api, inbox: str, field: str) -> None:
    answer = write(api, inbox, **{field: "," * 300_000})
    assert (answer.status, again(answer).fields["text"]) == (413, "Ten boxes")
    assert count(api, inbox) == 0


@pytest.mark.parametrize("missing", ["", "nobody@inbox.example", "a/b?c#d@x.org", "\r\nX: y"])
def test_an_inbox_that_is_not_there_writes_nothing(api: Api, inbox: str, missing: str) -> None:
    form, before = opened(api, target(inbox)), api.good("GET", "/v0/messages?limit=500")
    look(api, target(missing), 404)
    answer = press(api, replace(form, action=target(missing)), to="ann@example.com", text="x")
    assert answer.status == 404
    assert api.good("GET", "/v0/messages?limit=500") == before


def test_what_a_policy_forbids_is_said_at_the_form(api: Api, inbox: str) -> None:
    api.good("PATCH", f"/v0/inboxes/{inbox}", {"draft_policy": "draft"})
    answer = write(api, inbox)
    assert (answer.status, "make a draft" in page(answer).text) == (403, True)
    entry = {"entry": "evil.example", "reason": "no"}
    api.good("PATCH", f"/v0/inboxes/{inbox}", {"draft_policy": "auto"})
    api.good("POST", f"/v0/inboxes/{inbox}/lists/send/block", entry)
    assert write(api, inbox, to="eve@evil.example").status == 403
    assert count(api, inbox) == 0


def test_only_who_may_send_from_the_inbox_writes_from_it() -> None:
    with serving(api_key=ADMIN, http_pages=True) as server:
        admin = server.of(ADMIN)
        ours, theirs = admin.inbox(), admin.inbox()
        form = opened(server, target(theirs), Cookie=cookie(server, ADMIN))

        def held(**asked: Any) -> str:
            made = admin.good("POST", f"/v0/inboxes/{ours}/api-keys", asked)
            return cookie(server, made["api_key"])

        def status(cookie: str) -> int:
            return press(server, form, to="a@b.cc", text="x", headers={"Cookie": cookie}).status

        seeing, blind, bound = (
            held(permissions={"message_read": True}),
            held(permissions={"message_send": True}),
            held(),
        )
        for cookie_, inbox, refused in (
            (seeing, ours, 403),
            (blind, ours, 403),
            (bound, theirs, 404),
        ):
            look(server, target(inbox), refused, Cookie=cookie_)
        assert [status(one) for one in (seeing, blind, bound)] == [403, 403, 404]
        assert "compose" not in look(server, f"/?inbox={ours}", Cookie=seeing).html
        sent(write_with(server, ours, bound))
        assert count(admin, theirs) == 0


def write_with(server: Api, inbox: str, held: str) -> Answer:
    """Write a mail as who holds a cookie."""
    form = opened(server, target(inbox), Cookie=held)
    return press(server, form, to="ann@example.com", text="Ten", headers={"Cookie": held})
