"""Times as commands take them: an age such as 30d, or a moment."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

MOST_DAYS = 36_500  # a hundred years: nobody means more, and the calendar ends
_AGE = re.compile(r"(\d{1,4})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def age(text: str) -> timedelta | None:
    """Return how long ``30d``, ``12h`` or ``2w`` is; None for what is no age."""
    found = _AGE.fullmatch(text)
    return timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else None


def since(text: str, now: datetime) -> datetime:
    """Return the moment that an age or a moment in ISO 8601 means; raise click.BadParameter.

    Without a zone it is UTC.
    """
    long = age(text)
    if long is not None:
        return now - long
    try:
        read = datetime.fromisoformat(text)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{text!r} is no age, such as 2h or 3d, and no moment in ISO 8601"
        ) from None
