"""What waits look for is found by when it came, not by walking over the whole inbox.

Revision: 0018.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two indexes of what no wait has taken yet."""
    for name, condition in (
        ("inboxkit_message_untaken", "taken_at IS NULL AND direction = 'inbound'"),
        ("inboxkit_message_code", "taken_at IS NULL AND otp IS NOT NULL"),
    ):
        where = sa.text(condition)
        op.create_index(
            name,
            "inboxkit_message",
            ["inbox_id", "received_at"],
            sqlite_where=where,
            postgresql_where=where,
        )
