"""One attempt to send: build the request, make it, and say what came of it and how surely."""

from __future__ import annotations

import logging
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..blocking import in_thread
from ..errors import SendError, StoreError
from ..providers.base import (
    Capture,
    HttpRequest,
    HttpResponse,
    Refused,
    Retry,
    Sent,
    SmtpRequest,
    SmtpResponse,
    Unknown,
)
from ..providers.batches import joins
from ..providers.registry import batching, lookup
from ..store.blobs import Packed
from ..tokens import public_id
from . import redaction
from .accept import Accept, UnknownRecipient
from .batches import Batches
from .outgoing import Unsendable, outgoing
from .signing import Signer
from .transport import NotDelivered, Transport

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import anyio

    from ..providers.base import Outgoing, SendOutcome
    from ..providers.registry import AnyProvider
    from ..store.looks import Look
    from ..store.store import Store
    from .configured import Configured

log = logging.getLogger("inboxkit.outbox")
_NOT_HANDLED = (408, 425, 429, 503)  # RFC 9110 sections 15.5.9 and 15.6.4, RFC 8470, RFC 6585
_CLOSING = 421
_QUICKLY_TOLD = 1_000  # recipients, of some microseconds each
# Reason classes: what this provider cannot send, others may; and what none can.
UNSUPPORTED, UNSENDABLE = "unsupported", "unsendable"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of trying one provider; None when the one that was tried is no longer configured.

    ``certain``: a Retry means that nothing was sent, so that another provider may be tried. It is
    not when a provider that sends once under a key may have the message already. ``failed``: the
    provider itself is at fault, not the message: it cannot be reached, or says that it is broken.
    """

    provider: AnyProvider | None
    outcome: SendOutcome
    certain: bool = True
    failed: bool = False

    @property
    def allows_another(self) -> bool:
        """Whether another provider may be tried with the same message."""
        if isinstance(self.outcome, Refused):
            return self.outcome.reason_class == UNSUPPORTED
        return isinstance(self.outcome, Retry) and self.certain


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A message, and its request or what a request of many messages holds of it."""

    message: Outgoing
    request: HttpRequest | SmtpRequest | Capture | bytes


