"""The ready-made handlers over real SMTP: what each does, once, and what it leaves alone."""

from __future__ import annotations

import smtplib
from datetime import timedelta
from email.message import EmailMessage
from functools import partial
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine, create_engine
from sqlmodel import Session, select

from handlers import attachments, echo, follow_up, otp, tickets
from inboxkit import Message, Router

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from inboxkit.testing import Sandbox


@pytest.fixture
def desk(tmp_path: Path) -> str:
    """The database of the tickets, which is not inboxkit's."""
    return f"sqlite:///{tmp_path}/tickets.db"


def stored(desk: str) -> tuple[Sequence[tickets.Ticket], Sequence[tickets.Comment]]:
    engine = create_engine(desk)
    with Session(engine) as session:
        found = session.exec(select(tickets.Ticket)).all()
        comments = session.exec(select(tickets.Comment)).all()
    engine.dispose()
    return found, comments


def contents(folder: Path) -> list[bytes]:
    return sorted(path.read_bytes() for path in folder.iterdir())


async def test_echo_quotes_the_message_and_tells_what_it_read(sandbox: Sandbox) -> None:
    sandbox.include(echo.router)
    ann = sandbox.person("ann@example.com")
    await ann.send("echo@inbox.example", "Hi", "one\ntwo", attach={"a.txt": b"abc"})
    answer = await ann.next_message()
    assert "> one\n> two" in answer.text
    assert "Attachments: a.txt (" in answer.text
    assert "Sender: ann@example.com" in answer.text


async def test_echo_cuts_what_is_long(sandbox: Sandbox) -> None:
    sandbox.include(echo.router)
    ann = sandbox.person("ann@example.com")
    await ann.send("echo@inbox.example", "Hi", "word " * 2_000)
    assert len((await ann.next_message()).text) < echo.LIMIT + 500


async def test_echo_leaves_automatic_mail_alone(sandbox: Sandbox) -> None:
    sandbox.include(echo.router)
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "ann@example.com", "echo@inbox.example", "Away"
    mail["Auto-Submitted"] = "auto-replied"
    mail.set_content("I am away.")
    with smtplib.SMTP(sandbox.smtp_host, sandbox.smtp_port) as client:
        client.send_message(mail)
    await sandbox.settle()
    assert len(sandbox.outbox) == 0


async def test_a_thread_is_one_ticket_with_one_acknowledgement(sandbox: Sandbox, desk: str) -> None:
    sandbox.include(tickets.router, resource=partial(tickets.open_database, desk))
    ann = sandbox.person("ann@example.com")
    await ann.send("tickets@inbox.example", "Broken lamp", "It flickers.")
    answer = await ann.next_message()
    await ann.reply(answer, "It went dark.")
    await sandbox.settle()

    found, comments = stored(desk)
    assert [(t.id, t.sender, t.subject) for t in found] == [(1, "ann@example.com", "Broken lamp")]
    assert [c.text for c in comments] == ["It flickers.", "It went dark."]
    assert "number 1;" in answer.text
    assert len(sandbox.outbox) == 1


async def test_death_between_the_two_commits_loses_and_doubles_nothing(
    sandbox: Sandbox, desk: str
) -> None:
    deaths: list[str] = []
    router = Router(resource=partial(tickets.open_database, desk))

    @router.on_message(to="tickets@*")
    async def dies_once(message: Message, engine: Engine) -> None:
        await tickets.ingest(message, engine)
        if not deaths:
            deaths.append(message.id)
            raise RuntimeError("after the ticket's commit, before inboxkit's")

    sandbox.include(router)
    ann = sandbox.person("ann@example.com")
    await ann.send("tickets@inbox.example", "Broken lamp", "It flickers.")
    await sandbox.settle()
    assert (len(stored(desk)[0]), len(sandbox.outbox)) == (1, 0)

    await sandbox.advance(timedelta(minutes=1))
    found, comments = stored(desk)
    assert (len(found), len(comments), len(sandbox.outbox)) == (1, 1, 1)


async def test_idle_handlers_create_nothing(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (working := tmp_path / "working").mkdir()
    monkeypatch.chdir(working)
    sandbox.include(tickets.router)
    sandbox.include(attachments.router)
    ann = sandbox.person("ann@example.com")
    await ann.send("other@inbox.example", "Hi", "", attach={"a": b"b"})
    await sandbox.settle()
    assert (contents(working), len(sandbox.outbox)) == ([], 0)


async def test_codes_keeps_the_last_codes_of_a_sender(sandbox: Sandbox) -> None:
    sandbox.include(otp.router)
    inbox = await sandbox.inbox("codes@inbox.example")
    shop = sandbox.person("shop@shop.example")
    message = await shop.send(inbox.address, "Your code", "Your verification code is 123456.")
    await sandbox.settle()

    seen = await inbox.wait_for_message(timeout=30)
    state = (await seen.thread()).state
    assert [c["code"] for c in state["codes"]["shop@shop.example"]] == ["123456"]
    assert seen.message_id == message.message_id


async def test_files_saves_what_is_attached(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INBOXKIT_FILES", str(tmp_path / "saved"))
    sandbox.include(attachments.router)
    ann = sandbox.person("ann@example.com")
    files = {"../../a.txt": b"one", "b.pdf": b"%PDF-1.7 two"}
    await ann.send("files@inbox.example", "Here", "Both files.", attach=files)
    await sandbox.settle()
    assert contents(tmp_path / "saved") == sorted(files.values())


async def test_files_refuses_an_empty_file(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INBOXKIT_FILES", str(tmp_path / "saved"))
    sandbox.include(attachments.router)
    ann = sandbox.person("ann@example.com")
    await ann.send("files@inbox.example", "Here", "One file.", attach={"a": b"", "b": b"b"})
    await sandbox.settle()
    assert contents(tmp_path / "saved") == [b"b"]


async def test_follow_up_reminds_twice_and_no_more(sandbox: Sandbox) -> None:
    sandbox.include(follow_up.router)
    ann = sandbox.person("ann@example.com")
    await ann.send("follow-up@inbox.example", "Call me", "Please.")
    await sandbox.settle()
    for _ in range(4):
        await sandbox.advance(timedelta(days=3, minutes=1))
    assert [follow_up.QUESTION in sent.text for sent in sandbox.outbox] == [True] * 3
    assert ["reminder" in sent.text for sent in sandbox.outbox] == [False, True, True]


async def test_an_answer_to_the_reminder_is_kept_and_ends_it(sandbox: Sandbox) -> None:
    sandbox.include(follow_up.router)
    ann = sandbox.person("ann@example.com")
    await ann.send("follow-up@inbox.example", "Call me", "Please.")
    await ann.next_message()
    await sandbox.advance(timedelta(days=3, minutes=1))
    await ann.reply(await ann.next_message(), "On Monday.")
    assert "noted" in (await ann.next_message()).text

    await sandbox.advance(timedelta(days=9))
    thread = await sandbox.outbox[0].thread()
    assert thread.state["answer"] == "On Monday."
    assert len(sandbox.outbox) == 3
