"""One mail checked: SPF, DKIM and DMARC, and ARC where they do not pass. For a worker thread."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from . import arc, dkim, dmarc, spf
from .canonical import split
from .conclusion import conclude
from .resolver import Budget, Unanswered

if TYPE_CHECKING:
    from collections.abc import Collection

    from ..values import Auth
    from .resolver import Resolver

LIBRARIES = ("dkim", "spf", "dns", "publicsuffixlist")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A mail and who brought it. ``sender`` is the domain of From, as it will be shown."""

    raw: bytes = field(repr=False)
    sender: str
    peer: str
    helo: str
    mail_from: str


def missing_library() -> str:
    """Return a library of the extra ``auth`` that is not installed, "" when all are."""
    return next((name for name in LIBRARIES if find_spec(name) is None), "")


def verify(
    mail: Delivered, resolver: Resolver, *, sealers: Collection[str] = (), seconds: float = 10.0
) -> Auth:
    """Return the verdicts on a mail; look-ups end after ``seconds``. Never raises."""
    names = Budget(resolver, seconds)
    head, body = split(mail.raw)
    auth = conclude(
        mail.sender,
        spf=spf.check(mail.peer, mail.helo, mail.mail_from, names),
        dkim=dkim.check(head, body, mail.sender, names),
        policy=dmarc.policy(mail.sender, names),
    )
    return auth if auth.passed else _forwarded(auth, mail.sender, head, body, sealers, names)


def _forwarded(
    auth: Auth, sender: str, head: bytes, body: bytes, sealers: Collection[str], names: Budget
) -> Auth:
    """Return what a listed sealer states when that proves the sender, else what was found."""
    try:
        stated = arc.sealed(head, body, sealers, names)
    except Unanswered:
        return replace(auth, reason="ARC: a name server did not answer")
    except Exception:  # noqa: BLE001 - foreign input in a foreign library, which raises anything
        return replace(auth, reason="ARC: cannot be read")
    judged = stated.judged(sender) if stated is not None else auth
    return judged if judged.passed else auth
