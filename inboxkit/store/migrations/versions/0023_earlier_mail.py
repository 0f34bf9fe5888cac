"""Mail that came long before its row was made is found by its age without a walk over all.

Revision: 0023.
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index: as a rule only imports are in it."""
    where = sa.text("received_at < ((id >> 22) + 1577836800000) * 1000 - 60000000")
    op.create_index(
        "inboxkit_message_earlier",
        "inboxkit_message",
        ["received_at"],
        sqlite_where=where,
        postgresql_where=where,
    )
