"""What a send asks its provider for: tracking, a template and what fills it in.

Revision: 0017.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; a program of the version before asks for nothing."""
    op.add_column(
        "inboxkit_content",
        sa.Column("options", sa.JSON(), nullable=False, server_default="{}"),
    )
