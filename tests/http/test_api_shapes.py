"""What AgentMail's clients count on in each object: its fields, of their types, never null."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.egress import LOOPBACK
from tests.test_dns_records import Names

from .api import Api, path, serving
from .receiver import receiving

if TYPE_CHECKING:
    from collections.abc import Iterator

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
TIMES = "created_at:time updated_at:time"
LIST = "count:int limit:int"
ITEM = (
    "inbox_id:str thread_id:str message_id:str labels:list timestamp:time from:str to:list "
    f"size:int {TIMES}"
)
THREAD = (
    "inbox_id:str thread_id:str labels:list timestamp:time senders:list recipients:list "
    f"last_message_id:str message_count:int size:int {TIMES}"
)
DOMAIN = (
    "domain_id:str domain:str feedback_enabled:bool subdomains_enabled:bool tracking_enabled:bool "
    f"{TIMES}"
)
ENTRY = (
    "entry:str organization_id:str direction:str list_type:str entry_type:str created_at:time "
    "reason:str"
)
KEY = "api_key_id:str prefix:str name:str created_at:time"
# name -> its fields, and the request that shows one; {m} is a message's path, {t} its thread.
SHAPES: dict[str, tuple[str, str, str, Any]] = {
    "inbox": (f"pod_id:str inbox_id:str email:str {TIMES}", "GET", "{i}", None),
    "inboxes": (f"{LIST} inboxes:list", "GET", "/v0/inboxes", None),
    "message": (
        f"{ITEM} reply_to:list cc:list subject:str preview:str text:str html:str headers:dict "
        "extracted_text:str extracted_html:str attachments:list in_reply_to:str references:list",
        "GET",
        "{m}",
        None,
    ),
    "messages": (f"{LIST} messages:list next_page_token:str", "GET", "{i}/messages?limit=1", None),
    "found": (f"{LIST} messages:list", "GET", "{i}/messages/search?q=works", None),
    "labels": ("message_id:str labels:list", "PATCH", "{m}", {"add_labels": "x"}),
    "raw": ("message_id:str size:int download_url:str expires_at:time", "GET", "{m}/raw", None),
    "file": (
        "attachment_id:str size:int filename:str content_type:str content_disposition:str "
        "download_url:str text_url:str expires_at:time",
        "GET",
        "{m}/attachments/{a}",
        None,
    ),
    "batch": (
        "limit:int count:int messages:list",
        "POST",
        "{i}/messages/batch-get",
        {"message_ids": ["<x@y>"]},
    ),
    "labelled": (
        "limit:int count:int updates:list",
        "POST",
        "{i}/messages/batch-update",
        {"message_ids": ["<x@y>"], "add_labels": "x"},
    ),
    "sent": (
        "message_id:str thread_id:str",
        "POST",
        "{i}/messages/send",
        {"to": "a@example.com", "text": "x"},
    ),
    "thread": (
        f"{THREAD} received_timestamp:time sent_timestamp:time subject:str preview:str "
        "attachments:list count:int limit:int messages:list",
        "GET",
        "/v0/threads/{t}",
        None,
    ),
    "threads": (f"{LIST} threads:list", "GET", "/v0/threads", None),
    "labels of a thread": (
        "thread_id:str labels:list",
        "PATCH",
        "/v0/threads/{t}",
        {"add_labels": "x"},
    ),
    "draft": (
        f"inbox_id:str draft_id:str labels:list client_id:str to:list subject:str preview:str "
        f"text:str send_status:str send_at:time {TIMES}",
        "POST",
        "{i}/drafts",
        {
            "to": "a@example.com",
            "subject": "x",
            "text": "x",
            "client_id": "c",
            "send_at": "2999-01-01T00:00:00Z",
        },
    ),
    "drafts": ("count:int drafts:list", "GET", "/v0/drafts", None),
    "webhook": (
        f"webhook_id:str url:str secret:str enabled:bool event_types:list client_id:str {TIMES}",
        "POST",
        "/v0/webhooks",
        {"url": "https://example.com/h", "event_types": ["message.sent"], "client_id": "w"},
    ),
    "webhooks": (f"{LIST} webhooks:list", "GET", "/v0/webhooks", None),
    "domain": (
        f"{DOMAIN} status:str records:list",
        "POST",
        "/v0/domains",
        {"domain": "shapes.example"},
    ),
    "domains": ("count:int domains:list", "GET", "/v0/domains", None),
    "entry": (ENTRY, "POST", "/v0/lists/receive/block", {"entry": "a@x.example", "reason": "r"}),
    "entry of an inbox": (
        f"{ENTRY} pod_id:str inbox_id:str",
        "POST",
        "{i}/lists/receive/block",
        {"entry": "a@x.example", "reason": "r"},
    ),
    "entries": ("count:int entries:list", "GET", "/v0/lists/receive/block", None),
    "pod": (f"pod_id:str name:str {TIMES}", "GET", "/v0/pods/pod_default", None),
    "key": (f"{KEY} api_key:str", "POST", "/v0/api-keys", {"name": "k"}),
    "keys": ("count:int api_keys:list", "GET", "/v0/api-keys", None),
    "me": ("scope_type:str scope_id:str organization_id:str", "GET", "/v0/auth/me", None),
    "organization": (
        f"organization_id:str inbox_count:int domain_count:int {TIMES}",
        "GET",
        "/v0/organizations",
        None,
    ),
}
HTML = "<p>It works</p>"


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(api_key="k" * 20, egress_networks=LOOPBACK) as running:
        yield running.of("k" * 20)


@pytest.fixture(scope="module")
def names(api: Api) -> dict[str, str]:
    """Return what stands for the braces of a target: of a conversation with a file."""
    inbox = api.inbox(username="shape", metadata={"a": 1})
    first = api.send(inbox, text="Does it?")
    lines = [
        "From: Ann <ann@example.com>",
        f"To: {inbox}\r\nCc: boss@example.com\r\nReply-To: ann@example.com",
        f"Subject: Re: Hi\r\nMessage-ID: <shape@example.com>\r\nIn-Reply-To: {first['message_id']}",
        'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b',
        f"Content-Type: text/html\r\n\r\n{HTML}\r\n--b",
        "Content-Type: application/pdf\r\nContent-Disposition: attachment; filename=a.pdf",
        "\r\n%PDF-1.7\r\n--b--\r\n",
    ]
    came = api.taken("\r\n".join(lines).encode(), inbox)
    return {
        "i": f"/v0/inboxes/{inbox}",
        "m": path(inbox, came),
        "t": came.thread_id,
        "a": came.attachments[0].id,
    }


def lacking(found: Any, fields: str) -> list[str]:
    """Return which of these fields an object has not, or has of another type."""
    return [field for field in fields.split() if not has(found, *field.split(":"))]


def has(found: Any, name: str, kind: str) -> bool:
    value = found.get(name)
    if kind == "time":
        return isinstance(value, str) and STAMP.fullmatch(value) is not None
    return type(value).__name__ == kind


@pytest.mark.parametrize("shape", SHAPES)
def test_an_object_has_what_clients_count_on(api: Api, names: dict[str, str], shape: str) -> None:
    fields, method, target, body = SHAPES[shape]

    assert lacking(api.good(method, target.format(**names), body), fields) == []


def test_events_have_what_receivers_count_on(api: Api, names: dict[str, str]) -> None:
    about = "inbox_id:str thread_id:str message_id:str timestamp:time recipients:list"
    with receiving() as receiver:
        types = ["message.received", "message.sent", "domain.verified"]
        api.good("POST", "/v0/webhooks", {"url": receiver.url, "event_types": types})
        api.good("POST", f"{names['i']}/messages/send", {"to": "a@example.com", "text": "x"})
        api.arrive("shape@inbox.example")
        posts = [json.loads(receiver.next().body) for _ in range(2)]
        domain = api.good("POST", "/v0/domains", {"domain": "told.example"})
        records = domain["records"]
        texts = {r["name"]: [r["value"]] for r in records if r["type"] == "TXT"}
        hosts = {r["name"]: [(10, r["value"])] for r in records if r["type"] == "MX"}
        api.runner.kit.runtime.resolver = Names(texts, hosts)
        api.good("POST", "/v0/domains/told.example/verify")
        posts.append(json.loads(receiver.next().body))

    told = {post["event_type"]: post for post in posts}
    assert [lacking(post, "type:str event_type:str event_id:str") for post in posts] == [[]] * 3
    assert lacking(told["message.received"]["message"], ITEM) == []
    assert lacking(told["message.received"]["thread"], THREAD) == []
    assert lacking(told["message.sent"]["send"], about) == []
    assert lacking(told["domain.verified"]["domain"], f"{DOMAIN} status:str records:list") == []
