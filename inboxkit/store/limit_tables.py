"""The tables of what holds sends back: rates, requests under way, providers that are down, caps.

Private to ``store``, on the MetaData of ``columns``. All processes on a database share them.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table

from .columns import Moment, metadata

pace = Table(
    "inboxkit_pace",
    metadata,
    Column("provider", String, primary_key=True),
    Column("rate", String, primary_key=True),  # as the settings have it: 14/s
    Column("next_at", Moment, nullable=False),
)

slot = Table(
    "inboxkit_slot",
    metadata,
    Column("job_id", BigInteger, primary_key=True, autoincrement=False),
    Column("token", BigInteger, nullable=False),  # of the lease: it counts while that is held
    Column("provider", String, nullable=False),
    Index("inboxkit_slot_provider", "provider"),
)

circuit = Table(
    "inboxkit_circuit",
    metadata,
    Column("provider", String, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("until", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("reason", String, nullable=False),
)

replies = Table(
    "inboxkit_replies",
    metadata,
    Column("inbox_id", BigInteger, primary_key=True, autoincrement=False),
    Column("about", String, primary_key=True),  # the inbox, a thread of it, or a correspondent
    Column("minute", Integer, primary_key=True, autoincrement=False),  # since 1970
    Column("number", Integer, nullable=False),  # of automatic replies
    Index("inboxkit_replies_minute", "minute"),
)
