"""Which inbox an address means, who is refused, and what deleting an inbox takes along."""

from __future__ import annotations

import secrets
import smtplib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import pytest

from inboxkit import (
    ConfigurationError,
    EventType,
    InboxKit,
    Message,
    NotFound,
    Router,
    Settings,
)
from inboxkit.pipeline.accept import UnknownRecipient
from inboxkit.pipeline.addresses import Addresses, reply_address
from inboxkit.pipeline.janitor import Janitor
from inboxkit.store import runs
from inboxkit.testing.settling import settle
from tests.mails import ANN, DESK, arrive, happened, mail

if TYPE_CHECKING:
    from pathlib import Path

    from inboxkit.store.store import Store


async def resolved(kit: InboxKit, address: str) -> str | None:
    """Return the inbox that an address means, looked up anew."""
    kit.runtime.addresses.forget()
    found = await kit.runtime.addresses.resolve(address)
    return None if found is None else found.address


@pytest.mark.parametrize(
    ("address", "means"),
    [
        (DESK, DESK),
        ("DESK@Inbox.Example", DESK),
        (" <desk@inbox.example> ", DESK),
        ("desk+shop@inbox.example", DESK),
        ("desk+shop+news@inbox.example", DESK),
        ("Desk+Shop@INBOX.example", DESK),
        ("help@shop.example", DESK),
        ("help+tag@shop.example", DESK),
        ("0123abcd@inbound.mail.example", DESK),
        ("desks@inbox.example", None),
        ("desk@other.example", None),
        ("+desk@inbox.example", None),
        ("desk", None),
        ("", None),
    ],
)
async def test_an_address_means_an_inbox(kit: InboxKit, address: str, means: str | None) -> None:
    await kit.inbox(DESK, aliases=["help@shop.example", "0123abcd@inbound.mail.example"])
    assert await resolved(kit, address) == means


WRITTEN, IN_ASCII = "desk@bücher.example", "desk@xn--bcher-kva.example"


@pytest.mark.parametrize("made", [WRITTEN, IN_ASCII])
@pytest.mark.parametrize("asked", ["Desk@BÜCHER.example", "Desk+Shop@XN--Bcher-Kva.Example"])
async def test_a_domain_beyond_ascii_means_the_same_however_it_is_written(
    kit: InboxKit, made: str, asked: str
) -> None:
    inbox = await kit.inbox(made)
    assert await resolved(kit, asked) == inbox.address == IN_ASCII
    message = await arrive(kit, to=IN_ASCII)
    for query in (f"inbox:{WRITTEN}", f"inbox:{IN_ASCII}"):
        assert [one.id async for one in kit.search(query)] == [message.id]


async def test_a_handler_takes_it_by_either_name(database: str) -> None:
    router, heard = Router(), list[str]()

    @router.on_message(to=WRITTEN)
    async def hear(message: Message) -> None:
        heard.append(message.inbox)

    async with InboxKit(router, database=database) as kit:
        await kit.inbox(WRITTEN)
        await arrive(kit, to=IN_ASCII)
        await settle(kit, timeout=30)
        assert heard == [IN_ASCII]


@pytest.mark.parametrize("to", ["any@bücher.example", "any@xn--bcher-kva.example"])
async def test_so_does_the_domain_of_the_settings(database: str, to: str) -> None:
    asked = Settings(database=database, domain="bücher.example", catch_all=True)
    async with InboxKit(settings=asked) as kit:
        assert await resolved(kit, to) == "any@xn--bcher-kva.example"
        sent = await (await kit.inbox()).send("ann@other.example", "Lamp", "On?")
        name, _, domain = sent.sender.email.partition("@")
        assert domain == "xn--bcher-kva.example"
        assert await resolved(kit, f"{name}@bücher.example") == sent.inbox


