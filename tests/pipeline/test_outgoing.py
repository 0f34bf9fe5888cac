"""A stored send as a provider takes it that wants parts instead of the composed mail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.compose import Composition, compose
from inboxkit.errors import UnsupportedFeature
from inboxkit.pipeline.outgoing import outgoing
from inboxkit.providers.base import Feature, Outgoing
from inboxkit.providers.mailgun import Mailgun
from inboxkit.store import looks
from inboxkit.store.blobs import Blobs
from inboxkit.store.messages import pairs
from inboxkit.tokens import public_id
from inboxkit.values import Address, Draft, File
from tests.store.sending import ANN, BEN, NOW, stored, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit.store.transactions import Tx

EVE = "eve@example.com"
FILES = (
    File("a.pdf", b"%PDF-1.4\n", "application/pdf"),
    File("logo.png", b"\x89PNG\r\n\x1a\n", "image/png", "logo"),
)


class Parts(Mailgun):
    """A provider that composes the mail itself."""

    name = "parts"
    capabilities = Mailgun.capabilities - {Feature.RAW_MIME}


class Bare(Parts):
    """The same, without headers."""

    name = "bare"
    capabilities = Parts.capabilities - {Feature.HEADERS}


@pytest.fixture
def row(database: str) -> Iterator[Any]:
    with transaction(database) as tx:
        yield _row(tx)


def _row(tx: Tx) -> Any:
    people = {"to": pairs([Address(ANN, "Ann")]), "cc": pairs([Address(BEN)])}
    number = stored(tx, ANN, BEN, EVE, bcc=pairs([Address(EVE)]), **people, in_reply_to="<q@x.y>")
    return looks.look(tx.connection, [number], Blobs(None))[number].row


def made(row: Any, *recipients: str, provider: Mailgun | None = None) -> Outgoing:
    draft = Draft(text="Hi", html='<img src="cid:logo">', attachments=FILES)
    composition = Composition(
        draft=draft,
        sender=Address(row.sender_email),
        message_id=row.message_id,
        date=NOW,
        to=(Address(ANN),),
        auto_submitted=True,
        loop_id="loop1",
    )
    return outgoing(row, compose(composition), recipients, provider or Parts())


def test_files_and_inline_images_are_parts(row: Any) -> None:
    found = [(f.filename, f.data, f.content_type, f.content_id) for f in made(row, ANN).attachments]
    assert sorted(found) == [(f.filename, f.data, f.content_type, f.content_id) for f in FILES]


def test_whoever_takes_the_mail_as_it_is_gets_no_parts(row: Any) -> None:
    message = made(row, ANN, provider=Mailgun())
    assert (message.attachments, message.mime.count(b"Content-ID")) == ((), 1)


def test_our_own_id_is_in_references_and_the_behaviour_is_told(row: Any) -> None:
    headers = made(row, ANN).headers
    assert headers["References"].split()[-1] == row.message_id
    assert headers["In-Reply-To"] == "<q@x.y>"
    assert (headers["Auto-Submitted"], headers["X-Inboxkit-Loop"]) == ("auto-replied", "loop1")


def test_a_vendor_without_headers_is_told_that_a_program_wrote_it(row: Any) -> None:
    message = made(row, ANN, provider=Bare())
    assert (message.automatic, set(message.headers)) == (True, {"References", "In-Reply-To"})


def test_only_those_who_get_it_are_named(row: Any) -> None:
    message = made(row, BEN, EVE)
    people = [[a.email for a in field] for field in (message.to, message.cc, message.bcc)]
    assert (people, message.rcpt_to) == ([[], [BEN], [EVE]], (BEN, EVE))


def test_a_key_is_the_same_for_the_same_recipients(row: Any) -> None:
    keys = [made(row, *to).idempotency_key for to in ((ANN, BEN, EVE), (EVE, BEN), (BEN, EVE))]
    assert keys[0] == f"inboxkit-{public_id('msg', row.id)}"
    assert keys[1] == keys[2] != keys[0]


def test_what_cannot_be_taken_apart_is_not_sent_without_its_files(row: Any) -> None:
    nested = [
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(60)
    ]
    with pytest.raises(UnsupportedFeature, match="limit: "):
        outgoing(row, b"".join(nested), [ANN], Parts())
