"""The tables of the first release.

Revision: 0001.
"""

import sqlalchemy as sa
from alembic import op

from inboxkit.store.migrations import first_mail

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_SEARCH = (
    "CREATE VIEW IF NOT EXISTS inboxkit_searchable AS SELECT m.id AS id, m.subject AS"
    " subject, m.sender_email || ' ' || m.sender_name AS sender, m.\"to\" || ' ' || m.c"
    "c AS recipients, c.text AS body FROM inboxkit_message m JOIN inboxkit_content c "
    "ON c.message_id = m.id",
    "CREATE VIRTUAL TABLE IF NOT EXISTS inboxkit_search USING fts5(subject, sender, r"
    "ecipients, body, content='inboxkit_searchable', content_rowid='id', tokenize='un"
    "icode61 remove_diacritics 2')",
)
# Events are numbered by their transaction, then by their order in it: numbers rise with what has
# become visible. A reader stops at the horizon, below which no transaction is open any more.
# ``inboxkit_epoch`` keeps them rising when a dump is restored where transactions count from less.
_POSTGRES = (
    "CREATE TABLE inboxkit_search (message_id BIGINT PRIMARY KEY, words TSVECTOR NOT NULL)",
    "CREATE INDEX inboxkit_search_words ON inboxkit_search USING gin (words)"
    " WITH (gin_pending_list_limit = 1024)",
    "CREATE SEQUENCE inboxkit_event_order",
    "CREATE FUNCTION inboxkit_epoch() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 0::bigint'",
    "CREATE FUNCTION inboxkit_event_number() RETURNS bigint LANGUAGE sql VOLATILE AS"
    " 'SELECT ((pg_current_xact_id()::text::bigint + inboxkit_epoch()) << 20)"
    " | (nextval(''inboxkit_event_order'') & 1048575)'",
    "CREATE FUNCTION inboxkit_event_horizon() RETURNS bigint LANGUAGE sql STABLE AS"
    " 'SELECT (pg_snapshot_xmin(pg_current_snapshot())::text::bigint + inboxkit_epoch()) << 20'",
    "ALTER TABLE inboxkit_event ALTER COLUMN seq SET DEFAULT inboxkit_event_number()",
    "DROP SEQUENCE inboxkit_event_seq_seq",
)


def upgrade() -> None:
    first_mail.alias()
    first_mail.attachment()
    first_mail.content()
    _delivery()
    first_mail.draft()
    _event()
    first_mail.inbox()
    _job()
    first_mail.label()
    first_mail.message()
    first_mail.raw()
    first_mail.reference()
    _run()
    _setting()
    _suppression()
    first_mail.thread()
    _webhook()
    _worker()
    for statement in _SEARCH if op.get_bind().dialect.name == "sqlite" else _POSTGRES:
        op.execute(statement)


def _delivery() -> None:
    op.create_table(
        "inboxkit_delivery",
        sa.Column("message_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason_class", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", "recipient"),
    )


def _event() -> None:
    op.create_table(
        "inboxkit_event",
        sa.Column("seq", _ROW_ID, nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("inbox_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("thread_id", sa.BigInteger(), nullable=True),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("hard", sa.Boolean(), nullable=False),
        sa.Column("reason_class", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_autoincrement=True,
    )
    op.create_index("inboxkit_event_message", "inboxkit_event", ["message_id"], unique=False)


def _job() -> None:
    op.create_table(
        "inboxkit_job",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("inbox_id", sa.BigInteger(), nullable=False),
        sa.Column("lane", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("worker_id", sa.BigInteger(), nullable=True),
        sa.Column("token", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    _job_indexes()


def _job_indexes() -> None:
    first_mail.partial("job", "due", ["kind", "inbox_id", "due_at"], "state = 'ready'")
    op.create_index("inboxkit_job_key", "inboxkit_job", ["kind", "key"], unique=True)
    first_mail.partial("job", "lane", ["lane", "id"], "lane IS NOT NULL")
    first_mail.partial("job", "next", ["kind", "due_at"], "state = 'ready'")
    first_mail.partial("job", "worker", ["worker_id"], "worker_id IS NOT NULL")


def _run() -> None:
    op.create_table(
        "inboxkit_run",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("thread_id", sa.BigInteger(), nullable=True),
        sa.Column("router", sa.String(), nullable=False),
        sa.Column("handler", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("item", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_index("inboxkit_run_message", "inboxkit_run", ["message_id"], unique=False)


def _setting() -> None:
    op.create_table(
        "inboxkit_setting",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )


def _suppression() -> None:
    op.create_table(
        "inboxkit_suppression",
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("address", "domain"),
    )


def _webhook() -> None:
    op.create_table(
        "inboxkit_webhook",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("dedupe", sa.String(), nullable=True),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "inboxkit_webhook_dedupe", "inboxkit_webhook", ["provider", "dedupe"], unique=True
    )


def _worker() -> None:
    op.create_table(
        "inboxkit_worker",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("beat_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_inboxkit_worker_beat_at", "inboxkit_worker", ["beat_at"], unique=False)
