"""The tables that only the Mailgun facade needs; the routes are in ``api_tables``.

Private to ``store``, on the MetaData of ``tables``.
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, String, Table

from .tables import Moment, metadata

# What a send was asked for beyond what its message holds.
mailgun_send = Table(
    "inboxkit_mailgunsend",
    metadata,
    Column("message_id", BigInteger, primary_key=True, autoincrement=False),
    Column("tags", JSON(none_as_null=True), nullable=False),
    Column("is_test", Boolean, nullable=False),
)

# Where a domain's events of one name are posted to.
mailgun_webhook = Table(
    "inboxkit_mailgunwebhook",
    metadata,
    Column("domain", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("urls", JSON(none_as_null=True), nullable=False),
    Column("updated_at", Moment, nullable=False),
)

# Addresses and domains that a bounce does not put on the list of bounces.
mailgun_allow = Table(
    "inboxkit_mailgunallow",
    metadata,
    Column("domain", String, primary_key=True),  # the sending domain
    Column("value", String, primary_key=True),
    Column("kind", String, nullable=False),  # address, domain
    Column("reason", String, nullable=False),
    Column("created_at", Moment, nullable=False),
    Index("inboxkit_mailgunallow_value", "value"),
)
