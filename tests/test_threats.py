"""Threats that cross many parts: whole stories of who pretends to be whom, and one look at code."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import inboxkit
from inboxkit import InboxKit, Message, Otp, Router, WaitTimeout
from inboxkit.testing.settling import settle

from .mails import ANN, DESK, arrive, code, mail

if TYPE_CHECKING:
    from collections.abc import Iterator

EVE = "eve@evil.example"
SALES = "sales@inbox.example"
PACKAGE = Path(inboxkit.__file__).parent


async def answered(kit: InboxKit, to: str, *, sender: str = ANN) -> Message:
    """Let a mail without ids come in for an address that carries a token."""
    return await kit.receive(
        mail("Small.", to=to, sender=sender, subject="Lids"), mail_from=sender, rcpt_to=[to]
    )


def with_another_character(address: str) -> Iterator[str]:
    """Change each character of an address's token, one at a time."""
    local, _, domain = address.rpartition("@")
    name, _, token = local.partition("+")
    for place, char in enumerate(token):
        other = "1" if char != "1" else "2"
        yield f"{name}+{token[:place]}{other}{token[place + 1 :]}@{domain}"


async def test_only_the_whole_token_joins_a_thread(kit: InboxKit) -> None:
    sent = await (await kit.inbox(DESK)).send(ANN, "Size?", "Which size?")
    [reply_to] = sent.reply_to
    for forged in with_another_character(reply_to.email):
        assert (await answered(kit, forged)).thread_id != sent.thread_id
    got = await answered(kit, reply_to.email)
    assert (got.thread_id, got.thread_reason, got.participant) == (sent.thread_id, "token", True)


async def test_a_stranger_with_the_right_token_is_no_participant(kit: InboxKit) -> None:
    sent = await (await kit.inbox(DESK)).send(ANN, "Size?", "Which size?")
    got = await answered(kit, sent.reply_to[0].email, sender=EVE)
    assert (got.thread_id, got.participant) == (sent.thread_id, False)


async def test_a_token_of_another_inbox_matches_nothing(kit: InboxKit) -> None:
    sent = await (await kit.inbox(DESK)).send(ANN, "Size?", "Which size?")
    await kit.inbox(SALES)
    token = sent.reply_to[0].email.partition("+")[2].partition("@")[0]
    got = await answered(kit, f"sales+{token}@inbox.example")
    assert (got.inbox, got.answers) == (SALES, None)
    assert got.thread_id != sent.thread_id


async def test_who_wrote_a_mail_is_from_never_reply_to(database: str) -> None:
    router, seen = Router(), list[str]()

    @router.on_message(sender="admin@inbox.example")
    async def admin(message: Message) -> None:
        seen.append(message.sender.email)

    async with InboxKit(router, database=database) as kit:
        await kit.inbox(DESK)
        forged = {"Reply-To": "admin@inbox.example", "Sender": "admin@inbox.example"}
        got = await arrive(kit, sender=EVE, headers=forged)
        await settle(kit, timeout=30)
    assert got.sender.email == EVE
    assert seen == []


async def test_a_code_of_another_sender_is_neither_waited_for_nor_handled(database: str) -> None:
    router, seen = Router(), list[str]()

    @router.on_otp(sender="*@shop.example", require_auth=True)
    async def log_in(otp: Otp) -> None:
        seen.append(str(otp))

    async with InboxKit(router, database=database) as kit:
        inbox = await kit.inbox(DESK)
        await code(kit, "730416", sender="login@shop.example.evil.example")
        with pytest.raises(WaitTimeout):
            await inbox.wait_for_otp(timeout=0.2, sender="*@shop.example")
        await code(kit, "482913", sender="login@shop.example")  # nothing proves that it is theirs
        await settle(kit, timeout=30)
    assert seen == []


_SECRET = re.compile(r"signature|\bmac\b|hmac|digest|secret|password|api_key|signing|credential")
_HARMLESS = {"bool(username) != bool(password)"}


def compared_with_equals(path: Path) -> Iterator[str]:
    """Give every ``==`` and ``!=`` of a module that has a secret on one of its sides."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.Eq, ast.NotEq)):
            names = [getattr(n, "id", getattr(n, "attr", "")) for n in ast.walk(node)]
            if any(_SECRET.search(name) for name in names):
                yield ast.unparse(node)


def test_no_secret_is_compared_in_a_time_that_tells_of_it() -> None:
    checked = [
        *(PACKAGE / name for name in ("tokens.py", "signatures.py", "pipeline/feedback.py")),
        *(p for p in PACKAGE.glob("providers/*.py") if not p.stem.endswith("_fake")),
        *PACKAGE.glob("http/**/*.py"),
        *PACKAGE.glob("smtp/*.py"),
    ]
    found = {text for path in checked for text in compared_with_equals(path)}
    assert len(checked) > 100
    assert found <= _HARMLESS, found
