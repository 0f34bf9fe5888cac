"""The tables. Private to ``store``: no row leaves it, and no user's table ever meets ours.

They live on a registry and MetaData of their own, all names begin with ``inboxkit_``. Row ids come
from ``tokens.new_id`` and rise with time, so that a page by id is a page by age.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLModel reads the annotations
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, LargeBinary
from sqlmodel import Field

from .columns import Base, big, id_, json, metadata, moment, partial

_SUBJECT = ("inbox_id", "base_subject", "last_at")


class InboxRow(Base, table=True):
    __table_args__ = (Index("inboxkit_inbox_client", "pod_id", "client_id", unique=True),)
    id: int = id_()
    pod_id: str
    address: str = Field(unique=True)
    display_name: str
    client_id: str | None
    metadata_: dict[str, Any] = Field(sa_column=Column("metadata", JSON, nullable=False))
    status: str
    draft_policy: str
    expires_at: datetime | None = moment(null=True)
    created_at: datetime = moment()
    updated_at: datetime = moment()


class AliasRow(Base, table=True):
    address: str = Field(primary_key=True)
    inbox_id: int = big(index=True)


_UNTAKEN = "taken_at IS NULL AND direction = 'inbound'"
_CODE = "taken_at IS NULL AND otp IS NOT NULL"
# Of a mail that came long before its row was made, as an import says: more than a minute, in
# microseconds since 1970 as moments are, and in milliseconds since 2020 as row ids are.
EARLIER = "received_at < ((id >> 22) + 1577836800000) * 1000 - 60000000"


class MessageRow(Base, table=True):
    """One message of one inbox: the envelope, what lists show, and the state of its way."""

    __table_args__ = (
        Index("inboxkit_message_inbox", "inbox_id", "id"),
        partial("inboxkit_message_thread", "thread_id", "id", where="thread_id IS NOT NULL"),
        partial("inboxkit_message_dedupe", "dedupe", "inbox_id", where="dedupe IS NOT NULL", u=1),
        partial("inboxkit_message_key", "inbox_id", "send_key", where="send_key IS NOT NULL", u=1),
        partial("inboxkit_message_rfc", "message_id", where="direction = 'outbound'"),
        partial("inboxkit_message_provider", "provider_id", where="provider_id IS NOT NULL"),
        partial("inboxkit_message_untaken", "inbox_id", "received_at", where=_UNTAKEN),
        partial("inboxkit_message_code", "inbox_id", "received_at", where=_CODE),
        partial("inboxkit_message_tag", "tag", "inbox_id", "created_at", where="tag <> ''"),
        partial("inboxkit_message_earlier", "received_at", where=EARLIER),
    )
    id: int = id_()
    inbox_id: int = big()
    direction: str
    state: str
    kind: str
    message_id: str
    thread_id: int | None = big(null=True)
    thread_reason: str
    participant: bool
    answers_id: int | None = big(null=True)
    dedupe: str | None
    mail_from: str
    rcpt_to: list[str] = json()
    trace: dict[str, Any] = json()
    sender_email: str
    sender_name: str
    to_: list[Any] = Field(sa_column=Column("to", JSON, nullable=False))
    cc: list[Any] = json()
    bcc: list[Any] = json()
    reply_to: list[Any] = json()
    subject: str
    preview: str
    date_at: datetime | None = moment(null=True)
    received_at: datetime = moment()
    size: int
    sha256: str
    in_reply_to: str
    tag: str
    metadata_: dict[str, str] = Field(sa_column=Column("metadata", JSON, nullable=False))
    unread: bool
    attachment_count: int
    otp: str | None
    link: str | None
    auth: dict[str, str] = json()
    taken_at: datetime | None = moment(null=True)
    send_key: str | None
    fingerprint: str
    automatic: bool
    provider: str
    provider_id: str | None
    send_at: datetime | None = moment(null=True)
    error: str
    created_at: datetime = moment()
    updated_at: datetime = moment()


class ContentRow(Base, table=True):
    """What a message says; apart from its row, so that lists and accepts stay small."""

    message_id: int = id_()
    text: str
    html: str
    reply_text: str
    reply_html: str
    signature: str
    visible_text: str
    headers: list[Any] = json()
    references_: list[str] = Field(sa_column=Column("references", JSON, nullable=False))
    links: list[Any] = json()
    calendar: dict[str, Any] = json()
    defects: list[str] = json()
    kind_reason: str
    # Of a send: what its provider is asked for.
    options: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False, server_default="{}"))


class RawRow(Base, table=True):
    """The bytes as they came: zstd here up to 64 kB, elsewhere above."""

    message_id: int = id_()
    data: bytes | None = Field(sa_column=Column(LargeBinary, nullable=True))
    location: str


class AttachmentRow(Base, table=True):
    id: int = id_()
    message_id: int = big(index=True)
    position: int
    filename: str
    safe_name: str
    content_type: str
    sniffed_type: str
    size: int
    sha256: str
    inline: bool
    content_id: str


class LabelRow(Base, table=True):
    __table_args__ = (Index("inboxkit_label_label", "label", "message_id"),)
    message_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    label: str = Field(primary_key=True)


class ThreadRow(Base, table=True):
    __table_args__ = (
        Index("inboxkit_thread_inbox", "inbox_id", "last_at", "id"),
        Index("inboxkit_thread_subject", *_SUBJECT),
        partial("inboxkit_thread_orphan", *_SUBJECT, where="orphan IS TRUE"),
        Index("inboxkit_thread_topic", "inbox_id", "topic", "last_at"),
        partial("inboxkit_thread_merged", "merged_into", where="merged_into IS NOT NULL"),
    )
    id: int = id_()
    inbox_id: int = big()
    subject: str
    base_subject: str
    topic: str
    participants: list[Any] = json()
    state: dict[str, Any] = json()
    waiting_since: datetime | None = moment(null=True)
    reminders: int
    preview: str
    message_count: int
    size: int
    last_message_id: int | None = big(null=True)
    last_at: datetime = moment()
    received_at: datetime | None = moment(null=True)
    sent_at: datetime | None = moment(null=True)
    merged_into: int | None = big(null=True)
    orphan: bool
    own_marks: list[str] = json()
    quoted_marks: list[str] = json()
    created_at: datetime = moment()
    updated_at: datetime = moment()


class ReferenceRow(Base, table=True):
    """An RFC Message-ID known in an inbox: of a message, a provider's alias, or only cited."""

    inbox_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    rfc_id: str = Field(primary_key=True)
    thread_id: int = big(index=True)
    message_id: int | None = big(null=True)
    outbound: bool
    alias: bool


