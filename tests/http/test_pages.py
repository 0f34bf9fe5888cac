"""The pages that show mail: lists, a thread, a message with its HTML, bytes and files."""

from __future__ import annotations

import smtplib
import tomllib
from typing import TYPE_CHECKING

import pytest

from tests.blocks import ROOT
from tests.mails import mail
from tests.test_public_api import imported_by

from .api import Api, serving
from .pages import look

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = "Your verification code is 482913.\r\nhttps://shop.example/verify?token=a1b2c3d4e5f6"
CITING = """\
From: ann@example.com
To: {to}
Subject: A picture
Message-ID: <picture-{name}@example.com>
MIME-Version: 1.0
Content-Type: multipart/related; boundary=b

--b
Content-Type: text/html; charset=utf-8

<!doctype html><p>See</p><img src="cid:one@x"><img src="cid:two"><img src="http://evil.example/t">
--b
Content-Type: image/png
Content-ID: <one@x>
Content-Transfer-Encoding: base64

iVBORw0KGgo=
--b--
"""


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(http_pages=True, any_recipient=True) as api:
        yield api


def test_what_came_by_smtp_is_shown(api: Api) -> None:
    host, port = api.runner.kit.smtp_address
    with smtplib.SMTP(host, port) as smtp:
        smtp.sendmail("a@b.cc", ["by-smtp@inbox.example"], mail("Words", subject="By SMTP"))
    read = "event_types=message.received&inbox_ids=by-smtp@inbox.example"
    assert api.good("GET", f"/v0/events?after=start&wait=30&{read}")["count"] == 1
    shown = look(api, "/?inbox=by-smtp@inbox.example")
    assert "By SMTP" in shown.text and "ann@example.com" in shown.text
    assert 'title="by-smtp@inbox.example"' in shown.html  # beside mail an address may be cut
    assert "by-smtp@inbox.example" in look(api, "/mail/inboxes?q=by-smtp").text


def test_an_empty_server_says_so() -> None:
    with serving(http_pages=True) as api:
        assert "No mail has come yet." in look(api, "/").text


def test_a_message_is_shown_with_all_that_is_known_of_it(api: Api) -> None:
    came = api.arrive(api.inbox(), TEXT, subject="Verify", files={"a.txt": b"12345"})
    shown = look(api, f"/mail/messages/{came.id}")
    for said in ("482913", "ann@example.com", "Nothing leads to an earlier message", "a.txt"):
        assert said in shown.text
    assert "https://shop.example/verify?token=a1b2c3d4e5f6" in shown.links
    assert "spf none" in shown.text and "nothing proves who it was" in shown.text
    assert came.message_id in shown.text  # of the headers
    assert f"/mail/threads/{came.thread_id}" in shown.links


def test_lists_come_in_pages_and_are_searched(api: Api) -> None:
    inbox = api.inbox()
    for number in range(27):
        api.arrive(inbox, f"number{number}", subject=f"Subject {number}")
    first = look(api, f"/?inbox={inbox}")
    [older] = [href for href, said in first.links.items() if said == "Older mail"]
    second = look(api, older)
    assert ("Subject 26" in first.text, "Subject 1\n" in first.text) == (True, False)
    assert "Subject 1\n" in second.text and "Subject 26" not in second.text
    found = look(api, f"/?inbox={inbox}&q=subject:%22Subject+13%22")
    assert "Subject 13" in found.text and "Subject 14" not in found.text


@pytest.mark.parametrize(
    ("target", "status", "says"),
    [
        ("/?q=nosuch:field", 400, "unknown field"),
        ("/?q=" + "a" * 1_001, 400, "at most 1000"),
        ("/?page_token=x", 400, "is not a page token"),
        ("/?inbox=nobody@inbox.example", 404, "Inbox not found"),
        ("/mail/messages/msg_0000000000001", 404, "Message not found"),
        ("/mail/messages/nonsense/html", 404, "Message not found"),
        ("/mail/threads/thd_0000000000001", 404, "Thread not found"),
        ("/mail/inboxes?q=a", 400, "at least 2"),
    ],
)
def test_what_is_not_there_is_said_as_a_page(api: Api, target: str, status: int, says: str) -> None:
    assert says in look(api, target, status).text


def test_an_id_of_a_path_names_nothing_below_it(api: Api) -> None:
    came = api.arrive(api.inbox())
    thread = f"/mail/threads/{came.thread_id}"
    assert api.ask("GET", thread).status == 200
    below = {end: api.ask("GET", thread + end).status for end in ("%2Fstate", "%3Flimit=1")}
    assert below == {"%2Fstate": 404, "%3Flimit=1": 404}


def test_a_thread_shows_both_sides_and_folds_what_is_quoted(api: Api) -> None:
    inbox = api.inbox()
    sent = api.send(inbox, subject="Size?", text="Which size?")
    quoted = "Large.\n\nOn 4 March 2025 Desk <desk@inbox.example> wrote:\n> Which size?"
    api.arrive(inbox, quoted, subject="Re: Size?", headers={"In-Reply-To": sent["message_id"]})
    shown = look(api, f"/mail/threads/{sent['thread_id']}")
    opened, _, folded = shown.html.rpartition("<details")
    assert "Which size?" in opened and "Large." in opened  # what went, and what came
    assert "&gt; Which size?" in folded and "&gt; Which size?" not in opened


