"""A paused inbox: it neither sends nor receives, and nothing that came to it is lost."""

from __future__ import annotations

from datetime import timedelta
from smtplib import SMTP
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.errors import WaitTimeout
from inboxkit.models import Want
from inboxkit.testing.settling import advance

from .api import Api, path, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit import Message


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving() as running:
        yield running


def status(api: Api, inbox: str, wanted: str) -> None:
    api.good("PATCH", f"/v0/inboxes/{inbox}", {"status": wanted})


def heard(api: Api, inbox: str) -> Message:
    """Return what a wait is given, without waiting."""
    actions = api.runner.kit.runtime.actions
    return api.runner.call(actions.wait, inbox, Want(), timeout=0)


def by_smtp(api: Api, to: str) -> None:
    host, port = api.runner.kit.smtp_address
    with SMTP(host, port, timeout=30) as smtp:
        raw = f"From: ann@example.com\r\nTo: {to}\r\nMessage-ID: <s@example.com>\r\n\r\nHi\r\n"
        assert smtp.sendmail("ann@example.com", [to], raw) == {}


def states(api: Api, inbox: str) -> list[str]:
    found = api.good("GET", f"/v0/inboxes/{inbox}/messages")["messages"]
    return [message["inboxkit"]["state"] for message in found]


def test_what_comes_is_taken_kept_and_told_to_nobody_then_or_later(api: Api) -> None:
    inbox = api.inbox(status="paused")
    by_smtp(api, inbox)
    api.arrive(inbox, "Another way in")
    status(api, inbox, "active")
    with pytest.raises(WaitTimeout):
        heard(api, inbox)
    assert api.good("GET", f"/v0/inboxes/{inbox}/messages")["count"] == 0
    kept = api.good("GET", f"/v0/inboxes/{inbox}/messages?include_blocked=true")["messages"]
    assert [set(one["labels"]) for one in kept] == [{"received", "unread", "blocked"}] * 2
    api.arrive(inbox, "Now")
    assert heard(api, inbox).text.strip() == "Now"


def test_the_log_says_why_and_no_handler_is_planned(api: Api) -> None:
    inbox = api.inbox(status="paused")
    api.arrive(inbox)

    def said(connection: Any) -> Any:
        mine = "inbox_id = (SELECT id FROM inboxkit_inbox WHERE address = ?)"
        planned = f"SELECT count(*) FROM inboxkit_job WHERE kind = 'plan' AND {mine}"
        why = f"SELECT reason_class, reason FROM inboxkit_event WHERE type = 'received' AND {mine}"
        number = connection.exec_driver_sql(planned, (inbox,)).scalar()
        return number, *connection.exec_driver_sql(why, (inbox,)).one()

    reason = "the inbox was paused when it came"
    assert api.runner.call(api.runner.kit.runtime.store.read, said) == (0, "blocked", reason)


def test_a_mail_for_two_is_heard_of_by_the_one_that_is_active(api: Api) -> None:
    paused, active = api.inbox(status="paused"), api.inbox()
    raw = b"From: ann@example.com\r\nSubject: Both\r\n\r\nHi\r\n"
    give: Any = api.runner.kit.receive
    api.runner.call(give, raw, mail_from="ann@example.com", rcpt_to=[paused, active])
    assert heard(api, active).subject == "Both"
    with pytest.raises(WaitTimeout):
        heard(api, paused)


@pytest.mark.parametrize("way", ["send", "reply", "draft"])
def test_it_sends_nothing_whatever_the_way(api: Api, way: str) -> None:
    inbox = api.inbox()
    came = api.arrive(inbox)
    mail = {"to": "ann@example.com", "text": "Hi"}
    draft = api.good("POST", f"/v0/inboxes/{inbox}/drafts", mail)["draft_id"]
    status(api, inbox, "paused")
    target, body = {
        "send": (f"/v0/inboxes/{inbox}/messages/send", mail),
        "reply": (path(inbox, came, "/reply"), {"text": "Hi"}),
        "draft": (f"/v0/inboxes/{inbox}/drafts/{draft}/send", {}),
    }[way]
    answer = api.ask("POST", target, body)
    assert (answer.status, answer.code) == (403, "inbox_paused")
    assert "active" in answer.json["fix"]


def test_what_falls_due_meanwhile_fails_and_is_not_sent_afterwards(api: Api) -> None:
    inbox, runner = api.inbox(), api.runner
    due = (runner.clock.now() + timedelta(hours=1)).isoformat()
    mail = {"to": "ann@example.com", "text": "Hi"}
    draft = api.good("POST", f"/v0/inboxes/{inbox}/drafts", mail | {"send_at": due})["draft_id"]
    api.send(inbox, inboxkit={"at": due})
    status(api, inbox, "paused")
    runner.call(advance, runner.kit, timedelta(hours=2), timeout=30)
    status(api, inbox, "active")
    runner.call(advance, runner.kit, timedelta(days=2), timeout=30)
    assert api.good("GET", f"/v0/inboxes/{inbox}/drafts/{draft}")["send_status"] == "failed"
    assert states(api, inbox) == ["rejected"]
