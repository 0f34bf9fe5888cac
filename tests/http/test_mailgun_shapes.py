"""What programs look up in Mailgun's events, without asking whether it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inboxkit.tokens import row_id

from .api import serving
from .mailgun import DOMAIN, Mailgun, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS = f"/v3/{DOMAIN}/events"
SHOP = f"shop@{DOMAIN}"
COMMON = "id timestamp log-level tags user-variables campaigns flags recipient recipient-domain"
FIELDS = {
    "accepted": "envelope storage method",
    "delivered": "envelope storage delivery-status",
    "stored": "envelope storage",
    "opened": "ip client-info geolocation",
    "failed": "envelope storage severity reason delivery-status",
}
INSIDE = {
    "flags": "is-routed is-authenticated is-system-test is-test-mode",
    "envelope": "sender transport targets",
    "storage": "key url",
    "delivery-status": "code message description",
    "client-info": "client-type client-os client-name device-type user-agent bot",
    "geolocation": "country region city",
    "message": "headers attachments size",
}


@pytest.fixture(scope="module")
def mailgun() -> Iterator[Mailgun]:
    with serving() as api:
        found = Mailgun(api)
        found.good("POST", f"/v3/{DOMAIN}/bounces", address="gone@example.com")
        sent = found.send()
        found.send(to="gone@example.com")
        api.arrive(SHOP, files={"plan.pdf": b"%PDF-1.7"})
        found.settle()
        message = row_id("msg", found.message(sent)["inboxkit"]["id"])
        api.runner.call(opened, api, SHOP, message, "ann@example.com")
        yield found


@pytest.mark.parametrize("name", FIELDS)
def test_an_event_has_what_programs_look_up(mailgun: Mailgun, name: str) -> None:
    event = mailgun.good("GET", EVENTS, event=name)["items"][0]

    assert set(f"{COMMON} message {FIELDS[name]}".split()) <= set(event)
    for field, inside in INSIDE.items():
        assert field not in event or set(inside.split()) <= set(event[field]), field
    assert ("recipients" in event["message"]) is (name == "stored")


def test_an_event_tells_of_the_files_of_its_message(mailgun: Mailgun) -> None:
    logs = mailgun.post_json("/v1/analytics/logs", {"events": ["stored"]}).json["items"]
    listed = mailgun.good("GET", EVENTS, attachment="yes")["items"]
    without = mailgun.good("GET", EVENTS, attachment="no")["items"]

    file = {"filename": "plan.pdf", "content-type": "application/octet-stream", "size": 8}
    assert [event["message"]["attachments"] for event in (*listed, *logs)] == [[file], [file]]
    assert {len(event["message"]["attachments"]) for event in without} == {0}
