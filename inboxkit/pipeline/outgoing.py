"""A stored send as providers take it: what differs with what a provider can do, and no I/O.

No text that comes from outside holds a line end here: vendors write them into the header of a mail.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from ..errors import SendError, UnsupportedFeature
from ..outbound_headers import flat, is_message_id, plain_line
from ..parsing import mime
from ..parsing.attachments import attachments
from ..providers import parts
from ..providers.base import Feature, Outgoing
from ..providers.registry import most
from ..store.records import addresses
from ..tokens import public_id
from ..values import Address, File

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..parsing.model import Mail
    from ..providers.registry import AnyProvider

ID_KEY = "inboxkit_id"  # in the metadata: providers' events bring it back
_ANEW = "it can never leave; send it anew"
# What compose writes besides the fields that Outgoing has: it tells other programs what this is.
_BEHAVIOUR = (
    "auto-submitted",
    "thread-index",
    "thread-topic",
    "x-auto-response-suppress",
    "x-inboxkit-loop",
)


class Unsendable(SendError):
    """What is stored of a send can go to no provider, now or later."""


def outgoing(row: Any, raw: bytes, recipients: Sequence[str], chosen: AnyProvider) -> Outgoing:
    """Return a send for these recipients; its bytes are decoded only if the provider wants parts.

    Without bytes it is one to ask about: there are no attachments, and no headers out of the mail.
    Raise UnsupportedFeature when they are beyond what is taken apart, Unsendable when something is
    stored that is no text: by hand, or by an earlier version.
    """
    headers, metadata = (_texts(name, getattr(row, name)) for name in ("headers", "metadata"))
    allowed = {r.lower() for r in recipients}
    mail = None if Feature.RAW_MIME in chosen.capabilities else _decoded(raw)

    def people(pairs: Sequence[Sequence[str]]) -> tuple[Address, ...]:
        return tuple(_harmless(a) for a in addresses(pairs) if a.email.lower() in allowed)

    return Outgoing(
        id=public_id("msg", row.id),
        message_id=row.message_id,
        idempotency_key=_key(row, recipients),
        sender=_harmless(Address(row.sender_email, row.sender_name)),
        mail_from=row.mail_from,
        rcpt_to=tuple(recipients),
        mime=raw,
        to=people(row.to),
        cc=people(row.cc),
        bcc=people(row.bcc),
        reply_to=tuple(map(_harmless, addresses(row.reply_to))),
        subject=row.subject,
        text=row.text,
        html=row.html,
        headers=_headers(headers, row, mail, chosen),
        automatic=_is_automatic(mail),
        attachments=() if mail is None else _files(mail),
        tag=flat(row.tag),
        metadata={
            **{flat(name): flat(value) for name, value in metadata.items()},
            ID_KEY: public_id("msg", row.id),
        },
        **_options(row.options, recipients),
    )


def _options(asked: Mapping[str, Any], recipients: Sequence[str]) -> dict[str, Any]:
    """Return what the provider is asked for, of these recipients, under their own spelling."""
    if "recipient_variables" not in asked:
        return dict(asked)
    values = {to.lower(): said for to, said in asked["recipient_variables"].items()}
    mine = {to: values[to.lower()] for to in recipients if to.lower() in values}
    return {**asked, "recipient_variables": mine}


def _harmless(person: Address) -> Address:
    """Return an address whose name, perhaps a stranger's, is one line as in the mail itself."""
    return Address(person.email, plain_line(person.name))


def first_part(row: Any, recipients: Sequence[str], chosen: AnyProvider) -> tuple[str, ...]:
    """Return whom of these recipients one request to a provider may be to."""
    limits = most(chosen)
    if limits is None or len(recipients) == 1:
        return tuple(recipients)
    to, cc = ({email.lower() for email, _ in people} for people in (row.to, row.cc))
    return parts.first(limits, recipients, to=to, cc=cc)


def _key(row: Any, recipients: Sequence[str]) -> str:
    """Return the key under which a repetition is no second mail: one for each set of recipients."""
    key = f"inboxkit-{public_id('msg', row.id)}"
    if set(recipients) == set(row.rcpt_to):
        return key
    return f"{key}-{hashlib.sha256(' '.join(sorted(recipients)).encode()).hexdigest()[:16]}"


def without_id(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata that came back as the user gave it."""
    return {name: value for name, value in metadata.items() if name != ID_KEY}


def _texts(field: str, stored: Any) -> dict[str, str]:
    """Return a stored table of texts; raise Unsendable when it is none."""
    try:
        table: dict[str, Any] = dict(stored)
    except (TypeError, ValueError):
        raise Unsendable(f"{field}: a mapping is wanted, not {_type(stored)}; {_ANEW}") from None
    for name, value in table.items():
        if not isinstance(value, str):
            wanted = f"a text (str) is wanted, not {_type(value)}"
            raise Unsendable(f"{field}.{name}: {wanted}; {_ANEW}")
    return table


def _type(value: object) -> str:
    return type(value).__name__


def _headers(
    own: Mapping[str, str], row: Any, mail: Mail | None, chosen: AnyProvider
) -> dict[str, str]:
    kept = dict(own)
    if mail is not None and Feature.HEADERS in chosen.capabilities:
        kept |= {n: v for n, v in mail.headers if n.lower() in _BEHAVIOUR}
    if is_message_id(row.in_reply_to):  # a hostile mail may have any
        kept["In-Reply-To"] = row.in_reply_to
    # Our own id too, as compose does: a provider that replaces Message-ID leaves it there.
    chain = dict.fromkeys([*row.references, row.message_id])
    return {**kept, "References": " ".join(filter(is_message_id, chain))}


def _is_automatic(mail: Mail | None) -> bool:
    """Whether a mail says that a program wrote it; one that goes as it is says so itself."""
    said = {} if mail is None else {n.lower(): v.strip().lower() for n, v in mail.headers}
    return said.get("auto-submitted", "no") != "no"


def _decoded(raw: bytes) -> Mail:
    mail = mime.decode(raw)
    if over := [defect for defect in mail.defects if defect.startswith("limit: ")]:
        raise UnsupportedFeature(f"the mail cannot be taken apart for this provider: {over[0]}")
    return mail


def _files(mail: Mail) -> tuple[File, ...]:
    return tuple(
        File(a.filename, a.data, a.content_type, a.content_id if a.inline else "")
        for a in attachments(mail)
    )
