"""Registering handlers: a Router, its six decorators, and what they record.

Which handler takes a message is decided in ``matching``; calling it is the pipeline's work.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, fields
from datetime import timedelta
from enum import StrEnum
from typing import (
    TYPE_CHECKING,
    Concatenate,
    Generic,
    ParamSpec,
    TypeAlias,
    TypeVar,
    overload,
)

from .errors import ConfigurationError
from .extracted import Otp
from .models import Attachment, Event, Message, Thread
from .registration import check_called, check_filters, check_parameters, event_types

if TYPE_CHECKING:
    from .values import EventType, Pattern

P = ParamSpec("P")
R = TypeVar("R")

OnMessage: TypeAlias = Callable[Concatenate[Message, P], Awaitable[None]]  # of on_message
OnOtp: TypeAlias = Callable[Concatenate[Otp, P], Awaitable[None]]  # of on_otp
OnAttachment: TypeAlias = Callable[Concatenate[Attachment, P], Awaitable[None]]  # of on_attachment
OnEvent: TypeAlias = Callable[Concatenate[Event, P], Awaitable[None]]  # of on_event
OnThread: TypeAlias = Callable[Concatenate[Thread, P], Awaitable[None]]  # of on_no_reply
Condition: TypeAlias = Callable[[Message], bool]
Resource: TypeAlias = Callable[[], AbstractAsyncContextManager[R]]
Function: TypeAlias = Callable[..., Awaitable[None]]
F = TypeVar("F", bound=Function)

_LONGEST_DELAY = timedelta(days=1)
_WILDCARDS = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a failing handler is tried, and how the pause between two tries grows.

    ``attempts`` counts the first one too; the pause after it is ``first``, each later one
    ``factor`` times as long. Raise ConfigurationError for what cannot be.
    """

    attempts: int = 8
    first: timedelta = timedelta(seconds=5)
    factor: float = 3.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.first < timedelta(0) or not self.factor >= 1:
            raise ConfigurationError(
                f"{self}: attempts must be at least 1, first not negative, factor at least 1"
            )

    def delay(self, attempt: int) -> timedelta:
        """Return the pause after failed attempt number ``attempt`` (from 1); at most one day."""
        try:
            return min(_LONGEST_DELAY, self.first * self.factor ** max(0, attempt - 1))
        except OverflowError:
            return _LONGEST_DELAY if self.first else self.first


class HandlerKind(StrEnum):
    """What a handler is called with."""

    MESSAGE = "message"
    REPLY = "reply"
    OTP = "otp"
    ATTACHMENT = "attachment"
    EVENT = "event"
    TIMER = "timer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a decorator was given. A kind of handler leaves what it does not know at its default."""

    to: Pattern = "*"
    sender: Pattern = "*"
    subject: Pattern = "*"
    content_type: str = "*/*"
    types: tuple[EventType, ...] = ()
    tag: str = ""
    when: Condition | None = None
    auto_replies: bool = False
    require_auth: bool = False
    after: timedelta = timedelta(0)
    repeat: int = 1

    def __str__(self) -> str:
        named = ((f, getattr(self, f.name)) for f in fields(self) if f.name != "types")
        given = (f"{f.name}={_shown(value)}" for f, value in named if value != f.default)
        return " ".join((*self.types, *given))


@dataclass(frozen=True, slots=True)
class Handler:
    """A registered function. Runs and timers store its ``id``: its module and qualified name."""

    id: str
    kind: HandlerKind
    function: Function = field(repr=False)
    filters: Filters
    order: int

    def __str__(self) -> str:
        return f"{self.id} ({self.kind}) {self.filters}".rstrip()


