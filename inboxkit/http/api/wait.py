"""Waiting on the server: one request that is answered when the mail is there."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

import anyio

from ...blocking import uninterrupted
from ...errors import ConfigurationError, WaitTimeout
from ...models import Want
from ...registration import check_host
from ...router import address_glob
from ...store import keyed_waits, records, wire_ids
from ...tokens import public_id
from .envelope import ApiError, invalid, not_found
from .routing import At, Route
from .schemas.messages import item, message
from .schemas.wait import WaitQuery, WaitResponse
from .sends import idempotency_key
from .whole import shown as whole

if TYPE_CHECKING:
    from ...models import Message
    from ...store.keyed_waits import Keyed
    from ...values import Pattern
    from .call import Call

_RECENT = timedelta(minutes=10)
_KEPT = timedelta(minutes=10)  # what was returned under a key, and no longer than mail counts
_QUESTION = {"kind", "sender", "subject", "host", "reply_to"}


async def wait(call: Call[WaitQuery]) -> WaitResponse:
    """Return the message, code or link that is wanted, now or when it comes.

    Answers 200 in any case: after ``timeout`` seconds without ``message``, with what did arrive.
    What is returned is taken: no other wait gets it. ``since`` is the moment from which mail
    counts, by default ten minutes ago. ``sender``, ``subject`` and ``host`` (of a link) are globs.
    With ``reply_to``, the id of a send, its next reply is wanted, and no other field counts.
    The same header Idempotency-Key within ten minutes returns the same once more. ``give_back`` are
    such keys of waits that broke off: what they returned is given back first.
    """
    waits, want, keyed = call.parts.actions.waits, _want(call), _keyed(call)
    if call.given.give_back:
        await waits.release(call.inbox, _scope(call), call.given.give_back)
    try:
        with call.parts.live.listeners.entered(call.line):
            found = await _found(call, want, keyed)
    except WaitTimeout as late:
        await call.check_key()
        return await _late(call, late)
    try:
        await call.check_key()
        answer = await _answer(call, found)
    except (anyio.get_cancelled_exc_class(), ApiError):  # who asked has gone, or may not have it
        await uninterrupted(waits.give_back(call.inbox, found, keyed))
        raise
    # Asked last, as the client may hang up while its answer is made.
    if call.line is not None and call.line.is_closing():
        await waits.give_back(call.inbox, found, keyed)
    return answer


def _want(call: Call[WaitQuery]) -> Want:
    """Return what is waited for; raise ApiError for what can match nothing."""
    asked = call.given
    _check_host(asked.host)
    return Want(
        kind=asked.kind,
        sender=_address_glob(asked.sender),
        subject=asked.subject,
        host=asked.host,
        without=frozenset(call.reach.forbidden),
        after=asked.since or call.now - _RECENT,
    )


async def _found(call: Call[WaitQuery], want: Want, keyed: Keyed | None) -> Message:
    """Wait; raise WaitTimeout, with what did come, after the time that is asked for."""
    asked, waits = call.given, call.parts.actions.waits
    brief = not asked.whole  # the answer lists what did come without its words
    if asked.reply_to is None:
        return await waits.message(
            call.inbox, want, timeout=asked.timeout, brief=brief, keyed=keyed
        )
    sent, without = await _sent(call), want.without
    return await waits.reply(
        call.inbox, sent, timeout=asked.timeout, without=without, brief=brief, keyed=keyed
    )


def _keyed(call: Call[WaitQuery]) -> Keyed | None:
    """Return the key of a wait, the caller's own in this inbox; however long it waits."""
    key = idempotency_key(call)
    if key is None:
        return None
    asked = call.given.model_dump_json(include=_QUESTION, exclude_defaults=True)
    fingerprint = hashlib.sha256(asked.encode("utf-8", "replace")).hexdigest()
    until = call.now + timedelta(seconds=call.given.timeout) + _KEPT
    return keyed_waits.keyed(_scope(call), key, fingerprint, until)


def _scope(call: Call[WaitQuery]) -> str:
    caller = 0 if call.who.key is None else call.who.key.id
    return f"wait {caller} {call.inbox.id}"


def _address_glob(sender: str) -> Pattern:
    """Return a glob of addresses; raise ApiError for one that can match none."""
    try:
        return address_glob("sender", sender)
    except ConfigurationError as error:
        raise invalid(str(error), "sender") from None


def _check_host(host: str) -> None:
    """Raise ApiError for a glob that is the host of no link."""
    try:
        check_host(host)
    except ConfigurationError as error:
        raise invalid(str(error), "host") from None


async def _sent(call: Call[WaitQuery]) -> Message:
    """Return the send of this inbox whose reply is wanted; raise ApiError 404."""
    name = call.given.reply_to or ""
    row = await call.store.read(wire_ids.find, call.reach, call.inbox.id, [name])
    if row is None:
        raise not_found("Message", name)
    return await call.parts.actions.message(public_id("msg", row))


async def _answer(call: Call[WaitQuery], found: Message) -> WaitResponse:
    shown = await call.store.read(records.shown_as, [found])
    return WaitResponse(
        found=True,
        otp=None if found.otp is None else str(found.otp),
        link=None if found.link is None else str(found.link),
        message=message(shown[0]) if shown else None,
        whole=(await whole(call, [found]))[0] if call.given.whole else None,
    )


async def _late(call: Call[WaitQuery], late: WaitTimeout) -> WaitResponse:
    shown = await call.store.read(records.shown_as, late.arrived, brief=True)
    return WaitResponse(
        found=False,
        reason=str(late),
        arrived=[item(m) for m in shown],
        arrived_whole=await whole(call, late.arrived) if call.given.whole else None,
    )


ROUTES = (Route("GET", "/wait", wait, WaitQuery, WaitResponse, "message_read", At.INBOX),)
