"""Hostile and damaged mail that routes post: it comes with what there is, and holds up nobody."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from inboxkit.store.tables import job

from .mailgun import DOMAIN, Mailgun, Receiver, shop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from inboxkit import Message
    from inboxkit.providers.forms import Form
    from inboxkit.store.transactions import Tx

    from .api import Api

SHOP = f"shop@{DOMAIN}"
HEAD = b"From: Eve <eve@evil.example>\r\nSubject: Odd\r\nMIME-Version: 1.0\r\n"
NESTED = b"Content-Type: message/rfc822\r\n\r\n"
PART = b'--b\r\nContent-Type: text/plain; charset="%s\r\n\r\nHello\r\n--b--\r\n'
MIXED = b'Content-Type: multipart/mixed; boundary="%s"\r\n\r\n'


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with shop() as running:
        yield running


@pytest.fixture
def mailgun(api: Api) -> Mailgun:
    return Mailgun(api)


@pytest.fixture
def receiver(mailgun: Mailgun) -> Iterator[Receiver]:
    """A receiver that every mail is posted to, parsed."""
    with Receiver() as running:
        target = f'forward("{running.url}")'
        given = {"expression": "catch_all()", "action": target, "priority": 0}
        made = mailgun.good("POST", "/v3/routes", **given)["route"]["id"]
        yield running
        mailgun.good("DELETE", f"/v3/routes/{made}")


def receive(api: Api, raw: bytes) -> Message:
    return api.runner.call(api.runner.kit.receive, raw, mail_from="", rcpt_to=[SHOP])


def posted(api: Api, receiver: Receiver, raw: bytes) -> Form:
    """Let a mail come in; return what was posted of it."""
    receive(api, raw)
    return receiver.mail()[1]


def waiting(api: Api) -> list[str]:
    """Return what is still to be posted, now or later."""
    read: Any = api.runner.kit.runtime.store.read
    found: list[str] = api.runner.call(read, _waiting)
    return found


def _waiting(connection: Connection) -> list[str]:
    return list(connection.execute(select(job.c.key).where(job.c.kind == "mailgun")).scalars())


def test_a_parameter_without_an_end_is_no_work(api: Api, receiver: Receiver) -> None:
    raw = HEAD + MIXED % b"b" + b"\r\n" + PART % (b"a;\r\n " * 100_000 + b'"')
    form = posted(api, receiver, raw)
    assert (form.text("body-plain").strip(), form.text("subject")) == ("Hello", "Odd")


def test_a_mail_in_a_mail_in_a_mail_is_one_file(api: Api, receiver: Receiver) -> None:
    form = posted(api, receiver, HEAD + NESTED * 401)
    [file] = form.all("attachment-1")
    assert (file.content_type, file.data) == ("message/rfc822", NESTED * 400)


def test_a_mail_that_cannot_be_taken_apart_comes_with_its_bytes(
    api: Api, receiver: Receiver
) -> None:
    deep = b"".join(b"--%d\r\n" % i + MIXED % b"%d" % (i + 1) for i in range(60))
    raw = HEAD + MIXED % b"0" + deep
    form = posted(api, receiver, raw)
    assert (form.text("from"), form.text("body-plain")) == ("Eve <eve@evil.example>", "")
    assert form.all("body-mime")[0].data == raw


def test_a_large_mail_is_posted_with_its_files(api: Api, receiver: Receiver) -> None:
    data = secrets.token_bytes(400_000)
    api.arrive(SHOP, "Photos", files={"a.jpg": data, "b.jpg": b"b"})
    _, form = receiver.mail()
    assert [form.all(f"attachment-{n}")[0].data for n in (1, 2)] == [data, b"b"]
    assert (form.text("body-plain").strip(), form.text("attachment-count")) == ("Photos", "2")


def test_a_post_that_breaks_what_makes_it_is_given_up(
    api: Api, mailgun: Mailgun, receiver: Receiver
) -> None:
    receiver.answer = 500
    posted(api, receiver, HEAD + b"\r\nHello")
    mailgun.settle()
    api.runner.call(api.runner.kit.runtime.store.write, as_if_broken_off)
    mailgun.later(minutes=11)
    mailgun.settle()
    assert (receiver.posts.empty(), waiting(api)) == (True, [])


def as_if_broken_off(tx: Tx) -> None:
    """Every attempt but the first ended with neither an answer nor a failure."""
    tx.connection.execute(update(job).where(job.c.kind == "mailgun").values(attempts=8))


def test_a_mail_whose_bytes_are_gone_is_given_up(
    api: Api, mailgun: Mailgun, receiver: Receiver
) -> None:
    receiver.answer = 500
    api.arrive(SHOP, files={"a.bin": secrets.token_bytes(200_000)})
    receiver.mail()
    mailgun.settle()
    folder = api.runner.kit.runtime.store.files_folder
    assert folder is not None
    for file in folder.rglob("*.zst"):
        file.unlink()
    mailgun.later(minutes=11)
    mailgun.settle()
    assert (receiver.posts.empty(), waiting(api)) == (True, [])