async def test_an_inbox_with_a_plus_of_its_own_comes_first(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    await kit.inbox("desk+vip@inbox.example")
    assert await resolved(kit, "desk+vip@inbox.example") == "desk+vip@inbox.example"
    assert await resolved(kit, "desk+vip+x@inbox.example") == "desk+vip@inbox.example"


async def test_an_alias_of_another_inbox_is_refused(kit: InboxKit) -> None:
    await kit.inbox(DESK, aliases=["help@shop.example"])
    with pytest.raises(ConfigurationError, match="already belongs to desk@"):
        await kit.inbox("sales@inbox.example", aliases=["help@shop.example"])


async def test_opening_by_an_alias_opens_the_inbox(kit: InboxKit) -> None:
    await kit.inbox(DESK, aliases=["help@shop.example"])
    assert (await kit.inbox("help@shop.example")).address == DESK


@pytest.mark.parametrize("address", ["", "desk", "a b@inbox.example", "a@b\r\nBcc: x@y.example"])
async def test_what_is_no_address_makes_no_inbox(kit: InboxKit, address: str) -> None:
    if address:
        with pytest.raises(ConfigurationError, match="inbox"):
            await kit.inbox(address)
    assert await resolved(kit, address) is None


async def with_settings(database: str, **more: Any) -> InboxKit:
    return InboxKit(settings=Settings(database=database, **more))


@pytest.mark.parametrize("reply_domain", ["", "replies.example"])
async def test_a_reply_token_leads_to_the_inbox_that_sent(database: str, reply_domain: str) -> None:
    async with await with_settings(database, reply_domain=reply_domain) as kit:
        inbox = await kit.inbox(DESK)
        sent = await inbox.send(ANN, "Size?")
        answered = sent.reply_to[0].email
        assert answered.startswith("desk+")
        assert answered.endswith(f"@{reply_domain or 'inbox.example'}")
        came = await arrive(kit, "L", to=answered, subject="A subject of its own")
    assert (came.inbox, came.answers, came.thread_reason) == (DESK, sent, "token")


async def test_a_token_goes_before_an_inbox_of_that_name(kit: InboxKit) -> None:
    sent = await (await kit.inbox(DESK)).send(ANN, "Size?")
    good = sent.reply_to[0].email
    await kit.inbox(good)
    assert await resolved(kit, good) == DESK
    assert await resolved(kit, good.upper()) == DESK


async def test_a_token_says_nothing_of_another_address(kit: InboxKit) -> None:
    sent = await (await kit.inbox(DESK)).send(ANN, "Size?")
    await kit.inbox("other@inbox.example")
    tag = sent.reply_to[0].email.partition("+")[2]
    assert await resolved(kit, f"other+{tag}") == "other@inbox.example"
    assert await resolved(kit, f"nobody+{tag}") is None


async def test_a_token_that_is_not_ours_leads_nowhere_at_the_reply_domain(database: str) -> None:
    async with await with_settings(database, reply_domain="replies.example") as kit:
        sent = await (await kit.inbox(DESK)).send(ANN, "Size?")
        good = sent.reply_to[0].email
        forged = good.replace("+", f"+{secrets.token_hex(1)}", 1)
        assert await resolved(kit, good) == DESK
        assert await resolved(kit, forged) is None


def test_a_local_part_that_would_be_too_long_stays_as_it_is() -> None:
    long = f"{'a' * 50}@inbox.example"
    assert reply_address(long, 1, b"secret", "") == long
    assert len(reply_address(DESK, 1, b"secret", "").partition("@")[0]) <= 64


async def test_mail_to_an_unknown_recipient_is_refused(kit: InboxKit) -> None:
    with pytest.raises(UnknownRecipient, match=r"nobody@inbox\.example"):
        await kit.receive(mail(), mail_from=ANN, rcpt_to=["nobody@inbox.example"])
    assert [m async for m in kit.search()] == []


async def test_a_known_recipient_beside_an_unknown_one_gets_the_mail(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    got = await kit.receive(mail(), mail_from=ANN, rcpt_to=["nobody@inbox.example", DESK])
    assert got.inbox == DESK


async def test_an_unknown_recipient_is_550_on_smtp(database: str) -> None:
    async with InboxKit(database=database, smtp="127.0.0.1:0") as kit:
        await kit.inbox(DESK)
        await kit.inbox("refuse-451@inbox.example")  # asks for nothing where not all is taken
        local = ("nobody", "desk+x", "refuse-451")

        def deliver() -> list[tuple[int, bytes]]:
            with smtplib.SMTP(*kit.smtp_address) as client:
                client.ehlo()
                client.mail(ANN)
                return [client.rcpt(f"{name}@inbox.example") for name in local]

        refused, *taken = await anyio.to_thread.run_sync(deliver)
    assert (refused[0], refused[1][:5]) == (550, b"5.1.1")
    assert [answer[0] for answer in taken] == [250, 250]


@pytest.mark.parametrize(
    ("settings", "address", "made"),
    [
        ({"catch_all": True}, "any@inbox.example", True),
        ({"catch_all": True}, "any@other.example", False),
        ({"catch_all": True, "domain": "shop.example"}, "any@SHOP.example", True),
        ({"any_recipient": True}, "any@other.example", True),
        ({"any_recipient": True}, "nonsense", False),
        ({}, "any@inbox.example", False),
    ],
)
async def test_inboxes_are_made_for_mail_only_where_that_is_set(
    database: str, settings: dict[str, Any], address: str, made: bool
) -> None:
    async with await with_settings(database, **settings) as kit:
        assert (await resolved(kit, address) is not None) is made


async def test_looking_makes_no_inbox(database: str) -> None:
    async with await with_settings(database, any_recipient=True) as kit:
        assert not await kit.runtime.accept.is_ours("any@other.example")
        assert await kit.runtime.addresses.resolve("any@other.example", make=False) is None


async def test_unrouted_mail_is_kept_and_withheld_from_handlers(database: str) -> None:
    router, called = Router(), list[Message]()
    over = anyio.Event()

    @router.on_message(to="desk@*")
    async def note(message: Message) -> None:
        called.append(message)
        over.set()

    @router.on_message()
    async def never(message: Message) -> None:
        called.append(message)

    async with InboxKit(router, database=database) as kit:
        await kit.runtime.accept.mail(
            mail(), mail_from=ANN, rcpt_to=["nobody@shop.example"], keep_unrouted=True
        )
        await kit.inbox(DESK)
        came = await arrive(kit)
        with anyio.fail_after(30):
            await over.wait()
        kept = [m async for m in kit.search("label:unrouted")]
        planned = await kit.runtime.store.read(runs.listed)
    assert [m.envelope.rcpt_to for m in kept] == [("nobody@shop.example",)]
    assert called == [came]
    assert len(planned) == 1


async def test_an_inbox_whose_time_is_over_is_deleted(kit: InboxKit) -> None:
    await kit.inbox(DESK, expires=timedelta(minutes=10))
    await kit.inbox("stays@inbox.example", expires=timedelta(days=10))
    await arrive(kit)
    kit.clock.advance(timedelta(minutes=11))
    assert await Janitor(kit.runtime.store, kit.settings).expire() == 1
    assert await resolved(kit, DESK) is None
    assert await resolved(kit, "stays@inbox.example") == "stays@inbox.example"


async def test_mail_to_an_inbox_just_deleted_is_refused(kit: InboxKit) -> None:
    inbox = await kit.inbox(DESK)
    await arrive(kit)
    await inbox.delete()
    with pytest.raises(UnknownRecipient):
        await arrive(kit)
    with pytest.raises(NotFound, match="inbox create"):
        await inbox.send(ANN, "Hi")


async def counts(store: Store) -> dict[str, int]:
    """Return how many rows the tables hold that belong to inboxes."""
    is_sqlite = store.files_folder is not None
    names = [
        *("alias", "message", "content", "raw", "attachment", "label", "thread", "reference"),
        *("event", "run", "delivery", "inbox", "search_docsize" if is_sqlite else "search"),
    ]

    def look(connection: Any) -> dict[str, int]:
        query = "SELECT count(*) FROM inboxkit_"
        return {n: connection.exec_driver_sql(query + n).scalar() for n in names}

    return await store.read(look)


async def test_deleting_an_inbox_removes_everything_of_it(database: str, tmp_path: Path) -> None:
    router = Router()

    @router.on_message(to="desk@*")
    async def answer(message: Message) -> None:
        await message.reply("Thank you.", tag="thanks")
        await message.label(add=["answered"])

    async with InboxKit(router, database=database) as kit:
        inbox = await kit.inbox(DESK, aliases=["help@shop.example"])
        await arrive(kit, files={"large.bin": secrets.token_bytes(200_000)})
        await happened(kit, EventType.ACCEPTED)
        store = kit.runtime.store
        folder = store.files_folder  # of SQLite; PostgreSQL keeps all in rows
        assert folder is None or len(list(folder.rglob("*.zst"))) == 1
        assert (await counts(store))["message"] == 2
        await inbox.delete()
        assert {k: v for k, v in (await counts(store)).items() if v} == {}
        assert folder is None or list(folder.rglob("*.zst")) == []


async def test_addresses_forget_after_two_seconds_what_another_process_deleted(
    kit: InboxKit,
) -> None:
    inbox = await kit.inbox(DESK)
    other = Addresses(kit.runtime.store, kit.settings)
    assert await other.resolve(DESK) is not None
    await inbox.delete()
    other.forget()
    assert await other.resolve(DESK) is None
