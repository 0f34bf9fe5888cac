"""The tables that only the HTTP API needs: tenants, keys, what it remembers, what it is told.

Private to ``store``, on the MetaData of ``columns``. A pod is a tenant; ``pod_default`` is there
from the start. Ids of rows are those of ``tokens.new_id``.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
)

from .columns import Moment, metadata
from .tables import thread

DEFAULT_POD = "pod_default"


def _id() -> Column[int]:
    return Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True)


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, String, nullable=null)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


def _json(name: str) -> Column[object]:
    return Column(name, JSON(none_as_null=True), nullable=False)


def _times() -> tuple[Column[object], Column[object]]:
    return _moment("created_at"), _moment("updated_at")


def _moment(name: str, *, null: bool = False) -> Column[object]:
    return Column(name, Moment, nullable=null)


pod = Table(
    "inboxkit_pod",
    metadata,
    Column("id", String, primary_key=True),
    _text("name"),
    Column("client_id", String, unique=True, nullable=True),
    *_times(),
)

api_key = Table(
    "inboxkit_apikey",
    metadata,
    _id(),
    Column("hash", String, unique=True, nullable=False),  # SHA-256 of the key, in hex
    _text("prefix"),
    _text("name"),
    _flag("live"),
    Column("pod_id", String, index=True, nullable=True),
    Column("inbox_id", BigInteger, index=True, nullable=True),
    Column("permissions", JSON(none_as_null=True), nullable=True),  # None: all
    _moment("used_at", null=True),
    _moment("expires_at", null=True),
    *_times(),
)

idempotency = Table(
    "inboxkit_idempotency",
    metadata,
    Column("scope", String, primary_key=True),
    Column("key", String, primary_key=True),
    _text("fingerprint"),
    _json("response"),
    Column("expires_at", Moment, index=True, nullable=False),
)

# Where events are posted to. ``scope`` says who may see it: "", a pod's id, or "inbox:ROW".
endpoint = Table(
    "inboxkit_endpoint",
    metadata,
    _id(),
    _text("scope"),
    Column("pod_id", String, index=True, nullable=True),
    Column("inbox_id", BigInteger, index=True, nullable=True),
    Column("client_id", String, nullable=True),
    _text("url"),
    _text("secret"),
    Column("old_secrets", JSON(none_as_null=True), nullable=False, server_default="[]"),
    _json("event_types"),
    _json("pod_ids"),
    _json("inbox_ids"),  # of rows
    _json("forbidden"),  # labels whose messages the maker's key might not see
    _json("headers"),
    _flag("enabled"),
    _text("disabled_because"),
    _moment("failing_since", null=True),
    Column("cursor", BigInteger, nullable=False),  # the last event of the log that it was given
    Column("key_id", BigInteger, nullable=True),  # of the key that it ends with
    *_times(),
    Index("inboxkit_endpoint_client", "scope", "client_id", unique=True),
)

# What is polled for instead of posted. ``scope`` as above; of the token only the SHA-256 is stored.
subscription = Table(
    "inboxkit_subscription",
    metadata,
    _id(),
    _text("scope"),
    Column("pod_id", String, index=True, nullable=True),
    Column("inbox_id", BigInteger, index=True, nullable=True),
    _text("client_id"),
    Column("token", String, unique=True, nullable=False),
    _json("event_types"),
    _json("pod_ids"),
    _json("inbox_ids"),  # of rows
    _json("forbidden"),
    Column("cursor", BigInteger, nullable=False),  # the last event that was read
    Column("key_id", BigInteger, nullable=True),  # as above
    *_times(),
    Index("inboxkit_subscription_client", "scope", "client_id", unique=True),
)

# One attempt to post one event to one endpoint.
attempt = Table(
    "inboxkit_attempt",
    metadata,
    _id(),
    Column("endpoint_id", BigInteger, nullable=False),
    Column("event_seq", BigInteger, nullable=False),
    Column("number", Integer, nullable=False),
    Column("status", Integer, nullable=False),  # of the answer, 0 when there was none
    _text("error"),
    Column("milliseconds", Integer, nullable=False),
    _moment("at"),
    Index("inboxkit_attempt_endpoint", "endpoint_id", "id"),
    Index("inboxkit_attempt_event", "event_seq"),
)

# Who may and who must not write to us or be written to; "" and 0 stand for every pod and inbox.
list_entry = Table(
    "inboxkit_listentry",
    metadata,
    _id(),
    _text("pod_id"),
    Column("inbox_id", BigInteger, nullable=False),
    _text("direction"),
    _text("list_type"),
    _text("entry"),
    _text("entry_type"),
    _text("reason"),
    _moment("created_at"),
    Index(
        "inboxkit_listentry_entry",
        *("direction", "entry", "list_type", "pod_id", "inbox_id"),
        unique=True,
    ),
    Index(
        "inboxkit_listentry_scope",
        *("direction", "list_type", "pod_id", "inbox_id", "entry"),
    ),
)

# The bytes of a draft's file, apart from the draft, so that lists of drafts stay small.
draft_file = Table(
    "inboxkit_draftfile",
    metadata,
    _id(),
    Column("draft_id", BigInteger, index=True, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

domain = Table(
    "inboxkit_domain",
    metadata,
    Column("id", String, primary_key=True),  # the name itself
    Column("pod_id", String, index=True, nullable=True),
    _text("status"),
    _flag("feedback_enabled"),
    _flag("inbound_enabled"),
    _flag("subdomains_enabled"),
    _flag("tracking_enabled"),
    _json("records"),
    _text("dkim_selector"),
    _text("dkim_key"),
    Column("client_id", String, unique=True, nullable=True),
    _moment("verified_at", null=True),
    *_times(),
)

template = Table(
    "inboxkit_template",
    metadata,
    _id(),
    _text("pod_id"),
    _text("name"),
    _text("description"),
    *_times(),
    Index("inboxkit_template_name", "pod_id", "name", unique=True),
)

template_version = Table(
    "inboxkit_templateversion",
    metadata,
    _id(),
    Column("template_id", BigInteger, nullable=False),
    _text("tag"),
    _flag("active"),
    _text("engine"),
    _text("comment"),
    _text("subject"),
    _text("text"),
    _text("html"),
    _json("headers"),
    *_times(),
    Index("inboxkit_templateversion_tag", "template_id", "tag", unique=True),
)

# A routing rule in Mailgun's language.
route = Table(
    "inboxkit_route",
    metadata,
    _id(),
    Column("priority", Integer, nullable=False),
    _text("description"),
    _text("expression"),
    _json("actions"),
    *_times(),
    Index("inboxkit_route_priority", "priority", "id"),
)

# Which label came or went, and when.
label_event = Table(
    "inboxkit_labelevent",
    metadata,
    _id(),
    Column("inbox_id", BigInteger, nullable=False),
    Column("message_id", BigInteger, index=True, nullable=False),
    Column("thread_id", BigInteger, nullable=True),
    _text("label"),
    _flag("added"),
    _moment("at"),
    Index("inboxkit_labelevent_inbox", "inbox_id", "id"),
)

# Lists of the threads of all inboxes.
Index("inboxkit_thread_last", thread.c.last_at, thread.c.id)
