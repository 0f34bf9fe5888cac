"""Which handler takes a message, a code, an attachment or an event, and why another does not.

Pure: values in, values out. An exception of a ``when=`` condition reaches the caller,
what else it raises as a HandlerError.
"""

from __future__ import annotations

import re
from fnmatch import translate
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING

from .errors import HandlerError
from .router import HandlerKind
from .values import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from .models import Attachment, Event, Message
    from .router import Filters, Handler, Router
    from .values import Pattern

_NOTHING: frozenset[str] = frozenset()
_AUTOMATIC = frozenset({Kind.AUTO_REPLY, Kind.LIST})
_REPORTS = frozenset({Kind.BOUNCE, Kind.COMPLAINT})
_UNTYPED = "application/octet-stream"  # says nothing about the content (RFC 2046 section 4.5.1)

_VAGUE = frozenset(
    (_UNTYPED, "text/plain", "application/zip", "application/xml", "application/x-ole-storage")
)


def matches(pattern: Pattern, text: str) -> bool:
    """Return whether a glob is the whole text, case ignored, or a compiled regex is found in it."""
    if isinstance(pattern, str):
        return _glob(pattern)(text) is not None
    return pattern.search(text) is not None


@lru_cache(maxsize=1024)
def _glob(glob: str) -> Callable[[str], re.Match[str] | None]:
    return re.compile(translate(glob), re.IGNORECASE).match


def match_message(
    router: Router[...], message: Message, *, skip: frozenset[str] = _NOTHING
) -> Handler | None:
    """Return the handler that takes the message: ``on_reply`` handlers first, then ``on_message``.

    ``skip`` holds the ids of those that raised SkipHandler for it.
    """
    candidates = (*_of_kind(router, HandlerKind.REPLY), *_of_kind(router, HandlerKind.MESSAGE))
    return _first(candidates, message, skip)


def match_otp(
    router: Router[...], message: Message, *, skip: frozenset[str] = _NOTHING
) -> Handler | None:
    """Return the handler that takes the message's code, if it has one."""
    return _first(_of_kind(router, HandlerKind.OTP), message, skip)


def match_attachment(
    router: Router[...], attachment: Attachment, *, skip: frozenset[str] = _NOTHING
) -> Handler | None:
    """Return the handler that takes the attachment."""
    message = attachment.message
    for handler in _of_kind(router, HandlerKind.ATTACHMENT):
        wanted = handler.filters
        fits = _has_type(wanted.content_type, attachment) and not _elsewhere(wanted, message)
        if fits and handler.id not in skip and not _withheld(handler, message):
            return handler
    return None


def match_attachments(router: Router[...], message: Message) -> list[tuple[Handler, Attachment]]:
    """Return each attachment that a handler takes, with that handler."""
    pairs = ((match_attachment(router, a), a) for a in message.attachments)
    return [(handler, attachment) for handler, attachment in pairs if handler is not None]


def match_event(
    router: Router[...], event: Event, *, skip: frozenset[str] = _NOTHING
) -> Handler | None:
    """Return the handler that takes the event."""
    for handler in _of_kind(router, HandlerKind.EVENT):
        wanted = handler.filters
        right_tag = wanted.tag in ("", event.message.tag)
        if handler.id not in skip and event.type in wanted.types and right_tag:
            return handler
    return None


def timers(router: Router[...], tag: str) -> tuple[Handler, ...]:
    """Return every ``on_no_reply`` handler that a send under ``tag`` starts."""
    return tuple(h for h in _of_kind(router, HandlerKind.TIMER) if h.filters.tag == tag)


def why_not(handler: Handler, message: Message) -> str | None:
    """Return why the handler does not take the message, or None when it does."""
    return (
        _mismatch(handler, message)
        or _withheld(handler, message)
        or _condition(handler.filters, message)
    )


def withheld(router: Router[...], message: Message) -> tuple[Handler, str] | None:
    """Return the handler that would take the message were it not automatic or unproven, and why.

    ``when=`` is not asked: it was written for mail that is let through.
    """
    for kind in (HandlerKind.REPLY, HandlerKind.MESSAGE):
        for handler in _of_kind(router, kind):
            if _mismatch(handler, message) is None and (why := _withheld(handler, message)):
                return handler, why
    return None


def equal_patterns(routers: Sequence[Router[...]]) -> list[tuple[Handler, Handler]]:
    """Return pairs of ``on_message`` handlers in different routers that take the same messages."""
    return [(a, b) for a, b in _pairs(routers) if _patterns(a.filters) == _patterns(b.filters)]


def overlapping(routers: Sequence[Router[...]]) -> list[tuple[Handler, Handler]]:
    """Return pairs of ``on_message`` handlers in different routers whose ``to`` may both match.

    It errs on the side of a warning: ``sender``, ``subject`` and ``when`` may still part them.
    Pairs that ``equal_patterns`` returns are left out.
    """
    return [
        (a, b)
        for a, b in _pairs(routers)
        if _patterns(a.filters) != _patterns(b.filters) and _meet(a.filters.to, b.filters.to)
    ]


