"""The Date field (RFC 5322 section 3.3), its obsolete forms and the usual junk."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

_MAX_LENGTH = 200
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan janv ene gen",
            "feb fév fev febr févr",
            "mar mär mrz mrt maa",
            "apr avr abr",
            "may mai maj mag mei maio",
            "jun juin giu",
            "jul juil lug",
            "aug aoû aou ago août aout",
            "sep set sept",
            "oct okt ott out",
            "nov",
            "dec déc dic dez des",
        ),
        1,
    )
    for name in names.split()
}
# RFC 5322 section 4.3; the European and Asian names are what mailers write besides.
_ZONES = {
    "ut": 0, "utc": 0, "gmt": 0, "z": 0, "wet": 0,
    "est": -300, "edt": -240, "cst": -360, "cdt": -300, "mst": -420, "mdt": -360,
    "pst": -480, "pdt": -420, "akst": -540, "akdt": -480, "hst": -600,
    "met": 60, "cet": 60, "mez": 60, "bst": 60, "west": 60,
    "cest": 120, "mest": 120, "mesz": 120, "eet": 120, "sast": 120,
    "eest": 180, "msk": 180, "msd": 240, "jst": 540, "kst": 540, "hkt": 480, "sgt": 480,
    "aest": 600, "aedt": 660, "nzst": 720, "nzdt": 780,
}  # fmt: skip
_TIME = r"(?P<h>\d{1,2})[:.h](?P<m>\d{1,2})(?:[:.](?P<s>\d{1,2})(?:[.,]\d{1,9})?)?"
_AFTER = (
    r"[ ]?(?P<half>[AaPp]\.?[Mm]\.?)?"
    r"[ ]?(?P<zone>(?:GMT|UTC)?[+-][ ]?\d{1,2}:?\d{0,2}|[A-Za-z]{1,5}\b)?"
)
_MONTH = r"(?P<mon>[^\W\d_]{3,9})"
_FORMS = tuple(
    re.compile(form)
    for form in (
        # Mon, 02 Jan 2006 15:04:05 -0700
        rf"(?P<d>\d{{1,2}})[ .-]{{0,2}}{_MONTH}[ .,-]{{1,2}}(?P<y>\d{{2,4}}),?[ ]?"
        rf"(?:(?:at )?{_TIME}{_AFTER})?",
        # Mon Jan  2 15:04:05 MST 2006 (asctime, date)
        rf"{_MONTH}[ ](?P<d>\d{{1,2}})[ ]{_TIME}[ ](?P<zone>[A-Za-z]{{1,5}}[ ]|[+-]\d{{4}}[ ])?"
        r"(?P<y>\d{4})",
        # Jan 2, 2006 3:04:05 PM
        rf"{_MONTH}\.?[ ](?P<d>\d{{1,2}}),?[ ](?P<y>\d{{4}}),?[ ](?:at )?{_TIME}{_AFTER}",
        # 2006-01-02T15:04:05Z
        rf"(?P<y>\d{{4}})[-/.](?P<n>\d{{1,2}})[-/.](?P<d>\d{{1,2}})(?:[T ]{_TIME}{_AFTER})?",
    )
)
# The form that RFC 5322 section 3.3 gives, and nearly every mailer writes.
_USUAL = re.compile(
    r"(?:[A-Z][a-z]{2}, )?(\d{1,2}) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):([0-5]\d) "
    r"([+-])(\d\d)([0-5]\d)(?!\d)",
    re.ASCII,
)
_COMMENT = re.compile(r"\([^()]*\)?")


def parse(value: str) -> datetime | None:
    """Return the moment in UTC, or None when the value names none; never raises.

    A missing or unknown zone is read as UTC (RFC 5322 section 4.3 says the same of "-0000").
    """
    match = _USUAL.match(value)
    if match and (moment := _usual(match)):
        return moment
    text = " ".join(_COMMENT.sub(" ", value[:_MAX_LENGTH]).split())
    if " :" in text or ": " in text:
        text = text.replace(" :", ":").replace(": ", ":")
    for form in _FORMS:
        match = form.search(text)
        moment = _moment(match.groupdict()) if match else None
        if moment:
            return moment
    return None


def _usual(match: re.Match[str]) -> datetime | None:
    day, month, year, hour, minute, second, sign, hours, minutes = match.groups()
    try:
        local = datetime(
            int(year), _month(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC
        )
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        return local + offset if sign == "-" else local - offset
    except (ValueError, OverflowError):
        return None


def _moment(parts: dict[str, str | None]) -> datetime | None:
    number = parts.get("n")
    month = int(number) if number else _month(parts.get("mon") or "")
    hour = _hour(int(parts["h"] or 0), (parts.get("half") or "").lower())
    second = min(int(parts["s"] or 0), 59)  # a leap second
    try:
        local = datetime(
            _year(parts["y"] or ""),
            month,
            int(parts["d"] or 0),
            hour,
            int(parts["m"] or 0),
            second,
            tzinfo=_zone(parts["zone"] or ""),
        )
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _month(name: str) -> int:
    name = name.lower()
    return _MONTHS.get(name) or _MONTHS.get(name[:3], 0)


def _year(digits: str) -> int:
    # RFC 5322 section 4.3: two digits are 1950 to 2049, three count from 1900.
    year = int(digits or 0)
    if len(digits) == 2:
        return year + (2000 if year < 50 else 1900)
    return year + 1900 if len(digits) == 3 else year


def _hour(hour: int, half: str) -> int:
    if half.startswith("p") and hour < 12:
        return hour + 12
    return 0 if half.startswith("a") and hour == 12 else hour


def _zone(text: str) -> timezone:
    name = text.strip().lower()
    sign = re.search(r"[+-]", name)
    if not sign:
        return timezone(timedelta(minutes=_ZONES.get(name, 0)))
    digits = "".join(c for c in name[sign.start() :] if c.isdigit())
    hours, minutes = (digits[:2], digits[2:]) if len(digits) != 3 else (digits[:1], digits[1:])
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    if offset >= timedelta(days=1):
        return UTC
    return timezone(-offset if sign[0] == "-" else offset)
