"""The Date field as it comes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.dates import parse

NOON = datetime(2024, 5, 14, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "Tue, 14 May 2024 12:00:00 +0000",
        "Tue, 14 May 2024 14:00:00 +0200 (CEST)",
        "14 May 24 07:00 CDT",
        "Tue, 14 May 2024 08:00:00 EDT",
        "Tue May 14 12:00:00 2024",
        "Tue May 14 05:00:00 PDT 2024",
        "2024-05-14T12:00:00Z",
        "2024-05-14 17:30:00+05:30",
        "May 14, 2024 12:00:00 PM",
        "Di, 14 Mai 2024 14:00:00 MESZ",
        "mar., 14 mai 2024 13:00:00 +01:00",
        "Tue, 14-May-2024 12.00.00 GMT",
        "Tue, 14 May 2024 14:00:00 GMT+2",
        "Tue, 14 May 2024 12(noon): 00 : 00 +0000",
        "Tue, 14 May 2024 at 12:00 XYZ",
    ],
)
def test_moment_is_given_in_utc(value: str) -> None:
    assert parse(value) == NOON


@pytest.mark.parametrize("value", ["", "soon", "Thu, 31 Feb 2024 10:00:00 +0000", "1" * 5_000])
def test_what_names_no_moment_is_none(value: str) -> None:
    assert parse(value) is None


@pytest.mark.parametrize(("year", "expected"), [("49", 2049), ("50", 1950), ("124", 2024)])
def test_short_years_follow_rfc_5322(year: str, expected: int) -> None:
    moment = parse(f"1 Jan {year} 00:00 +0000")

    assert moment is not None
    assert moment.year == expected


@given(st.text(alphabet="0123456789 :+-./,JanMoTZGMTapm(", max_size=60))
def test_any_value_gives_utc_or_none(value: str) -> None:
    moment = parse(value)

    assert moment is None or moment.tzinfo is UTC
