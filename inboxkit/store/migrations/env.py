"""Run the migrations on the connection that ``store.schema`` hands over."""

from alembic import context

from inboxkit.store import api_tables

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=api_tables.pod.metadata,
    version_table="inboxkit_version",
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
