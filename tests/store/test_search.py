"""Search on real rows: every filter of the query language, over more than two pages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

import pytest

from inboxkit import EventType, Message
from inboxkit.store.query import QueryError
from inboxkit.testing.runner import Runner
from tests.databases import BACKENDS, empty
from tests.mails import ANN, DESK, happened, mail

if TYPE_CHECKING:
    from inboxkit import InboxKit

COUNT = 130
BOB, ZOE = "bob@work.example", "Zoë Čapek <zoe@example.org>"
REPORT = "multipart/report; report-type=delivery-status"


def letter(number: int) -> bytes:
    sender = (ANN, f'"Bob, the builder" <{BOB}>', ZOE)[number % 3]
    text = f"Letter {number} about the {'garden' if number % 2 else 'cellar'} pump."
    if number % 10 == 0:
        text = f"Your verification code is {100_000 + number}."
    if number % 10 == 6:
        text = "Confirm your address: https://shop.example/confirm?token=a1b2c3d4e5f6"
    headers = {"Auto-Submitted": "auto-replied"} if number % 13 == 0 else {}
    if number % 4 == 0:
        headers["Cc"] = "Ünal <unal@example.net>"
    files = {f"Invoice_{number}.bin": b"%d" % number} if number % 5 == 0 else {}
    subject = f"ORDER {number} größe" if number % 2 else f"Thanks {number}"
    return mail(text, sender=sender, subject=subject, headers=headers, files=files)


async def fill(kit: InboxKit) -> None:
    """Fill an inbox: half of it yesterday, half today, some labelled, some taken, some sent."""
    inbox = await kit.inbox(DESK)
    for half in range(2):
        numbers = range(half * COUNT // 2, (half + 1) * COUNT // 2)
        accept = kit.runtime.accept
        letters = (accept.mail(letter(n), mail_from=ANN, rcpt_to=[DESK]) for n in numbers)
        await asyncio.gather(*letters)
        await happened(kit, EventType.RECEIVED, times=(half + 1) * COUNT // 2)
        kit.clock.advance(timedelta(days=1))
    async for message in kit.search("garden"):
        await message.label(add=["Green", "later"], remove=["unread"])
    for number in (2, 4, 8):
        await inbox.wait_for_message(timeout=30, subject=f"Thanks {number}")
    for number in range(4):
        await inbox.send("carl@example.com", f"Bill {number}", tag="bill", bcc="dora@example.com")
    bill = ("carl@example.com", "Bill 4")
    later = kit.clock.now() + timedelta(days=9)
    await inbox.send(*bill, tag="bill", bcc="dora@example.com", at=later)
    await kit.inbox("other@inbox.example")
    await kit.receive(mail("garden"), mail_from=ANN, rcpt_to=["other@inbox.example"])


@pytest.fixture(scope="module", params=BACKENDS)
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runner]:
    with empty(request.param, tmp_path_factory.mktemp("search")) as database:
        runner = Runner(database=database)
        runner.start()
        try:
            runner.call(fill, runner.kit)
            yield runner
        finally:
            runner.stop()


def found(runner: Runner, query: str = "", limit: int | None = None) -> list[Message]:
    async def look() -> list[Message]:
        return [m async for m in runner.kit.search(query, limit=limit)]

    return runner.call(look)


@cache
def all_of(runner: Runner) -> list[Message]:
    """Return what no query narrows; none of the queries changes it."""
    return found(runner)


def number(message: Message) -> int:
    """Return the number in a letter's subject, -1 for what is no letter."""
    return next((int(word) for word in message.subject.split() if word.isdigit()), -1)


OTHERS = "inbox:other@inbox.example"
Test = Callable[[Message], bool]


def letters(wanted: Callable[[int], bool]) -> Test:
    return lambda m: m.inbox == DESK and m.direction == "inbound" and wanted(number(m))


