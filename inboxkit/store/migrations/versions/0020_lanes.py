"""What is leased of a lane is found as fast as what comes first in it.

Revision: 0020.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Replace the index of lanes."""
    op.drop_index("inboxkit_job_lane", "inboxkit_job")
    where = sa.text("lane IS NOT NULL")
    op.create_index(
        "inboxkit_job_lane",
        "inboxkit_job",
        ["lane", "state", "id"],
        sqlite_where=where,
        postgresql_where=where,
    )
