"""AgentMail's own Python client against our Fake, and Svix's verifier against our signatures."""

from __future__ import annotations

import base64
import urllib.request
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.parsing import parse
from inboxkit.providers.agentmail import AgentMail
from inboxkit.providers.agentmail_fake import AgentMailFake
from inboxkit.values import EventType
from tests.providers.conformance import MAILS
from tests.providers.signed import KEY

from .server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

sdk: Any = pytest.importorskip("agentmail")
environment: Any = pytest.importorskip("agentmail.environment")
svix: Any = pytest.importorskip("svix.webhooks")

CONFIG = AgentMail().configure({"api_key": "key-1", "signing_secret": KEY.secret})
INBOX = "support@agentmail.to"
BASE: dict[str, Any] = {
    "to": ["ann@example.com"],
    "subject": "Größe",
    "text": "Which size? 尺码",
    "html": '<p>Which size?</p><img src="cid:logo">',
}


@pytest.fixture
def fake() -> AgentMailFake:
    return AgentMailFake(CONFIG, lambda: datetime.now(UTC))


@pytest.fixture
def client(fake: AgentMailFake) -> Iterator[Any]:
    with serving(fake) as url:
        here = environment.AgentMailEnvironment(http=url, websockets=url.replace("http", "ws"))
        yield sdk.AgentMail(api_key="key-1", environment=here)


def _file(name: str, data: bytes, **more: str) -> Any:
    return sdk.SendAttachment(filename=name, content=base64.b64encode(data).decode(), **more)


def test_it_sends_everything(client: Any, fake: AgentMailFake) -> None:
    files = [
        _file("rück.pdf", b"%PDF\x00\xff", content_type="application/pdf"),
        _file("logo.png", b"\x89PNG", content_type="image/png", content_id="logo"),
    ]

    answer = client.inboxes.messages.send(
        INBOX, **BASE, bcc="eve@example.com", labels=["order"], attachments=files
    )

    [caught] = fake.caught
    mail = parse(caught.mime)
    assert answer.message_id == caught.message_id == mail.message_id
    assert answer.thread_id == caught.options["thread_id"]
    assert (caught.rcpt_to, caught.tags) == (("ann@example.com", "eve@example.com"), ("order",))
    assert (mail.sender.email, mail.subject) == (INBOX, "Größe")
    assert mail.text.strip() == "Which size? 尺码"
    assert {(a.filename, a.data, a.content_id) for a in mail.attachments} == {
        ("rück.pdf", b"%PDF\x00\xff", ""),
        ("logo.png", b"\x89PNG", "logo"),
    }


def test_its_idempotency_key_sends_once(client: Any, fake: AgentMailFake) -> None:
    send = client.inboxes.messages.send

    answers = [send(INBOX, **BASE, idempotency_key="k").message_id for _ in "ab"]

    assert answers[0] == answers[1]
    assert len(fake.caught) == 1


def test_it_reads_our_refusals(client: Any, fake: AgentMailFake) -> None:
    send = client.inboxes.messages.send
    send(INBOX, **BASE)
    fake.event(EventType.BOUNCED, fake.caught[0], "ann@example.com")

    with pytest.raises(sdk.MessageRejectedError):
        send(INBOX, **BASE)
    with pytest.raises(sdk.NotFoundError):
        send("nobody", **BASE)


def test_it_finds_the_bytes_of_a_received_mail(client: Any, fake: AgentMailFake) -> None:
    fake.inbound(MAILS["8-bit"], recipient=INBOX, mail_from="ann@example.com")

    raw = client.inboxes.messages.get_raw(INBOX, "<a1@example.com>")

    with urllib.request.urlopen(raw.download_url, timeout=10) as answer:
        assert answer.read() == MAILS["8-bit"]
    assert raw.size == len(MAILS["8-bit"])


def test_svix_accepts_what_we_sign_and_the_sdk_reads_it(client: Any, fake: AgentMailFake) -> None:
    client.inboxes.messages.send(INBOX, **BASE)
    bounced = fake.event(EventType.BOUNCED, fake.caught[0], "ann@example.com")
    received = fake.inbound(MAILS["plain"], recipient=INBOX, mail_from="ann@example.com")

    for post in (bounced, received):
        svix.Webhook(KEY.secret).verify(post.body, dict(post.headers))
    event = sdk.MessageBouncedEvent.model_validate_json(bounced.body)
    assert event.bounce.recipients[0].address == "ann@example.com"
