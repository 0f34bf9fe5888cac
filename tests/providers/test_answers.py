from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from inboxkit.providers import payloads
from inboxkit.providers.answers import failure
from inboxkit.providers.base import HttpResponse, Refused, Retry, Unknown

FAULTS = {401: "credentials"}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (301, Refused("no: the API's URL leads elsewhere", "settings")),
        (400, Refused("no", "message")),
        (401, Refused("no", "credentials")),
        (408, Retry(timedelta(seconds=7), "no")),
        (429, Retry(timedelta(seconds=7), "no")),
        (503, Retry(timedelta(seconds=7), "no")),
        (500, Unknown("no")),
        (504, Unknown("no")),
        (200, Unknown("no")),
    ],
)
def test_the_status_says_whether_a_message_may_have_been_sent(
    status: int, expected: object
) -> None:
    assert failure(HttpResponse(status, {"Retry-After": "7"}), "no", FAULTS) == expected


def test_what_is_left_open_is_repeated_under_a_key_that_sends_once() -> None:
    assert failure(HttpResponse(502), "no", FAULTS, repeatable=True) == Retry(None, "no")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-02T03:04:06Z", datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)),
        ("2026-01-02T03:04:06.1234567+01:00", datetime(2026, 1, 2, 2, 4, 6, 123456, tzinfo=UTC)),
        ("2026-01-02 03:04:06+00", datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)),
        ("2026-01-02T03:04:06", datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)),
        ("9999-12-31T23:59:59-14:00", None),
        ("soon", None),
        (1767323046, None),
        (None, None),
    ],
    ids=str,
)
def test_a_written_moment_is_read_as_utc(text: object, moment: datetime | None) -> None:
    assert payloads.instant(text) == moment


def test_only_the_objects_of_a_list_are_taken() -> None:
    assert payloads.objects([{"a": 1}, "b", None, [{"c": 2}], {}]) == ({"a": 1}, {})
    assert payloads.objects({"a": 1}) == ()
