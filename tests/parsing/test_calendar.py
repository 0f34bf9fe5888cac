"""The event of an invitation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.calendar import parse
from inboxkit.parsing.model import CalendarEvent
from inboxkit.parsing.read import parse as read

from .corpus import sample


def _event(*lines: str) -> str:
    return "\r\n".join(("BEGIN:VCALENDAR", "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR"))


def test_fields_of_a_request_without_those_of_its_alarm() -> None:
    assert read(sample("invite")).calendar == CalendarEvent(
        method="REQUEST",
        uid="lunch-1@example.com",
        summary="Lunch, second floor",
        start="2024-05-21T13:00:00[Europe/Madrid]",
        end="2024-05-21T14:30:00[Europe/Madrid]",
        location="Canteen",
        organizer="ana@example.com",
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("DTSTART:20240521T130000Z", "2024-05-21T13:00:00Z"),
        ("DTSTART:20240521T130000", "2024-05-21T13:00:00"),
        ("DTSTART;VALUE=DATE:20240521", "2024-05-21"),
        ("DTSTART;TZID=Asia/Tokyo:20240521T130000", "2024-05-21T13:00:00[Asia/Tokyo]"),
        ("DTSTART:whenever", "whenever"),
    ],
)
def test_start_is_iso_8601(line: str, expected: str) -> None:
    event = parse(_event(line))

    assert event is not None
    assert event.start == expected


def test_all_day_event_of_two_days_ends_after_them() -> None:
    event = parse(_event("DTSTART;VALUE=DATE:20240521", "DURATION:P2D"))

    assert event is not None
    assert event.end == "2024-05-23"


def test_text_without_an_event_is_none() -> None:
    assert parse("BEGIN:VCALENDAR\nBEGIN:VTODO\nEND:VTODO\nEND:VCALENDAR") is None


@given(
    st.lists(
        st.sampled_from(["BEGIN:VEVENT", "END:VEVENT", "DTSTART:2", "DURATION:P9W", ':"', "X"])
    )
)
def test_any_lines_are_read(lines: list[str]) -> None:
    event = parse("\n".join(lines))

    assert event is None or ("BEGIN:VEVENT" in lines and event.start in ("", "2"))
