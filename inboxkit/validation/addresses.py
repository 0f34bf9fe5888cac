"""Is an address worth writing to? From its form and from what is known of it; asks nobody. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from ..addresses import check_address
from .domains import COUNTRIES, DISPOSABLE, LARGE, MISSPELT, REAL, ROLES

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_LOCAL_CHARACTERS = 64  # RFC 5321 section 4.5.3.1.1
# Mail services that ignore what follows a plus sign, and (the first two) full stops.
_DOTLESS = frozenset(("gmail.com", "googlemail.com"))
_PLUS = _DOTLESS | frozenset(
    ("outlook.com", "hotmail.com", "live.com", "icloud.com", "fastmail.com", "proton.me")
)
_KNOWN_DOMAINS = 4_096
_SHORT = 5  # letters of a name


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an address beyond its form.

    ``history`` are the reasons for which it is suppressed here. ``servers`` are the mail servers of
    its domain, None when nobody looked; ("",) says that the domain takes no mail (RFC 7505).
    """

    history: Sequence[str] = ()
    servers: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What can be said. ``result`` and ``risk`` have the values of Mailgun's validations."""

    result: str  # deliverable, undeliverable, do_not_send, unknown
    risk: str  # low, medium, high, unknown
    reasons: tuple[str, ...] = ()
    is_role: bool = False
    is_disposable: bool = False
    did_you_mean: str = ""
    root_address: str = ""


def mailboxes(address: str) -> tuple[str, ...]:
    """Return an address as it is sent to, and the one behind its tags; () for what is none.

    What happened to either says something of both.
    """
    good = _as_sent_to(address)
    if not good:
        return ()
    local, _, domain = good.rpartition("@")
    return tuple(dict.fromkeys((f"{local}@{domain}".lower(), root(local, domain.lower()))))


def examined(address: str, facts: Facts) -> Verdict:
    """Return the verdict on an address; ``deliverable`` only where DNS was asked."""
    good = _as_sent_to(address)
    if not good:
        return _refused(address)
    local, _, domain = good.rpartition("@")
    domain = domain.lower()
    if len(local) > _MOST_LOCAL_CHARACTERS:
        return Verdict(result="undeliverable", risk="high", reasons=("local part is too long",))
    role = local.partition("+")[0].lower() in ROLES
    disposable = is_disposable(domain)
    meant = suggestion(domain)
    result, risk = _judged(facts, role=role, disposable=disposable, meant=bool(meant))
    reasons = [*_reasons(facts), *_traits(role, disposable, meant)]
    return Verdict(
        result=result,
        risk=risk,
        reasons=tuple(reasons or (["no_data"] if result == "unknown" else [])),
        is_role=role,
        is_disposable=disposable,
        did_you_mean=f"{local}@{meant}" if meant else "",
        root_address=root(local, domain),
    )


def _as_sent_to(address: str) -> str:
    """Return an address in the form that it is sent to, "" when it cannot be."""
    try:
        return check_address(address)
    except ValueError:
        return ""


def _refused(address: str) -> Verdict:
    """Return why an address cannot be sent to: it is none, or it needs what is not spoken here."""
    local, _, domain = address.rpartition("@")
    plain = "".join("x" if ord(c) > 127 and c.isalnum() else c for c in local)
    if plain != local and _as_sent_to(f"{plain}@{domain}"):
        # RFC 6531: to be had only by servers that speak SMTPUTF8
        reasons = ("mailbox needs SMTPUTF8",)
        return Verdict(result="do_not_send", risk="medium", reasons=reasons)
    return Verdict(result="undeliverable", risk="high", reasons=("malformed address",))


def _reasons(facts: Facts) -> list[str]:
    found = [f"suppressed here: {reason}" for reason in sorted(set(facts.history))]
    if facts.servers is not None and not any(facts.servers):
        null = "the domain takes no mail" if facts.servers else "no_mx"
        found.append(null)
    return found


def _traits(role: bool, disposable: bool, meant: str) -> list[str]:
    traits = {"mailbox_is_role_address": role, "mailbox_is_disposable_address": disposable}
    return [*(name for name, is_so in traits.items() if is_so), *(["typo_domain"] if meant else [])]


def _judged(facts: Facts, *, role: bool, disposable: bool, meant: bool) -> tuple[str, str]:
    if "bounced" in facts.history:
        return "undeliverable", "high"
    if facts.servers is not None and not any(facts.servers):
        return "undeliverable", "high"
    if facts.history or disposable:
        return "do_not_send", "high"
    if facts.servers is None:
        return "unknown", "medium" if role or meant else "unknown"
    return "deliverable", "medium" if role or meant else "low"


def is_disposable(domain: str) -> bool:
    """Whether a domain, or one that it is under, gives out addresses to be thrown away."""
    pieces = domain.split(".")
    return any(".".join(pieces[start:]) in DISPOSABLE for start in range(len(pieces) - 1))


@lru_cache(_KNOWN_DOMAINS)
def suggestion(domain: str) -> str:
    """Return the large mail domain that was probably meant, "" when the domain is no typo.

    A domain of another country is none: hotmail.de is not hotmail.fr.
    """
    name, _, rest = domain.partition(".")
    if domain in LARGE or domain in REAL or (len(name) < _SHORT and rest in COUNTRIES):
        return ""
    rest = MISSPELT.get(rest, rest)
    meant: list[tuple[int, str]] = []
    for large in LARGE:
        real, _, its_rest = large.partition(".")
        if its_rest == rest and _begins_alike(name, real):
            edits = distance(name, real, _most(real))
            meant += [(edits, large)] if edits <= _most(real) else []
    return min(meant)[1] if meant else ""


def _begins_alike(name: str, real: str) -> bool:
    """Whether the first letter is the same; few err there, and email.com is not gmail.com."""
    return name[:1] == real[:1] or name[:2] == real[1::-1]


def _most(name: str) -> int:
    """Short names are near to many others: one edit of gmx.de is somebody else's domain."""
    return 0 if len(name) < _SHORT else 1 if len(name) < 7 else 2


def distance(left: str, right: str, most: int) -> int:
    """Return how many edits (also of two letters that changed places) part two words.

    More than ``most`` counts as ``most + 1``.
    """
    if abs(len(left) - len(right)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        earlier, before, row = before, row, [i]
        for j, b in enumerate(right, 1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if earlier and j > 1 and a == right[j - 2] and left[i - 2] == b:
                best = min(best, earlier[j - 2] + 1)
            row.append(best)
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)


def root(local: str, domain: str) -> str:
    """Return the address that is behind tags and full stops, where the service ignores them."""
    if domain in _PLUS:
        local = local.partition("+")[0]
    if domain in _DOTLESS:
        local = local.replace(".", "")
    return f"{local}@{domain}".lower()
