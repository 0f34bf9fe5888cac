"""Sending: a form, or a whole mail, on the way of every other send."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from ...blocking import in_thread
from ...parsing import addresses
from ...providers import mailgun_requests
from ...providers.mailgun_requests import MOST_BYTES, MOST_HEADER_BYTES, Refusal, is_on, merged
from ...store import claims, inboxes, mailgun_sends, records, wire_ids
from ...store.api_tables import DEFAULT_POD
from ...store.claims import Taken
from ...store.idempotency import Claim
from ...store.mailgun_sends import Batch
from ...values import Draft, File, ProviderOptions
from ..api.input import is_text
from ..api.sends import check_live
from . import domains, rendering
from .call import Call, Route

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ...models import Message
    from ...parsing.model import ParsedMessage
    from ...providers.mailgun_requests import SendRequest
    from ...store.inboxes import InboxRecord
    from ...values import Address

_KEPT = timedelta(hours=24)
_MOST_KEY_CHARACTERS = 256
_MOST_TOGETHER_BYTES = 256 * 1024 * 1024  # a mail each for as many people, stored together
_QUEUED = "Queued. Thank you."
# Headers that say something to this server, or that every mail of ours has anyway.
_READ_HERE = frozenset(
    ("reply-to", "references", "in-reply-to", "x-mailgun-variables", "x-idempotency-key")
)
_WRITTEN_ANEW = _READ_HERE | frozenset(
    "from to cc bcc subject date message-id mime-version received return-path dkim-signature "
    "authentication-results arc-seal arc-message-signature arc-authentication-results "
    "thread-index thread-topic sender errors-to x-inboxkit-loop".split()
)
_SEALED = ("multipart/signed", "multipart/encrypted")


async def send(call: Call) -> Mapping[str, Any]:
    """Send a mail of these parts."""
    asked = await _read(call, is_mime=False)
    asked = await rendering.rendered(call, asked)
    return await accepted(call, asked, await in_thread(_drafts, asked))


async def _read(call: Call, *, is_mime: bool) -> SendRequest:
    read = partial(mailgun_requests.read, is_mime=is_mime)
    return await in_thread(read, call.content_type, call.body)


def _drafts(asked: SendRequest) -> list[Draft]:
    if not asked.recipient_variables:
        return [_draft(asked, asked.to, asked.cc, asked.bcc)]
    return _bounded(
        _merged(_draft(asked, (one,), asked.cc, asked.bcc), asked, one) for one in asked.to
    )


def _bounded(drafts: Iterable[Draft]) -> list[Draft]:
    """Return the mails of one request; raise Refusal when they are too large together."""
    made, left = list[Draft](), _MOST_TOGETHER_BYTES
    for draft in drafts:
        left -= len(draft.text) + len(draft.html) + sum(len(f.data) for f in draft.attachments)
        if left < 0 and made:
            words = f"The mails of this request are over {_MOST_TOGETHER_BYTES} bytes together"
            raise Refusal(413, f"{words}: send to fewer people at a time")
        made.append(draft)
    return made


async def send_mime(call: Call) -> Mapping[str, Any]:
    """Send a mail that is composed already; its parts are taken over into one of ours."""
    asked = await _read(call, is_mime=True)
    parsed = await call.parts.parser.read(asked.mime)
    drafts = await in_thread(_mime_drafts, asked, parsed)
    return await accepted(call, asked, drafts, answers=parsed.in_reply_to)


def _mime_drafts(asked: SendRequest, parsed: ParsedMessage) -> list[Draft]:
    if not asked.recipient_variables:
        return [mime_draft(asked, parsed, asked.rcpt_to)]
    return _bounded(_merged(mime_draft(asked, parsed, [one]), asked, one) for one in asked.rcpt_to)


async def accepted(
    call: Call,
    asked: SendRequest,
    drafts: Sequence[Draft],
    inbox: InboxRecord | None = None,
    *,
    answers: str = "",
) -> Mapping[str, Any]:
    """Store sends, all or none, once under an idempotency key; return the answer of a send.

    ``answers`` is the In-Reply-To of a mail that is composed already.
    """
    claim = _claim(call, asked)
    if claim is not None:
        known = await call.store.read(mailgun_sends.first_id, claim, call.now)
        if known is not None:
            return {"id": known, "message": _QUEUED}
    await domains.require(call)
    if not asked.is_test:
        check_live(call.parts.settings, call.who)
    sender = _sender(call, asked)
    inbox = inbox or await _inbox(call, sender)
    batch = Batch(inbox, asked.tags, asked.is_test, claim, call.now)
    answers = answers or _header(asked.headers, "in-reply-to").strip()
    rows = await call.parts.actions.storing(batch.store).send_all(
        inbox, drafts, name=sender.name, parent=await _parent(call, inbox, answers)
    )
    call.parts.addresses.forget()
    found = await call.store.read(records.messages, rows[:1], call.parts.actions)
    return {"id": found[0].message_id, "message": _QUEUED}


def _sender(call: Call, asked: SendRequest) -> Address:
    found = addresses.parse(asked.sender)
    domain = found[0].email.rpartition("@")[2].lower() if found else ""
    if domain != call.domain:
        raise Refusal(400, f"from parameter is not an address of {call.domain}")
    return found[0]


async def _inbox(call: Call, sender: Address) -> InboxRecord:
    """Return the inbox that a mail is sent from; a new one is stored with the mail."""
    reach = call.reach
    known = await call.store.read(inboxes.find, sender.email)
    if known is not None and reach.holds(known.pod_id, known.id):
        return known
    if known is not None or reach.inbox_id is not None:
        raise Refusal(400, f"from parameter: this key may not send as {sender.email}")
    shared = call.parts.settings.domain
    try:
        await call.store.read(claims.check, reach, sender.email, shared=shared)
    except ValueError as error:
        raise Refusal(400, f"from parameter is not a valid address: {error}") from None
    except Taken as error:
        raise Refusal(400, f"from parameter: {error}") from None
    pod_id = reach.pod_id or DEFAULT_POD
    return mailgun_sends.new_inbox(sender.email, sender.name, pod_id, call.now)


async def _parent(call: Call, inbox: InboxRecord, name: str) -> Message | None:
    """Return the message of the inbox that a mail answers by its In-Reply-To."""
    if not name:
        return None
    row = await call.store.read(wire_ids.find, call.reach, inbox.id, [name])
    rows = [] if row is None else [row]
    found = await call.store.read(records.messages, rows, call.parts.actions)
    return next((m for m in found if m.thread_id), None)


def _claim(call: Call, asked: SendRequest) -> Claim | None:
    """Return the claim of Idempotency-Key, or of the header by which Mailgun's SDK says it."""
    key = call.headers.get("Idempotency-Key") or _header(asked.headers, "x-idempotency-key")
    key = key.strip()
    if not key:
        return None
    if len(key) > _MOST_KEY_CHARACTERS:
        raise Refusal(400, f"the idempotency key has more than {_MOST_KEY_CHARACTERS} characters")
    if not is_text(key):
        raise Refusal(400, "the idempotency key is not UTF-8")
    fingerprint = f"mailgun {call.domain} {asked.digest}"
    return Claim(call.who.claims_in, key, fingerprint, call.now + _KEPT)


