"""The tables of the first release.

Revision: 0001.
"""

import sqlalchemy as sa
from alembic import op

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
    _alias()
    _alias_indexes()
    _attachment()
    _attachment_indexes()
    _content()
    _delivery()
    _draft()
    _draft_indexes()
    _event()
    _event_indexes()
    _inbox()
    _inbox_indexes()
    _job()
    _job_indexes()
    _label()
    _label_indexes()
    _message()
    _message_indexes()
    _raw()
    _reference()
    _reference_indexes()
    _run()
    _run_indexes()
    _setting()
    _suppression()
    _thread()
    _thread_indexes()
    _webhook()
    _webhook_indexes()
    _worker()
    _worker_indexes()
    for statement in _SEARCH if op.get_bind().dialect.name == "sqlite" else _POSTGRES:
        op.execute(statement)


def _alias() -> None:
    op.create_table(
        "inboxkit_alias",
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("inbox_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("address"),
    )


def _alias_indexes() -> None:
    op.create_index("ix_inboxkit_alias_inbox_id", "inboxkit_alias", ["inbox_id"], unique=False)


def _attachment() -> None:
    op.create_table(
        "inboxkit_attachment",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("safe_name", sa.String(), nullable=False),
        sa.Column("content_type", sa.String(), nullable=False),
        sa.Column("sniffed_type", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("inline", sa.Boolean(), nullable=False),
        sa.Column("content_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _attachment_indexes() -> None:
    op.create_index(
        "ix_inboxkit_attachment_message_id", "inboxkit_attachment", ["message_id"], unique=False
    )


def _content() -> None:
    op.create_table(
        "inboxkit_content",
        sa.Column("message_id", _ROW_ID, nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("html", sa.String(), nullable=False),
        sa.Column("reply_text", sa.String(), nullable=False),
        sa.Column("reply_html", sa.String(), nullable=False),
        sa.Column("signature", sa.String(), nullable=False),
        sa.Column("visible_text", sa.String(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("references", sa.JSON(), nullable=False),
        sa.Column("links", sa.JSON(), nullable=False),
        sa.Column("calendar", sa.JSON(), nullable=False),
        sa.Column("defects", sa.JSON(), nullable=False),
        sa.Column("kind_reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("message_id"),
    )


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


def _draft() -> None:
    op.create_table(
        "inboxkit_draft",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("inbox_id", sa.BigInteger(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=True),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("to", sa.JSON(), nullable=False),
        sa.Column("cc", sa.JSON(), nullable=False),
        sa.Column("bcc", sa.JSON(), nullable=False),
        sa.Column("reply_to", sa.JSON(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("preview", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("html", sa.String(), nullable=False),
        sa.Column("attachments", sa.JSON(), nullable=False),
        sa.Column("in_reply_to", sa.String(), nullable=False),
        sa.Column("references", sa.JSON(), nullable=False),
        sa.Column("send_status", sa.String(), nullable=False),
        sa.Column("send_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _draft_indexes() -> None:
    op.create_index(
        "inboxkit_draft_client", "inboxkit_draft", ["inbox_id", "client_id"], unique=True
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


def _event_indexes() -> None:
    op.create_index("inboxkit_event_message", "inboxkit_event", ["message_id"], unique=False)


def _inbox() -> None:
    op.create_table(
        "inboxkit_inbox",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("pod_id", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=True),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("draft_policy", sa.String(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("address"),
    )


def _inbox_indexes() -> None:
    op.create_index("inboxkit_inbox_client", "inboxkit_inbox", ["pod_id", "client_id"], unique=True)


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


def _job_indexes() -> None:
    op.create_index(
        "inboxkit_job_due",
        "inboxkit_job",
        ["kind", "inbox_id", "due_at"],
        unique=False,
        sqlite_where=sa.text("state = 'ready'"),
        postgresql_where=sa.text("state = 'ready'"),
    )
    op.create_index("inboxkit_job_key", "inboxkit_job", ["kind", "key"], unique=True)
    op.create_index(
        "inboxkit_job_lane",
        "inboxkit_job",
        ["lane", "id"],
        unique=False,
        sqlite_where=sa.text("lane IS NOT NULL"),
        postgresql_where=sa.text("lane IS NOT NULL"),
    )
    op.create_index(
        "inboxkit_job_next",
        "inboxkit_job",
        ["kind", "due_at"],
        unique=False,
        sqlite_where=sa.text("state = 'ready'"),
        postgresql_where=sa.text("state = 'ready'"),
    )
    op.create_index(
        "inboxkit_job_worker",
        "inboxkit_job",
        ["worker_id"],
        unique=False,
        sqlite_where=sa.text("worker_id IS NOT NULL"),
        postgresql_where=sa.text("worker_id IS NOT NULL"),
    )


def _label() -> None:
    op.create_table(
        "inboxkit_label",
        sa.Column("message_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", "label"),
    )


def _label_indexes() -> None:
    op.create_index("inboxkit_label_label", "inboxkit_label", ["label", "message_id"], unique=False)


def _message() -> None:
    op.create_table(
        "inboxkit_message",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("inbox_id", sa.BigInteger(), nullable=False),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("thread_id", sa.BigInteger(), nullable=True),
        sa.Column("thread_reason", sa.String(), nullable=False),
        sa.Column("participant", sa.Boolean(), nullable=False),
        sa.Column("answers_id", sa.BigInteger(), nullable=True),
        sa.Column("dedupe", sa.String(), nullable=True),
        sa.Column("mail_from", sa.String(), nullable=False),
        sa.Column("rcpt_to", sa.JSON(), nullable=False),
        sa.Column("trace", sa.JSON(), nullable=False),
        sa.Column("sender_email", sa.String(), nullable=False),
        sa.Column("sender_name", sa.String(), nullable=False),
        sa.Column("to", sa.JSON(), nullable=False),
        sa.Column("cc", sa.JSON(), nullable=False),
        sa.Column("bcc", sa.JSON(), nullable=False),
        sa.Column("reply_to", sa.JSON(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("preview", sa.String(), nullable=False),
        sa.Column("date_at", sa.BigInteger(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("in_reply_to", sa.String(), nullable=False),
        sa.Column("tag", sa.String(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("unread", sa.Boolean(), nullable=False),
        sa.Column("attachment_count", sa.Integer(), nullable=False),
        sa.Column("otp", sa.String(), nullable=True),
        sa.Column("link", sa.String(), nullable=True),
        sa.Column("auth", sa.JSON(), nullable=False),
        sa.Column("taken_at", sa.BigInteger(), nullable=True),
        sa.Column("send_key", sa.String(), nullable=True),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=True),
        sa.Column("send_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _message_indexes() -> None:
    op.create_index(
        "inboxkit_message_dedupe",
        "inboxkit_message",
        ["dedupe", "inbox_id"],
        unique=True,
        sqlite_where=sa.text("dedupe IS NOT NULL"),
        postgresql_where=sa.text("dedupe IS NOT NULL"),
    )
    op.create_index("inboxkit_message_inbox", "inboxkit_message", ["inbox_id", "id"], unique=False)
    op.create_index(
        "inboxkit_message_key",
        "inboxkit_message",
        ["inbox_id", "send_key"],
        unique=True,
        sqlite_where=sa.text("send_key IS NOT NULL"),
        postgresql_where=sa.text("send_key IS NOT NULL"),
    )
    op.create_index(
        "inboxkit_message_provider",
        "inboxkit_message",
        ["provider_id"],
        unique=False,
        sqlite_where=sa.text("provider_id IS NOT NULL"),
        postgresql_where=sa.text("provider_id IS NOT NULL"),
    )
    op.create_index(
        "inboxkit_message_rfc",
        "inboxkit_message",
        ["message_id"],
        unique=False,
        sqlite_where=sa.text("direction = 'outbound'"),
        postgresql_where=sa.text("direction = 'outbound'"),
    )
    op.create_index(
        "inboxkit_message_thread",
        "inboxkit_message",
        ["thread_id", "id"],
        unique=False,
        sqlite_where=sa.text("thread_id IS NOT NULL"),
        postgresql_where=sa.text("thread_id IS NOT NULL"),
    )


def _raw() -> None:
    op.create_table(
        "inboxkit_raw",
        sa.Column("message_id", _ROW_ID, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=True),
        sa.Column("location", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("message_id"),
    )


def _reference() -> None:
    op.create_table(
        "inboxkit_reference",
        sa.Column("inbox_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("rfc_id", sa.String(), nullable=False),
        sa.Column("thread_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("outbound", sa.Boolean(), nullable=False),
        sa.Column("alias", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("inbox_id", "rfc_id"),
    )


def _reference_indexes() -> None:
    op.create_index(
        "ix_inboxkit_reference_thread_id", "inboxkit_reference", ["thread_id"], unique=False
    )


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


def _run_indexes() -> None:
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


def _thread() -> None:
    op.create_table(
        "inboxkit_thread",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("inbox_id", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("base_subject", sa.String(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("participants", sa.JSON(), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.Column("waiting_since", sa.BigInteger(), nullable=True),
        sa.Column("reminders", sa.Integer(), nullable=False),
        sa.Column("preview", sa.String(), nullable=False),
        sa.Column("message_count", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("last_message_id", sa.BigInteger(), nullable=True),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=True),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("merged_into", sa.BigInteger(), nullable=True),
        sa.Column("orphan", sa.Boolean(), nullable=False),
        sa.Column("own_marks", sa.JSON(), nullable=False),
        sa.Column("quoted_marks", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _thread_indexes() -> None:
    op.create_index(
        "inboxkit_thread_inbox", "inboxkit_thread", ["inbox_id", "last_at"], unique=False
    )
    op.create_index(
        "inboxkit_thread_subject",
        "inboxkit_thread",
        ["inbox_id", "base_subject", "last_at"],
        unique=False,
    )
    op.create_index("inboxkit_thread_topic", "inboxkit_thread", ["inbox_id", "topic"], unique=False)


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


def _webhook_indexes() -> None:
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


def _worker_indexes() -> None:
    op.create_index("ix_inboxkit_worker_beat_at", "inboxkit_worker", ["beat_at"], unique=False)
