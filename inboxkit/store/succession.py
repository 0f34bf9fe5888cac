"""What came in a thread after a send of ours, whatever the hosts' clocks say.

Row ids follow the clock of the host that made them, and clocks differ. What answers the send came
after it whatever its id says, and what the send cites came before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, bindparam, not_, or_

from .prepared import among
from .tables import message

if TYPE_CHECKING:
    from ..models import Message

_later = and_(message.c.id > bindparam("sent"), not_(among(message.c.message_id, "before")))
# Of a row: ``sent`` is the row id of the send, ``before`` what it has ``cited``.
CAME_AFTER = or_(message.c.answers_id == bindparam("sent"), _later)


def cited(sent: Message) -> frozenset[str]:
    """Return the Message-IDs of what came before a send."""
    return frozenset(filter(None, (*sent.references, sent.in_reply_to)))