class EventRow(Base, table=True):
    """The append-only log. ``seq`` rises in commit order, because SQLite has one writer."""

    __table_args__ = (
        Index("inboxkit_event_message", "message_id"),
        Index("inboxkit_event_at", "at", postgresql_using="brin"),  # as they are written
        {"sqlite_autoincrement": True},
    )
    seq: int | None = Field(
        default=None,
        sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    )
    type: str
    at: datetime = moment()
    inbox_id: int = big()
    message_id: int = big()
    thread_id: int | None = big(null=True)
    recipient: str
    hard: bool
    reason_class: str
    reason: str
    data: dict[str, Any] = json()


class JobRow(Base, table=True):
    """Work to do: read, plan, run, send, webhook, timer. Done work leaves the table."""

    __table_args__ = (
        Index("inboxkit_job_key", "kind", "key", unique=True),
        partial("inboxkit_job_due", "kind", "queue", "due_at", where="state = 'ready'"),
        partial("inboxkit_job_next", "kind", "due_at", where="state = 'ready'"),
        partial("inboxkit_job_lane", "lane", "state", "id", where="lane IS NOT NULL"),
        partial("inboxkit_job_worker", "worker_id", where="worker_id IS NOT NULL"),
    )
    id: int = id_()
    kind: str
    key: str
    inbox_id: int = big()
    queue: int = big()
    lane: str | None
    state: str
    due_at: datetime = moment()
    attempts: int
    worker_id: int | None = big(null=True)
    token: int | None = big(null=True)
    error: str
    data: dict[str, Any] = json()


