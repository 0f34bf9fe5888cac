"""Answering a message from its page: what is shown before, what goes out, and only once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from inboxkit.store.tables import message
from inboxkit.tokens import row_id

from .api import Answer, Api, serving
from .forms import forms_of, opened, press, sent
from .pages import look, page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit import Message
    from inboxkit.store.transactions import Tx


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(http_pages=True) as api:
        yield api


@pytest.fixture
def came(api: Api) -> Message:
    given: dict[str, Any] = {"headers": {"Cc": "Ben <ben@example.com>"}, "subject": "Lids"}
    return api.arrive(api.inbox(), "Which size?", **given)


def target(message: Message) -> str:
    return f"/mail/messages/{message.id}/reply"


def whole(api: Api, message_id: str) -> Any:
    return api.good("GET", f"/v0/messages/{message_id}")


def sends(api: Api, inbox: str) -> int:
    """Return how many mails have been sent from an inbox."""
    listed = api.good("GET", f"/v0/messages?inbox={inbox}")["messages"]
    return sum(one["direction"] == "outbound" for one in listed)


def test_a_message_leads_to_the_form_that_answers_it(api: Api, came: Message) -> None:
    links = look(api, f"/mail/messages/{came.id}").links
    assert {target(came): "Reply", f"{target(came)}?everyone=1": "Reply to all"}.items() <= {
        href: said.strip() for href, said in links.items()
    }.items()


def test_what_is_not_read_yet_is_shown_and_not_answered(api: Api, came: Message) -> None:
    form, store = opened(api, target(came)), api.runner.kit.runtime.store

    def forget(tx: Tx) -> None:
        mine = message.c.id == row_id("msg", came.id)
        tx.connection.execute(update(message).where(mine).values(state="stored", thread_id=None))

    api.runner.call(store.write, forget)
    assert "/reply" not in look(api, f"/mail/messages/{came.id}").html
    assert "not read yet" in look(api, target(came), 422).text
    assert (press(api, form, text="Large").status, sends(api, came.inbox)) == (422, 0)


def test_each_message_of_a_thread_leads_to_the_form_that_answers_it(
    api: Api, came: Message
) -> None:
    sent(press(api, opened(api, target(came)), text="Large"))
    links = look(api, f"/mail/threads/{came.thread_id}").links
    assert [said for href, said in links.items() if href.endswith("/reply")] == ["reply"] * 2
    assert target(came) in links


def test_the_form_shows_who_gets_it_and_what_is_quoted(api: Api, came: Message) -> None:
    shown = look(api, target(came))
    for said in ("Re: Lids", "ann@example.com", "everybody:", "Ben", "> Which size?", came.inbox):
        assert said in shown.text
    assert "Ben" not in shown.text.partition("everybody:")[0]
    assert opened(api, target(came)).fields["everyone"] == ""
    assert opened(api, f"{target(came)}?everyone=1").fields["everyone"] == "1"


def test_an_answer_goes_to_the_sender_in_the_thread(api: Api, came: Message) -> None:
    answer = press(api, opened(api, target(came)), text="Large.\nThanks")
    found = whole(api, sent(answer))
    assert (found["thread_id"], found["subject"]) == (came.thread_id, "Re: Lids")
    assert [one["email"] for one in found["to"]] == ["ann@example.com"]
    assert not found.get("cc")
    assert found["text"].startswith("Large.\nThanks\n") and "> Which size?" in found["text"]


def test_an_answer_goes_to_all_without_what_it_answers(api: Api, came: Message) -> None:
    form = opened(api, f"{target(came)}?everyone=1")
    found = whole(api, sent(press(api, form, text="Large", quote=None)))
    assert [one["email"] for one in found["cc"]] == ["ben@example.com"]
    assert found["text"].strip() == "Large"


def test_a_second_click_and_a_reload_send_nothing_again(api: Api, came: Message) -> None:
    form = opened(api, target(came))

    def click(_: int) -> Answer:
        return press(api.of(""), form, text="Large")

    with ThreadPoolExecutor(4) as pool:
        clicked = list(pool.map(click, range(4)))
    again = press(api, form, text="Large")
    assert len({sent(answer) for answer in (*clicked, again)}) == 1
    assert sends(api, came.inbox) == 1


def test_other_words_in_a_form_that_was_sent_are_asked_about(api: Api, came: Message) -> None:
    form = opened(api, target(came))
    sent(press(api, form, text="Large"))
    answer = press(api, form, text="Small")
    shown = page(answer)
    assert (answer.status, sends(api, came.inbox)) == (409, 1)
    assert "was sent before with other words" in shown.text
    (again,) = forms_of(shown.html)
    assert again.fields["text"] == "Small"
    assert whole(api, sent(press(api, again)))["text"].startswith("Small")


def test_what_was_typed_stays_when_it_cannot_be_sent(api: Api, came: Message) -> None:
    api.good("PATCH", f"/v0/inboxes/{came.inbox}", {"draft_policy": "deny"})
    words = "\nA <b>bold</b> word\n</textarea><script>alert(1)</script>"
    form = opened(api, f"{target(came)}?everyone=1")
    answer = press(api, form, text=words, quote=None)
    shown = page(answer)
    assert (answer.status, "draft policy is deny" in shown.text) == (403, True)
    (again,) = forms_of(shown.html)
    assert (again.fields["text"], again.fields["everyone"]) == (words, "1")
    assert "quote" not in again.fields
    api.good("PATCH", f"/v0/inboxes/{came.inbox}", {"draft_policy": "auto"})
    assert whole(api, sent(press(api, again)))["text"].strip() == words.strip()


def test_nothing_typed_is_said_at_the_field(api: Api, came: Message) -> None:
    answer = press(api, opened(api, target(came)), text=" \n ")
    shown = page(answer)
    assert (answer.status, "nothing to send yet" in shown.text) == (400, True)
    assert 'aria-invalid="true" aria-describedby="problem"' in shown.html
    assert sends(api, came.inbox) == 0


def test_nobody_who_is_suppressed_is_written_to(api: Api) -> None:
    came = api.arrive(api.inbox(), sender="gone@example.com")
    api.good("POST", "/v0/suppressions", {"address": "gone@example.com"})
    answer = press(api, opened(api, target(came)), text="Hello")
    assert (answer.status, "gone@example.com" in page(answer).text) == (403, True)


def test_what_a_mail_says_does_nothing_in_the_form(api: Api) -> None:
    attack = '"></textarea></pre><script>alert(1)</script><img src=x onerror=alert(1)>'
    came = api.arrive(api.inbox(), attack, subject=attack)
    look(api, target(came))  # fails where something acts
    answer = press(api, opened(api, target(came)), text="ok")
    assert whole(api, sent(answer))["subject"].startswith("Re: ")
