"""How much of a message's metadata a vendor keeps, where it limits it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def metadata(given: Mapping[str, str], *, size: int, entries: int = 1000) -> dict[str, str]:
    """Return what fits into ``size`` bytes of JSON, from the last entry on.

    The outbox puts its own id last, and that is what finds the send of an event.
    """
    kept: dict[str, str] = {}
    for name in reversed(list(given)):
        more = {**kept, name: given[name]}
        if len(more) <= entries and len(json.dumps(more)) <= size:
            kept = more
    return kept
