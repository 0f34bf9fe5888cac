"""Large messages on PostgreSQL in parts, which are not compressed a second time.

Revision: 0016.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table, and keep PostgreSQL from compressing what zstd has compressed."""
    op.create_table(
        "inboxkit_chunk",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "number"),
    )
    if op.get_bind().dialect.name == "postgresql":
        for table in ("inboxkit_chunk", "inboxkit_raw"):
            op.execute(f"ALTER TABLE {table} ALTER COLUMN data SET STORAGE EXTERNAL")