def _header(headers: Mapping[str, str], name: str) -> str:
    return next((value for key, value in headers.items() if key.lower() == name), "")


def _draft(asked: SendRequest, to: Sequence[str], cc: Sequence[str], bcc: Sequence[str]) -> Draft:
    if _header(asked.headers, "message-id"):
        raise Refusal(400, "h:Message-Id: the server gives every mail its id; leave it out")
    files = [File(f.filename or "file", f.data, f.content_type) for f in asked.attachments]
    files += [
        File(f.filename or "inline", f.data, f.content_type, f.filename or "inline")
        for f in asked.inline
    ]
    reply_to = _header(asked.headers, "reply-to")
    return Draft(
        to=tuple(to),
        cc=tuple(cc),
        bcc=tuple(bcc),
        subject=asked.subject,
        text=asked.text,
        html=asked.html,
        reply_to=tuple(str(a) for a in addresses.parse(reply_to)) if reply_to else (),
        attachments=tuple(files),
        headers={k: v for k, v in asked.headers.items() if k.lower() not in _READ_HERE},
        **_wishes(asked),
    )


def _wishes(asked: SendRequest) -> dict[str, Any]:
    tag = asked.tags[0] if asked.tags else ""
    every = _switch(asked, "o:tracking")
    opens, clicks = (_switch(asked, f"o:tracking-{what}", every) for what in ("opens", "clicks"))
    return {
        "tag": tag,
        "metadata": dict(asked.metadata),
        "at": asked.send_at,
        "options": ProviderOptions(track_opens=opens, track_clicks=clicks),
    }


