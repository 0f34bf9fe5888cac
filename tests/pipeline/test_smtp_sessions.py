"""What is said to SMTP servers: our name, what they offer, and what a refused password means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.pipeline.transport import NotDelivered, Transport
from tests.profiled import called

from .test_transport import EHLO, GO_ON, GREETING, MAIL, OK, serving, session

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from inboxkit.providers.base import SmtpResponse

WIDE = "käthe@example.com"
_MOST = 10_000_000


def noting(said: list[str], *replies: bytes) -> Callable[..., Any]:
    """Answer each line of a client with the next reply, note it, and take what follows a 354."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(replies[0] + b"\r\n")
        for reply in replies[1:]:
            said.append((await reader.readline()).decode().rstrip())
            writer.write(reply + b"\r\n")
            if reply == GO_ON:
                content = b""
                while not content.endswith(b"\r\n.\r\n"):
                    content += await reader.read(_MOST)
                writer.write(b"250 taken\r\n")
        await reader.readline()

    return handle


async def held(*replies: bytes, hostname: str = "", **options: Any) -> tuple[SmtpResponse, Any]:
    """Hold a session; return its last reply, and what was said."""
    said, transport = list[str](), Transport(hostname)
    to = options.pop("to", "ann@example.com")
    async with serving(noting(said, GREETING, *replies)) as port:
        response = await transport.smtp(session(port, to, **options))
    return response, said


@pytest.mark.parametrize(
    ("hostname", "is_said"), [("mail.shop.example", True), ("box", False), ("", False)]
)
async def test_only_a_full_name_is_said(hostname: str, is_said: bool) -> None:
    _, said = await held(EHLO, OK, OK, GO_ON, hostname=hostname)
    assert (said[0] == f"EHLO {hostname}") is is_said
    assert said[0].startswith("EHLO ")


@pytest.mark.parametrize(
    ("offered", "mime", "options"),
    [
        (b"250 hi", MAIL + b"\xff\r\n", ""),
        (b"250-hi\r\n250-SIZE 9999\r\n250 8BITMIME", MAIL, f" SIZE={len(MAIL)}"),
        (b"250-hi\r\n250 8BITMIME", MAIL + b"\xff\r\n", " BODY=8BITMIME"),
        (b"250-hi\r\n250 SIZE", MAIL + b"\xff", f" SIZE={len(MAIL) + 3}"),
    ],
    ids=["nothing", "a size", "8 bits", "a size with the line end"],
)
async def test_what_a_server_offers_is_used(offered: bytes, mime: bytes, options: str) -> None:
    response, said = await held(offered, OK, OK, GO_ON, mime=mime)
    assert (response.code, said[1]) == (250, f"MAIL FROM:<support@shop.example>{options}")


async def test_an_address_in_another_script_is_not_said_to_who_cannot_take_it() -> None:
    response, said = await held(b"250-hi\r\n250 8BITMIME", b"221 bye", to=WIDE)
    assert (response.code, len(said)) == (553, 2)
    assert said[1] == "QUIT"


async def test_a_server_without_ehlo_is_greeted_as_of_old() -> None:
    said = list[str]()

    async def old(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETING + b"\r\n")
        while line := await reader.readline():
            said.append(line[:4].decode())
            writer.write({"EHLO": b"502 what?", "DATA": GO_ON}.get(said[-1], OK) + b"\r\n")
            if said[-1] == "DATA":
                await reader.readuntil(b"\r\n.\r\n")
                writer.write(b"250 taken\r\n")

    async with serving(old) as port:
        response = await Transport("").smtp(session(port, "ann@example.com"))
    assert response.code == 250
    assert [verb for verb in said if verb != "EHLO"][:4] == ["HELO", "MAIL", "RCPT", "DATA"]


@pytest.mark.parametrize(
    ("reply", "code"),
    [(b"454 not now", 454), (b"534 too weak", 535), (b"500 what", 535)],
    ids=["later", "mechanism", "unknown"],
)
async def test_a_refused_password_is_for_good_or_for_now(reply: bytes, code: int) -> None:
    secrets = {"username": "shop", "password": "secret-3"}
    response, _ = await held(b"250-hi\r\n250 AUTH PLAIN", reply, b"221 bye", **secrets)
    assert response.code == code


async def test_a_lone_carriage_return_ends_a_line() -> None:
    _, said = await held(b"250-hi\r\n250 SIZE", OK, OK, GO_ON, mime=b"a\rb\r\n")
    assert said[1].endswith(f" SIZE={len('a__b__')}")


async def test_a_recipient_whom_a_server_does_not_know_for_sure_is_taken() -> None:
    response, _ = await held(EHLO, OK, b"252 I shall try", GO_ON)
    assert (response.code, response.refused) == (250, {})


async def test_an_odd_answer_to_a_password_is_no_refusal() -> None:
    with pytest.raises(NotDelivered):
        await held(b"250-hi\r\n250 AUTH PLAIN", b"250 eh", username="shop", password="secret-3")


async def test_after_an_odd_answer_to_mail_nothing_more_is_said() -> None:
    said, transport = list[str](), Transport()
    async with serving(noting(said, GREETING, EHLO, b"334 what", OK, GO_ON)) as port:
        with pytest.raises(NotDelivered):
            await transport.smtp(session(port))
    assert [line[:4] for line in said] == ["EHLO", "MAIL"]


@pytest.mark.parametrize(("lines", "is_here"), [(10, True), (20_000, False)])
async def test_a_large_mail_is_made_ready_in_a_thread(lines: int, *, is_here: bool) -> None:
    mime = MAIL + b".%s\r\n" % (b"x" * 60) * lines
    with called() as names:
        response, _ = await held(EHLO, OK, OK, GO_ON, mime=mime)
    assert (response.code, "count" in names) == (250, is_here)
