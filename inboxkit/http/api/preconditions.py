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


def etag(changed_at: datetime) -> str:
    """Return the version of what was last changed then."""
    return f'"{micros(changed_at):x}"'


def is_conditional(headers: Mapping[str, str]) -> bool:
    """Whether a request holds only for one version."""
    return "If-Match" in headers


def check(headers: Mapping[str, str], known: str, what: str) -> None:
    """Raise ApiError unless a request holds for the version ``known``."""
    if is_conditional(headers) and headers["If-Match"].strip() != "*":
        if known not in _named(headers["If-Match"]):
            raise failed(what)


def failed(what: str) -> ApiError:
    """Return the answer for a request that holds for another version."""
    return ApiError("precondition_failed", f"{what} is not the one that If-Match names")


def _named(value: str) -> set[str]:
    """Return the versions that a list names; a weak one is never the same (section 13.1.1)."""
    found = _TAG.findall(value)
    if not found or _TAG.sub("", value).replace(",", "").strip():
        raise invalid("is no ETag; give it as it came, with its quotes", "If-Match")
    return {tag for weak, tag in found if not weak}
