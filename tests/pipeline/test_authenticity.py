"""Who sent a mail: checked over the real listener, with real keys and a name server on loopback."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit import InboxKit, Message
from inboxkit.errors import ConfigurationError
from inboxkit.parsing import parse
from inboxkit.pipeline.authenticity import Authenticity, stored
from inboxkit.router import Router
from inboxkit.settings import checked
from inboxkit.store.blobs import Blobs, Packed
from inboxkit.store.unread import Stored
from inboxkit.values import Auth
from tests.authentication.name_server import serving
from tests.authentication.zone import DMARC, MAIL, keys, signed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.authentication.name_server import NameServer

PEER = "9.9.9.9"  # a public address, as a load balancer names it
SPF = {("shop.example", "TXT"): [f"v=spf1 ip4:{PEER} -all"]}
ZONE = {**keys("shop.example"), **SPF, **DMARC}
DESK = "support@inbox.example"
PROVEN = Auth("pass", "pass", "pass", "shop.example")


class Desk:
    """A kit with a listener, behind a load balancer that names the client."""

    def __init__(self, kit: InboxKit, names: NameServer) -> None:
        self.kit, self.names = kit, names

    async def deliver(self, raw: bytes, *, peer: str = PEER) -> None:
        """Bring a mail by SMTP."""
        host, port = self.kit.smtp_address
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(f"PROXY TCP4 {peer} 127.0.0.1 4000 25\r\n".encode())
        lines = (
            "EHLO mx.shop.example",
            "MAIL FROM:<ann@shop.example>",
            f"RCPT TO:<{DESK}>",
            "DATA",
        )
        await _reply(reader)
        for line in lines:
            writer.write(f"{line}\r\n".encode())
            await _reply(reader)
        writer.write(raw + b".\r\n")
        assert (await _reply(reader)).startswith("250")
        writer.close()
        await writer.wait_closed()

    async def receive(self, raw: bytes, **options: str) -> Message:
        """Bring a mail by SMTP and return it once it is read."""
        inbox = await self.kit.inbox(DESK)
        await self.deliver(raw, **options)
        return await inbox.wait_for_message(timeout=30)


async def _reply(reader: asyncio.StreamReader) -> str:
    while True:
        line = (await reader.readline()).decode()
        if line[3:4] != "-":
            return line


@asynccontextmanager
async def desk(
    database: str, records: Any = ZONE, *routers: Router[...], **settings: Any
) -> AsyncGenerator[Desk, None]:
    async with serving(records) as (names, address):
        servers = {"smtp_proxy_protocol": True, "dns_servers": [address]}
        read = checked({"database": database, **servers, **settings})
        async with InboxKit(*routers, settings=read) as kit:
            await kit.runtime.edges.open(smtp="127.0.0.1:0", http="")
            await kit.inbox(DESK)
            yield Desk(kit, names)


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("raw", "peer", "auth"),
    [
        (signed(), PEER, PROVEN),
        (signed(), "9.9.9.8", Auth("fail", "pass", "pass", "shop.example")),
        (signed().replace(b"blue", b"b1ue"), "9.9.9.8", Auth("fail", "fail", "fail", "")),
        (MAIL, "9.9.9.8", Auth("fail", "none", "fail", "")),
        (signed(), "127.0.0.1", Auth(reason="its client is not on the internet")),
        (
            signed(MAIL.replace(b"From: Ann", b"From: x@a.example, Ann")),
            PEER,
            Auth(reason="From names nobody, or more than one"),
        ),
    ],
    ids=["genuine", "forwarded", "changed", "forged", "from this network", "two senders"],
)
async def test_mail_that_came_by_smtp(database: str, raw: bytes, peer: str, auth: Auth) -> None:
    async with desk(database) as opened:
        message = await opened.receive(raw, peer=peer)

    assert message.auth == auth


@pytest.mark.sqlite
async def test_a_forged_verdict_in_the_header_is_not_believed(database: str) -> None:
    forged = b"Authentication-Results: inboxkit; dmarc=pass header.from=shop.example\r\n" + MAIL
    async with desk(database, {}) as opened:
        message = await opened.receive(forged)

    assert message.auth == Auth()


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("peer", "id_", "domain"),
    [
        ("10.1.2.3", "mx.ours.example", "shop.example"),
        ("10.9.2.3", "mx.ours.example", ""),
        ("10.1.2.3", "mx.evil.example", ""),
    ],
    ids=["ours", "another network", "another name"],
)
async def test_a_trusted_forwarder_is_believed(
    database: str, peer: str, id_: str, domain: str
) -> None:
    stated = f"Authentication-Results: {id_}; dmarc=pass header.from=shop.example\r\n".encode()
    async with desk(database, trusted_forwarders={"mx.ours.example": "10.1.0.0/16"}) as opened:
        message = await opened.receive(stated + MAIL, peer=peer)

    assert message.auth.domain == domain
    assert opened.names.asked == []


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("forwarders", "is_proven"),
    [
        ({"mx.ours.example": "local"}, True),
        ({"mx.ours.example": "10.1.0.0/16"}, False),
        ({}, False),
    ],
    ids=["trusted", "trusted elsewhere", "not trusted"],
)
async def test_what_a_program_hands_over(
    database: str, forwarders: dict[str, str], is_proven: bool
) -> None:
    raw = b"Authentication-Results: mx.ours.example; dkim=pass header.d=shop.example\r\n" + MAIL
    settings = checked({"database": database, "trusted_forwarders": forwarders})
    async with InboxKit(settings=settings) as kit:
        await kit.inbox(DESK)
        message = await kit.receive(raw, mail_from="ann@shop.example", rcpt_to=[DESK])

    assert message.auth.passed is is_proven


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("raw", "labels"), [(signed(), set[str]()), (MAIL, {"unauthenticated"})], ids=["proven", "not"]
)
async def test_unproven_mail_is_labelled_when_asked_for(
    database: str, raw: bytes, labels: set[str]
) -> None:
    async with desk(database, keys("shop.example"), unauthenticated="label") as opened:
        message = await opened.receive(raw)

    assert message.labels & {"unauthenticated"} == labels


@pytest.mark.sqlite
async def test_handlers_that_require_proof_get_proven_mail_only(database: str) -> None:
    router, seen = Router(), asyncio.Queue[str]()

    @router.on_message(subject="*!", require_auth=True)
    async def act(message: Message) -> None:
        await seen.put(f"act on {message.subject}")

    @router.on_message()
    async def note(message: Message) -> None:
        await seen.put(f"note {message.subject}")

    async with desk(database, ZONE, router) as opened, asyncio.timeout(30):
        forged = MAIL.replace(b"Hello", b"Forged!").replace(b"<1@", b"<2@")
        await opened.deliver(forged, peer="9.9.9.8")
        await opened.deliver(signed(MAIL.replace(b"Hello", b"Genuine!")))
        found = {await seen.get(), await seen.get()}

    assert found == {"act on Genuine!", "note Forged!"}


@pytest.mark.long
@pytest.mark.sqlite
async def test_plain_mail_does_not_wait_for_a_silent_name_server(database: str) -> None:
    silent = dict.fromkeys(ZONE)
    async with desk(database, silent, authenticate_seconds=2.5) as opened:
        inbox = await opened.kit.inbox(DESK)
        await opened.deliver(signed())
        plain = MAIL.replace(b"Hello", b"plain").replace(b"<1@", b"<2@")
        await opened.deliver(plain, peer="127.0.0.1")
        first = await inbox.wait_for_message(timeout=30)
        second = await inbox.wait_for_message(timeout=30)

    assert [first.subject, second.subject] == ["plain", "Hello"]
    assert second.auth == Auth("temperror", "temperror", "temperror")


@pytest.mark.sqlite
async def test_never_asks_nobody(database: str) -> None:
    async with desk(database, authenticate="never") as opened:
        message = await opened.receive(signed())

    assert message.auth == Auth(reason="authenticate is never")
    assert opened.names.asked == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("authenticate", "sometimes"),
        ("unauthenticated", "drop"),
        ("trusted_forwarders", {"mx": "ten"}),
        ("authenticate_seconds", 0),
    ],
)
def test_wrong_settings_stop_the_start(key: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=key):
        checked({key: value})


def item(trace: dict[str, Any], auth: Auth | None = None) -> Stored:
    return Stored(
        id=1,
        inbox_id=1,
        received_at=datetime.now(UTC),
        mail_from="ann@shop.example",
        rcpt_to=(DESK,),
        packed=Packed(b""),
        size=len(MAIL),
        trace=trace,
        auth=stored(auth) if auth else {},
    )


def known(
    trace: dict[str, Any],
    *,
    auth: Auth | None = None,
    missing: str = "",
    raw: bytes = MAIL,
    **settings: Any,
) -> Auth | None:
    """Return what is known of a mail without any look-up."""
    checks = Authenticity(checked(settings), Blobs(None), missing=missing)
    return checks.known(item(trace, auth), parse(raw))


@pytest.mark.parametrize(
    ("trace", "reason"),
    [
        ({"peer": PEER}, "spf is not installed: pip install 'inboxkit[auth]'"),
        ({"imported": True}, "it was imported"),
        ({"provider": "resend", "verdicts": {}}, "resend states no verdict"),
        ({}, "it did not come by SMTP"),
        ({"peer": "100.64.1.2"}, "its client is not on the internet"),
        ({"peer": "nonsense"}, "its client is not on the internet"),
    ],
)
def test_why_there_is_no_verdict(trace: dict[str, Any], reason: str) -> None:
    assert known(trace, missing="spf") == Auth(reason=reason)


def test_with_the_extra_mail_from_the_internet_is_looked_up() -> None:
    assert known({"peer": PEER}) is None


def test_mail_that_is_read_again_keeps_its_verdict() -> None:
    assert known({"peer": PEER}, auth=PROVEN) == PROVEN


def test_mail_that_was_not_read_whole_is_not_checked() -> None:
    long = MAIL.replace(b"\r\n\r\n", b"\r\n" + b"X-Long: x\r\n" * 200_000 + b"\r\n", 1)
    assert known({"peer": PEER}, raw=long) == Auth(reason="it was not read whole")


def test_an_imported_mail_brings_no_verdict_of_its_own() -> None:
    raw = b"Authentication-Results: mx.ours.example; dkim=pass header.d=shop.example\r\n" + MAIL
    local = {"mx.ours.example": "local"}
    assert known({"imported": True}, raw=raw, trusted_forwarders=local) == Auth(
        reason="it was imported"
    )


def test_always_looks_up_mail_of_private_networks_too() -> None:
    assert known({"peer": "10.1.2.3"}, authenticate="always") is None


@pytest.mark.parametrize(
    ("trace", "before", "labels"),
    [
        ({"peer": PEER}, None, ("unauthenticated",)),
        ({"peer": PEER}, Auth(reason="unproven"), ()),
        ({"imported": True}, None, ()),
    ],
    ids=["new", "read again", "imported"],
)
def test_only_mail_that_is_new_is_labelled(
    trace: dict[str, Any], before: Auth | None, labels: tuple[str, ...]
) -> None:
    checks = Authenticity(checked({"unauthenticated": "label"}), Blobs(None))
    assert checks.labels(item(trace, before), Auth()) == labels


def test_always_needs_the_extra() -> None:
    with pytest.raises(ConfigurationError, match=r"inboxkit\[auth\]"):
        Authenticity(checked({"authenticate": "always"}), Blobs(None), missing="dkim")
