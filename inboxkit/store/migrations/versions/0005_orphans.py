"""Threads whose parent may still come are found without walking over the others.

Revision: 0005.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Index them apart: of a subject that thousands share, few are. Topics are sorted by age."""
    op.drop_index("inboxkit_thread_topic", "inboxkit_thread")
    op.create_index(
        "inboxkit_thread_topic", "inboxkit_thread", ["inbox_id", "topic", "last_at"], unique=False
    )
    op.create_index(
        "inboxkit_thread_orphan",
        "inboxkit_thread",
        ["inbox_id", "base_subject", "last_at"],
        unique=False,
        sqlite_where=sa.text("orphan IS TRUE"),
        postgresql_where=sa.text("orphan IS TRUE"),
    )