class Router(Generic[P]):
    """A set of handlers. With ``resource`` its value is every handler's second parameter.

    ``timeout`` is the seconds one call may take, ``concurrency`` how many calls run at once; with 1
    what a call did is stored before the next one begins. ``ordered=False`` lets the messages of one
    thread be handled side by side.
    ``name`` is the module of the first handler, unless it was assigned before.
    """

    @overload
    def __init__(
        self: Router[[]],
        *,
        retries: Retries = ...,
        timeout: float = 60,
        concurrency: int = 10,
        ordered: bool = True,
    ) -> None: ...
    @overload
    def __init__(
        self: Router[[R]],
        *,
        resource: Resource[R],
        retries: Retries = ...,
        timeout: float = 60,
        concurrency: int = 10,
        ordered: bool = True,
    ) -> None: ...
    def __init__(
        self,
        *,
        resource: Resource[object] | None = None,
        retries: Retries = Retries(),
        timeout: float = 60,
        concurrency: int = 10,
        ordered: bool = True,
    ) -> None:
        _check_settings(retries, timeout, concurrency)
        self.resource = checked_resource(resource)
        self.retries = retries
        self.timeout = timeout
        self.concurrency = concurrency
        self.ordered = ordered
        self.name = ""
        self._handlers: dict[str, Handler] = {}

    def __repr__(self) -> str:
        return f"<Router {self.name or 'without a name'} handlers={len(self._handlers)}>"

    @property
    def handlers(self) -> tuple[Handler, ...]:
        """The handlers in the order they were registered."""
        return tuple(self._handlers.values())

    def on_message(
        self,
        *,
        to: Pattern = "*",
        sender: Pattern = "*",
        subject: Pattern = "*",
        when: Condition | None = None,
        auto_replies: bool = False,
        require_auth: bool = False,
    ) -> Callable[[OnMessage[P]], OnMessage[P]]:
        """Register a handler for messages that no ``on_reply`` handler of this router takes."""
        filters = Filters(
            to=address_glob("to", to),
            sender=address_glob("sender", sender),
            subject=subject,
            when=when,
            auto_replies=auto_replies,
            require_auth=require_auth,
        )
        return self._registrar(HandlerKind.MESSAGE, filters)

    def on_reply(
        self,
        *,
        tag: str = "",
        when: Condition | None = None,
        auto_replies: bool = False,
        require_auth: bool = False,
    ) -> Callable[[OnMessage[P]], OnMessage[P]]:
        """Register a handler for answers to what we sent under ``tag``; "" is any send of ours."""
        filters = Filters(tag=tag, when=when, auto_replies=auto_replies, require_auth=require_auth)
        return self._registrar(HandlerKind.REPLY, filters)

    def on_otp(
        self, *, to: Pattern = "*", sender: Pattern = "*", require_auth: bool = False
    ) -> Callable[[OnOtp[P]], OnOtp[P]]:
        """Register a handler for one-time codes, automatic mail included."""
        filters = Filters(
            to=address_glob("to", to),
            sender=address_glob("sender", sender),
            require_auth=require_auth,
        )
        return self._registrar(HandlerKind.OTP, filters)

    def on_attachment(
        self,
        content_type: str = "*/*",
        *,
        to: Pattern = "*",
        sender: Pattern = "*",
        require_auth: bool = False,
    ) -> Callable[[OnAttachment[P]], OnAttachment[P]]:
        """Register a handler for attached files, called once a file; ``content_type`` is a glob."""
        check_called("on_attachment", content_type)
        if _names_no_type(content_type):
            raise ConfigurationError(
                f'on_attachment("{content_type}") names no content type: '
                'write it whole, such as "application/pdf" or "image/*"'
            )
        filters = Filters(
            content_type=content_type,
            to=address_glob("to", to),
            sender=address_glob("sender", sender),
            require_auth=require_auth,
        )
        return self._registrar(HandlerKind.ATTACHMENT, filters)

    def on_event(self, *types: EventType, tag: str = "") -> Callable[[OnEvent[P]], OnEvent[P]]:
        """Register a handler for events of these types, of messages sent under ``tag``."""
        if not types:
            raise ConfigurationError(
                "on_event() names no event type: write on_event(EventType.BOUNCED), "
                "or on_event(*EventType) for all; QUEUED and DOMAIN_VERIFIED call no handler"
            )
        check_called("on_event", *types)
        return self._registrar(
            HandlerKind.EVENT, Filters(types=event_types("on_event", types), tag=tag)
        )

    def on_no_reply(
        self, *, tag: str, after: timedelta, repeat: int = 1
    ) -> Callable[[OnThread[P]], OnThread[P]]:
        """Register a durable timer: called ``after`` a send under ``tag`` that nobody answered.

        It is called up to ``repeat`` times, ``after`` apart; an answer or a hard bounce ends it.
        """
        if _never_comes(tag, after, repeat):
            raise ConfigurationError(
                f"on_no_reply(tag={tag!r}, after={after}, repeat={repeat}): "
                "name a tag, an after above 0 and a repeat of at least 1"
            )
        filters = Filters(tag=tag, after=after, repeat=repeat)
        return self._registrar(HandlerKind.TIMER, filters)

    def _registrar(self, kind: HandlerKind, filters: Filters) -> Callable[[F], F]:
        """Return a decorator that records a function and gives it back unchanged."""

        def register(function: F) -> F:
            name = _handler_id(function)
            check_filters(name, {f.name: getattr(filters, f.name) for f in fields(filters)})
            check_parameters(name, function, has_resource=self.resource is not None)
            if name in self._handlers:
                raise ConfigurationError(
                    f"{name} is registered twice in one router: give each handler its own name"
                )
            self._handlers[name] = Handler(name, kind, function, filters, len(self._handlers))
            self.name = self.name or function.__module__
            return function

        return register


