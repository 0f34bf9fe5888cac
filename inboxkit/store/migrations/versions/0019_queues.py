"""Due jobs are claimed in turn by queue: each inbox's, and of its Runs each handler's.

Revision: 0019.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; what a program of the version before puts is one queue more."""
    op.add_column(
        "inboxkit_job", sa.Column("queue", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.execute("UPDATE inboxkit_job SET queue = inbox_id")
    op.drop_index("inboxkit_job_due", "inboxkit_job")
    where = sa.text("state = 'ready'")
    op.create_index(
        "inboxkit_job_due",
        "inboxkit_job",
        ["kind", "queue", "due_at"],
        sqlite_where=where,
        postgresql_where=where,
    )