def test_html_is_served_for_a_frame_that_does_nothing(api: Api) -> None:
    inbox = api.inbox()
    raw = CITING.format(to=inbox, name="one").replace("\n", "\r\n").encode()
    came = api.runner.call(api.runner.kit.receive, raw, mail_from="a@b.cc", rcpt_to=[inbox])
    shown = look(api, f"/mail/messages/{came.id}")
    assert ("iframe", {"src": f"/mail/messages/{came.id}/html"}) in shown.active
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in shown.html
    framed = api.ask("GET", f"/mail/messages/{came.id}/html")
    assert framed.headers["content-security-policy"] == (
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
        f"style-src 'unsafe-inline'; img-src data: {api.url}/download/; form-action 'none'; "
        "base-uri 'none'; frame-ancestors 'self'"
    )
    assert framed.headers["referrer-policy"] == "no-referrer"
    body = framed.body.decode()
    assert body.startswith('<!doctype html><base target="_blank"><p>See</p>')
    cited = body.split('src="')[1].partition('"')[0]
    assert api.ask("GET", cited.removeprefix(api.url)).body == b"\x89PNG\r\n\x1a\n"
    assert '"cid:two"' in body  # that no file has


def test_images_from_elsewhere_are_loaded_only_when_asked_for(api: Api) -> None:
    inbox = api.inbox()
    raw = CITING.format(to=inbox, name="two").replace("\n", "\r\n").encode()
    came = api.runner.call(api.runner.kit.receive, raw, mail_from="a@b.cc", rcpt_to=[inbox])
    wide = api.ask("GET", f"/mail/messages/{came.id}/html?remote=1").headers
    assert "/download/ https:; form-action" in wide["content-security-policy"]
    shown = look(api, f"/mail/messages/{came.id}?remote=1")
    assert ("iframe", {"src": f"/mail/messages/{came.id}/html?remote=1"}) in shown.active


def test_a_host_that_would_widen_the_policy_is_refused(api: Api) -> None:
    inbox = api.inbox()
    raw = CITING.format(to=inbox, name="three").replace("\n", "\r\n").encode()
    came = api.runner.call(api.runner.kit.receive, raw, mail_from="a@b.cc", rcpt_to=[inbox])
    headers = {"Host": "127.0.0.1:80;script-src"}
    framed = api.ask("GET", f"/mail/messages/{came.id}/html", headers=headers)
    assert (framed.status, framed.body) == (400, b"the header Host is no host")


def test_bytes_and_files_are_downloads(api: Api) -> None:
    name = 'evil".html\u202egpj'
    came = api.arrive(api.inbox(), files={name: b"<script>alert(1)</script>"})
    raw = api.ask("GET", f"/mail/messages/{came.id}/raw")
    file = api.ask("GET", f"/mail/messages/{came.id}/attachments/{came.attachments[0].id}")
    assert (raw.status, file.status) == (303, 303)
    assert raw.headers["location"].startswith("/download/")
    whole, found = (api.ask("GET", a.headers["location"]) for a in (raw, file))
    assert b"Subject: Question" in whole.body and found.body == b"<script>alert(1)</script>"
    for answer in (whole, found):
        assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''")
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert found.headers["content-type"] == "application/octet-stream"
    assert not {'"', "\u202e", "\r", "\n"} & set(found.headers["content-disposition"])


def test_the_source_of_a_message_has_all_of_its_headers(api: Api) -> None:
    raw = mail("Words", headers={"X-One": "first"}).replace(b"X-One", b"X-One: other\r\nX-One", 1)
    inbox = api.inbox()
    came = api.runner.call(api.runner.kit.receive, raw, mail_from="a@b.cc", rcpt_to=[inbox])
    shown = look(api, f"/mail/messages/{came.id}/source")
    assert "X-One: other\nX-One: first" in shown.text and "Words" in shown.text
    assert "only its beginning" not in shown.text
    long = api.arrive(inbox, "x" * 70 + "\n" + "0123456789\n" * 20_000)
    shown = look(api, f"/mail/messages/{long.id}/source")
    assert "only its beginning" in shown.text and len(shown.html) < 140_000


def test_other_files_of_a_message_are_not_there(api: Api) -> None:
    one, other = (api.arrive(api.inbox(), files={"a.txt": b"a"}) for _ in range(2))
    file = other.attachments[0].id
    assert api.ask("GET", f"/mail/messages/{one.id}/attachments/{file}").status == 404
    assert api.ask("GET", f"/mail/messages/{other.id}/attachments/{file}").status == 303


@pytest.mark.parametrize("name", ["style.css", "page.js", "icon.svg"])
def test_what_pages_are_made_with_is_served(api: Api, name: str) -> None:
    answer = api.ask("GET", f"/mail/{name}")
    assert answer.status == 200 and b"http:" not in answer.body.replace(b"http://www.w3.org/", b"")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_pages_change_nothing(api: Api) -> None:
    came = api.arrive(api.inbox())
    look(api, f"/mail/messages/{came.id}")
    assert api.good("GET", f"/v0/messages/{came.id}")["labels"] == ["received", "unread"]
    assert api.ask("POST", "/", b"").status == 405


def test_they_are_not_even_imported_unless_they_are_asked_for() -> None:
    assert "inboxkit.http.ui.app" not in imported_by("import inboxkit.runtime")


def test_the_wheel_carries_what_pages_are_made_with() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["packages"] == ["inboxkit"]  # with all that is in its folders
    assert not {"exclude", "only-include"} & set(wheel)


def test_without_the_setting_there_are_no_pages() -> None:
    with serving() as api:
        assert [api.ask("GET", t).status for t in ("/", "/mail/inboxes", "/docs")] == [
            404,
            404,
            200,
        ]