class Attempts:
    """Carries sends to providers, and asks them about sends whose outcome is unknown."""

    def __init__(
        self,
        store: Store,
        accept: Accept,
        transport: Transport,
        turns: anyio.CapacityLimiter | None,
    ) -> None:
        """``turns`` bounds how many requests are under way, where sends share them."""
        self._store = store
        self._accept = accept
        self._transport = transport
        self._turns = nullcontext() if turns is None else turns
        self._batches = None if turns is None else Batches(transport, turns)
        self._signer = Signer(store)

    async def send(self, chosen: Configured, look: Look, recipients: Sequence[str]) -> Attempt:
        """Try one provider; never raises for what a provider or its adapter does."""
        attempt = await self._sent(chosen, look, recipients)
        told = redaction.outcome(attempt.outcome, chosen.config)
        return attempt if told is attempt.outcome else replace(attempt, outcome=told)

    async def _sent(self, chosen: Configured, look: Look, recipients: Sequence[str]) -> Attempt:
        row = look.row
        try:
            prepared = await self._prepare(chosen, look, recipients)
        except Unsendable as error:
            return Attempt(chosen.provider, Refused(str(error), UNSENDABLE))
        except SendError as error:
            return Attempt(chosen.provider, Refused(str(error), UNSUPPORTED))
        except StoreError as error:  # such as damaged bytes, which a backup may bring back
            return Attempt(chosen.provider, Retry(reason=f"cannot be read: {error}"))
        except Exception as error:
            log.exception("send %s: cannot be prepared", public_id("msg", row.id))
            return Attempt(
                chosen.provider, Retry(reason=f"cannot be prepared: {type(error).__name__}")
            )
        try:
            return await self._carried(chosen, prepared)
        except NotDelivered as error:
            broken = chosen.provider.transport_error(error.request_sent, error.reason)
            certain = not error.request_sent
            return Attempt(chosen.provider, broken, certain=certain, failed=not error.shared)
        except Exception as error:
            log.exception("send %s: the answer cannot be read", public_id("msg", row.id))
            outcome = Unknown(f"the answer cannot be read: {type(error).__name__}")
            return Attempt(chosen.provider, outcome)

    async def _carried(self, chosen: Configured, prepared: _Prepared) -> Attempt:
        """Make the request, or share one with other sends; raise what broke it."""
        message, request = prepared.message, prepared.request
        joining = batching(chosen.provider)
        if self._batches and joining is not None and isinstance(request, bytes):
            joined = await self._batches.carry(chosen, joining, message, request)
            if joined is not None:
                answer = None if joined.shared else joined.response
                failed = answer is not None and _is_broken(answer)
                return Attempt(chosen.provider, joined.outcome, failed=failed)
        if isinstance(request, bytes):
            request = chosen.provider.build_send(message, chosen.config, self._store.clock.now())
        return await self._alone(chosen, message, request)

    async def _alone(
        self, chosen: Configured, message: Outgoing, request: HttpRequest | SmtpRequest | Capture
    ) -> Attempt:
        async with self._turns:
            response = await self._carry(request)
        outcome = chosen.provider.parse_send(response, message, chosen.config)
        certain, failed = _is_certain(chosen, response), _is_broken(response)
        return Attempt(chosen.provider, outcome, certain=certain, failed=failed)

    async def ask(
        self, chosen: Configured | None, row: Any, recipients: Sequence[str]
    ) -> Sent | Retry | Unknown:
        """Ask the provider whether a message was sent; Unknown where it cannot be asked or tell."""
        part = lookup(chosen.provider) if chosen is not None else None
        if chosen is None or part is None:
            return Unknown("the provider cannot be asked")
        try:
            # Its ids tell which message is meant: its bytes may be damaged, or out of reach.
            message = outgoing(row, b"", recipients, chosen.provider)
            question = part.build_lookup(message, chosen.config, self._store.clock.now())
            async with self._turns:
                answer = await self._transport.http(question)
            found = part.parse_lookup(answer, message, chosen.config)
        except NotDelivered as error:
            reason = redaction.told(error.reason, chosen.config)
            return Unknown(f"the provider could not be asked: {reason}")
        except Exception as error:
            log.exception("send %s: the look-up failed", public_id("msg", row.id))
            return Unknown(f"the look-up failed: {type(error).__name__}")
        if isinstance(found, Sent):
            return found
        return replace(found, reason=redaction.told(found.reason, chosen.config))

    async def _prepare(
        self, chosen: Configured, look: Look, recipients: Sequence[str]
    ) -> _Prepared:
        row = look.row
        chosen.check_size(public_id("msg", row.id), row.size)
        signs = chosen.provider.transport == "smtp"
        key = await self._signer.key(row.sender_email, row.pod_id) if signs else None

        def work() -> _Prepared:
            raw = look.raw or self._store.blobs.unpack(Packed(row.data, row.location))
            signed = raw if key is None else key.sign(raw)
            message = _fitted(chosen, outgoing(row, signed, recipients, chosen.provider))
            return _Prepared(message, _request(chosen, message, self._store.clock.now()))

        few = len(row.rcpt_to) <= _QUICKLY_TOLD
        in_passing = look.raw is not None and key is None and few  # to sign takes milliseconds
        return work() if in_passing else await in_thread(work)

    async def _carry(
        self, request: HttpRequest | SmtpRequest | Capture
    ) -> HttpResponse | SmtpResponse:
        if isinstance(request, HttpRequest):
            return await self._transport.http(request)
        if isinstance(request, SmtpRequest):
            return await self._transport.smtp(request)
        return await self._capture(request)

    async def _capture(self, request: Capture) -> HttpResponse:
        """Keep the message; what is for one of our own inboxes comes back in."""
        try:
            for recipient in request.rcpt_to:
                if await self._accept.is_ours(recipient):
                    with suppress(UnknownRecipient):  # deleted this very moment
                        await self._accept.mail(
                            request.mime, mail_from=request.mail_from, rcpt_to=[recipient]
                        )
        except StoreError as error:
            raise NotDelivered(str(error), request_sent=False) from error
        return HttpResponse(200)


def _fitted(chosen: Configured, message: Outgoing) -> Outgoing:
    message, left_out = chosen.fitted(message)
    if left_out:
        names, provider = ", ".join(sorted(left_out)), chosen.provider.name
        log.warning("send %s: leaves without %s, which %s lacks", message.id, names, provider)
    return message


def _request(
    chosen: Configured, message: Outgoing, now: datetime
) -> HttpRequest | SmtpRequest | Capture | bytes:
    joining = batching(chosen.provider)
    if joining is not None and joins(message):
        return joining.batch_entry(message, chosen.config)
    return chosen.provider.build_send(message, chosen.config, now)


def _is_broken(response: HttpResponse | SmtpResponse) -> bool:
    """Whether an answer says that the server itself does not work (RFC 5321 section 3.8: 421)."""
    if isinstance(response, SmtpResponse):
        return response.code == _CLOSING
    return response.status >= 500


def _is_certain(chosen: Configured, response: HttpResponse | SmtpResponse) -> bool:
    """Whether a Retry after this answer means that nothing was sent.

    Adapters promise it, but for providers that send once under a key: those may say Retry to a
    500 as well, because to ask *them* again does no harm.
    """
    if not chosen.repeats_safely or isinstance(response, SmtpResponse):
        return True
    return response.status in _NOT_HANDLED
