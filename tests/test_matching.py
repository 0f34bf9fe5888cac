"""Matching: which handler takes what, and the reasons given when none does."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

import pytest

from inboxkit import (
    Address,
    Attachment,
    Auth,
    Direction,
    Envelope,
    Event,
    EventType,
    Kind,
    Message,
    Otp,
    Router,
    Thread,
)
from inboxkit.matching import (
    equal_patterns,
    match_attachment,
    match_attachments,
    match_event,
    match_message,
    match_otp,
    matches,
    overlapping,
    timers,
    why_not,
    withheld,
)

if TYPE_CHECKING:
    from inboxkit import Pattern
    from inboxkit.models import Actions
    from inboxkit.router import Handler

WITHHELD = "it is automatic (list): only auto_replies=True lets it in"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def first(message: Message) -> None: ...
async def second(message: Message) -> None: ...
async def third(message: Message) -> None: ...
async def takes_otp(otp: Otp) -> None: ...
async def takes_pdf(attachment: Attachment) -> None: ...
async def takes_file(attachment: Attachment) -> None: ...
async def takes_rest(attachment: Attachment) -> None: ...
async def takes_event(event: Event) -> None: ...
async def takes_thread(thread: Thread) -> None: ...
async def takes_thread_later(thread: Thread) -> None: ...


MAIL = Message(
    id="msg_1",
    message_id="<1@example.com>",
    direction=Direction.INBOUND,
    inbox="support@inbox.example",
    sender=Address("ann@example.com", "Ann"),
    envelope=Envelope("ann@example.com", ("support@inbox.example",)),
    received_at=NOW,
    actions=cast("Actions", None),  # matching asks a message for nothing
    subject="Opening hours?",
)


def name(handler: Handler | None) -> str | None:
    return None if handler is None else handler.id.rpartition(".")[2]


def answering(tag: str) -> Message:
    return replace(MAIL, answers=replace(MAIL, id="msg_0", tag=tag))


def with_files(*types: tuple[str, str], kind: Kind = Kind.HUMAN, otp: Otp | None = None) -> Message:
    message = replace(MAIL, kind=kind, otp=otp)
    files = tuple(
        Attachment(str(n), "f", "f", declared, 1, "", False, "", sniffed, message)
        for n, (declared, sniffed) in enumerate(types)
    )
    return replace(message, attachments=files)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("support@*", "support@inbox.example", True),
        ("SUPPORT@*", "Support@inbox.example", True),
        ("support@*", "my-support@inbox.example", False),
        ("support@inbox", "support@inbox.example", False),
        ("*", "", True),
        ("*@*.example", "a@b.c.example", True),
        ("a?@x", "ab@x", True),
        ("a?@x", "a@x", False),
        ("[ab]@x", "b@x", True),
        ("[!ab]@x", "b@x", False),
        ("*hours*", "first line\nopening hours\n", True),
        ("a+b@x.y", "aab@xzy", False),
        (re.compile("hours$"), "opening hours", True),
        (re.compile("Hours"), "opening hours", False),
    ],
)
def test_globs_match_whole_texts_and_regexes_search(
    pattern: Pattern, text: str, expected: bool
) -> None:
    assert matches(pattern, text) is expected


def test_first_match_wins() -> None:
    router = Router()
    router.on_message(to="sales@*")(first)
    router.on_message(to="support@*")(second)
    router.on_message()(third)
    assert name(match_message(router, MAIL)) == "second"


def test_skipped_handlers_leave_the_message_to_the_next_match() -> None:
    router = Router()
    router.on_message()(first)
    router.on_message()(second)
    skip = frozenset({router.handlers[0].id})
    assert name(match_message(router, MAIL, skip=skip)) == "second"
    assert match_message(router, MAIL, skip=skip | {router.handlers[1].id}) is None


def test_on_reply_is_tried_before_an_earlier_on_message() -> None:
    router = Router()
    router.on_message(to="support@*")(first)
    router.on_reply(tag="size")(second)
    assert name(match_message(router, answering("size"))) == "second"
    assert name(match_message(router, answering("colour"))) == "first"
    assert name(match_message(router, MAIL)) == "first"


def test_on_reply_without_tag_takes_any_answer() -> None:
    router = Router()
    router.on_reply()(first)
    assert name(match_message(router, answering(""))) == "first"
    assert name(match_message(router, answering("size"))) == "first"
    assert match_message(router, MAIL) is None


@pytest.mark.parametrize("kind", [Kind.AUTO_REPLY, Kind.LIST])
def test_automatic_mail_needs_auto_replies(kind: Kind) -> None:
    router = Router()
    router.on_message()(first)
    router.on_message(auto_replies=True)(second)
    assert name(match_message(router, replace(MAIL, kind=kind))) == "second"


@pytest.mark.parametrize("kind", [Kind.BOUNCE, Kind.COMPLAINT, Kind.CHALLENGE])
def test_reports_and_challenges_reach_no_message_handler(kind: Kind) -> None:
    router = Router()
    router.on_message(auto_replies=True)(first)
    router.on_reply(auto_replies=True)(second)
    assert match_message(router, replace(answering("size"), kind=kind)) is None


@pytest.mark.parametrize(
    ("kind", "taken"),
    [
        (Kind.HUMAN, True),
        (Kind.AUTO_REPLY, True),
        (Kind.LIST, True),
        (Kind.CHALLENGE, True),
        (Kind.BOUNCE, False),
        (Kind.COMPLAINT, False),
    ],
)
def test_codes_and_files_are_taken_from_automatic_mail_too(kind: Kind, taken: bool) -> None:
    router = Router()
    router.on_otp()(takes_otp)
    router.on_attachment()(takes_file)
    message = with_files(("text/plain", ""), kind=kind, otp=Otp("123456", MAIL))
    assert (match_otp(router, message) is not None) is taken
    assert bool(match_attachments(router, message)) is taken


def test_require_auth_lets_only_proven_senders_in() -> None:
    router = Router()
    router.on_message(require_auth=True)(first)
    proven = replace(MAIL, auth=Auth(dkim="pass", domain="example.com"))
    assert match_message(router, MAIL) is None
    assert name(match_message(router, proven)) == "first"


def test_message_without_code_matches_no_otp_handler() -> None:
    router = Router()
    router.on_otp(to="support@*", sender="*@example.com")(takes_otp)
    assert match_otp(router, MAIL) is None
    assert name(match_otp(router, replace(MAIL, otp=Otp("1", MAIL)))) == "takes_otp"


def test_each_attachment_goes_to_its_first_match() -> None:
    router = Router()
    router.on_attachment("application/pdf")(takes_pdf)
    router.on_attachment("image/*")(takes_file)
    message = with_files(("image/png", ""), ("text/plain", ""), ("Application/PDF", ""))
    pairs = match_attachments(router, message)
    assert [(name(h), a.id) for h, a in pairs] == [("takes_file", "0"), ("takes_pdf", "2")]


def test_attachment_handlers_look_at_addresses_and_can_be_skipped() -> None:
    router = Router()
    router.on_attachment(to="sales@*")(takes_pdf)
    router.on_attachment(sender="*@example.com")(takes_file)
    router.on_attachment()(takes_rest)
    attachment = with_files(("image/png", "")).attachments[0]
    assert name(match_attachment(router, attachment)) == "takes_file"
    skip = frozenset({router.handlers[1].id})
    assert name(match_attachment(router, attachment, skip=skip)) == "takes_rest"


@pytest.mark.parametrize(
    ("declared", "sniffed", "taken"),
    [
        ("application/octet-stream", "application/pdf", True),
        ("", "application/pdf", True),
        ("image/png", "application/pdf", True),
        ("application/pdf", "application/x-dosexec", True),
        ("image/png", "image/png", False),
    ],
)
def test_a_file_is_taken_by_its_declared_type_or_by_what_it_is(
    declared: str, sniffed: str, taken: bool
) -> None:
    router = Router()
    router.on_attachment("application/pdf")(takes_pdf)
    assert bool(match_attachments(router, with_files((declared, sniffed)))) is taken


@pytest.mark.parametrize(
    ("declared", "sniffed", "taken"),
    [
        ("text/csv", "text/plain", False),
        ("application/pgp-keys", "text/plain", False),
        ("application/octet-stream", "text/plain", True),
        ("", "text/plain", True),
    ],
)
def test_that_a_file_is_text_counts_only_where_nothing_is_declared(
    declared: str, sniffed: str, taken: bool
) -> None:
    router = Router()
    router.on_attachment("text/plain")(takes_file)
    assert bool(match_attachments(router, with_files((declared, sniffed)))) is taken


@pytest.mark.parametrize(
    ("type_", "tag", "taken"),
    [
        (EventType.BOUNCED, "ticket", True),
        (EventType.FAILED, "ticket", True),
        (EventType.DELIVERED, "ticket", False),
        (EventType.BOUNCED, "", False),
    ],
)
def test_events_match_by_type_and_by_the_tag_of_their_message(
    type_: EventType, tag: str, taken: bool
) -> None:
    router = Router()
    router.on_event(EventType.BOUNCED, EventType.FAILED, tag="ticket")(takes_event)
    event = Event("evt_1", type_, NOW, replace(MAIL, tag=tag))
    assert (match_event(router, event) is not None) is taken
    assert match_event(router, event, skip=frozenset({router.handlers[0].id})) is None


def test_a_tag_starts_every_timer_that_names_it() -> None:
    router = Router()
    router.on_no_reply(tag="size", after=timedelta(days=3))(takes_thread)
    router.on_no_reply(tag="size", after=timedelta(days=9))(takes_thread_later)
    assert [name(h) for h in timers(router, "size")] == ["takes_thread", "takes_thread_later"]
    assert timers(router, "") == ()


def test_when_decides_last_and_its_exception_reaches_the_caller() -> None:
    router = Router()
    router.on_message(to="sales@*", when=lambda message: bool(1 // 0))(first)
    router.on_message(when=lambda message: message.participant)(second)
    router.on_message(when=lambda message: bool(1 // 0))(third)
    assert name(match_message(router, MAIL)) == "second"
    with pytest.raises(ZeroDivisionError):
        match_message(router, replace(MAIL, participant=False))


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (MAIL, None),
        (replace(MAIL, inbox="a@b.example"), "to 'a@b.example' does not match 'support@*'"),
        (
            replace(MAIL, sender=Address("x@y.example")),
            "sender 'x@y.example' does not match '*@example.com'",
        ),
        (replace(MAIL, subject="Hi"), "subject 'Hi' does not match '*hours*'"),
        (
            replace(MAIL, kind=Kind.LIST),
            WITHHELD,
        ),
        (replace(MAIL, kind=Kind.BOUNCE), "it is a bounce: these reach no on_message handler"),
        (replace(MAIL, participant=False), "its when= says no"),
    ],
    ids=["match", "to", "sender", "subject", "automatic", "bounce", "when"],
)
def test_why_not_names_the_filter_that_failed(message: Message, reason: str | None) -> None:
    router = Router()
    router.on_message(
        to="support@*", sender="*@example.com", subject="*hours*", when=lambda m: m.participant
    )(first)
    assert why_not(router.handlers[0], message) == reason


def test_why_not_tells_what_other_kinds_miss() -> None:
    router = Router()
    router.on_reply(tag="size")(first)
    router.on_otp()(takes_otp)
    router.on_attachment("image/*")(takes_file)
    router.on_event(EventType.BOUNCED)(takes_event)
    router.on_no_reply(tag="size", after=timedelta(1))(takes_thread)
    assert [why_not(handler, answering("colour")) for handler in router.handlers] == [
        "it answers a message tagged 'colour', not 'size'",
        "it has no code",
        "it has no attachment of type 'image/*'",
        "the handler takes events, not messages",
        "the handler is a timer and takes no messages",
    ]


def test_withheld_names_the_handler_that_would_have_taken_it() -> None:
    router = Router()
    router.on_message(to="sales@*")(first)
    router.on_message(to="support@*", when=lambda message: bool(1 // 0))(second)
    found = withheld(router, replace(MAIL, kind=Kind.LIST))
    assert found is not None
    assert (name(found[0]), found[1]) == ("second", WITHHELD)
    assert withheld(router, MAIL) is None


def one_handler(**filters: Pattern) -> Router[[]]:
    router = Router()
    router.on_message(
        to=filters.get("to", "*"),
        sender=filters.get("sender", "*"),
        subject=filters.get("subject", "*"),
    )(first)
    return router


@pytest.mark.parametrize(
    ("one", "other", "equal", "overlap"),
    [
        (one_handler(to="a@*"), one_handler(to="A@*"), True, False),
        (one_handler(to="a@*"), one_handler(to="b@*"), False, False),
        (one_handler(to="a@*"), one_handler(), False, True),
        (one_handler(to="a@*"), one_handler(to="a@x.example"), False, True),
        (one_handler(to="a@*", sender="*@x"), one_handler(to="a@*"), False, True),
        (one_handler(to=re.compile("a")), one_handler(to=re.compile("a")), True, False),
        (one_handler(to=re.compile("a")), one_handler(to=re.compile("a", re.I)), False, True),
        (one_handler(to="[ab]@*"), one_handler(to="[ab]@*", subject="x"), False, True),
    ],
    ids=["case", "apart", "one is *", "literal", "sender", "regex", "flags", "class"],
)
def test_equal_and_overlapping_patterns_of_two_routers(
    one: Router[[]], other: Router[[]], equal: bool, overlap: bool
) -> None:
    assert bool(equal_patterns([one, other])) is equal
    assert bool(overlapping([one, other])) is overlap


def test_patterns_within_one_router_are_not_compared() -> None:
    router = Router()
    router.on_message()(first)
    router.on_message()(second)
    assert equal_patterns([router]) == overlapping([router]) == []


def test_equal_patterns_with_different_conditions_only_overlap() -> None:
    one, other = Router(), Router()
    one.on_message(to="a@*", when=lambda message: message.participant)(first)
    other.on_message(to="a@*", when=lambda message: not message.participant)(second)
    assert equal_patterns([one, other]) == []
    assert [(name(a), name(b)) for a, b in overlapping([one, other])] == [("first", "second")]
