"""Waiting on the server: one request that is answered when the mail is there."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import anyio

from ...blocking import uninterrupted
from ...errors import ConfigurationError, WaitTimeout
from ...models import Want
from ...registration import check_host
from ...router import address_glob
from ...store import records, wire_ids
from ...tokens import public_id
from .envelope import ApiError, invalid, not_found
from .routing import At, Route
from .schemas.messages import item, message
from .schemas.wait import WaitQuery, WaitResponse
from .whole import shown as whole

if TYPE_CHECKING:
    from ...models import Message
    from ...values import Pattern
    from .call import Call

_RECENT = timedelta(minutes=10)


async def wait(call: Call[WaitQuery]) -> WaitResponse:
    """Return the message, code or link that is wanted, now or when it comes.

    Answers 200 in any case: after ``timeout`` seconds without ``message``, with what did arrive.
    What is returned is taken: no other wait gets it. ``since`` is the moment from which mail
    counts, by default ten minutes ago. ``sender``, ``subject`` and ``host`` (of a link) are globs.
    With ``reply_to``, the id of a send, its next reply is wanted, and no other field counts.
    """
    asked, actions = call.given, call.parts.actions
    _check_host(asked.host)
    brief = not asked.whole  # the answer lists what did come without its words
    want = Want(
        kind=asked.kind,
        sender=_address_glob(asked.sender),
        subject=asked.subject,
        host=asked.host,
        without=frozenset(call.reach.forbidden),
        after=asked.since or call.now - _RECENT,
    )
    try:
        with call.parts.live.listeners.entered(call.line):
            if asked.reply_to is None:
                found = await actions.wait(
                    call.inbox.address, want, timeout=asked.timeout, brief=brief
                )
            else:
                found = await actions.wait_for_reply(
                    await _sent(call), timeout=asked.timeout, without=want.without, brief=brief
                )
    except WaitTimeout as late:
        await call.check_key()
        return await _late(call, late)
    try:
        await call.check_key()
        answer = await _answer(call, found)
    except (anyio.get_cancelled_exc_class(), ApiError):  # who asked has gone, or may not have it
        await uninterrupted(actions.give_back(found))
        raise
    # Asked last, as the client may hang up while its answer is made.
    if call.line is not None and call.line.is_closing():
        await actions.give_back(found)
    return answer


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
