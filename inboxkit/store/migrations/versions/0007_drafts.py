"""Drafts that answer or forward, their files, and lists that are read by scope.

Revision: 0007.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drafts get columns, files a table, lists an index."""
    for column in (
        sa.Column("forward_of", sa.String(), nullable=False, server_default=""),
        sa.Column("reply_all", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("parent_id", sa.BigInteger(), nullable=True),
        sa.Column("extra", sa.JSON(), nullable=False, server_default="{}"),
        sa.Column("error", sa.String(), nullable=False, server_default=""),
    ):
        op.add_column("inboxkit_draft", column)
    op.create_table(
        "inboxkit_draftfile",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("draft_id", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
    )
    op.create_index("ix_inboxkit_draftfile_draft_id", "inboxkit_draftfile", ["draft_id"])
    op.create_index(
        "inboxkit_listentry_scope",
        "inboxkit_listentry",
        ["direction", "list_type", "pod_id", "inbox_id", "entry"],
    )
