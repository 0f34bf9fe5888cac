"""On SQLite each message has a word for its inbox in the full-text index, and one for all.

So a search in one inbox does not walk over the hits of all others. Processes of the version before
write the words too, as the view does it, and do not ask for them.

Revision: 0013.
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_SQLITE = (
    "DROP VIEW inboxkit_searchable",
    "CREATE VIEW inboxkit_searchable AS SELECT m.id AS id, m.subject AS subject,"
    " m.sender_email || ' ' || m.sender_name AS sender, m.\"to\" || ' ' || m.cc"
    " || ' inboxkitof' || m.inbox_id || ' inboxkitof0' AS recipients, c.text AS body"
    " FROM inboxkit_message m JOIN inboxkit_content c ON c.message_id = m.id",
    "INSERT INTO inboxkit_search(inboxkit_search) VALUES ('rebuild')",
)


def upgrade() -> None:
    """Write the index anew: half a minute for each million messages."""
    if op.get_bind().dialect.name == "sqlite":
        for statement in _SQLITE:
            op.execute(statement)