CASES: list[tuple[str, Test]] = [
    ("", lambda m: True),
    ("garden", lambda m: "garden" in m.text),
    ("GARDEN pump", lambda m: "garden" in m.text and "pump" in m.text),
    ('"garden pump"', lambda m: "garden pump" in m.text),
    ('"pump garden"', lambda m: False),
    ("pump -garden", lambda m: "pump" in m.text and "garden" not in m.text),
    ('Grosse "OR" größe', lambda m: False),
    ("Grosse OR größe", letters(lambda n: n % 2 == 1)),
    ('"garden pump" OR zoe', lambda m: "garden pump" in m.text or letters(lambda n: n % 3 == 2)(m)),
    (
        "pump OR confirm -größe",
        lambda m: letters(lambda n: n % 2 == 0 and ("pump" in m.text or n % 10 == 6))(m),
    ),
    (
        "zoe cellar OR confirm OR elephant",
        lambda m: letters(lambda n: n % 3 == 2 and ("cellar" in m.text or n % 10 == 6))(m),
    ),
    (
        "from:Zoë OR label:Green OR -is:inbound",
        lambda m: (
            letters(lambda n: n % 3 == 2)(m) or "Green" in m.labels or m.direction != "inbound"
        ),
    ),
    (" OR ".join(["to:nobody"] * 199 + [OTHERS]), lambda m: m.inbox != DESK),
    (" OR ".join(["nobody"] * 199 + ["pump"]), lambda m: "pump" in m.text),
    (" ".join([OTHERS] * 200), lambda m: m.inbox != DESK),
    ("garden from:nobody OR inbox:other@inbox.example", lambda m: m.inbox != DESK),
    ("grösse", lambda m: False),
    ("größe", letters(lambda n: n % 2 == 1)),
    ("zoe", letters(lambda n: n % 3 == 2)),
    ("capek", letters(lambda n: n % 3 == 2)),
    ("unal", letters(lambda n: n % 4 == 0)),
    ("from:ann", lambda m: m.sender.email == ANN),
    ("from:ANN@example.com", lambda m: m.sender.email == ANN),
    ('from:"bob, the builder"', letters(lambda n: n % 3 == 1)),
    ("from:Zoë", letters(lambda n: n % 3 == 2)),
    ("-from:ann", lambda m: m.sender.email != ANN),
    ("from:a_n", lambda m: False),
    ("from:%", lambda m: False),
    ("to:desk", lambda m: m.direction == "inbound"),
    ("to:unal@example.net", letters(lambda n: n % 4 == 0)),
    ("to:Ünal", letters(lambda n: n % 4 == 0)),
    ("to:ünal", letters(lambda n: n % 4 == 0)),
    ("to:dora", lambda m: m.direction == "outbound"),
    ("subject:order", letters(lambda n: n % 2 == 1)),
    ("subject:GRÖßE", letters(lambda n: n % 2 == 1)),
    ("subject:größe", letters(lambda n: n % 2 == 1)),
    ('subject:"order 11 "', letters(lambda n: n == 11)),
    ("has:attachment", letters(lambda n: n % 5 == 0)),
    ("-has:attachment garden", lambda m: "garden" in m.text and not m.attachments),
    ("has:otp", letters(lambda n: n % 10 == 0)),
    ("has:link", letters(lambda n: n % 10 == 6)),
    ("filename:invoice_10", letters(lambda n: n in (10, 100, 105))),
    ("before:3d", lambda m: False),
    ("before:36h", letters(lambda n: n < COUNT // 2)),
    ("after:36h", lambda m: not letters(lambda n: n < COUNT // 2)(m)),
    ("after:1h", lambda m: m.direction == "outbound" or m.inbox != DESK),
    ("label:Green", lambda m: m.inbox == DESK and "garden" in m.text),
    ("-label:Green is:inbound", lambda m: m.direction == "inbound" and "Green" not in m.labels),
    ("label:green", lambda m: False),
    ('"gard*"', lambda m: False),
    ("label:unread", lambda m: "unread" in m.labels),
    ("label:sent", lambda m: m.direction == "outbound" and m.state != "scheduled"),
    ("label:sent -label:scheduled", lambda m: "sent" in m.labels),
    ("label:scheduled", lambda m: "scheduled" in m.labels),
    ("is:outbound -is:sent", lambda m: "scheduled" in m.labels),
    ("label:received", lambda m: m.direction == "inbound"),
    ("is:unread", lambda m: "unread" in m.labels),
    ("is:read", lambda m: "unread" not in m.labels),
    ("is:inbound", lambda m: m.direction == "inbound"),
    ("is:received", lambda m: m.direction == "inbound"),
    ("is:outbound", lambda m: m.direction == "outbound"),
    ("is:sent", lambda m: m.direction == "outbound" and m.state != "scheduled"),
    ("is:taken", letters(lambda n: n in (2, 4, 8))),
    ("-is:taken", lambda m: not letters(lambda n: n in (2, 4, 8))(m)),
    ("state:parsed", lambda m: m.direction == "inbound"),
    ("state:accepted", lambda m: "sent" in m.labels),
    ("kind:auto_reply", letters(lambda n: n % 13 == 0)),
    ("kind:human", lambda m: m.kind == "human"),
    ("tag:bill", lambda m: m.direction == "outbound"),
    ("inbox:other@inbox.example", lambda m: m.inbox != DESK),
    ("-inbox:Other@inbox.example", lambda m: m.inbox == DESK),
    ("-inbox:nobody@inbox.example", lambda m: True),
    ("inbox:DESK@inbox.example from:ann", lambda m: m.inbox == DESK and m.sender.email == ANN),
    (
        "from:ann garden -is:taken after:36h label:later",
        lambda m: letters(lambda n: n % 3 == 0 and n % 2 == 1 and n >= COUNT // 2)(m),
    ),
]


@pytest.mark.parametrize(
    ("query", "wanted"), CASES, ids=[query[:40] or "all" for query, _ in CASES]
)
def test_a_query_finds_what_it_says_newest_first(filled: Runner, query: str, wanted: Test) -> None:
    everything = all_of(filled)
    assert len(everything) == COUNT + 6
    ids = [m.id for m in everything]
    assert ids == sorted(ids, reverse=True)
    assert [m.subject for m in found(filled, query)] == [m.subject for m in everything if wanted(m)]


def test_a_message_comes_after_its_own_moment_and_not_before_it(filled: Runner) -> None:
    every = found(filled)
    at = every[COUNT // 4].received_at
    assert found(filled, f"after:{at.isoformat()}") == [m for m in every if m.received_at >= at]
    assert found(filled, f"before:{at.isoformat()}") == [m for m in every if m.received_at < at]


@pytest.mark.parametrize("limit", [1, 49, 50, 51, 100, 120, 1_000])
def test_a_limit_cuts_wherever_it_lies_in_a_page(filled: Runner, limit: int) -> None:
    assert found(filled, "is:inbound", limit) == found(filled, "is:inbound")[:limit]


@pytest.mark.parametrize(
    "query",
    [
        "'",
        '"',
        '""',
        "*",
        "(",
        "a AND",
        "NEAR(",
        "^x",
        "col:",
        "x\0y",
        '"a""b"',
        '5"',
        "-",
        "--x",
        "a:b/c",
    ],
)
def test_what_is_special_to_the_index_is_not_to_us(filled: Runner, query: str) -> None:
    try:
        found(filled, query)
    except QueryError as error:
        assert "unknown field" in str(error)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("form:ann", "unknown field 'form'; known are from, to,"),
        ("has:wings", "possible are attachment, link, otp"),
        ("before:yesterday", "is no time; write"),
    ],
)
def test_a_wrong_query_says_what_is_possible(filled: Runner, query: str, reason: str) -> None:
    with pytest.raises(QueryError, match=reason):
        found(filled, query)


@pytest.mark.parametrize("query", ["garden", "-cellar", "", "is:inbound"])
def test_an_inbox_searches_its_own_mail_only(filled: Runner, query: str) -> None:
    async def look() -> set[str]:
        inbox = await filled.kit.inbox("other@inbox.example")
        return {m.inbox async for m in inbox.search(query)}

    assert filled.call(look) == {"other@inbox.example"}
