"""From what SPF, DKIM and DMARC found, to whether the domain of From is proven."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..values import Auth
from .domains import aligned

if TYPE_CHECKING:
    from collections.abc import Sequence

_RESULTS = frozenset(  # RFC 8601 section 2.7
    ("none", "pass", "fail", "softfail", "neutral", "policy", "temperror", "permerror")
)


@dataclass(frozen=True, slots=True)
class Proof:
    """What one method found (RFC 8601 section 2.7), and the domain it found it for."""

    result: str = "none"
    domain: str = ""


NOTHING = Proof()


@dataclass(frozen=True, slots=True)
class Policy:
    """The DMARC policy of a domain: ``state`` is found, none or temperror."""

    state: str = "none"
    strict_dkim: bool = False
    strict_spf: bool = False


def word(result: str) -> str:
    """Return a result as RFC 8601 writes it, "none" for a word it does not know."""
    lower = result.strip().lower()
    return lower if lower in _RESULTS else "none"


def conclude(sender: str, *, spf: Proof, dkim: Sequence[Proof], policy: Policy) -> Auth:
    """Return the verdicts; ``domain`` is that of From if SPF or DKIM passed for its owner."""
    by_spf = spf.result == "pass" and aligned(spf.domain, sender, strict=policy.strict_spf)
    proven = by_spf or any(
        one.result == "pass" and aligned(one.domain, sender, strict=policy.strict_dkim)
        for one in dkim
    )
    dmarc = policy.state
    if dmarc == "found":
        dmarc = "pass" if proven else "fail"
    return Auth(spf.result, best(dkim).result, dmarc, sender if proven else "")


def believe(sender: str, *, spf: Proof, dkim: Sequence[Proof], dmarc: Proof, by: str) -> Auth:
    """Return the verdicts that somebody who is trusted has stated, held against From.

    Where DMARC failed, SPF and DKIM count for nothing: who states it has looked at the policy.
    """
    proven = dmarc.result == "pass" and dmarc.domain in ("", sender)
    if not proven and dmarc.result != "fail":
        proven = any(one.result == "pass" and aligned(one.domain, sender) for one in (spf, *dkim))
    dkim_result = best(dkim).result
    return Auth(spf.result, dkim_result, dmarc.result, sender if proven else "", f"stated by {by}")


def best(proofs: Sequence[Proof]) -> Proof:
    """Return the one that passed, else the first."""
    passed = (one for one in proofs if one.result == "pass")
    return next(passed, proofs[0] if proofs else Proof())
