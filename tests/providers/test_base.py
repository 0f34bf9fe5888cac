from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings

from inboxkit.errors import ConfigurationError, UnsupportedFeature
from inboxkit.providers import payloads
from inboxkit.providers.answers import json_object, lost, retry_after, said, until
from inboxkit.providers.base import (
    Feature,
    FetchPlan,
    HttpRequest,
    HttpResponse,
    ParseError,
    Retry,
    Unknown,
    WebhookRequest,
    refuse_unsupported,
)
from inboxkit.providers.fakes.fake import outcome
from inboxkit.providers.hosts import is_listed, is_local, is_safe
from inboxkit.providers.options import Options
from inboxkit.providers.registry import PROVIDERS, fetching, key_fetching, lookup, provider
from inboxkit.values import EventType

from .conformance import json_values
from .vendor import NOW, cases, outgoing

PLAIN: dict[str, Any] = {
    "cc": (),
    "bcc": (),
    "reply_to": (),
    "attachments": (),
    "tag": "",
    "metadata": {},
}


@pytest.mark.parametrize(
    ("changes", "feature"),
    cases(
        {
            "cc": ({"cc": outgoing().cc}, Feature.CC),
            "bcc": ({"bcc": outgoing().bcc}, Feature.BCC),
            "reply to": ({"reply_to": outgoing().reply_to}, Feature.REPLY_TO),
            "a header": ({"headers": {"X-Order": "42"}}, Feature.HEADERS),
            "a file": ({"attachments": outgoing().attachments[:1]}, Feature.ATTACHMENTS),
            "an image": ({"attachments": outgoing().attachments[1:]}, Feature.INLINE_IMAGES),
            "a tag": ({"tag": "a"}, Feature.TAGS),
            "metadata": ({"metadata": {"a": "b"}}, Feature.METADATA),
            "a time": ({"send_at": NOW}, Feature.SCHEDULING),
            "no tracking": ({"track_opens": False}, Feature.TRACKING),
            "a template": ({"template": "a"}, Feature.TEMPLATES),
            "variables": ({"recipient_variables": {"a@b.c": {}}}, Feature.MERGE),
        }
    ),
)
def test_a_message_names_the_features_it_needs(changes: Any, feature: Feature) -> None:
    assert outgoing(**PLAIN).features == frozenset()
    assert outgoing(**{**PLAIN, **changes}).features == {feature}


def test_what_a_provider_lacks_is_named() -> None:
    with pytest.raises(
        UnsupportedFeature, match=r"pigeon cannot send msg_1: it has no cc, reply_to"
    ):
        refuse_unsupported("pigeon", outgoing(bcc=(), attachments=()), frozenset())


def is_refused(**changes: Any) -> bool:
    """Whether a provider that can do nothing besides refuses a plain message with these changes."""
    try:
        refuse_unsupported("pigeon", outgoing(**{**PLAIN, **changes}), frozenset())
    except UnsupportedFeature:
        return True
    return False


def test_tags_and_metadata_are_never_refused_as_the_store_keeps_them() -> None:
    assert not is_refused(tag="a", metadata={"b": "c"})
    assert is_refused(tag="a", metadata={"b": "c"}, send_at=NOW)


@pytest.mark.parametrize(
    "value",
    [
        HttpRequest(method="POST", url="https://a", headers={"Api-Key": "secret"}, body=b"secret"),
        HttpResponse(200, {"Set-Cookie": "secret"}, b"secret"),
        WebhookRequest(headers={"authorization": "secret"}, body=b"secret", url="https://secret"),
        FetchPlan(
            url="https://a?token=secret",
            hosts=("a",),
            headers={"A": "secret"},
            data={"a": "secret"},
        ),
        outgoing(text="secret", html="secret", mime=b"secret", metadata={"a": "secret"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_reprs_hide_bodies_and_header_values(value: object) -> None:
    assert "secret" not in repr(value)
    assert repr(value).startswith(type(value).__name__)


@pytest.mark.parametrize("name", ["Date", "date", "DATE"])
def test_headers_are_found_whatever_their_case(name: str) -> None:
    assert HttpResponse(200, {"dAtE": "x"}).header(name) == "x"
    assert HttpResponse(200).header(name, "none") == "none"


def test_a_broken_connection_is_certain_only_before_the_request_went_out() -> None:
    assert lost(request_sent=False, reason="refused") == Retry(reason="refused")
    assert lost(request_sent=True, reason="reset") == Unknown("reset")


SENT = "Fri, 02 Jan 2026 03:04:06 GMT"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        (" 0 ", 0),
        ("999999999", 604_800),
        ("Fri, 02 Jan 2026 03:05:06 GMT", 60),
        ("Fri, 02 Jan 2026 03:05:06 -0000", 60),
        ("Fri, 02 Jan 2025 03:05:06 GMT", 0),
        ("Fri, 02 Jan 2036 03:05:06 GMT", 604_800),
        ("soon", None),
        ("-5", None),
        ("٣", None),
        ("", None),
        ("Fri, 99 Jan 2026 99:99:99 GMT", None),
    ],
)
def test_retry_after_is_read(value: str, seconds: int | None) -> None:
    wait = retry_after(HttpResponse(429, {"Retry-After": value, "Date": SENT}))
    assert wait == (None if seconds is None else timedelta(seconds=seconds))


def test_a_date_means_nothing_without_the_date_of_the_answer() -> None:
    assert until(SENT, HttpResponse(429)) is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": "a  b", "message": ""}', "400 a b"),
        (b'{"message": {"a": 1}, "error": 5}', "400 5"),
        (b"<p>\xff</p>", "400 <p>�</p>"),
        (b"", "400"),
        (b"x" * 9_000, "400 " + "x" * 500),
    ],
)
def test_the_reason_of_an_answer_is_one_short_line(body: bytes, words: str) -> None:
    assert said(HttpResponse(400, {}, body), "message", "error") == words


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"a": NaN}', b"[" * 100_000, b"\xff"])
def test_an_answer_without_an_object_is_an_empty_one(body: bytes) -> None:
    assert json_object(HttpResponse(200, {}, body)) == {}


