"""A send to many recipients leaves in parts: which request each recipient's mail left in.

Revision: 0009.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the part, and the provider's id of a part."""
    for column in (
        sa.Column("part", sa.BigInteger(), nullable=True),
        sa.Column("provider", sa.String(), nullable=True),
        sa.Column("provider_id", sa.String(), nullable=True),
    ):
        op.add_column("inboxkit_delivery", column)
    op.create_index(
        "inboxkit_delivery_provider",
        "inboxkit_delivery",
        ["provider_id"],
        unique=False,
        sqlite_where=sa.text("provider_id IS NOT NULL"),
        postgresql_where=sa.text("provider_id IS NOT NULL"),
    )
