"""Automatic replies, counted by the minute: what the caps on them are compared with.

Revision: 0012.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the counts."""
    op.create_table(
        "inboxkit_replies",
        sa.Column("inbox_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("about", sa.String(), nullable=False),
        sa.Column("minute", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("inbox_id", "about", "minute"),
    )
    op.create_index("inboxkit_replies_minute", "inboxkit_replies", ["minute"])
