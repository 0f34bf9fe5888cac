"""What a provider states beside a mail that it posts (``InboundMail.verdicts``), against From."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .conclusion import Proof, believe, word
from .dkim import signing_domains
from .domains import aligned, ascii_form, domain_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..values import Auth


_DOMAINS = re.compile(r"@([^\s<>()\[\]\",:;@]{1,255})")


def judged(
    verdicts: Mapping[str, str],
    sender: str,
    mail_from: str,
    *,
    written: str,
    signed: Iterable[str],
    by: str,
) -> Auth:
    """Return the verdicts; ``written`` is the mail's From, ``signed`` its DKIM-Signature fields.

    A provider that does not say whose signature passed proves the sender only when every signature
    is of the sender's organization. DMARC proves it only when From names no other domain, in which
    the provider may have seen the sender.
    """
    dkim = word(verdicts.get("dkim", ""))
    named = [ascii_form(name) for name in verdicts.get("domain", "").split()]
    domains = named or _agreeing(signing_domains(signed), sender)
    return believe(
        sender,
        spf=Proof(word(verdicts.get("spf", "")), domain_of(mail_from)),
        dkim=[Proof(dkim, domain) for domain in domains] or [Proof(dkim)],
        dmarc=Proof(word(verdicts.get("dmarc", "")), _domain(written, sender)),
        by=by,
    )


def _domain(written: str, sender: str) -> str:
    """Return the one domain that From names, a word that is none when it names several."""
    domains = {ascii_form(name) for name in _DOMAINS.findall(written)}
    return sender if domains <= {sender} else "several"


def _agreeing(domains: list[str], sender: str) -> list[str]:
    return domains if all(aligned(domain, sender) for domain in domains) else []
