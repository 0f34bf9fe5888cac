"""Reach: the part of the store that one caller may see. Every query of the API is bound by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, select, true

from .tables import inbox

if TYPE_CHECKING:
    from collections.abc import Sequence

HIDDEN_LABELS = ("spam", "blocked", "unauthenticated", "trash")


@dataclass(frozen=True, slots=True)
class Reach:
    """One inbox, one pod, or (both None) everything; without what carries a forbidden label."""

    pod_id: str | None = None
    inbox_id: int | None = None
    forbidden: Sequence[str] = ()

    def inboxes(self) -> ColumnElement[bool]:
        """Return what holds for the inboxes within reach."""
        found: ColumnElement[bool] = true()
        if self.inbox_id is not None:
            found &= inbox.c.id == self.inbox_id
        if self.pod_id is not None:
            found &= inbox.c.pod_id == self.pod_id
        return found

    def owns(self, column: Any) -> ColumnElement[bool]:
        """Return what holds for rows whose ``column`` names an inbox within reach."""
        found: ColumnElement[bool] = true()
        if self.inbox_id is not None:
            found &= column == self.inbox_id
        elif self.pod_id is not None:
            found &= column.in_(select(inbox.c.id).where(inbox.c.pod_id == self.pod_id))
        return found

    def holds(self, pod_id: str | None, inbox_id: int | None) -> bool:
        """Whether a thing of this pod and inbox (None: of no single one) lies within reach."""
        if self.inbox_id is not None:
            return inbox_id == self.inbox_id
        return self.pod_id is None or pod_id == self.pod_id


EVERYTHING = Reach()