def _of_kind(router: Router[...], kind: HandlerKind) -> Iterator[Handler]:
    return (handler for handler in router.handlers if handler.kind is kind)


def _first(handlers: Iterable[Handler], message: Message, skip: frozenset[str]) -> Handler | None:
    return next((h for h in handlers if h.id not in skip and why_not(h, message) is None), None)


def _mismatch(handler: Handler, message: Message) -> str | None:
    """Return what the handler asks for that the message is not or has not."""
    return _wrong_item(handler, message) or _elsewhere(handler.filters, message)


def _elsewhere(wanted: Filters, message: Message) -> str | None:
    """Return which of to, sender and subject does not match."""
    for name, pattern, text in (
        ("to", wanted.to, message.inbox),
        ("sender", wanted.sender, message.sender.email),
        ("subject", wanted.subject, message.subject),
    ):
        if not matches(pattern, text):
            return f"{name} {text!r} does not match {_text(pattern)!r}"
    return None


def _wrong_item(handler: Handler, message: Message) -> str | None:
    wanted = handler.filters
    match handler.kind:
        case HandlerKind.MESSAGE:
            return None
        case HandlerKind.REPLY:
            return _not_answered(message, wanted.tag)
        case HandlerKind.OTP:
            return None if message.otp is not None else "it has no code"
        case HandlerKind.ATTACHMENT:
            fits = any(_has_type(wanted.content_type, a) for a in message.attachments)
            return None if fits else f"it has no attachment of type {wanted.content_type!r}"
        case HandlerKind.EVENT:
            return "the handler takes events, not messages"
        case HandlerKind.TIMER:
            return "the handler is a timer and takes no messages"


def _not_answered(message: Message, tag: str) -> str | None:
    if message.answers is None:
        return "it answers none of our messages"
    if tag and message.answers.tag != tag:
        return f"it answers a message tagged {message.answers.tag!r}, not {tag!r}"
    return None


def _withheld(handler: Handler, message: Message) -> str | None:
    """Return why a message that fits is kept from the handler all the same."""
    for_people = handler.kind in (HandlerKind.MESSAGE, HandlerKind.REPLY)
    kind = message.kind
    if kind in _REPORTS or (for_people and kind is Kind.CHALLENGE):
        return f"it is a {kind}: these reach no on_{handler.kind} handler"
    if for_people and kind in _AUTOMATIC and not handler.filters.auto_replies:
        return f"it is automatic ({kind}): only auto_replies=True lets it in"
    if handler.filters.require_auth and not message.auth.passed:
        auth = message.auth
        why = f": {auth.reason}" if auth.reason else ""
        found = f"spf={auth.spf} dkim={auth.dkim} dmarc={auth.dmarc}"
        return f"its sender is not proven ({found}){why}"
    return None


def _condition(wanted: Filters, message: Message) -> str | None:
    if wanted.when is None:
        return None
    try:
        return None if wanted.when(message) else "its when= says no"
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:  # sys.exit() in it would end whoever asks
        raise HandlerError(f"its when= raised {type(error).__name__}") from error


def _has_type(content_type: str, attachment: Attachment) -> bool:
    """Match the declared type, or the one that the first bytes show.

    Plain text and mere containers show in many types: those count only where nothing is declared.
    """
    declared, seen = attachment.content_type, attachment.sniffed_type
    if matches(content_type, declared):
        return True
    known = seen if declared in ("", _UNTYPED) or seen not in _VAGUE else ""
    return bool(known) and matches(content_type, known)


def _pairs(routers: Sequence[Router[...]]) -> Iterator[tuple[Handler, Handler]]:
    for one, other in combinations(routers, 2):
        for a in _of_kind(one, HandlerKind.MESSAGE):
            yield from ((a, b) for b in _of_kind(other, HandlerKind.MESSAGE))


def _patterns(wanted: Filters) -> tuple[object, ...]:
    """Return what two handlers must share to take the same messages; patterns compare as text."""
    return (*map(_key, (wanted.to, wanted.sender, wanted.subject)), wanted.when)


def _key(pattern: Pattern) -> str | tuple[str, int]:
    return pattern.lower() if isinstance(pattern, str) else (pattern.pattern, pattern.flags)


def _meet(one: Pattern, other: Pattern) -> bool:
    """Guess whether two patterns share an address: equal, or one matches the other's text."""
    a, b = _text(one), _text(other)
    return a.lower() == b.lower() or matches(one, b) or matches(other, a)


def _text(pattern: Pattern) -> str:
    return pattern if isinstance(pattern, str) else pattern.pattern
