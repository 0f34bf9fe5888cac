"""What a worker holds: a leased piece of work."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Job:
    """A leased piece of work."""

    id: int
    kind: str
    key: str
    inbox_id: int
    due_at: datetime
    attempts: int
    token: int
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    lane: str | None = None
    queue: int = 0
