"""The tables that only the Mailgun facade needs; the routes are in ``api_tables``.

Private to ``store``, on the MetaData of ``columns``.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
)

from .columns import Moment, metadata

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

# Where the events of all domains are posted to.
mailgun_account_webhook = Table(
    "inboxkit_mailgunaccountwebhook",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("url", String, nullable=False),
    Column("description", String, nullable=False),
    Column("event_types", JSON(none_as_null=True), nullable=False),
    Column("created_at", Moment, nullable=False),
)

# What is said of a tag; that it was used is told by the messages that carry it.
mailgun_tag = Table(
    "inboxkit_mailguntag",
    metadata,
    Column("domain", String, primary_key=True),
    Column("tag", String, primary_key=True),
    Column("description", String, nullable=False),
    Column("deleted_at", Moment, nullable=True),  # listed again when it is used after that
)

# A list of addresses to validate, and how far that has come. ``scope`` is whose it is.
mailgun_list = Table(
    "inboxkit_mailgunlist",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("scope", String, nullable=False),
    Column("name", String, nullable=False),
    Column("lookup", Boolean, nullable=False),  # whether DNS is asked
    Column("status", String, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("processed", Integer, nullable=False),
    Column("counts", JSON(none_as_null=True), nullable=False),
    Column("created_at", Moment, nullable=False),
    Index("inboxkit_mailgunlist_name", "scope", "name", unique=True),
)

# A part of a list, compressed: its addresses, and once it is done the verdicts on them.
mailgun_list_part = Table(
    "inboxkit_mailgunlistpart",
    metadata,
    Column("list_id", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("done", Boolean, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
