"""Drafts on pages: a person looks at one and sends it, or deletes it, and gets what was seen."""

from __future__ import annotations

from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from .api import Answer, Api, path, serving
from .forms import Form, forms_of, opened, press, sent
from .pages import look, page
from .test_pages_access import ADMIN, cookie
from .test_pages_hostile import ATTACKS

if TYPE_CHECKING:
    from collections.abc import Iterator

READ, SEND = {"draft_read": True, "message_read": True}, {"draft_send": True}


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(http_pages=True) as api:
        yield api


@pytest.fixture(scope="module")
def server() -> Iterator[Api]:
    with serving(api_key=ADMIN, http_pages=True) as api:
        yield api


def drafted(api: Api, inbox: str = "", **asked: Any) -> Any:
    """Make a draft by the API."""
    words = {"to": "ann@example.com", "subject": "Offer", "text": "Ten boxes"}
    return api.good("POST", f"/v0/inboxes/{inbox or api.inbox()}/drafts", {**words, **asked})


def answering(api: Api) -> Any:
    """Make a draft that answers a mail to two."""
    came = api.arrive(api.inbox(), "Secret size?", headers={"Cc": "Ben <ben@example.com>"})
    asked = {"in_reply_to": came.message_id, "reply_all": True, "text": "Large", "html": "<p>L"}
    return api.good("POST", f"/v0/inboxes/{came.inbox}/drafts", asked)


def target(made: Any, more: str = "") -> str:
    return f"/mail/drafts/{made['draft_id']}{more}"


def change(api: Api, made: Any, **asked: Any) -> None:
    api.good("PATCH", f"/v0/inboxes/{made['inbox_id']}/drafts/{made['draft_id']}", asked)


def left(api: Api, made: Any) -> tuple[int, int]:
    """Return how many drafts the inbox has, and how many sends."""
    inbox = made["inbox_id"]
    listed = api.good("GET", f"/v0/messages?inbox={inbox}")["messages"]
    sends = sum(one["direction"] == "outbound" for one in listed)
    return api.good("GET", f"/v0/inboxes/{inbox}/drafts")["count"], sends


def pressed(server: Api, form: Form, held: str) -> Answer:
    """Send a form as who holds a cookie."""
    return press(server, form, headers={"Cookie": held})


def again(answer: Answer, ending: str = "/send") -> Form:
    """Return the form that is shown once more."""
    (form,) = [one for one in forms_of(page(answer).html) if one.action.endswith(ending)]
    return form


def test_drafts_are_listed_and_lead_to_their_page(api: Api) -> None:
    made = drafted(api, subject="Listed", send_at="2999-01-01T00:00:00Z")
    shown = look(api, "/mail/drafts")
    for said in ("Listed", "Ten boxes", "ann@example.com", "scheduled", made["inbox_id"]):
        assert said in shown.text
    assert shown.links[target(made)] == "Listed"
    assert "/mail/drafts" in look(api, "/").links
    assert "It is to leave by itself at 2999-01-01" in look(api, target(made)).text


def test_a_draft_is_shown_whole(api: Api) -> None:
    file = {"filename": "a.txt", "content": b64encode(b"abc").decode()}
    made = drafted(api, bcc="boss@example.com", attachments=[file], html="<b>Ten</b>")
    shown = look(api, target(made))
    for said in ("Offer", "Ten boxes", "ann@example.com", "boss@example.com", "a.txt", "waits"):
        assert said in shown.text
    (where,) = [href for href in shown.links if "/attachments/" in href]
    answer = api.ask("GET", where)
    assert api.ask("GET", answer.headers["location"]).body == b"abc"
    framed = api.ask("GET", target(made, "/html"))
    assert "<b>Ten</b>" in framed.body.decode()
    assert framed.headers["content-security-policy"].startswith("sandbox allow-popups")


def test_who_wrote_what_is_sent_on_does_not_get_it(api: Api) -> None:
    came = api.arrive(api.inbox(), sender="zoe@example.com")
    asked: dict[str, Any] = {"forward_of": came.message_id, "to": []}
    made = api.good("POST", f"/v0/inboxes/{came.inbox}/drafts", asked)
    shown = look(api, target(made))
    assert "Tonobody" in shown.text


def test_what_is_sent_is_what_was_shown(api: Api) -> None:
    made = answering(api)
    shown = look(api, target(made))
    for said in ("Re: Question", "ann@example.com", "Ben", "Large\n", "> Secret size?"):
        assert said in shown.text
    assert "Secret size?" in api.ask("GET", target(made, "/html")).body.decode()
    message = sent(press(api, opened(api, target(made), "/send")))
    found = api.good("GET", f"/v0/messages/{message}")
    assert found["text"].strip() in shown.text
    assert [one["email"] for one in found["cc"]] == ["ben@example.com"]
    assert left(api, made) == (0, 1)


HIDING = (
    "display:none",
    "font-size:0",
    "color:#fff",
    "position:absolute;left:-9999px",
)


