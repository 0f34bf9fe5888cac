"""Addresses as they are checked, kept and compared: RFC 5321, and RFC 5891 for domains."""

from __future__ import annotations

import re
from contextlib import suppress

from email_validator import EmailNotValidError, validate_email

# Names for tests and for networks without DNS: RFC 6761, RFC 6762, and what routers hand out.
_LOCAL_DOMAIN = re.compile(r"[@.](?:test|localhost|local|localdomain|invalid|internal)$", re.I)


def check_address(email: str) -> str:
    """Return an address as it can be sent to, its domain in ASCII (RFC 5891); no DNS is asked.

    Domains of tests and local networks are let through. Raises ValueError saying what is wrong.
    """
    if len(email) > 1_000:
        raise ValueError(f"{email[:80]!r}... is too long for an address")
    # The validator refuses names without a place in the DNS: lend them one for the check.
    borrowed = ".example" if _LOCAL_DOMAIN.search(email) else ""
    try:
        valid = validate_email(email + borrowed, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as error:
        raise ValueError(f"{email[:80]!r} is not an address: {error}") from error
    return (valid.ascii_email or valid.normalized).removesuffix(borrowed)


def listed_form(address: str) -> str:
    """Return an address or a domain as lists hold it: in lower case, its domain in ASCII.

    One that cannot be written so stays as it is.
    """
    local, at, domain = address.strip().lower().rpartition("@")
    domain = domain.rstrip(".")
    if not domain.isascii():
        with suppress(ValueError):
            domain = check_address(f"postmaster@{domain}").lower().rpartition("@")[2]
    return f"{local}{at}{domain}"


def written_forms(address: str) -> tuple[str, ...]:
    """Return an address in lower case, its domain in ASCII, and in Unicode where that differs."""
    listed = listed_form(address)
    local, at, domain = listed.rpartition("@")
    if "xn--" in domain:
        with suppress(EmailNotValidError):
            found = validate_email(f"postmaster@{domain}", check_deliverability=False)
            return listed, f"{local}{at}{found.domain}"
    return (listed,)
