"""Registering: what a decorator records, and what it refuses."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial, wraps
from typing import TYPE_CHECKING, cast

import pytest

from inboxkit import Attachment, ConfigurationError, Event, EventType, Message, Otp, Retries, Thread
from inboxkit.router import HandlerKind, Router

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from inboxkit.router import OnMessage, Resource


async def takes_message(message: Message) -> None: ...
async def takes_otp(otp: Otp) -> None: ...
async def takes_attachment(attachment: Attachment) -> None: ...
async def takes_event(event: Event) -> None: ...
async def takes_thread(thread: Thread) -> None: ...


def takes_message_sync(message: Message) -> None: ...


@asynccontextmanager
async def open_number() -> AsyncGenerator[int]:
    yield 1


def wrong(function: object) -> OnMessage[[]]:
    """Pass what a type checker would refuse."""
    return cast("OnMessage[[]]", function)


def test_decorators_return_the_function_unchanged() -> None:
    router = Router()
    assert router.on_message()(takes_message) is takes_message
    assert router.on_otp()(takes_otp) is takes_otp


def test_handlers_are_recorded_in_order_with_kind_and_id() -> None:
    router = Router()
    router.on_message()(takes_message)
    router.on_otp()(takes_otp)
    router.on_attachment()(takes_attachment)
    router.on_event(EventType.BOUNCED)(takes_event)
    router.on_no_reply(tag="t", after=timedelta(days=1))(takes_thread)

    assert [(h.id, h.kind, h.order) for h in router.handlers] == [
        (f"{__name__}.takes_message", HandlerKind.MESSAGE, 0),
        (f"{__name__}.takes_otp", HandlerKind.OTP, 1),
        (f"{__name__}.takes_attachment", HandlerKind.ATTACHMENT, 2),
        (f"{__name__}.takes_event", HandlerKind.EVENT, 3),
        (f"{__name__}.takes_thread", HandlerKind.TIMER, 4),
    ]


def test_router_is_named_after_the_module_of_its_first_handler() -> None:
    router = Router()
    assert router.name == ""
    router.on_reply()(takes_message)
    assert router.name == __name__


def test_a_name_given_before_is_kept() -> None:
    router = Router()
    router.name = "orders"
    router.on_reply()(takes_message)
    assert router.name == "orders"


def test_a_function_is_registered_once_in_a_router() -> None:
    router = Router()
    router.on_message()(takes_message)
    with pytest.raises(ConfigurationError, match="takes_message is registered twice"):
        router.on_reply()(takes_message)


def test_sync_handler_is_refused_with_the_way_out() -> None:
    with pytest.raises(ConfigurationError, match=r"takes_message_sync.*anyio\.to_thread\.run_sync"):
        Router().on_message()(wrong(takes_message_sync))


def test_nameless_handler_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="has no name"):
        Router().on_message()(wrong(partial(takes_message)))


def test_a_refused_handler_leaves_nothing_behind() -> None:
    router = Router()
    with pytest.raises(ConfigurationError):
        router.on_message()(wrong(takes_message_sync))
    assert (router.handlers, router.name) == ((), "")


@pytest.mark.parametrize("name", ["on_attachment", "on_event"])
def test_a_decorator_without_its_parentheses_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"write @router\.{name}\(\.\.\.\)"):
        getattr(Router(), name)(takes_attachment)


@pytest.mark.parametrize(
    "register",
    [
        pytest.param(lambda: Router().on_message(to="support"), id="to without a domain"),
        pytest.param(lambda: Router().on_otp(sender="shop.example"), id="sender without @"),
        pytest.param(lambda: Router().on_attachment("pdf"), id="not a content type"),
        pytest.param(lambda: Router().on_event(), id="no event type"),
        pytest.param(
            lambda: Router().on_no_reply(tag="", after=timedelta(1)), id="timer without tag"
        ),
        pytest.param(lambda: Router().on_no_reply(tag="t", after=timedelta(0)), id="timer at once"),
        pytest.param(
            lambda: Router().on_no_reply(tag="t", after=timedelta(1), repeat=0), id="timer never"
        ),
    ],
)
def test_filters_that_can_never_match_are_refused(
    register: Callable[[], object],
) -> None:
    with pytest.raises(ConfigurationError):
        register()


def test_an_unknown_event_is_named_beside_those_there_are() -> None:
    router = Router()
    with pytest.raises(ConfigurationError, match=r"'bounce'.*bounced, "):
        router.on_event(EventType.FAILED, cast("EventType", "bounce"))
    router.on_event(cast("EventType", "bounced"))(takes_event)
    assert router.handlers[0].filters.types == (EventType.BOUNCED,)


@pytest.mark.parametrize("to", ["*", "a@b.example", "a?b", "[ab]*", re.compile("support")])
def test_patterns_that_can_match_an_address_are_taken(to: str | re.Pattern[str]) -> None:
    router = Router()
    router.on_message(to=to)(takes_message)
    assert router.handlers[0].filters.to == to


def test_resource_is_kept_as_it_was_given() -> None:
    assert Router(resource=open_number).resource is open_number
    assert Router().resource is None


def test_opened_resource_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="pass the function itself"):
        Router(resource=cast("Resource[int]", open_number()))


@pytest.mark.parametrize(("timeout", "concurrency"), [(0, 1), (-1, 1), (1, 0)])
def test_router_refuses_settings_that_run_nothing(timeout: float, concurrency: int) -> None:
    with pytest.raises(ConfigurationError):
        Router(timeout=timeout, concurrency=concurrency)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("retries", 3),
        ("retries", None),
        ("timeout", "60"),
        ("timeout", True),
        ("timeout", timedelta(seconds=60)),
        ("timeout", float("nan")),
        ("concurrency", 2.5),
        ("concurrency", "10"),
        ("concurrency", None),
    ],
)
def test_router_names_a_setting_of_the_wrong_kind(name: str, value: object) -> None:
    make = cast("Callable[..., object]", Router)
    with pytest.raises(ConfigurationError, match=rf"^Router\({name}="):
        make(**{name: value})


async def is_urgent(message: Message) -> bool:
    return "urgent" in message.subject


class Urgent:
    async def __call__(self, message: Message) -> bool:
        return await is_urgent(message)


def any_sender(sender: str) -> bool:
    return bool(sender)


WRONG: list[tuple[str, dict[str, object]]] = [
    ("on_message", {"when": is_urgent}),
    ("on_message", {"when": Urgent()}),
    ("on_message", {"when": "x"}),
    ("on_message", {"when": lambda: True}),
    ("on_message", {"to": ["a@b.example", "c@d.example"]}),
    ("on_message", {"to": 5}),
    ("on_message", {"to": b""}),
    ("on_message", {"to": re.compile(b"a@b")}),
    ("on_message", {"subject": None}),
    ("on_message", {"sender": any_sender}),
    ("on_message", {"auto_replies": "no"}),
    ("on_reply", {"tag": ["a", "b"]}),
    ("on_reply", {"tag": None}),
    ("on_otp", {"require_auth": 1}),
    ("on_attachment", {"content_type": ["image/*", "text/*"]}),
    ("on_event", {"tag": ["a"]}),
    ("on_no_reply", {"after": 3, "tag": "t"}),
    ("on_no_reply", {"repeat": "2", "tag": "t", "after": timedelta(1)}),
]


@pytest.mark.parametrize(("decorator", "filters"), WRONG)
def test_a_filter_of_the_wrong_kind_is_refused_by_name(
    decorator: str, filters: dict[str, object]
) -> None:
    types = (EventType.BOUNCED,) if decorator == "on_event" else ()
    register = getattr(Router(), decorator)
    named = next(iter(filters))
    with pytest.raises(ConfigurationError, match=rf"takes_message: {named}=.* must be "):
        register(*types, **filters)(takes_message)


async def takes_nothing() -> None: ...
async def takes_both(message: Message, number: int) -> None: ...
async def takes_more(message: Message, *, by_name: int) -> None: ...
async def takes_any(*values: object) -> None: ...


@pytest.mark.parametrize("function", [takes_nothing, takes_both, takes_more])
def test_a_handler_that_cannot_be_called_is_refused(function: object) -> None:
    router = Router()
    with pytest.raises(ConfigurationError, match=r"takes_\w+\(.*\): its parameters must take"):
        router.on_message()(wrong(function))
    assert router.handlers == ()


def test_with_a_resource_a_handler_takes_it_too() -> None:
    router = Router(resource=open_number)
    router.on_message()(takes_both)
    router.on_message()(takes_any)
    with pytest.raises(ConfigurationError, match="and the router's resource"):
        router.on_message()(cast("OnMessage[[int]]", takes_message))


def passing_on(function: Callable[[Message, int], Awaitable[None]]) -> OnMessage[[]]:
    @wraps(function)
    async def called(message: Message) -> None:
        await function(message, 1)

    return called


def test_of_a_wrapped_handler_the_parameters_of_what_is_called_count() -> None:
    router = Router()
    router.on_message()(passing_on(takes_both))
    assert len(router.handlers) == 1


def test_filters_print_what_was_given() -> None:
    router = Router()
    router.on_message(to="a@*", subject=re.compile("^re"), auto_replies=True)(takes_message)
    router.on_event(EventType.BOUNCED, EventType.FAILED, tag="size")(takes_event)
    message, event = router.handlers
    assert str(message.filters) == "to=a@* subject=/^re/ auto_replies=True"
    assert str(event) == f"{__name__}.takes_event (event) bounced failed tag=size"


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(1, 5), (2, 15), (3, 45), (8, 10_935), (10, 86_400), (9_999, 86_400)]
)
def test_retry_delay_grows_threefold_up_to_a_day(attempt: int, seconds: int) -> None:
    assert Retries().delay(attempt) == timedelta(seconds=seconds)


def test_retries_without_pause_never_pause() -> None:
    retries = Retries(first=timedelta(0))
    assert (retries.delay(3), retries.delay(9_999)) == (timedelta(0), timedelta(0))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: Retries(attempts=0), id="no attempt"),
        pytest.param(lambda: Retries(first=timedelta(seconds=-1)), id="negative pause"),
        pytest.param(lambda: Retries(factor=0.5), id="shrinking pause"),
        pytest.param(lambda: Retries(factor=float("nan")), id="not a number"),
    ],
)
def test_retries_refuse_nonsense(make: Callable[[], Retries]) -> None:
    with pytest.raises(ConfigurationError, match="attempts must be at least 1"):
        make()
