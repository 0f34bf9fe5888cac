"""Events of a stretch of time are counted without walking over the whole log.

Revision: 0014.
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Index their moments; on PostgreSQL by ranges of pages, as they are written in order."""
    op.create_index("inboxkit_event_at", "inboxkit_event", ["at"], postgresql_using="brin")
