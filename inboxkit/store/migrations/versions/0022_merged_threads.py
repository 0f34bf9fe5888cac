"""The threads that were merged into one are found without a walk over all.

Revision: 0022.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index: few threads are merged."""
    where = sa.text("merged_into IS NOT NULL")
    op.create_index(
        "inboxkit_thread_merged",
        "inboxkit_thread",
        ["merged_into"],
        sqlite_where=where,
        postgresql_where=where,
    )
