from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from inboxkit.providers.base import ParseError, ProviderEvent, WebhookRequest
from inboxkit.providers.event_facts import digest, facts, severity
from inboxkit.providers.registry import provider
from inboxkit.values import EventType

from .vendor import cases

UNKNOWN = "550 5.1.1 User unknown"


@pytest.mark.parametrize(
    ("words", "hard", "known", "expected"),
    cases(
        {
            "the words say it": (UNKNOWN, True, "", (True, "user_unknown")),
            "the vendor calls it soft": (UNKNOWN, False, "", (False, "user_unknown")),
            "nothing is said": ("", True, "", (True, "other")),
            "blocked": ("554 blocked using Spamhaus", True, "", (False, "blocked")),
            "for now only": ("450 4.1.1 User unknown", True, "", (False, "user_unknown")),
            "the vendor's reason wins": (UNKNOWN, True, "mailbox_full", (False, "mailbox_full")),
            "it was dead before": ("", True, "suppressed", (True, "suppressed")),
        }
    ),
)
def test_an_address_is_dead_when_vendor_and_words_agree(
    words: str, hard: bool, known: str, expected: object
) -> None:
    assert severity(words, hard=hard, known=known) == expected


def test_an_id_tells_the_parts_apart() -> None:
    assert digest("a", "b") == digest("a", "b")
    assert len({digest("a", "b"), digest("ab", ""), digest("b", "a"), digest("\udcff")}) == 4


def test_only_what_there_is_is_a_fact() -> None:
    assert facts(a="x", b="", c=None, d={}, e=[]) == {"a": "x"}


AT = 1_767_323_045
FORM = "application/x-www-form-urlencoded"
STATUS = "transactional_email_status"
BATCHES: dict[str, list[object]] = {  # an event that can be read, and one without a time
    "brevo": [{"event": "delivered", "ts_epoch": AT * 1000}, {"event": "delivered"}],
    "mailjet": [{"event": "sent", "time": AT}, {"event": "sent"}],
    "mailtrap": [{"event": "delivery", "timestamp": AT}, {"event": "delivery"}],
    "mandrill": [{"event": "delivered", "ts": AT}, {"event": "delivered"}],
    "sendgrid": [{"event": "delivered", "timestamp": AT}, {"event": "delivered"}],
    "sparkpost": [
        {"msys": {"message_event": {"type": "delivery", "timestamp": str(AT)}}},
        {"msys": {"message_event": {"type": "delivery"}}},
    ],
    "unisender_go": [
        {
            "event_name": STATUS,
            "event_data": {"status": "delivered", "event_time": "2026-01-02 03:04:05"},
        },
        {"event_name": STATUS, "event_data": {"status": "delivered"}},
    ],
}


def posted(name: str, batch: list[object]) -> WebhookRequest:
    wrapped: object = {
        "mailtrap": {"events": batch},
        "unisender_go": {"events_by_user": [{"events": batch}]},
    }.get(name, batch)
    text = json.dumps(wrapped)
    if name == "mandrill":
        body = urlencode({"mandrill_events": text}).encode()
        return WebhookRequest(headers={"content-type": FORM}, body=body)
    return WebhookRequest(headers={"content-type": "application/json"}, body=text.encode())


@pytest.mark.parametrize("name", BATCHES)
def test_one_odd_event_takes_no_other_of_its_batch_with_it(name: str) -> None:
    good, odd = BATCHES[name]

    found = provider(name).parse_events(posted(name, [odd, good]), None)

    events = [event for event in found if isinstance(event, ProviderEvent)]
    assert [event.type for event in events] == [EventType.DELIVERED, EventType.UNKNOWN]
    assert events[1].data["name"].startswith("unreadable: ")
    with pytest.raises(ParseError):
        provider(name).parse_events(posted(name, [odd, odd]), None)


INBOUND: dict[str, list[object]] = {
    "mandrill": [
        {
            "event": "inbound",
            "ts": AT,
            "msg": {"raw_msg": "Subject: x\r\n\r\n", "email": "a@b.example"},
        },
        {"event": "inbound", "ts": AT, "msg": {}},
    ],
    "sparkpost": [
        {"msys": {"relay_message": {"rcpt_to": "a@b.example", "content": {"email_rfc822": "x"}}}},
        {"msys": {"relay_message": {"rcpt_to": "a@b.example", "content": {}}}},
    ],
}


@pytest.mark.parametrize("name", INBOUND)
def test_one_odd_mail_takes_no_other_of_its_batch_with_it(name: str) -> None:
    good, odd = INBOUND[name]
    post = posted(name, [odd, good])

    assert len(provider(name).parse_inbound(post, None)) == 1
    [shown] = provider(name).parse_events(post, None)
    assert isinstance(shown, ProviderEvent)
    assert shown.data["name"].startswith("unreadable: ")
