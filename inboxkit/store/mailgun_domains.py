"""Which domains there are for Mailgun's sake: those set up here, and those that inboxes have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from .api_tables import domain
from .mailgun_sends import of_domain
from .tables import inbox

if TYPE_CHECKING:
    from .reach import Reach


def is_known(connection: Connection, reach: Reach, name: str) -> bool:
    """Whether a domain is set up within reach, or an inbox within reach has it."""
    mine = domain.c.id == name
    if reach.pod_id is not None:
        mine &= domain.c.pod_id == reach.pod_id
    set_up = select(domain.c.id).where(mine)
    if reach.inbox_id is None and connection.execute(set_up).first() is not None:
        return True
    used = select(inbox.c.id).where(reach.inboxes(), of_domain(name)).limit(1)
    return connection.execute(used).first() is not None
