"""How a message travelled and what is wrong with it: mail-parser's view, on demand."""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any, cast

from . import charsets, guard
from .model import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

_LIMITS = Limits()


def forensics(raw: bytes, *, server: str = "") -> dict[str, Any]:
    """Return ``received`` hops (oldest first), ``sender_ip``, ``defects`` and what else it finds.

    ``server`` names the host whose Received field is to be trusted for the sender's IP address;
    by default the one that wrote the topmost. Never raises: what mail-parser cannot read is an
    entry of ``defects``. Slow: not for every message.
    """
    # Imported here because it takes a quarter of a second and few ask for it.
    mailparser: Any = importlib.import_module("mailparser")
    # It logs the words that it cannot decode; what a mail says does not belong in a log.
    logging.getLogger("mailparser").setLevel(logging.CRITICAL + 1)
    found: dict[str, Any] = {"received": [], "sender_ip": None, "defects": []}
    # mail-parser takes quadratic time on long parameters, in the parts too.
    limit = guard.check(raw, _LIMITS) or guard.check_parts(raw, _LIMITS)
    if limit:
        found["defects"].append({"limit": limit})
        raw = guard.head(raw)
    try:
        mail: Any = mailparser.parse_from_bytes(raw)
    except Exception as error:  # noqa: BLE001  it raises on some malformed mails
        found["defects"].append(_broken("parse", error))
        return found
    _fill(found, mail, server)
    return found


def _fill(found: dict[str, Any], mail: Any, server: str) -> None:
    steps: dict[str, Callable[[], Any]] = {
        "received": lambda: mail.received,
        "sender_ip": lambda: mail.get_server_ipaddress(server or _receiver(found["received"])),
        "date": lambda: mail.date,
        "timezone": lambda: mail.timezone,
        "to_domains": lambda: mail.to_domains,
        "address_defects": lambda: mail.address_header_defects,
        "date_defects": lambda: mail.date_header_defects,
        "received_defects": lambda: mail.received_header_defects,
    }
    try:
        found["defects"] += [_plain(defect) for defect in mail.defects]
    except Exception as error:  # noqa: BLE001  foreign code on foreign input
        found["defects"].append(_broken("defects", error))
    for name, step in steps.items():
        try:
            found[name] = _plain(step())
        except Exception as error:  # noqa: BLE001  foreign code on foreign input
            found["defects"].append(_broken(name, error))


def _receiver(received: list[dict[str, Any]]) -> str:
    # The host that wrote the topmost Received field.
    words = str(received[-1].get("by", "")).split() if received else []
    return words[0] if words else ""


def _broken(step: str, error: Exception) -> dict[str, str]:
    return {step: f"{type(error).__name__}: {error}"[:200]}


def _plain(value: object) -> Any:
    # What JSON can hold.
    if isinstance(value, dict):
        pairs = cast("dict[object, object]", value).items()
        return {str(key): _plain(item) for key, item in pairs}
    if isinstance(value, (set, frozenset)):
        return sorted(str(item) for item in cast("set[object]", value))
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in cast("list[object]", value)]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return charsets.clean(str(value))
