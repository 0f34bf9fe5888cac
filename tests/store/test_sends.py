"""Stored sends: keys, the ids they are known under, and replies that cite them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from inboxkit.errors import KeyReused
from inboxkit.store import backlog, inboxes, sends
from inboxkit.store.known_threads import KnownThreads
from inboxkit.store.placing import Lookup
from inboxkit.store.tables import message
from inboxkit.threads import Clues, Decision, decide

from .sending import ANN, BEN, NOW, staged, stored, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit.store.transactions import Tx


@pytest.fixture
def tx(database: str) -> Iterator[Tx]:
    with transaction(database) as opened:
        yield opened


def column(tx: Tx, number: int, name: str) -> object:
    return tx.connection.execute(select(message.c[name]).where(message.c.id == number)).scalar()


def placed(tx: Tx, cited: str) -> Decision:
    """Return where a reply goes that cites this id."""
    inbox = inboxes.create(tx, "support@shop.example", now=NOW)
    clues = Clues(received_at=NOW, sender=ANN, in_reply_to=cited, message_id="<r@example.com>")
    return decide(clues, Lookup(KnownThreads(tx), inbox.id))


@pytest.mark.parametrize(
    ("alias", "cited"),
    [
        ("<abc@", "<abc@other-host.amazonses.com>"),
        ("<abc@>", "<abc@eu-west-1.amazonses.com>"),
        ("<x.y-1@", "<x.y-1@geopod-ismtpd-3>"),
        ("<abc@mail.example>", "<abc@mail.example>"),
    ],
)
def test_a_reply_that_cites_an_alias_joins_and_says_so(tx: Tx, alias: str, cited: str) -> None:
    number = stored(tx, ANN)
    sends.learn_aliases(tx, number, [alias])
    decision = placed(tx, cited)
    assert (decision.thread, decision.answers) == (column(tx, number, "thread_id"), number)
    assert decision.reason.startswith("alias ")


def test_an_alias_without_its_host_fits_no_other_vendor(tx: Tx) -> None:
    sends.learn_aliases(tx, stored(tx, ANN), ["<abc@"])
    assert placed(tx, "<abc@evil.example>").thread is None


def test_our_own_id_stays_ours_when_a_provider_tells_it_too(tx: Tx) -> None:
    number = stored(tx, ANN)
    rfc_id = str(column(tx, number, "message_id"))
    sends.provider_took(tx, number, provider="mailgun", provider_id=rfc_id, aliases=[rfc_id])
    assert placed(tx, rfc_id).reason.startswith("in_reply_to ")


def test_a_send_is_found_by_any_id_it_is_known_under(tx: Tx) -> None:
    number = stored(tx, ANN)
    sends.provider_took(tx, number, provider="mailgun", provider_id="<p1>", aliases=())
    rfc_id = str(column(tx, number, "message_id"))
    find = sends.find_send
    assert find(tx.connection, provider_id="<p1>", provider="mailgun") == number
    assert find(tx.connection, provider_id="<p1>", provider="resend") is None
    assert find(tx.connection, provider_id="<p2>", rfc_id=rfc_id, provider="mailgun") == number
    assert find(tx.connection) is None


def test_only_sends_are_found_by_row(tx: Tx) -> None:
    number = stored(tx, ANN)
    received = stored(tx, BEN, direction="inbound")
    assert sends.outbound(tx.connection, number) == number
    assert sends.outbound(tx.connection, received) is None


def test_a_key_gives_the_first_send_and_queues_no_other(tx: Tx) -> None:
    first = stored(tx, ANN, send_key="order-42", fingerprint="a")
    again = stored(tx, ANN, send_key="order-42", fingerprint="a")
    assert again == first
    assert backlog.count(tx.connection, ["send"]) == 1


def test_a_key_with_other_content_is_refused(tx: Tx) -> None:
    stored(tx, ANN, send_key="order-42", fingerprint="a")
    with pytest.raises(KeyReused, match="order-42"):
        stored(tx, ANN, send_key="order-42", fingerprint="b")


def test_a_replayed_run_sends_nothing_twice_whatever_it_says_now(tx: Tx) -> None:
    first = stored(tx, ANN, send_key="auto:1", fingerprint="a")
    assert stored(tx, ANN, send_key="auto:1", fingerprint="b") == first


@pytest.mark.parametrize("change", [{"recorded": True}, {"stopped": "a loop"}])
def test_what_must_not_go_out_is_not_queued(tx: Tx, change: dict[str, object]) -> None:
    [number] = sends.store(tx, [replace(staged(tx, ANN), **change)])  # type: ignore[arg-type]
    assert sends.outbound(tx.connection, number) == number
    assert backlog.count(tx.connection, ["send"]) == 0


def test_an_error_is_shown_until_a_provider_takes_the_send(tx: Tx) -> None:
    number = stored(tx, ANN)
    sends.note(tx, number, "503 try later")
    assert column(tx, number, "error") == "503 try later"
    sends.provider_took(tx, number, provider="mailgun", provider_id="", aliases=())
    assert column(tx, number, "error") == ""
