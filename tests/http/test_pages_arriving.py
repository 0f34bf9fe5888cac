"""A mail from outside, on a page: it arrives as by SMTP, and only where that takes any anyhow."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from .api import Answer, Api, serving
from .forms import Form, forms_of, opened, press, sent
from .pages import look, page
from .test_pages_access import ADMIN, cookie

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACE = "/mail/arrive"
SOURCE = "From: eve@example.com\nTo: x@y.zz\nSubject: Raw\nMessage-ID: <raw@example.com>\n\nGrüße\n"


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(http_pages=True, any_recipient=True) as api:
        yield api


def written(api: Api, held: str = "") -> Form:
    """Return the form to write a mail in."""
    return forms_of(look(api, PLACE, Cookie=held).html)[0]


def pasted(api: Api) -> Form:
    """Return the form to paste a mail into."""
    (form,) = [one for one in forms_of(look(api, PLACE).html) if "pasted" in one.names]
    return form


def write(api: Api, to: str, **typed: Any) -> Answer:
    words: dict[str, Any] = {
        "sender": "Ann <ann@example.com>",
        "subject": "Lids",
        "text": "Which size?",
    }
    return press(api, written(api), to=to, **{**words, **typed})


def whole(api: Api, message_id: str) -> Any:
    return api.good("GET", f"/v0/messages/{message_id}")


def count(api: Api, inbox: str) -> int:
    return len(api.good("GET", f"/v0/messages?query=to:{inbox}")["messages"])


def test_a_mail_that_is_written_arrives_at_an_inbox(api: Api) -> None:
    found = whole(api, sent(write(api, "desk@inbox.example")))
    assert (found["inbox"], found["direction"], found["kind"]) == (
        "desk@inbox.example",
        "inbound",
        "human",
    )
    assert (found["sender"]["name"], found["subject"]) == ("Ann", "Lids")
    assert (found["text"].strip(), found["envelope"]["mail_from"]) == (
        "Which size?",
        "ann@example.com",
    )
    written_at, came_at = (datetime.fromisoformat(found[n]) for n in ("date", "received_at"))
    assert abs(came_at - written_at) < timedelta(minutes=1)


def test_a_second_click_brings_no_second_mail(api: Api) -> None:
    form = written(api)
    typed: dict[str, Any] = {"to": "twice@inbox.example", "sender": "ann@example.com"}
    first, second = (sent(press(api, form, text="Hello", **typed)) for _ in range(2))
    assert (first == second, count(api, "twice@inbox.example")) == (True, 1)


def test_a_source_arrives_as_it_was_pasted_or_chosen(api: Api) -> None:
    envelope: dict[str, Any] = {"sender": "bounce@example.com", "to": "raw@inbox.example"}
    found = whole(api, sent(press(api, pasted(api), source=SOURCE, **envelope)))
    assert (found["subject"], found["text"].strip()) == ("Raw", "Grüße")
    assert found["envelope"] == {
        "mail_from": "bounce@example.com",
        "rcpt_to": ["raw@inbox.example"],
    }
    file = SOURCE.replace("Raw", "File").replace("<raw", "<file").encode("latin-1")
    message = sent(press(api, pasted(api), files={"a.eml": file}, **envelope))
    assert whole(api, message)["subject"] == "File"
    assert b"Gr\xfc\xdfe" in api.runner.call(raw, api, message)


def test_after_a_mistake_the_file_to_choose_once_more_is_named(api: Api) -> None:
    envelope: dict[str, Any] = {"sender": "nobody", "to": "raw@inbox.example"}
    answer = press(api, pasted(api), files={"mail.eml": b"Subject: Hi\r\n\r\nHi"}, **envelope)
    said = "Choose this file once more: mail.eml."
    assert (answer.status, said in page(answer).text) == (400, True)
    assert said not in page(press(api, pasted(api), source=SOURCE, **envelope)).text


async def raw(api: Api, message_id: str) -> bytes:
    actions = api.runner.kit.runtime.actions
    return await actions.raw(await actions.message(message_id))


def test_what_was_sent_is_answered_from_outside_in_its_thread(api: Api) -> None:
    ours = api.send(api.inbox(), to="Ben <ben@example.com>", subject="Size?")
    message = ours["inboxkit"]["id"]
    place = f"{PLACE}?answers={message}"
    assert place in look(api, f"/mail/messages/{message}").links
    form = opened(api, place)
    assert (form.fields["sender"], form.fields["subject"]) == (
        "Ben <ben@example.com>",
        "Re: Size?",
    )
    found = whole(api, sent(press(api, form, text="Large")))
    assert (found["thread_id"], found["sender"]["email"]) == (
        ours["thread_id"],
        "ben@example.com",
    )
    assert f"{PLACE}?answers={found['id']}" not in look(api, f"/mail/messages/{found['id']}").links


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"to": ""}, 400),
        ({"to": "nobody"}, 400),
        ({"to": "a@inbox.example, b@inbox.example"}, 400),
        ({"to": "a@inbox.example\nX: y"}, 400),
        ({"sender": ""}, 400),
        ({"sender": "Ann\nBcc: x <ann@example.com>"}, 400),
        ({"subject": "Hi\nBcc: eve@evil.example"}, 400),
        ({"subject": "Hi\rBcc: eve@evil.example"}, 400),
        ({"subject": "x" * 2_001}, 400),
        ({"sender": f"{'x' * 2_001} <ann@example.com>"}, 400),
        ({"token": ""}, 403),
        ({"answers": "msg_0000000000001"}, 404),
    ],
    ids=lambda given: str(given)[:40],
)
def test_what_is_no_mail_does_not_arrive(api: Api, wrong: dict[str, str], status: int) -> None:
    before = len(api.good("GET", "/v0/messages?limit=500")["messages"])
    answer = write(api, **{"to": "wrong@inbox.example", **wrong})
    assert (answer.status, page(answer).text != "") == (status, True)
    if status != 404:
        assert forms_of(page(answer).html)[0].fields["text"] == "Which size?"
    assert len(api.good("GET", "/v0/messages?limit=500")["messages"]) == before


def test_an_empty_source_is_none(api: Api) -> None:
    answer = press(api, pasted(api), sender="a@b.cc", to="empty@inbox.example", source=" \n")
    assert (answer.status, "paste the source" in page(answer).text) == (400, True)
    assert '<details id="source-part" open>' in page(answer).html


def test_a_mail_may_be_no_larger_than_by_smtp() -> None:
    with serving(http_pages=True, any_recipient=True, max_message_bytes=10_000) as api:
        for size, status in ((9_000, 303), (11_000, 413), (200_000, 413)):
            assert write(api, "desk@inbox.example", text="x " * (size // 2)).status == status


def test_another_site_lets_nothing_arrive(api: Api) -> None:
    form = written(api)
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    typed: dict[str, Any] = {
        "sender": "ann@example.com",
        "to": "other@inbox.example",
        "text": "Hello",
    }
    assert press(api, form, headers=foreign, **typed).status == 403
    assert count(api, "other@inbox.example") == 0


def test_where_not_any_recipient_is_taken_there_is_no_such_page() -> None:
    with serving(http_pages=True) as api:
        inbox = api.inbox()
        assert PLACE not in look(api, f"/?inbox={inbox}").html
        look(api, PLACE, 404)
        assert press(api, Form(PLACE, "post"), to=inbox).status == 404


def test_only_who_may_do_everything_lets_mail_arrive() -> None:
    with serving(api_key=ADMIN, http_pages=True, any_recipient=True) as server:
        admin = server.of(ADMIN)
        inbox = admin.inbox()
        asked: list[tuple[str, dict[str, Any]]] = [
            ("", {"permissions": {"message_read": True, "message_send": True}}),
            (f"/inboxes/{inbox}", {}),
            ("/pods/pod_default", {}),
        ]
        for place, more in asked:
            key = admin.good("POST", f"/v0{place}/api-keys", more)["api_key"]
            held = cookie(server, key)
            look(server, PLACE, 403, Cookie=held)
            assert PLACE not in look(server, "/", Cookie=held).html
            answer = press(server, Form(PLACE, "post"), to=inbox, headers={"Cookie": held})
            assert answer.status == 403
        assert count(admin, inbox) == 0
        held = cookie(server, ADMIN)
        form = written(server, held)
        typed: dict[str, Any] = {"sender": "ann@example.com", "to": inbox, "text": "Hello"}
        sent(press(server, form, headers={"Cookie": held}, **typed))
