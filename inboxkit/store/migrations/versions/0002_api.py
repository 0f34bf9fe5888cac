"""Tables of the HTTP API: pods, keys, webhook endpoints, lists, domains, templates.

Revision: 0002.
"""

import time

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _pod()
    _api_key()
    _idempotency()
    _endpoint()
    _attempt()
    _list_entry()
    _domain()
    _template()
    _template_version()
    _route()
    _label_event()
    op.create_index("inboxkit_thread_last", "inboxkit_thread", ["last_at", "id"], unique=False)
    _default_pod()


def _pod() -> None:
    op.create_table(
        "inboxkit_pod",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("client_id"),
    )


def _api_key() -> None:
    op.create_table(
        "inboxkit_apikey",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("pod_id", sa.String(), nullable=True),
        sa.Column("inbox_id", sa.BigInteger(), nullable=True),
        sa.Column("permissions", sa.JSON(), nullable=True),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
    )
    op.create_index("ix_inboxkit_apikey_inbox_id", "inboxkit_apikey", ["inbox_id"], unique=False)
    op.create_index("ix_inboxkit_apikey_pod_id", "inboxkit_apikey", ["pod_id"], unique=False)


def _idempotency() -> None:
    op.create_table(
        "inboxkit_idempotency",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("response", sa.JSON(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "key"),
    )
    op.create_index(
        "ix_inboxkit_idempotency_expires_at", "inboxkit_idempotency", ["expires_at"], unique=False
    )


def _endpoint() -> None:
    op.create_table(
        "inboxkit_endpoint",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("pod_id", sa.String(), nullable=True),
        sa.Column("client_id", sa.String(), nullable=True),
        sa.Column("polling", sa.Boolean(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("secret", sa.String(), nullable=False),
        sa.Column("event_types", sa.JSON(), nullable=False),
        sa.Column("pod_ids", sa.JSON(), nullable=False),
        sa.Column("inbox_ids", sa.JSON(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("client_id"),
    )
    op.create_index("ix_inboxkit_endpoint_pod_id", "inboxkit_endpoint", ["pod_id"], unique=False)


def _attempt() -> None:
    op.create_table(
        "inboxkit_attempt",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("endpoint_id", sa.BigInteger(), nullable=False),
        sa.Column("event_seq", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "inboxkit_attempt_endpoint", "inboxkit_attempt", ["endpoint_id", "id"], unique=False
    )
    op.create_index("inboxkit_attempt_event", "inboxkit_attempt", ["event_seq"], unique=False)


def _list_entry() -> None:
    op.create_table(
        "inboxkit_listentry",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("pod_id", sa.String(), nullable=False),
        sa.Column("inbox_id", sa.BigInteger(), nullable=False),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("list_type", sa.String(), nullable=False),
        sa.Column("entry", sa.String(), nullable=False),
        sa.Column("entry_type", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "inboxkit_listentry_entry",
        "inboxkit_listentry",
        ["direction", "entry", "list_type", "pod_id", "inbox_id"],
        unique=True,
    )


def _domain() -> None:
    op.create_table(
        "inboxkit_domain",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("pod_id", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("feedback_enabled", sa.Boolean(), nullable=False),
        sa.Column("inbound_enabled", sa.Boolean(), nullable=False),
        sa.Column("subdomains_enabled", sa.Boolean(), nullable=False),
        sa.Column("tracking_enabled", sa.Boolean(), nullable=False),
        sa.Column("records", sa.JSON(), nullable=False),
        sa.Column("dkim_selector", sa.String(), nullable=False),
        sa.Column("dkim_key", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=True),
        sa.Column("verified_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("client_id"),
    )
    op.create_index("ix_inboxkit_domain_pod_id", "inboxkit_domain", ["pod_id"], unique=False)


def _template() -> None:
    op.create_table(
        "inboxkit_template",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("pod_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("inboxkit_template_name", "inboxkit_template", ["pod_id", "name"], unique=True)


def _template_version() -> None:
    op.create_table(
        "inboxkit_templateversion",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("template_id", sa.BigInteger(), nullable=False),
        sa.Column("tag", sa.String(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("engine", sa.String(), nullable=False),
        sa.Column("comment", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("html", sa.String(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "inboxkit_templateversion_tag",
        "inboxkit_templateversion",
        ["template_id", "tag"],
        unique=True,
    )


def _route() -> None:
    op.create_table(
        "inboxkit_route",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("expression", sa.String(), nullable=False),
        sa.Column("actions", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("inboxkit_route_priority", "inboxkit_route", ["priority", "id"], unique=False)


def _label_event() -> None:
    op.create_table(
        "inboxkit_labelevent",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("inbox_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("thread_id", sa.BigInteger(), nullable=True),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("added", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "inboxkit_labelevent_inbox", "inboxkit_labelevent", ["inbox_id", "id"], unique=False
    )
    op.create_index(
        "ix_inboxkit_labelevent_message_id", "inboxkit_labelevent", ["message_id"], unique=False
    )


def _default_pod() -> None:
    """Insert the pod of every inbox that is made without one."""
    columns: list[sa.ColumnClause[str]] = [
        sa.column(name) for name in ("id", "name", "created_at", "updated_at")
    ]
    now = time.time_ns() // 1_000
    row = {"id": "pod_default", "name": "default", "created_at": now, "updated_at": now}
    op.bulk_insert(sa.table("inboxkit_pod", *columns), [row])
