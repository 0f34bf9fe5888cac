"""Endpoints and subscriptions know the API key that made them, and end with it.

Revision: 0021.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; what was made before, or by no key of the database, has none."""
    for name in ("inboxkit_endpoint", "inboxkit_subscription"):
        op.add_column(name, sa.Column("key_id", sa.BigInteger(), nullable=True))
