"""Lists of threads need no sorting; on SQLite each message has a word for its inbox in the index.

So a search in one inbox does not walk over the hits of all others, and there is a word that all
have. Processes of the version before write them too, as the view does it, and do not ask for them.

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
    """Write the full-text index anew: about a minute for a million messages."""
    op.drop_index("inboxkit_thread_inbox", "inboxkit_thread")
    op.create_index(
        "inboxkit_thread_inbox", "inboxkit_thread", ["inbox_id", "last_at", "id"], unique=False
    )
    if op.get_bind().dialect.name == "sqlite":
        for statement in _SQLITE:
            op.execute(statement)