@pytest.mark.parametrize("style", HIDING)
def test_words_that_the_html_hides_are_shown_to_who_approves_it(api: Api, style: str) -> None:
    html = f"<p>Ten boxes</p><p style='{style}'>Pay &lt;b&gt; <i>EUR 900</i></p>"
    shown = look(api, target(drafted(api, html=html)))
    _, _, below = shown.text.partition("Hidden words")
    assert "who reads the mail does not see them" in below
    assert below.index("Pay <b> EUR 900") < below.index("HTML\n")


def test_words_hidden_by_a_rule_or_under_a_quote_are_shown_too(api: Api) -> None:
    came = api.arrive(api.inbox(), "Which size?")
    asked = {"in_reply_to": came.message_id, "text": "Large"}
    html = "<style>.x{opacity:0}</style><p>Large<b class=x>EUR 900</b><div hidden>"
    made = api.good("POST", f"/v0/inboxes/{came.inbox}/drafts", {**asked, "html": html})
    _, _, below = look(api, target(made)).text.partition("Hidden words")
    assert "EUR 900" in below and "Which size?" in below.partition("HTML\n")[0]


def test_of_a_draft_that_hides_nothing_nothing_is_told(api: Api) -> None:
    for html in ("", "<p style='color:#333'>Ten boxes<p hidden>&nbsp;"):
        assert "Hidden words" not in look(api, target(drafted(api, html=html))).text


def test_a_person_approves_where_nothing_leaves_by_itself(api: Api) -> None:
    made = drafted(api)
    api.good("PATCH", f"/v0/inboxes/{made['inbox_id']}", {"draft_policy": "draft"})
    sent(press(api, opened(api, target(made), "/send")))
    assert left(api, made) == (0, 1)


def test_a_draft_that_has_changed_is_looked_at_again(api: Api) -> None:
    made = drafted(api)
    form = opened(api, target(made), "/send")
    change(api, made, text="Twelve boxes")
    answer = press(api, form)
    assert (answer.status, left(api, made)) == (412, (1, 0))
    assert "changed since you looked" in page(answer).text and "Twelve" in page(answer).text
    message = sent(press(api, again(answer)))
    assert api.good("GET", f"/v0/messages/{message}")["text"].strip() == "Twelve boxes"


def test_a_draft_that_was_changed_and_changed_back_is_another(api: Api) -> None:
    made = drafted(api)
    form = opened(api, target(made), "/send")
    change(api, made, text="Twelve boxes")
    change(api, made, text="Ten boxes")
    assert (press(api, form).status, left(api, made)) == (412, (1, 0))


def test_a_second_click_leads_to_the_same_message(api: Api) -> None:
    made = drafted(api)
    form = opened(api, target(made), "/send")

    def click(_: int) -> Answer:
        return press(api.of(""), form)

    with ThreadPoolExecutor(3) as pool:
        clicked = list(pool.map(click, range(3)))
    assert len({sent(answer) for answer in (*clicked, press(api, form))}) == 1
    assert left(api, made) == (0, 1)


def test_a_draft_is_deleted_as_it_was_looked_at(api: Api) -> None:
    made = drafted(api)
    form = opened(api, target(made), "/delete")
    change(api, made, text="Twelve boxes")
    answer = press(api, form)
    assert (answer.status, left(api, made)) == (412, (1, 0))
    form = again(answer, "/delete")
    for _ in range(2):  # a second click finds it gone
        answer = press(api, form)
        assert (answer.status, answer.headers["location"]) == (303, "/mail/drafts")
    assert left(api, made) == (0, 0)
    look(api, target(made), 404)


def test_what_may_not_leave_stays_a_draft(api: Api) -> None:
    made = drafted(api)
    api.good("PATCH", f"/v0/inboxes/{made['inbox_id']}", {"draft_policy": "deny"})
    answer = press(api, opened(api, target(made), "/send"))
    assert (answer.status, "draft policy is deny" in page(answer).text) == (403, True)
    assert left(api, made) == (1, 0)


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"version": None}, 400),
        ({"version": ""}, 400),
        ({"version": "-1"}, 400),
        ({"version": "٣"}, 400),
        ({"version": "9" * 5_000}, 400),
        ({"version": "*"}, 400),
        ({"version": '"1", "2"'}, 400),
        ({"version": '"0"'}, 412),
        ({"version": f'"{"9" * 16}"'}, 412),
        ({"token": None}, 403),
        ({"token": "x"}, 403),
        ({"inbox": None}, 404),
        ({"inbox": "nobody@inbox.example"}, 404),
        ({"inbox": "x" * 9_000}, 413),
    ],
    ids=lambda given: str(given)[:40],
)
def test_a_form_that_was_tampered_with_does_nothing(
    api: Api, given: dict[str, Any], status: int
) -> None:
    made = drafted(api)
    assert press(api, opened(api, target(made), "/send"), **given).status == status
    deleted = press(api, opened(api, target(made), "/delete"), **given)
    assert deleted.status == (303 if status == 404 else status)  # as if it were gone already
    assert left(api, made) == (1, 0)


