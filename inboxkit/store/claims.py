"""Claims: whether a caller may have a new inbox of an address, or it is another tenant's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..addresses import check_address
from ..errors import InboxKitError
from ..tokens import new_id
from . import domains, inboxes
from .api_tables import DEFAULT_POD
from .inboxes import DELETING
from .owners import hold_pod

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection

    from .inboxes import InboxRecord
    from .reach import Reach
    from .transactions import Tx


class Taken(InboxKitError):
    """The address belongs to another inbox, or to another tenant."""


def check(connection: Connection, reach: Reach, address: str, *, shared: str) -> None:
    """Raise Taken when the address lies in another pod's domain, or is a plus-tag of its inbox.

    ``shared`` is the domain that all pods have their inboxes in, whoever has set it up.
    """
    name = check_address(address).rpartition("@")[2].lower()
    owner = None if name == shared.lower() else domains.around(connection, name)
    if owner is not None and not owner.is_open_to(reach.pod_id):
        raise Taken(f"the domain {name} is not open to this key; choose another domain")
    base = inboxes.find_base(connection, address)
    if base is not None and not reach.holds(base.pod_id, base.id):
        raise Taken(f"the address {address} is not open to this key; choose one without a plus")


def hold_owner(tx: Tx, *, pod_id: str | None, inbox_id: int | None) -> None:
    """Keep the inbox or the pod that something is made for from being deleted; raise NotFound.

    What belongs to neither may be made at any time.
    """
    if inbox_id is not None:
        if not inboxes.hold(tx, inbox_id):
            raise inboxes.InboxGone
    elif pod_id is not None:
        hold_pod(tx, pod_id)


def make(
    tx: Tx,
    reach: Reach,
    address: str,
    *,
    shared: str,
    client_id: str | None,
    now: datetime,
    display_name: str = "",
    metadata: Mapping[str, Any] | None = None,
    status: str = "active",
) -> InboxRecord:
    """Make an inbox that is new; raise Taken when somebody has the address.

    The same ``client_id`` returns the inbox that was made under it.
    """
    pod_id = reach.pod_id or DEFAULT_POD
    known = None if client_id is None else inboxes.find_client(tx.connection, client_id, pod_id)
    if known is not None and known.status != DELETING:
        return known
    if inboxes.find(tx.connection, address) is not None:
        name = inboxes.normalize(address)
        raise Taken(f"the address {name} is taken; choose another username")
    check(tx.connection, reach, address, shared=shared)
    hold_pod(tx, pod_id)
    number = new_id()
    made = inboxes.create(
        tx,
        address,
        row_id=number,
        now=now,
        display_name=display_name,
        metadata=metadata,
        client_id=client_id,
        pod_id=pod_id,
        status=status,
    )
    is_the_callers = client_id is not None and (made.client_id, made.pod_id) == (client_id, pod_id)
    if made.id != number and not is_the_callers:  # another transaction made it meanwhile
        raise Taken(f"the address {made.address} is taken; choose another username")
    return made