def _names_no_type(content_type: object) -> bool:
    return isinstance(content_type, str) and "/" not in content_type and content_type != "*"


def _never_comes(tag: str, after: object, repeat: object) -> bool:
    """Whether a timer would never be called; of the wrong kind is what registering refuses."""
    if not isinstance(after, timedelta) or not isinstance(repeat, int):
        return False
    return not tag or after <= timedelta(0) or repeat < 1


def _check_settings(retries: object, timeout: object, concurrency: object) -> None:
    """Raise ConfigurationError for what would run nothing, or a failing handler for ever."""
    if not isinstance(retries, Retries):
        raise ConfigurationError(
            f"Router(retries={retries!r}): write how often and how soon, "
            "such as retries=Retries(attempts=3)"
        )
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        raise ConfigurationError(
            f"Router(timeout={timeout!r}): timeout must be a number of seconds above 0"
        )
    if isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1:
        raise ConfigurationError(
            f"Router(concurrency={concurrency!r}): concurrency must be a whole number from 1 on"
        )


def checked_router(given: object) -> Router[...]:
    """Return the router; raise ConfigurationError for what is none, such as a folder."""
    if isinstance(given, Router):
        return given
    raise ConfigurationError(
        f"{given!r} is no Router; a folder of handlers is loaded by `inboxkit run FOLDER`"
    )


def checked_resource(resource: Resource[R] | None) -> Resource[R] | None:
    """Return the resource; raise ConfigurationError if it is not a function that opens one."""
    opened = isinstance(resource, AbstractAsyncContextManager)
    if resource is not None and (opened or not callable(resource)):
        raise ConfigurationError(
            f"resource={resource!r} must be a function that returns an async context manager: "
            "pass the function itself, not what it returns"
        )
    return resource


def _handler_id(function: Function) -> str:
    """Return module and qualified name; refuse what is not an ``async def`` function."""
    name = getattr(function, "__qualname__", None)
    if name is None:
        raise ConfigurationError(f"{function!r} has no name: a handler is an async def function")
    if not inspect.iscoroutinefunction(function):
        raise ConfigurationError(
            f"{function.__module__}.{name} is not an async function: write `async def {name}`, "
            "and call what blocks with `await anyio.to_thread.run_sync(...)`"
        )
    return f"{function.__module__}.{name}"


def address_glob(filter_name: str, pattern: Pattern) -> Pattern:
    """Return a pattern; raise ConfigurationError for a glob that can match no address.

    ``to="support"`` would silently never match.
    """
    meant = _meant(pattern) if isinstance(pattern, str) else pattern
    if meant != pattern:
        raise ConfigurationError(
            f'{filter_name}="{pattern}" can match no address: '
            f'globs match whole addresses, write {filter_name}="{meant}"'
        )
    return _kept(pattern) if filter_name == "to" and isinstance(pattern, str) else pattern


def _kept(glob: str) -> str:
    """Return a glob of inboxes with its domain in ASCII, as their addresses are kept."""
    if glob.isascii():
        return glob
    from .addresses import listed_form  # slow to import, and few need it

    return listed_form(glob)


def _meant(glob: str) -> str:
    if glob.endswith(">") and "<" in glob:  # with a name, as headers have it
        return glob.rpartition("<")[2][:-1]
    if "@" not in glob and not _WILDCARDS & set(glob):
        return f"*@{glob}" if "." in glob else f"{glob}@*"
    return glob


def _shown(value: Pattern | Condition | timedelta | int) -> str:
    if isinstance(value, re.Pattern):
        return f"/{value.pattern}/"
    return getattr(value, "__qualname__", None) or str(value)
