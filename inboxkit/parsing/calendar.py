"""The first event of an iCalendar text (RFC 5545)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from .model import CalendarEvent

_MAX_LINES = 5_000
_UNESCAPE = re.compile(r"\\(.)")
_STAMP = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?\Z")
_DURATION = re.compile(r"[+]?P(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?)?")
_ZONE = re.compile(r'TZID="?([^";:]{1,100})')


def parse(text: str) -> CalendarEvent | None:
    """Return the method and the first VEVENT, or None when there is none; never raises.

    Times are ISO 8601: with "Z" in UTC, with "[Area/City]" in that zone, without either in the
    reader's own time (RFC 5545 section 3.3.5). A day without a time is an all-day event.
    """
    method = ""
    fields: dict[str, tuple[str, str]] = {}
    inside = False
    nested = ""
    for name, parameters, value in _lines(text):
        if nested:
            nested = "" if (name, value.upper()) == ("END", nested) else nested
        elif name == "BEGIN" and inside:
            nested = value.upper()  # an alarm has a summary of its own
        elif name == "BEGIN":
            inside = value.upper() == "VEVENT"
        elif name == "END" and inside:
            break
        elif inside:
            fields.setdefault(name, (parameters, value))
        elif name == "METHOD":
            method = value.strip().upper()
    return _event(method, fields) if inside else None


def _event(method: str, fields: dict[str, tuple[str, str]]) -> CalendarEvent:
    def text(name: str) -> str:
        return _UNESCAPE.sub(_unescaped, fields.get(name, ("", ""))[1]).strip()

    organizer = text("ORGANIZER")
    if organizer[:7].lower() == "mailto:":
        organizer = organizer[7:]
    return CalendarEvent(
        method=method,
        uid=text("UID"),
        summary=text("SUMMARY"),
        start=_time(*fields.get("DTSTART", ("", ""))),
        end=_end(fields),
        location=text("LOCATION"),
        organizer=organizer,
    )


def _lines(text: str) -> list[tuple[str, str, str]]:
    # Name, parameters and value of each content line, unfolded (RFC 5545 section 3.1).
    unfolded = text.replace("\r\n", "\n").replace("\n ", "").replace("\n\t", "")
    found: list[tuple[str, str, str]] = []
    for line in unfolded.split("\n", _MAX_LINES)[:_MAX_LINES]:
        head, value = _split(line)
        name, _, parameters = head.partition(";")
        found.append((name.strip().upper(), parameters, value))
    return found


def _split(line: str) -> tuple[str, str]:
    # The first colon outside of quotes ends the parameters.
    head, quote, rest = line.partition('"')
    if ":" in head or not quote:
        head, _, value = line.partition(":")
        return head, value
    pieces = line.split('"')
    for index in range(0, len(pieces), 2):
        before, colon, after = pieces[index].partition(":")
        if colon:
            return '"'.join([*pieces[:index], before]), '"'.join([after, *pieces[index + 1 :]])
    return head, rest


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[1] in "nN" else match[1]


def _time(parameters: str, value: str) -> str:
    value = value.strip()
    match = _STAMP.match(value)
    if not match:
        return value
    year, month, day, hour, minute, second, utc = match.groups()
    if hour is None:
        return f"{year}-{month}-{day}"
    zone = _ZONE.search(parameters)
    suffix = utc or (f"[{zone[1]}]" if zone else "")  # RFC 9557 section 4.1
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}{suffix}"


def _end(fields: dict[str, tuple[str, str]]) -> str:
    if "DTEND" in fields or "DTSTART" not in fields:
        return _time(*fields.get("DTEND", ("", "")))
    duration = _DURATION.match(fields.get("DURATION", ("", ""))[1].strip())
    start = _time(*fields["DTSTART"])
    return _later(start, duration) if duration else ""


def _later(start: str, duration: re.Match[str]) -> str:
    weeks, days, hours, minutes = (int(number or 0) for number in duration.groups())
    length = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes)
    moment, suffix = start[:19], start[19:]
    try:
        end = datetime.fromisoformat(moment) + length
    except (ValueError, OverflowError):
        return ""
    return (end.isoformat() if "T" in moment else end.date().isoformat()) + suffix
