"""The header of a mail to send has a bound: it is read and written in many small steps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from .api import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .api import Api

LONG = "é" * 262_145
PARTS: dict[str, dict[str, Any]] = {
    "recipients": {"to": [f"ann{number}@example.com" for number in range(20_000)]},
    "one recipient": {"to": f"{LONG} <ann@example.com>"},
    "subject": {"to": "ann@example.com", "subject": LONG},
    "header": {"to": "ann@example.com", "headers": {"X-A": LONG}},
    "headers": {"to": "ann@example.com", "headers": {f"X-{n}": "a" for n in range(50_000)}},
    "file name": {"to": "ann@example.com", "attachments": [{"filename": LONG, "content": ""}]},
}
FIELDS = {
    "recipients": {"to": ",".join(f"ann{number}@example.com" for number in range(20_000))},
    "quotes": {"to": '"' * 262_145},
    "subject": {"to": "ann@example.com", "subject": LONG},
    "header": {"to": "ann@example.com", "h:X-A": LONG},
}


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving() as api:
        yield api


@pytest.fixture(scope="module")
def inbox(api: Api) -> str:
    return api.inbox()


@pytest.mark.parametrize("part", PARTS)
def test_a_long_header_is_refused(api: Api, inbox: str, part: str) -> None:
    answer = api.ask("POST", f"/v0/inboxes/{inbox}/messages/send", PARTS[part])
    assert (answer.status, answer.code) == (413, "payload_too_large")


@pytest.mark.parametrize("part", ["recipients", "one recipient", "subject"])
def test_so_is_a_draft_with_one(api: Api, inbox: str, part: str) -> None:
    assert api.ask("POST", f"/v0/inboxes/{inbox}/drafts", PARTS[part]).status == 413


@pytest.mark.parametrize("field", FIELDS)
def test_so_is_one_in_mailguns_form(api: Api, inbox: str, field: str) -> None:
    form = urlencode({"from": inbox, "text": "x", **FIELDS[field]}).encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = api.ask("POST", "/v3/inbox.example/messages", form, kind)
    assert (answer.status, "over 262144 bytes" in str(answer.json)) == (400, True)


def test_thousands_of_recipients_are_not_too_many(api: Api, inbox: str) -> None:
    everybody = [f"ann{number}@example.com" for number in range(3_000)]
    asked = {"to": everybody, "text": "x"}
    assert api.ask("POST", f"/v0/inboxes/{inbox}/messages/send", asked).status == 200


def test_lists_of_a_request_have_bounds(api: Api, inbox: str) -> None:
    files = [{"filename": "a", "content": ""}] * 1_001
    asked = {"to": "ann@example.com", "attachments": files}
    assert api.ask("POST", f"/v0/inboxes/{inbox}/messages/send", asked).status == 400
    asked = {"to": "ann@example.com", "labels": [f"label{n}" for n in range(101)]}
    assert api.ask("POST", f"/v0/inboxes/{inbox}/messages/send", asked).status == 400
    entries = json.dumps([{"domain": f"d{n}.example"} for n in range(1_001)]).encode()
    answer = api.ask("POST", "/v3/inbox.example/whitelists", entries)
    assert (answer.status, "import a file" in str(answer.json)) == (400, True)