def test_the_form_of_one_draft_sends_no_other(api: Api) -> None:
    made, other = drafted(api), drafted(api)
    form = opened(api, target(made), "/send")
    moved = replace(form, action=target(other, "/send"))
    assert press(api, moved, inbox=other["inbox_id"]).status == 403
    assert left(api, other) == (1, 0)


def test_other_sites_send_and_delete_nothing(api: Api) -> None:
    made = drafted(api)
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    for act in ("/send", "/delete"):
        form = opened(api, target(made), act)
        assert press(api, form, headers=foreign).status == 403
        assert api.ask("GET", f"{form.action}?token={form.fields['token']}").status == 405
    assert left(api, made) == (1, 0)


def test_who_may_only_look_sends_and_deletes_nothing(server: Api) -> None:
    admin = server.of(ADMIN)
    made, held = drafted(admin), cookie(server, ADMIN)
    acts = [opened(server, target(made), act, Cookie=held) for act in ("/send", "/delete")]

    def key(place: str = "", **asked: Any) -> str:
        found = admin.good("POST", f"/v0{place}/api-keys", asked)
        return cookie(server, found["api_key"])

    reader, blind = key(permissions=READ), key(permissions=SEND)
    foreign = key(f"/inboxes/{admin.inbox()}")
    shown = look(server, target(made), Cookie=reader)
    assert forms_of(shown.html) == [] and "draft_send" in shown.text
    for caller, status in ((reader, 403), (blind, 403), (foreign, 404)):
        assert [pressed(server, form, caller).status for form in acts] == [status] * 2
    look(server, target(made), 403, Cookie=blind)
    for more in ("", "/html", "/attachments/att_0000000000001"):
        look(server, target(made, more), 404, Cookie=foreign)
    assert made["subject"] not in look(server, "/mail/drafts", Cookie=foreign).text
    assert left(admin, made) == (1, 0)


def test_what_a_key_may_not_see_is_not_shown_and_not_sent_by_it(server: Api) -> None:
    admin = server.of(ADMIN)
    made = answering(admin)
    key = admin.good("POST", "/v0/api-keys", {"permissions": {**READ, **SEND}})["api_key"]
    held = cookie(server, key)
    form = opened(server, target(made), "/send", Cookie=held)
    parent = path(made["inbox_id"], made["in_reply_to"])
    admin.good("PATCH", parent, {"add_labels": ["spam"]})
    answer = pressed(server, form, held)
    framed = server.ask("GET", target(made, "/html"), headers={"Cookie": held}).body.decode()
    for shown in (look(server, target(made), Cookie=held), page(answer)):
        assert "Secret size?" not in shown.text + framed and "may not see" in shown.text
        assert forms_of(shown.html) == []
    assert (answer.status, left(admin, made)) == (403, (1, 0))
    admin.good("PATCH", parent, {"remove_labels": ["spam"]})
    assert sent(pressed(server, form, held)) and left(admin, made) == (0, 1)


def test_who_may_not_read_messages_sends_what_stands_for_itself(server: Api) -> None:
    admin = server.of(ADMIN)
    asked = {"permissions": {"draft_read": True, **SEND}}
    held = cookie(server, admin.good("POST", "/v0/api-keys", asked)["api_key"])
    made, answer = drafted(admin), answering(admin)
    shown = look(server, target(answer), Cookie=held)
    assert "may not see" in shown.text and forms_of(shown.html) == []
    done = pressed(server, opened(server, target(made), "/send", Cookie=held), held)
    assert (done.status, done.headers["location"]) == (303, "/mail/drafts")
    assert left(admin, made) == (0, 1)


LONG = "x" * 200_001


@pytest.mark.parametrize(
    "asked", [{"text": LONG}, {"html": f"<p>a<p hidden>{LONG}"}], ids=["text", "hidden words"]
)
def test_what_is_too_long_to_be_shown_is_not_sent_from_its_page(
    api: Api, asked: dict[str, Any]
) -> None:
    made = drafted(api, **asked)
    (form,) = forms_of(look(api, target(made)).html)
    assert form.action == target(made, "/delete")
    answer = press(api, replace(form, action=target(made, "/send")))
    assert (answer.status, left(api, made)) == (403, (1, 0))
    assert "too long to be shown whole" in page(answer).text


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_of_a_draft_acts_outside_of_the_frame(api: Api, attack: str) -> None:
    file = {"filename": attack, "content": ""}
    made = drafted(api, subject=attack, text=attack, html=attack, attachments=[file])
    for place in ("/mail/drafts", target(made)):  # ``look`` fails where something acts
        shown = look(api, place)
        assert [href for href in shown.links if not href.startswith(("/", "#"))] == []
    answer = press(api, opened(api, target(made), "/send"), version='"0"')
    assert page(answer)
    policy = api.ask("GET", target(made, "/html")).headers["content-security-policy"]
    assert "allow-scripts" not in policy and "default-src 'none'" in policy