def _switch(asked: SendRequest, name: str, default: bool | None = None) -> bool | None:
    """Return what an option switches; ``htmlonly`` means on."""
    said = asked.options.get(name, "").strip().lower()
    return default if not said else said == "htmlonly" or is_on(said)


def _merged(draft: Draft, asked: SendRequest, recipient: str) -> Draft:
    """Return a draft with what is known of its recipient filled in."""
    email = next((a.email.lower() for a in addresses.parse(recipient)), "")
    values = asked.recipient_variables.get(email, {})
    whole = partial(merged, variables=values, most=MOST_BYTES)
    line = partial(merged, variables=values, most=MOST_HEADER_BYTES)
    headers = {name: line(value) for name, value in draft.headers.items()}
    subject = line(draft.subject)
    if len(subject) + sum(map(len, headers.values())) > MOST_HEADER_BYTES:
        raise Refusal(400, f"recipient-variables make a header over {MOST_HEADER_BYTES} characters")
    return replace(
        draft,
        subject=subject,
        text=whole(draft.text),
        html=whole(draft.html),
        headers=headers,
        metadata={name: line(value) for name, value in draft.metadata.items()},
    )


def mime_draft(asked: SendRequest, parsed: ParsedMessage, rcpt_to: Sequence[str]) -> Draft:
    """Return the parts of a mail as a draft for these recipients; raise Refusal.

    Who is not in its To or Cc gets a blind copy.
    """
    if parsed.state != "parsed":
        raise Refusal(400, f"message parameter cannot be read: {'; '.join(parsed.defects)[:200]}")
    kind = next((v for n, v in parsed.headers if n.lower() == "content-type"), "")
    if kind.strip().lower().startswith(_SEALED):
        raise Refusal(400, "message parameter is signed or encrypted: it cannot be taken over")
    wanted = {address.lower() for address in rcpt_to}
    to = [str(a) for a in parsed.to if a.email.lower() in wanted]
    cc = [str(a) for a in parsed.cc if a.email.lower() in wanted]
    shown = {a.email.lower() for a in (*parsed.to, *parsed.cc)}
    headers = {n: v for n, v in parsed.headers if _is_own(n)}
    return Draft(
        to=tuple(to),
        cc=tuple(cc),
        bcc=tuple(address for address in rcpt_to if address.lower() not in shown),
        subject=parsed.subject,
        text=parsed.text,
        html=parsed.html,
        reply_to=tuple(str(a) for a in parsed.reply_to),
        attachments=tuple(
            File(a.filename, a.data, a.content_type, a.content_id if a.inline else "")
            for a in parsed.attachments
        ),
        headers=headers,
        **_wishes(asked),
    )


def _is_own(name: str) -> bool:
    lowered = name.lower()
    return lowered not in _WRITTEN_ANEW and not lowered.startswith(("content-", "resent-"))


ROUTES = (
    Route("POST", "/v3/{domain}/messages", send, "message_send", most_bytes=MOST_BYTES),
    Route("POST", "/v3/{domain}/messages.mime", send_mime, "message_send", most_bytes=MOST_BYTES),
)
