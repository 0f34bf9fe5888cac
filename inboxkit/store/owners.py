"""The pods that things belong to: kept from being deleted while something is made for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from ..errors import NotFound
from .api_tables import pod

if TYPE_CHECKING:
    from .transactions import Tx


def hold_pod(tx: Tx, pod_id: str) -> None:
    """Keep a pod from being deleted until this transaction ends; raise NotFound."""
    mine = select(pod.c.id).where(pod.c.id == pod_id)
    if tx.connection.execute(mine.with_for_update(read=True, key_share=True)).first() is None:
        raise NotFound("the pod was deleted meanwhile")