class RunRow(Base, table=True):
    """One planned call of one handler: what ``inboxkit runs`` shows."""

    __table_args__ = (Index("inboxkit_run_message", "message_id"),)
    id: int = id_()
    key: str = Field(unique=True)
    message_id: int = big()
    thread_id: int | None = big(null=True)
    router: str
    handler: str
    kind: str
    item: str
    state: str
    attempts: int
    error: str
    created_at: datetime = moment()
    finished_at: datetime | None = moment(null=True)


class DeliveryRow(Base, table=True):
    """How far a send has come with one recipient; moves only forward."""

    __table_args__ = (
        partial("inboxkit_delivery_provider", "provider_id", where="provider_id IS NOT NULL"),
    )
    message_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    recipient: str = Field(primary_key=True)
    state: str
    reason_class: str
    reason: str
    updated_at: datetime = moment()
    part: int | None = Field(sa_column=Column(BigInteger))  # the request it left in
    provider: str | None  # of a part; a send that left whole names it in its message
    provider_id: str | None


class SuppressionRow(Base, table=True):
    address: str = Field(primary_key=True)
    domain: str = Field(primary_key=True)  # the sending domain, "" for all
    reason: str
    detail: str
    created_at: datetime = moment()


class WebhookRow(Base, table=True):
    """A provider's request as it came, stored before it is answered."""

    __table_args__ = (Index("inboxkit_webhook_dedupe", "provider", "dedupe", unique=True),)
    id: int = id_()
    provider: str
    dedupe: str | None
    method: str
    url: str
    headers: dict[str, str] = json()
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    state: str
    error: str
    received_at: datetime = moment()


class DraftRow(Base, table=True):
    __table_args__ = (Index("inboxkit_draft_client", "inbox_id", "client_id", unique=True),)
    id: int = id_()
    inbox_id: int = big()
    client_id: str | None
    labels: list[str] = json()
    to_: list[str] = Field(sa_column=Column("to", JSON, nullable=False))
    cc: list[str] = json()
    bcc: list[str] = json()
    reply_to: list[str] = json()
    subject: str
    preview: str
    text: str
    html: str
    attachments: list[Any] = json()
    in_reply_to: str
    forward_of: str
    reply_all: bool
    parent_id: int | None = big(null=True)  # the message that is answered or sent on
    references_: list[str] = Field(sa_column=Column("references", JSON, nullable=False))
    extra: dict[str, Any] = json()  # what programs ask for besides: headers, tag, metadata
    error: str
    send_status: str
    send_at: datetime | None = moment(null=True)
    created_at: datetime = moment()
    updated_at: datetime = moment()


class WorkerRow(Base, table=True):
    """A living process; a lease names one. Dead after ten seconds without a beat."""

    id: int = id_()
    host: str
    pid: int
    started_at: datetime = moment()
    beat_at: datetime = moment(index=True)


class SettingRow(Base, table=True):
    """Values of this database itself, such as the secret that signs tokens."""

    key: str = Field(primary_key=True)
    value: str


inbox = metadata.tables["inboxkit_inbox"]
alias = metadata.tables["inboxkit_alias"]
message = metadata.tables["inboxkit_message"]
content = metadata.tables["inboxkit_content"]
raw = metadata.tables["inboxkit_raw"]
attachment = metadata.tables["inboxkit_attachment"]
label = metadata.tables["inboxkit_label"]
thread = metadata.tables["inboxkit_thread"]
reference = metadata.tables["inboxkit_reference"]
event = metadata.tables["inboxkit_event"]
job = metadata.tables["inboxkit_job"]
run = metadata.tables["inboxkit_run"]
delivery = metadata.tables["inboxkit_delivery"]
suppression = metadata.tables["inboxkit_suppression"]
webhook = metadata.tables["inboxkit_webhook"]
draft = metadata.tables["inboxkit_draft"]
worker = metadata.tables["inboxkit_worker"]
setting = metadata.tables["inboxkit_setting"]
