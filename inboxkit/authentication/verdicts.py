"""What a provider states beside a mail that it posts (``InboundMail.verdicts``), against From."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .conclusion import Proof, believe, word
from .dkim import signing_domains
from .domains import aligned, ascii_form, domain_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..values import Auth


def judged(
    verdicts: Mapping[str, str], sender: str, mail_from: str, signed: Iterable[str], *, by: str
) -> Auth:
    """Return the verdicts; ``signed`` are the mail's DKIM-Signature fields.

    A provider that does not say whose signature passed proves the sender only when every signature
    is of the sender's organization.
    """
    dkim = word(verdicts.get("dkim", ""))
    named = [ascii_form(name) for name in verdicts.get("domain", "").split()]
    domains = named or _agreeing(signing_domains(signed), sender)
    return believe(
        sender,
        spf=Proof(word(verdicts.get("spf", "")), domain_of(mail_from)),
        dkim=[Proof(dkim, domain) for domain in domains] or [Proof(dkim)],
        dmarc=Proof(word(verdicts.get("dmarc", ""))),
        by=by,
    )


def _agreeing(domains: list[str], sender: str) -> list[str]:
    return domains if all(aligned(domain, sender) for domain in domains) else []
