"""The tables of mail in the first release, as they were then. Migration 0001 makes them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def alias() -> None:
    """Make the table and its indexes."""
    op.create_table(
        "inboxkit_alias",
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("inbox_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("address"),
    )
    op.create_index("ix_inboxkit_alias_inbox_id", "inboxkit_alias", ["inbox_id"], unique=False)


def attachment() -> None:
    """Make the table and its indexes."""
    op.create_table(
        "inboxkit_attachment",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("safe_name", sa.String(), nullable=False),
        sa.Column("content_type", sa.String(), nullable=False),
        sa.Column("sniffed_type", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("inline", sa.Boolean(), nullable=False),
        sa.Column("content_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_inboxkit_attachment_message_id", "inboxkit_attachment", ["message_id"], unique=False
    )


def content() -> None:
    """Make the table and its indexes."""
    op.create_table(
        "inboxkit_content",
        sa.Column("message_id", _ROW_ID, nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("html", sa.String(), nullable=False),
        sa.Column("reply_text", sa.String(), nullable=False),
        sa.Column("reply_html", sa.String(), nullable=False),
        sa.Column("signature", sa.String(), nullable=False),
        sa.Column("visible_text", sa.String(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("references", sa.JSON(), nullable=False),
        sa.Column("links", sa.JSON(), nullable=False),
        sa.Column("calendar", sa.JSON(), nullable=False),
        sa.Column("defects", sa.JSON(), nullable=False),
        sa.Column("kind_reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("message_id"),
    )


def draft() -> None:
    """Make the table and its indexes."""
    op.create_table(
        "inboxkit_draft",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("inbox_id", sa.BigInteger(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=True),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("to", sa.JSON(), nullable=False),
        sa.Column("cc", sa.JSON(), nullable=False),
        sa.Column("bcc", sa.JSON(), nullable=False),
        sa.Column("reply_to", sa.JSON(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("preview", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("html", sa.String(), nullable=False),
        sa.Column("attachments", sa.JSON(), nullable=False),
        sa.Column("in_reply_to", sa.String(), nullable=False),
        sa.Column("references", sa.JSON(), nullable=False),
        sa.Column("send_status", sa.String(), nullable=False),
        sa.Column("send_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "inboxkit_draft_client", "inboxkit_draft", ["inbox_id", "client_id"], unique=True
    )


def inbox() -> None:
    """Make the table and its indexes."""
    op.create_table(
        "inboxkit_inbox",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("pod_id", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=True),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("draft_policy", sa.String(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("address"),
    )
    op.create_index("inboxkit_inbox_client", "inboxkit_inbox", ["pod_id", "client_id"], unique=True)


def label() -> None:
    """Make the table and its indexes."""
    op.create_table(
        "inboxkit_label",
        sa.Column("message_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", "label"),
    )
    op.create_index("inboxkit_label_label", "inboxkit_label", ["label", "message_id"], unique=False)


def message() -> None:
    """Make the table and its indexes."""
    op.create_table(
        "inboxkit_message",
        *_of_the_message(),
        *_of_the_envelope(),
        *_of_the_content(),
        *_of_the_way(),
        sa.PrimaryKeyConstraint("id"),
    )
    _message_indexes()


def _of_the_message() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("inbox_id", sa.BigInteger(), nullable=False),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("thread_id", sa.BigInteger(), nullable=True),
        sa.Column("thread_reason", sa.String(), nullable=False),
        sa.Column("participant", sa.Boolean(), nullable=False),
        sa.Column("answers_id", sa.BigInteger(), nullable=True),
        sa.Column("dedupe", sa.String(), nullable=True),
    )


def _of_the_envelope() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("mail_from", sa.String(), nullable=False),
        sa.Column("rcpt_to", sa.JSON(), nullable=False),
        sa.Column("trace", sa.JSON(), nullable=False),
        sa.Column("sender_email", sa.String(), nullable=False),
        sa.Column("sender_name", sa.String(), nullable=False),
        sa.Column("to", sa.JSON(), nullable=False),
        sa.Column("cc", sa.JSON(), nullable=False),
        sa.Column("bcc", sa.JSON(), nullable=False),
        sa.Column("reply_to", sa.JSON(), nullable=False),
    )


def _of_the_content() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("preview", sa.String(), nullable=False),
        sa.Column("date_at", sa.BigInteger(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("in_reply_to", sa.String(), nullable=False),
        sa.Column("tag", sa.String(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("unread", sa.Boolean(), nullable=False),
        sa.Column("attachment_count", sa.Integer(), nullable=False),
        sa.Column("otp", sa.String(), nullable=True),
        sa.Column("link", sa.String(), nullable=True),
        sa.Column("auth", sa.JSON(), nullable=False),
    )


def _of_the_way() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("taken_at", sa.BigInteger(), nullable=True),
        sa.Column("send_key", sa.String(), nullable=True),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=True),
        sa.Column("send_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
    )


def _message_indexes() -> None:
    partial("message", "dedupe", ["dedupe", "inbox_id"], "dedupe IS NOT NULL", unique=True)
    op.create_index("inboxkit_message_inbox", "inboxkit_message", ["inbox_id", "id"], unique=False)
    partial("message", "key", ["inbox_id", "send_key"], "send_key IS NOT NULL", unique=True)
    partial("message", "provider", ["provider_id"], "provider_id IS NOT NULL")
    partial("message", "rfc", ["message_id"], "direction = 'outbound'")
    partial("message", "thread", ["thread_id", "id"], "thread_id IS NOT NULL")


def partial(
    table: str, name: str, columns: list[str], condition: str, *, unique: bool = False
) -> None:
    """Make an index of only the rows that a condition holds for."""
    where = sa.text(condition)
    op.create_index(
        f"inboxkit_{table}_{name}",
        f"inboxkit_{table}",
        columns,
        unique=unique,
        sqlite_where=where,
        postgresql_where=where,
    )


def raw() -> None:
    """Make the table and its indexes."""
    op.create_table(
        "inboxkit_raw",
        sa.Column("message_id", _ROW_ID, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=True),
        sa.Column("location", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("message_id"),
    )


def reference() -> None:
    """Make the table and its indexes."""
    op.create_table(
        "inboxkit_reference",
        sa.Column("inbox_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("rfc_id", sa.String(), nullable=False),
        sa.Column("thread_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("outbound", sa.Boolean(), nullable=False),
        sa.Column("alias", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("inbox_id", "rfc_id"),
    )
    op.create_index(
        "ix_inboxkit_reference_thread_id", "inboxkit_reference", ["thread_id"], unique=False
    )


def thread() -> None:
    """Make the table and its indexes."""
    op.create_table(
        "inboxkit_thread",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("inbox_id", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("base_subject", sa.String(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("participants", sa.JSON(), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.Column("waiting_since", sa.BigInteger(), nullable=True),
        sa.Column("reminders", sa.Integer(), nullable=False),
        sa.Column("preview", sa.String(), nullable=False),
        sa.Column("message_count", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("last_message_id", sa.BigInteger(), nullable=True),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=True),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("merged_into", sa.BigInteger(), nullable=True),
        sa.Column("orphan", sa.Boolean(), nullable=False),
        sa.Column("own_marks", sa.JSON(), nullable=False),
        sa.Column("quoted_marks", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    _thread_indexes()


def _thread_indexes() -> None:
    op.create_index(
        "inboxkit_thread_inbox", "inboxkit_thread", ["inbox_id", "last_at"], unique=False
    )
    op.create_index(
        "inboxkit_thread_subject",
        "inboxkit_thread",
        ["inbox_id", "base_subject", "last_at"],
        unique=False,
    )
    op.create_index("inboxkit_thread_topic", "inboxkit_thread", ["inbox_id", "topic"], unique=False)
