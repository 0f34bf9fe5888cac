"""Webhooks keep the secrets they had; Mailgun's webhooks of an account, tags, lists to validate.

Revision: 0011.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0009"
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column(
        "inboxkit_endpoint",
        sa.Column("old_secrets", sa.JSON(), nullable=False, server_default="[]"),
    )
    _account_webhook()
    _tag()
    _lists()
    tagged = sa.text("tag <> ''")
    op.create_index(
        "inboxkit_message_tag",
        "inboxkit_message",
        ["tag", "inbox_id", "created_at"],
        unique=False,
        sqlite_where=tagged,
        postgresql_where=tagged,
    )


def _account_webhook() -> None:
    op.create_table(
        "inboxkit_mailgunaccountwebhook",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("event_types", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _tag() -> None:
    op.create_table(
        "inboxkit_mailguntag",
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("tag", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("domain", "tag"),
    )


def _lists() -> None:
    op.create_table(
        "inboxkit_mailgunlist",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("lookup", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("processed", sa.Integer(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "inboxkit_mailgunlist_name", "inboxkit_mailgunlist", ["scope", "name"], unique=True
    )
    op.create_table(
        "inboxkit_mailgunlistpart",
        sa.Column("list_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("list_id", "number"),
    )
