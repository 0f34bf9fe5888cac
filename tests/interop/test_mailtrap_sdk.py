"""Mailtrap's own Python client against our Fake, and its verifier against our signatures.

The client speaks https only, so the Fake is served with a certificate made for the test.
"""

from __future__ import annotations

import base64
import email
import email.policy
import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from inboxkit.providers.fakes.mailtrap import MailtrapFake
from inboxkit.providers.mailtrap import Mailtrap
from inboxkit.values import EventType
from tests.providers.vendor import MAILS, outgoing

from .server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

sdk: Any = import_module("mailtrap")
webhooks: Any = import_module("mailtrap.webhooks")
x509: Any = import_module("cryptography.x509")

OPTIONS = {"api_token": "key-1", "signing_secret": "signing-2", "inbound_secret": "inbound-3"}
CONFIG = Mailtrap().configure(OPTIONS)


def _certificate(folder: Path) -> Path:
    """Write a key and a certificate of 127.0.0.1 that signs itself into one file."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "loopback")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path = folder / "loopback.pem"
    written = key.private_bytes(pem, pkcs8, serialization.NoEncryption())
    path.write_bytes(written + certificate.public_bytes(pem))
    return path


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ssl.SSLContext]:
    path = _certificate(tmp_path_factory.mktemp("tls"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(path))  # what the client's HTTP library trusts
        yield context


@pytest.fixture
def fake() -> MailtrapFake:
    return MailtrapFake(CONFIG, lambda: datetime.now(UTC))


@pytest.fixture
def client(fake: MailtrapFake, tls: ssl.SSLContext) -> Iterator[Any]:
    with serving(fake, tls) as url:
        yield sdk.MailtrapClient(token="key-1", api_host=urlsplit(url).netloc)


def _message(**changes: Any) -> Any:
    fields: dict[str, Any] = {
        "sender": sdk.Address(email="support@shop.example", name="Shop"),
        "to": [sdk.Address(email="ann@example.com", name="Ann")],
        "cc": [sdk.Address(email="ben@example.com")],
        "bcc": [sdk.Address(email="eve@example.com")],
        "reply_to": sdk.Address(email="r@shop.example"),
        "subject": "Größe",
        "text": "Which size? 尺码",
        "html": '<p>Which size?</p><img src="cid:logo">',
        "category": "order",
        "custom_variables": {"order": "42"},
        "headers": {"X-Order": "42"},
    }
    return sdk.Mail(**{**fields, **changes})


def _mail(fake: MailtrapFake) -> Any:
    return email.message_from_bytes(fake.caught[-1].mime, policy=email.policy.default)


def test_it_sends_text_and_html_with_options(client: Any, fake: MailtrapFake) -> None:
    answer = client.send(_message())

    [caught] = fake.caught
    assert (answer["success"], len(answer["message_ids"])) == (True, 3)
    assert answer["message_ids"][0] == caught.id
    assert caught.rcpt_to == ("ann@example.com", "ben@example.com", "eve@example.com")
    assert (caught.tags, caught.metadata) == (("order",), {"order": "42"})
    mail = _mail(fake)
    assert (mail["subject"], mail["reply-to"], mail["x-order"]) == ("Größe", "r@shop.example", "42")
    assert mail.get_body(("plain",)).get_content().strip() == "Which size? 尺码"


def test_it_sends_files_and_inline_images(client: Any, fake: MailtrapFake) -> None:
    pdf, png = (base64.b64encode(data) for data in (b"%PDF\x00\xff", b"\x89PNG"))
    files = [
        sdk.Attachment(content=pdf, filename="rück.pdf", mimetype="application/pdf"),
        sdk.Attachment(
            content=png,
            filename="logo.png",
            mimetype="image/png",
            disposition=sdk.Disposition.INLINE,
            content_id="logo",
        ),
    ]

    client.send(_message(attachments=files))

    parts = {part.get_content_type(): part for part in _mail(fake).walk()}
    assert parts["application/pdf"].get_content() == b"%PDF\x00\xff"
    assert parts["application/pdf"].get_filename() == "rück.pdf"
    assert parts["image/png"]["content-id"] == "<logo>"


def test_it_sends_a_batch(client: Any, fake: MailtrapFake) -> None:
    base = sdk.BatchMail(
        sender=sdk.Address(email="support@shop.example"), subject="Size", text="Which?"
    )
    people = ("ann@example.com", "nobody")
    requests = [sdk.BatchEmailRequest(to=[sdk.Address(email=one)]) for one in people]

    answer = client.batch_send(sdk.BatchSendEmailParams(base=base, requests=requests))

    assert [result["success"] for result in answer["responses"]] == [True, False]
    assert [caught.rcpt_to for caught in fake.caught] == [("ann@example.com",)]


def test_it_is_refused_as_mailtrap_refuses(client: Any, fake: MailtrapFake) -> None:
    with pytest.raises(sdk.APIError, match="text or html"):
        client.send(_message(text=None, html=None))

    assert not fake.caught


def test_a_wrong_token_is_refused(fake: MailtrapFake, tls: ssl.SSLContext) -> None:
    with serving(fake, tls) as url, pytest.raises(sdk.AuthorizationError):
        sdk.MailtrapClient(token="other", api_host=urlsplit(url).netloc).send(_message())


def test_its_verifier_accepts_what_we_sign(fake: MailtrapFake) -> None:
    fake.handle(Mailtrap().build_send(outgoing(), CONFIG, datetime.now(UTC)))
    event = fake.event(EventType.OPENED, fake.caught[0], "ann@example.com")
    mail = fake.inbound(MAILS["plain"], recipient="a@shop.example", mail_from="b@example.com")

    verify = webhooks.verify_signature
    assert verify(event.body, event.header("Mailtrap-Signature"), "signing-2")
    assert verify(mail.body, mail.header("Mailtrap-Signature"), "inbound-3")
    assert not verify(event.body + b" ", event.header("Mailtrap-Signature"), "signing-2")
