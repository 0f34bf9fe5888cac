"""The DMARC policy that a domain publishes (RFC 7489 section 6.6.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .conclusion import Policy
from .domains import organization
from .resolver import Unanswered

if TYPE_CHECKING:
    from .resolver import Budget

_LONGEST = 2_000


def policy(sender: str, names: Budget) -> Policy:
    """Return the policy of the domain of From, or of its organization's."""
    try:
        for domain in dict.fromkeys((sender, organization(sender))):
            records = names.lookup(f"_dmarc.{domain}", "TXT")
            found = [tags for tags in map(_tags, records) if tags]
            if found:
                # more than one is none (section 6.6.3, step 5)
                return _read(found[0]) if len(found) == 1 else Policy()
    except Unanswered:
        return Policy("temperror")
    return Policy()


def _read(tags: dict[str, str]) -> Policy:
    return Policy("found", tags.get("adkim") == "s", tags.get("aspf") == "s")


def _tags(record: str) -> dict[str, str]:
    """Return the tags of a record, {} when it is not of DMARC."""
    pairs = [part.partition("=") for part in record[:_LONGEST].split(";")]
    first = (pairs[0][0].strip(), pairs[0][2].strip())
    if first != ("v", "DMARC1"):
        return {}
    return {name.strip().lower(): value.strip().lower() for name, _, value in pairs}
