"""Run the migrations on the connection that ``store.schema`` hands over."""

from alembic import context

from inboxkit.store import api_tables, chunks, columns, limit_tables, mailgun_tables, tables

# Imported, because they define tables.
_ALL = (api_tables, chunks, limit_tables, mailgun_tables, tables)
connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=columns.metadata,
    version_table="inboxkit_version",
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
