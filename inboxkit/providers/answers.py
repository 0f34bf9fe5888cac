"""Reading of answers that is the same for every vendor: broken connections, Retry-After, JSON."""

from __future__ import annotations

from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from .base import ParseError, Refused, Retry, Unknown
from .payloads import read_object, text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from .base import HttpResponse

_LONGEST = timedelta(days=7)


def lost(request_sent: bool, reason: str) -> Retry | Unknown:
    """Say what a broken connection means to a vendor that has no idempotency keys."""
    return Unknown(reason) if request_sent else Retry(reason=reason)


def failure(
    response: HttpResponse, reason: str, faults: Mapping[int, str], *, repeatable: bool = False
) -> Refused | Retry | Unknown:
    """Say what the status of an answer without success means, by RFC 9110 section 15.

    ``faults`` names whose fault a 4xx is, "message" where it says nothing. ``repeatable``: the
    request had an idempotency key, so that an answer that leaves it open is repeated.
    """
    if response.status in (408, 429, 503):  # not received, not yet, not handled
        return Retry(retry_after(response), reason)
    if 300 <= response.status < 400:
        return Refused(f"{reason}: the API's URL leads elsewhere", "settings")
    if 400 <= response.status < 500:
        return Refused(reason, faults.get(response.status, "message"))
    return Retry(retry_after(response), reason) if repeatable else Unknown(reason)


def retry_after(response: HttpResponse) -> timedelta | None:
    """Return the Retry-After of an answer (RFC 9110 section 10.2.3), at most a week."""
    value = response.header("retry-after").strip()
    if value.isascii() and value.isdigit() and len(value) < 10:
        return seconds(int(value))
    return until(value, response)


def until(date: str, response: HttpResponse) -> timedelta | None:
    """Return how long after the answer's own Date a date lies; our clock does not matter."""
    then, sent = _date(date), _date(response.header("date"))
    if then is None or sent is None:
        return None
    return min(max(then - sent, timedelta(0)), _LONGEST)


def seconds(number: int) -> timedelta:
    """Return a wait of that many seconds, at most a week."""
    return min(timedelta(seconds=min(number, 10**9)), _LONGEST)


def json_object(response: HttpResponse) -> dict[str, Any]:
    """Return the JSON object of an answer, or {} for anything else; never raises."""
    try:
        return read_object(response.body)
    except ParseError:
        return {}


def said(response: HttpResponse, *keys: str) -> str:
    """Return the status and what an answer says: the first of the JSON keys, else its text."""
    answer = json_object(response)
    words = next(filter(None, (text(answer.get(key)) for key in keys)), "")
    words = words or text(response.body[:2_000].decode("utf-8", "replace"))
    return f"{response.status} {words}".strip()


def _date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value[:100])
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
