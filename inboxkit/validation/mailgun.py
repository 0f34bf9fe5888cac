"""Verdicts in the form of Mailgun's validations. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .addresses import Verdict

RESULTS = ("deliverable", "undeliverable", "do_not_send", "catch_all", "unknown")
RISKS = ("high", "medium", "low", "unknown")


def shown(address: str, verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as the validation of one address answers it."""
    return {
        "address": address,
        "did_you_mean": verdict.did_you_mean or None,
        "is_disposable_address": verdict.is_disposable,
        "is_role_address": verdict.is_role,
        "reason": list(verdict.reasons),
        "result": verdict.result,
        "risk": verdict.risk,
        "root_address": verdict.root_address or None,
    }