@pytest.mark.parametrize("body", [b"", b"{", b'{"a": NaN}', b"[" * 100_000, b"\xff", b"9" * 5_000])
def test_broken_json_is_a_parse_error(body: bytes) -> None:
    with pytest.raises(ParseError):
        payloads.read(body)


@settings(deadline=None)
@given(json_values)
def test_no_json_value_breaks_the_readers(value: object) -> None:
    line = payloads.text(value)
    assert len(line) <= 500 and "\n" not in line
    assert all(payloads.texts(value))
    assert payloads.moment(value) is None or payloads.moment(value) is not None
    assert payloads.message_id(value) == "" or payloads.message_id(value).startswith("<")
    assert isinstance(payloads.mapping(value), dict)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a@b", "<a@b>"), ("<a@b>", "<a@b>"), (" <a@b> ", "<a@b>"), ("", ""), ("a b", ""), (None, "")],
)
def test_message_ids_get_their_brackets(value: object, expected: str) -> None:
    assert payloads.message_id(value) == expected


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("[::1]", True),
        ("10.1.2.3", True),
        ("fake", True),
        ("fake.internal", True),
        ("api.mailgun.net", False),
        ("8.8.8.8", False),
        ("local.example.com", False),
        ("", False),
    ],
)
def test_local_hosts_are_told_from_others(host: str, local: bool) -> None:
    assert is_local(host) is local


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://api.mailgun.net/v3", True),
        ("http://127.0.0.1:8025/mailgun", True),
        ("http://api.mailgun.net", False),
        ("https://key@api.mailgun.net", False),
        ("//api.mailgun.net", False),
        ("https://", False),
        ("https://a:b", False),
        ("https://[", False),
        ("file:///etc/passwd", False),
    ],
)
def test_secrets_go_over_https_or_stay_at_home(url: str, safe: bool) -> None:
    assert is_safe(url) is safe


@pytest.mark.parametrize(
    ("url", "listed"),
    [
        ("https://a.example.com/x", True),
        ("https://A.EXAMPLE.com./x", True),
        ("https://s3.amazonaws.com/x", True),
        ("https://example.com/x", False),
        ("https://bad-example.com/x", False),
        ("https://x.s3.amazonaws.com/x", False),
        ("http://a.example.com/x", False),
    ],
)
def test_downloads_come_only_from_listed_hosts(url: str, listed: bool) -> None:
    assert is_listed(url, (".example.com", "s3.amazonaws.com")) is listed


def test_options_are_read_by_type() -> None:
    read = Options("p", {"a": " x ", "b": "No", "c": "7", "d": "http://fake:1/x/", "e": ""})

    assert (read.required("a"), read.flag("b"), read.text("e", "default")) == (
        "x",
        False,
        "default",
    )
    assert read.number("c", 1, least=0, most=9) == 7
    assert read.url("d", "") == "http://fake:1/x"
    read.done()


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_the_registry_names_each_provider_as_it_names_itself(name: str) -> None:
    assert provider(name).name == name


def test_what_only_some_providers_can_do_is_asked_of_the_registry() -> None:
    parts = (lookup, fetching, key_fetching)

    assert [part(provider("mailgun")) is not None for part in parts] == [True, True, False]
    assert [part(provider("memory")) is not None for part in parts] == [False, False, False]


def test_an_unknown_provider_is_answered_with_those_there_are() -> None:
    with pytest.raises(
        ConfigurationError, match="no provider 'mailgum'; there are agentmail, brevo, "
    ):
        provider("mailgum")


@pytest.mark.parametrize(
    ("address", "types"),
    [
        ("bounce@x.example", [EventType.BOUNCED]),
        ("Bounce+7@x.example", [EventType.BOUNCED]),
        ("click@x.example", [EventType.DELIVERED, EventType.OPENED, EventType.CLICKED]),
        ("ann@x.example", [EventType.DELIVERED]),
        ("bouncer@x.example", [EventType.DELIVERED]),
    ],
)
def test_a_fake_knows_outcomes_by_address(address: str, types: list[EventType]) -> None:
    assert [happening.type for happening in outcome(address)] == types


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_the_table_leads_to_the_provider_of_that_name(name: str) -> None:
    assert PROVIDERS[name].name == name
    assert PROVIDERS[name] is PROVIDERS[name]


def test_a_start_imports_no_vendor_that_is_not_used() -> None:
    code = (
        "import sys, inboxkit.providers.registry as r; r.provider('memory');"
        "print([m for m in sys.modules if 'mandrill' in m or 'mailgun' in m])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"
