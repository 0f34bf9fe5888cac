"""What a handler sends from an inbox whose mails a person approves: a draft instead of a send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .store.drafts import DraftRecord
from .store.records import addresses
from .tokens import new_id, row_id

if TYPE_CHECKING:
    from datetime import datetime

    from .sending import Context
    from .store.sends import Staged
    from .values import Draft


def held(draft: Draft, context: Context, staged: Staged, now: datetime) -> DraftRecord:
    """Return the draft of a send that was composed; its files stay with the ``draft``."""
    row, parent, original = staged.row, context.parent, context.original
    about = parent or original
    return DraftRecord(
        id=new_id(),
        inbox_id=context.inbox.id,
        inbox=context.inbox.address,
        to=tuple(map(str, addresses(row["to"]))),
        cc=tuple(map(str, addresses(row["cc"]))),
        bcc=tuple(map(str, addresses(row["bcc"]))),
        reply_to=draft.reply_to,
        subject=staged.subject,
        text=draft.text,
        html=draft.html,
        in_reply_to="" if parent is None else parent.message_id,
        parent_id=None if about is None else row_id("msg", about.id),
        forward_of="" if original is None else original.message_id or original.id,
        references=staged.references,
        extra={
            "options": draft.options.given(),
            "headers": dict(draft.headers),
            "tag": draft.tag,
            "metadata": dict(draft.metadata),
            "key": draft.key,
            "whole": True,  # a program's words go as they are, without what they answer
        },
        created_at=now,
        updated_at=now,
    )
