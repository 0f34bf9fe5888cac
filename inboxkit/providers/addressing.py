"""Who is named where in the mails that a vendor composes of one message, and with which values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import UnsupportedFeature
from ..outbound_headers import encoded_words
from ..values import Address

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .base import Outgoing


SPECIALS = frozenset('()<>[]:;@\\,."')  # RFC 5322 section 3.2.3


@dataclass(frozen=True, slots=True)
class Named:
    """The recipients of one mail by the field they stand in; there is always somebody in To."""

    to: tuple[Address, ...]
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()

    @property
    def everybody(self) -> tuple[str, ...]:
        """Every address, in the order To, Cc, Bcc."""
        return tuple(address.email for address in (*self.to, *self.cc, *self.bcc))


def named(message: Outgoing) -> tuple[Named, ...]:
    """Return the mails to send, so that everybody in the envelope is in exactly one field of one.

    It is one mail, in which nobody sees who has a blind copy. Where variables differ by recipient,
    or where there are blind copies only, everybody gets a mail with nobody else in it.
    """
    to, cc, bcc = _once(message.to, message.cc, message.bcc)
    named = {address.email.lower() for address in (*to, *cc, *bcc)}
    bcc = (*bcc, *(Address(r) for r in message.rcpt_to if r.lower() not in named))
    if message.recipient_variables or not (to or cc):
        return tuple(Named((address,)) for address in (*to, *cc, *bcc))
    # vendors want somebody in To; who has a visible copy may as well be addressed
    return (Named(to, cc, bcc) if to else Named(cc, (), bcc),)


def subject(message: Outgoing) -> str:
    """Return the subject; vendors refuse a mail without one, which mail programs show like this."""
    return message.subject or ("" if message.template else "(no subject)")


def html(message: Outgoing) -> str:
    """Return the HTML body; vendors refuse a mail with none and no text, and blanks alone as well.

    Such a mail, as one that only brings a file, gets a line break, of which nothing is seen.
    """
    said = message.template or message.text.strip() or message.html.strip()
    return message.html if said else "<br>"


def one_reply_to(provider: str, message: Outgoing) -> Address | None:
    """Return the address to answer to; raise UnsupportedFeature when there are several."""
    if len(message.reply_to) > 1:
        raise UnsupportedFeature(f"{provider} takes one Reply-To: {message.id}")
    return next(iter(message.reply_to), None)


def person(address: Address) -> dict[str, str]:
    """Return an address as most JSON APIs take it."""
    return {"email": address.email, **({"name": address.name} if address.name else {})}


def ascii_header(value: str) -> str:
    """Return a header value for vendors that do not encode it themselves (RFC 2047)."""
    return value if value.isascii() else encoded_words(value)


def in_header(address: Address, *, encode: frozenset[str] = frozenset()) -> str:
    """Return an address as it stands in a header field, for vendors that take the field as it is.

    A name that is not ASCII, or has one of the characters ``encode``, is an encoded word.
    """
    name = " ".join(address.name.split())
    if name and (not name.isascii() or encode & set(name)):
        return f"{encoded_words(name)} <{address.email}>"
    return str(Address(address.email, name))


def people(mail: Named) -> dict[str, list[dict[str, str]]]:
    """Return the recipients of a mail as most JSON APIs take them, without empty fields."""
    fields = {"to": mail.to, "cc": mail.cc, "bcc": mail.bcc}
    return {name: list(map(person, some)) for name, some in fields.items() if some}


def template_number(provider: str, message: Outgoing) -> int:
    """Return the number of a stored template, 0 for none; raise UnsupportedFeature for a name."""
    if not message.template:
        return 0
    if not (message.template.isascii() and message.template.isdigit()):
        raise UnsupportedFeature(f"{provider} numbers its templates, not {message.template!r}")
    return int(message.template)


def variables(message: Outgoing, mail: Named) -> dict[str, str]:
    """Return the variables of the one recipient of a mail, those of the message included."""
    own: Mapping[str, str] = message.recipient_variables.get(mail.to[0].email, {})
    return {**message.variables, **own}


def _once(*fields: Iterable[Address]) -> list[tuple[Address, ...]]:
    """Leave out whoever was named before."""
    seen: set[str] = set()
    found: list[tuple[Address, ...]] = []
    for field in fields:
        people = {p.email.lower(): p for p in field if p.email.lower() not in seen}
        seen |= people.keys()
        found.append(tuple(people.values()))
    return found
