"""If-Match: a change of what the caller has seen, and of nothing newer (RFC 9110 section 13.1.1).

Whether that still holds when the change is stored is for the transaction to say.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .envelope import ApiError, invalid
from .page_tokens import micros

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_TAG = re.compile(r'(W/)?("[!#-~\x80-\xff]*")')  # RFC 9110 section 8.8.3
_WEAK = "leave out the W/ in front, which a proxy adds that compresses answers"


def etag(changed_at: datetime) -> str:
    """Return the version of what was last changed then."""
    return f'"{micros(changed_at):x}"'


def is_conditional(headers: Mapping[str, str]) -> bool:
    """Whether a request holds only for one version."""
    return "If-Match" in headers


def check(headers: Mapping[str, str], known: str, what: str) -> None:
    """Raise ApiError unless a request holds for the version ``known``."""
    if not is_conditional(headers) or headers["If-Match"].strip() == "*":
        return
    named = _named(headers["If-Match"])
    if ("", known) not in named:
        raise failed(what, _WEAK if ("W/", known) in named else "")


def failed(what: str, fix: str = "") -> ApiError:
    """Return the answer for a request that holds for another version."""
    message = f"{what} is not the one that If-Match names"
    return ApiError("precondition_failed", message, fix=fix)


def _named(value: str) -> set[tuple[str, str]]:
    """Return the versions of a list, each with ``W/`` before it if it is weak: never the same."""
    found = _TAG.findall(value)
    if not found or _TAG.sub("", value).replace(",", "").strip():
        raise invalid("is no ETag; give it as it came, with its quotes", "If-Match")
    return set(found)
