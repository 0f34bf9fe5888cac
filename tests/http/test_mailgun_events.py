"""The event log by the Mailgun facade: filters and paging URLs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.mails import mail

from .api import serving
from .mailgun import DOMAIN, Mailgun

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS = f"/v3/{DOMAIN}/events"


@pytest.fixture(scope="module")
def mailgun() -> Iterator[Mailgun]:
    with serving() as api:
        found = Mailgun(api)
        found.send(
            subject="One", to=["ann@example.com", "ben@example.com"], **{"o:tag": ["a", "ü"]}
        )
        found.send(subject="Two", **{"from": f"other@{DOMAIN}", "o:tag": "b", "o:testmode": "yes"})
        api.arrive(f"shop@{DOMAIN}", subject="Three")
        found.settle()
        yield found


def told(items: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(item["event"], item["recipient"].partition("@")[0]) for item in items]


SENT = [("delivered", "ben"), ("delivered", "ann"), ("accepted", "ben"), ("accepted", "ann")]
CASES: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "a type": ({"event": "delivered"}, SENT[:2]),
    "a type in capitals": ({"event": "Delivered"}, SENT[:2]),
    "types": ({"event": "stored OR complained"}, [("stored", "shop")]),
    "a recipient": ({"recipient": "ben@example.com"}, [SENT[0], SENT[2]]),
    "a subject": ({"subject": "two"}, [("accepted", "ann")]),
    "a tag": ({"tags": "ü"}, SENT),
    "the first tag": ({"tags": "b"}, [("accepted", "ann")]),
    "a sender": ({"from": f"other@{DOMAIN}"}, [("accepted", "ann")]),
    "ascending": ({"event": "accepted", "subject": "One", "ascending": "yes"}, SENT[:1:-1]),
    "before": ({"end": "Mon, 01 Jan 2018 00:00:00 GMT"}, []),
    "since": ({"begin": "1000000000.5", "event": "stored"}, [("stored", "shop")]),
    "attachments": ({"attachment": "true"}, []),
    "an unknown type": ({"event": "list_uploaded"}, []),
    "a severity": ({"severity": "permanent"}, []),
}


@pytest.mark.parametrize(("given", "expected"), CASES.values(), ids=CASES.keys())
def test_a_filter(mailgun: Mailgun, given: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert told(mailgun.good("GET", EVENTS, **given)["items"]) == expected


def test_pages_lead_through_the_log_and_back(mailgun: Mailgun) -> None:
    def page(url: str) -> tuple[list[str], dict[str, str]]:
        found = mailgun.good("GET", url.removeprefix(mailgun.api.url))
        return [item["id"] for item in found["items"]], found["paging"]

    everything = [item["id"] for item in mailgun.good("GET", EVENTS)["items"]]
    first, paging = page(f"{EVENTS}?limit=2")
    second, after = page(paging["next"])
    third, end = page(after["next"])
    assert [*first, *second, *third] == everything
    assert page(end["previous"])[0] == second
    assert (page(end["last"])[0], page(end["first"])[0]) == (everything[-2:], first)


def test_the_last_page_leads_to_what_comes_later(mailgun: Mailgun) -> None:
    found = mailgun.good("GET", EVENTS, ascending="yes")
    following = found["paging"]["next"].removeprefix(mailgun.api.url)
    assert mailgun.good("GET", following)["items"] == []

    mailgun.send(subject="Later", **{"from": f"later@{DOMAIN}", "o:testmode": "yes"})

    assert told(mailgun.good("GET", following)["items"]) == [("accepted", "ann")]


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (f"{EVENTS}/nonsense", 400),
        (f"{EVENTS}?limit=x", 400),
        (f"{EVENTS}?begin=yesterday", 400),
        (f"{EVENTS}?begin=1e400", 400),
        (f"{EVENTS}?size=1000", 400),
        (f"{EVENTS}?list=news@inbox.example", 400),
        ("/v3/else.example/events", 404),
    ],
)
def test_what_cannot_be_asked(mailgun: Mailgun, target: str, status: int) -> None:
    answer = mailgun.ask("GET", target)
    assert (answer.status, list(answer.json)) == (status, ["message"])


def test_what_happened_to_one_message_or_its_copies_is_found_by_its_id() -> None:
    shop, raw = f"shop@{DOMAIN}", mail("Hello", to=f"shop@{DOMAIN}")
    with serving() as api:
        found = Mailgun(api)
        sent, other = found.send(), found.send()
        taken = [
            api.taken(copy, shop)
            for copy in (raw, raw.replace(b"Hello", b"Again"), mail("Else", to=shop))
        ]
        found.settle()

        def asked(*ids: str) -> list[tuple[str, str]]:
            given = {"message-id": " OR ".join(ids)}
            return told(found.good("GET", EVENTS, **given)["items"])

        assert asked(sent.strip("<>")) == [("delivered", "ann"), ("accepted", "ann")]
        assert asked(taken[0].message_id) == [("stored", "shop")] * 2
        assert len(asked(sent, other, taken[2].message_id)) == 5
        assert asked("nobody@knows.example") == []
