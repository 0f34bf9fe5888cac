"""What leaves by SMTP is signed with the key of its domain, once DNS has the public one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from inboxkit.clock import Clock
from inboxkit.dkim_keys import DkimKey, new_key, public_record
from inboxkit.dns_records import DnsRecord
from inboxkit.pipeline.signing import Signer
from inboxkit.store import domains
from inboxkit.store.api_tables import DEFAULT_POD
from inboxkit.store.domains import DomainRecord
from inboxkit.store.tables import inbox
from tests.store.sending import in_pod

from .test_relay import ANN, relay

if TYPE_CHECKING:
    from inboxkit.store.store import Store
    from inboxkit.store.transactions import Tx

DKIM: Any = import_module("dkim")  # it has no types
NAME = "inboxkit._domainkey.shop.example"


@pytest.fixture(scope="module")
def key() -> DkimKey:
    return new_key("shop.example")


def domain(key: DkimKey, status: str) -> DomainRecord:
    now = Clock().now()
    return DomainRecord(
        id="shop.example",
        pod_id=None,
        status="PENDING",
        feedback_enabled=True,
        inbound_enabled=True,
        subdomains_enabled=False,
        tracking_enabled=False,
        records=(DnsRecord("TXT", NAME, public_record(key), status),),
        dkim_selector=key.selector,
        dkim_key=key.pem,
        created_at=now,
        updated_at=now,
    )


def is_signed(mail: bytes, key: DkimKey) -> bool:
    def txt(name: bytes, timeout: int = 5) -> bytes:
        assert name == f"{NAME}.".encode()
        return public_record(key).encode()

    return bool(DKIM.verify(mail, dnsfunc=txt))


@pytest.mark.parametrize(("status", "signed"), [("VALID", True), ("MISSING", False)])
async def test_a_mail_is_signed_when_the_key_is_published(
    key: DkimKey, status: str, signed: bool
) -> None:
    async with relay() as opened:
        store = opened.runner.kit.runtime.store
        await opened.runner.acall(store.write, domains.create, domain(key, status))
        await opened.send(ANN, subject="Größe?", text="Which?\n.\n\n", html="<p>Which?</p>")
        (mail,) = opened.server.mails
        assert isinstance(mail.body, bytes)
        assert is_signed(mail.body, key) is signed
        assert (b"DKIM-Signature" in mail.body) is signed


def test_a_changed_mail_is_found_out(key: DkimKey) -> None:
    mail = key.sign(b"From: a@shop.example\r\nSubject: One\r\n\r\nHello\r\n")
    assert is_signed(mail, key)
    assert not is_signed(mail.replace(b"Hello", b"Hullo"), key)
    assert not is_signed(mail.replace(b"One", b"Two"), key)
    assert not is_signed(mail.replace(b"\r\n\r\n", b"\r\nFrom: b@evil.example\r\n\r\n"), key)


async def test_a_key_is_looked_up_anew_after_a_while(key: DkimKey, store: Store) -> None:
    class Later(Clock):
        ahead = timedelta(0)

        def beat(self) -> Any:
            return super().beat() + self.ahead

    store.clock = clock = Later()
    signer = Signer(store)
    assert await signer.key("a@shop.example", None) is None
    await store.write(domains.create, domain(key, "VALID"))
    assert await signer.key("a@Shop.Example", None) is None
    clock.ahead = timedelta(seconds=11)
    assert await signer.key("a@Shop.Example", None) == key


SENDERS = [
    (None, "pod_a", True),
    (None, DEFAULT_POD, True),
    ("pod_a", "pod_a", True),
    ("pod_a", DEFAULT_POD, True),
    ("pod_a", "pod_b", False),
    (DEFAULT_POD, "pod_b", False),
]


@pytest.mark.parametrize(("owner", "sender", "signed"), SENDERS)
async def test_the_key_of_a_pods_domain_signs_for_no_other_pod(
    key: DkimKey, store: Store, owner: str | None, sender: str, signed: bool
) -> None:
    await store.write(in_pod, replace(domain(key, "VALID"), pod_id=owner))
    found = await Signer(store).key("ceo@shop.example", sender)
    assert found == (key if signed else None)


async def test_what_leaves_is_signed_as_its_inbox_may(key: DkimKey) -> None:
    async with relay() as opened:
        store = opened.runner.kit.runtime.store
        foreign = replace(domain(key, "VALID"), pod_id="pod_b")
        await opened.runner.acall(store.write, in_pod, foreign)
        await opened.send(ANN)
        await opened.runner.acall(store.write, settled_in, "pod_a")
        await opened.send(ANN)
        signed = [isinstance(m.body, bytes) and is_signed(m.body, key) for m in opened.server.mails]
        assert signed == [True, False]


def settled_in(tx: Tx, pod_id: str) -> None:
    """Move all inboxes into a pod."""
    tx.connection.execute(update(inbox).values(pod_id=pod_id))
