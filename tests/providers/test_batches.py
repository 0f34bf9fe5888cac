"""Many messages in one request: what every vendor that has it must answer for."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inboxkit.errors import UnsupportedFeature
from inboxkit.providers.base import Feature, HttpResponse, Outgoing, Refused, Retry, Sent, Unknown
from inboxkit.providers.batches import joins
from inboxkit.providers.registry import PROVIDERS, batching
from inboxkit.testing.vendors import VENDORS
from inboxkit.values import Address

from .vendor import cases, outgoing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inboxkit.providers.batches import Batching
    from inboxkit.providers.fakes.fake import Fake

NAMES = sorted(name for name in VENDORS if batching(PROVIDERS[name]) is not None)
NOW = datetime(2026, 1, 2, tzinfo=UTC)
PEOPLE = ("ann", "ben", "eve")


class Account:
    """A vendor's account, and its Fake."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.provider = PROVIDERS[name]
        found = batching(self.provider)
        assert found is not None
        self.joining: Batching[Any] = found
        options = VENDORS[name].account({}, "https://vendor.example")
        self.config = self.provider.configure(options)
        self.fake: Fake = VENDORS[name].fake(name, options, lambda: NOW)

    def send(self, messages: Sequence[Outgoing]) -> Any:
        entries = [self.joining.batch_entry(message, self.config) for message in messages]
        answer = self.fake.handle(self.joining.build_batch(entries, self.config))
        return self.joining.parse_batch(answer, messages, self.config)


@pytest.fixture(params=NAMES)
def account(request: pytest.FixtureRequest) -> Account:
    return Account(request.param)


def message(person: str) -> Outgoing:
    to = Address(f"{person}@example.com")
    mail = outgoing(to=(to,), cc=(), bcc=(), rcpt_to=(to.email,), attachments=())
    return replace(mail, id=f"msg_{person}", idempotency_key=person, metadata={"order": person})


def bad(person: str) -> Outgoing:
    """Return a message that every vendor refuses: it is to nobody's address."""
    return replace(message(person), to=(Address(person),), rcpt_to=(person,))


def test_vendors_whose_keys_send_once_are_not_given_many_at_once(account: Account) -> None:
    assert Feature.IDEMPOTENCY not in account.provider.capabilities


def test_each_message_is_answered_for_in_its_order(account: Account) -> None:
    outcomes = account.send([message(person) for person in PEOPLE])

    caught = [(c.rcpt_to[0].partition("@")[0], c.metadata["order"]) for c in account.fake.caught]
    assert caught == [(person, person) for person in PEOPLE]
    ids = [outcome.provider_id for outcome in outcomes]
    assert len(set(ids)) == 3
    told = [c.id for c in account.fake.caught]
    assert ids == told


def test_a_message_in_a_batch_is_what_it_is_by_itself(account: Account) -> None:
    mails = [outgoing(attachments=()), message("ann")]
    account.send(mails)
    for mail in mails:
        request = account.provider.build_send(mail, account.config, NOW)
        account.fake.handle(request)  # type: ignore[arg-type]  # all of these speak HTTP
    one, two, alone_one, alone_two = account.fake.caught
    for together, alone in ((one, alone_one), (two, alone_two)):
        assert together.rcpt_to == alone.rcpt_to
        assert (together.tags, together.metadata) == (alone.tags, alone.metadata)
        assert len(together.mime) == len(alone.mime)


def test_one_that_is_refused_harms_no_other(account: Account) -> None:
    outcomes = account.send([message("ann"), bad("nowhere"), message("eve")])

    assert [type(outcome) for outcome in outcomes] == [Sent, Refused, Sent]
    assert [c.rcpt_to[0] for c in account.fake.caught] == ["ann@example.com", "eve@example.com"]


@pytest.mark.parametrize(("status", "kind"), cases({"429": (429, Retry), "500": (500, Unknown)}))
def test_a_failing_vendor_fails_all_alike(account: Account, status: int, kind: type) -> None:
    account.fake.fail_next(status)
    outcomes = account.send([message(person) for person in PEOPLE])
    assert [type(outcome) for outcome in outcomes] == [kind] * 3


def test_a_time_to_wait_holds_for_all(account: Account) -> None:
    answer = HttpResponse(429, {"Retry-After": "120"})
    found = account.joining.parse_batch(answer, [message("ann"), message("ben")], account.config)
    assert found is not None
    afters = [outcome.after for outcome in found if isinstance(outcome, Retry)]
    assert afters == [timedelta(minutes=2)] * 2


def test_a_request_refused_as_a_whole_is_sent_one_by_one(account: Account) -> None:
    answer = HttpResponse(413, {}, b'{"message": "too large"}')
    assert account.joining.parse_batch(answer, [message("ann")] * 2, account.config) is None


def test_a_refused_key_is_nobodys_message(account: Account) -> None:
    answer = HttpResponse(401, {}, b"{}")
    found = account.joining.parse_batch(answer, [message("ann")] * 2, account.config)
    assert [o.reason_class for o in found or () if isinstance(o, Refused)] == ["credentials"] * 2


@pytest.mark.parametrize("answers", [0, 1, 3], ids="{} answers".format)
def test_without_an_answer_for_each_nothing_is_known(account: Account, answers: int) -> None:
    forms = {
        "postmark": [{"ErrorCode": 0, "MessageID": "1"}] * answers,
        "mailjet": {"Messages": [{"Status": "success", "To": [{"MessageID": 1}]}] * answers},
        "mailtrap": {"responses": [{"success": True, "message_ids": ["1"]}] * answers},
    }
    answer = HttpResponse(200, {}, json.dumps(forms[account.name]).encode())
    found = account.joining.parse_batch(answer, [message("ann"), message("ben")], account.config)
    assert [type(outcome) for outcome in found or ()] == [Unknown] * 2


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None)
@given(status=st.integers(100, 599), body=st.binary() | st.sampled_from([b"[{},{}]", b"[1,2]"]))
def test_no_answer_makes_it_raise(name: str, status: int, body: bytes) -> None:
    account = Account(name)
    answer, mails = HttpResponse(status, {}, body), [message("ann"), message("ben")]
    found = account.joining.parse_batch(answer, mails, account.config)
    assert found is None or (len(found) == 2 and not any(isinstance(o, Sent) for o in found))


def test_what_a_vendor_lacks_is_refused_before_it_harms_others(account: Account) -> None:
    late = replace(message("ann"), send_at=NOW)
    assert not joins(late)
    with pytest.raises(UnsupportedFeature):
        account.joining.batch_entry(late, account.config)


@pytest.mark.parametrize(
    ("changes", "expected"),
    cases(
        {
            "plain": ({}, True),
            "blind copies only": ({"to": (), "cc": (), "rcpt_to": ("a@b.c", "d@e.f")}, False),
            "one blind copy": ({"to": (), "cc": (), "rcpt_to": ("a@b.c",)}, True),
            "a template": ({"template": "7"}, False),
        }
    ),
)
def test_only_what_is_one_mail_shares_a_request(changes: dict[str, Any], expected: bool) -> None:
    assert joins(outgoing(**changes)) is expected
