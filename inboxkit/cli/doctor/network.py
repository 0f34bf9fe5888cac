"""Ports on this machine, the bucket, and, when asked for, the DNS of a domain."""

from __future__ import annotations

import errno
import http.client
import os
import socket
from typing import TYPE_CHECKING

from ...dkim_keys import public_record
from ...dns_records import MISSING, VALID, Wanted, checked, host_for, records
from ...errors import ConfigurationError, InboxKitError, RemoteError
from ...settings import host_port, without_secrets
from ...store.store import open_bucket
from ..serving import binds
from .points import fault, ok, warning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ...dns_records import DnsRecord
    from ...resolving import Resolver
    from ...settings import Settings
    from ...store.domains import DomainRecord
    from .points import Point

_SECONDS = 3.0
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_REASONS = {
    "value_mismatch": "what is there says something else",
    "duplicate_records": "there is more than one, which counts as none",
}


def ports(settings: Settings) -> Iterator[Point]:
    """Whether the ports that are to be bound are free, or served by an inboxkit already."""
    smtp, web = binds(settings)
    if smtp:
        yield _port("port smtp", smtp, lambda host, port: _greeting(settings, host, port))
    if web:
        yield _port("port http", web, _readiness)


def _port(check: str, bind: str, ours: Callable[[str, int], str | None]) -> Point:
    host, port = host_port(bind)
    try:
        _try_bind(host, port)
    except OSError as error:
        said = f"{bind}: {error.strerror or error}"
        if error.errno == errno.EACCES:
            fix = "ports below 1024 need CAP_NET_BIND_SERVICE, as deploy/inboxkit.service gives it"
            return fault(check, said, fix)
        if error.errno != errno.EADDRINUSE:
            return fault(check, said, "name an address of this machine, as 127.0.0.1:1025")
    else:
        return ok(check, f"{bind} is free")
    told = ours(_ANYWHERE.get(host, host), port)
    if told is None:
        return fault(check, f"{bind} is taken by another program", "stop it, or take another port")
    if told:
        return fault(check, f"{bind} is served by inboxkit, which says: {told}", "see its log")
    return ok(check, f"{bind} is served by inboxkit already")


def _try_bind(host: str, port: int) -> None:
    """Bind each address of a host for a moment, as asyncio does; raise OSError."""
    places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    for family, kind, protocol, _, address in places:
        with socket.socket(family, kind, protocol) as tried:
            if os.name == "posix":  # on Windows it would let two programs have a port
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                tried.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            tried.bind(address)


def _greeting(settings: Settings, host: str, port: int) -> str | None:
    """Return "" when our listener greets; one that waits for a PROXY line greets nobody."""
    try:
        with socket.create_connection((host, port), _SECONDS) as line:
            if settings.smtp_proxy_protocol:
                line.sendall(b"PROXY UNKNOWN\r\n")
            said = line.recv(512)
            line.sendall(b"QUIT\r\n")
    except OSError:
        return None
    return "" if said.startswith(f"220 {settings.hostname} ESMTP".encode()) else None


def _readiness(host: str, port: int) -> str | None:
    """Return what our server says is wrong, "" for nothing; None when it is not ours."""
    try:
        if _asked(host, port, "/livez") != (200, "ok"):
            return None
        status, said = _asked(host, port, "/readyz")
    except (OSError, http.client.HTTPException):
        return None
    return "" if status == 200 else said


def _asked(host: str, port: int, path: str) -> tuple[int, str]:
    line = http.client.HTTPConnection(host, port, timeout=_SECONDS)
    try:
        line.request("GET", path)
        answer = line.getresponse()
        return answer.status, answer.read(500).decode(errors="replace")
    finally:
        line.close()


def object_store(settings: Settings) -> Iterator[Point]:
    """Whether the bucket takes an object, gives it back and deletes it."""
    if not settings.object_store:
        return
    check = "object store"
    try:
        bucket = open_bucket(settings.object_store, settings.provider_options("object_store"))
        try:
            bucket.probe()
        finally:
            bucket.close()
    except InboxKitError as error:
        yield fault(check, str(error), "see docs/scale.md for its settings and what a key must do")
    else:
        yield ok(
            check,
            f"{without_secrets(settings.object_store)}: an object was written, read and deleted",
        )


def dns(
    name: str, settings: Settings, made: DomainRecord | None, resolver: Resolver
) -> Iterator[Point]:
    """Whether DNS has the records of a domain; ``made`` is what is stored of it."""
    for record in _records(name, settings, made):
        check = f"dns {_kind(record)} {name}"
        try:
            yield _judged(check, checked(record, resolver))
        except (ConfigurationError, RemoteError) as error:
            yield fault(check, str(error), "see the setting dns_servers, and docs/domains.md")
    if made is None:
        yield warning(
            f"dns DKIM {name}",
            "no key of this domain is here: the provider smtp signs nothing that it sends",
            "make it with POST /v0/domains (docs/domains.md), unless your provider signs",
        )


def _records(name: str, settings: Settings, made: DomainRecord | None) -> Sequence[DnsRecord]:
    if made is not None:
        dkim, selector = public_record(made.key), made.dkim_selector
        inbound, below = made.inbound_enabled, made.subdomains_enabled
    else:
        dkim, selector, inbound, below = "v=DKIM1; p=", "", True, False
    host = host_for(name, settings.hostname)
    found = records(
        Wanted(
            domain=name,
            host=host,
            selector=selector,
            dkim=dkim,
            inbound=inbound,
            subdomains=below,
        )
    )
    return [record for record in found if made is not None or _kind(record) != "DKIM"]


def _kind(record: DnsRecord) -> str:
    if record.type == "MX":
        return "MX" if not record.name.startswith("*.") else "MX *."
    return {"v=spf1": "SPF", "v=DKIM1": "DKIM"}.get(record.value.split(";")[0].split()[0], "DMARC")


def _judged(check: str, record: DnsRecord) -> Point:
    if record.status == VALID:
        return ok(check, f"{record.name} says what it must")
    wanted = f"{record.name} {record.type} {record.value}"
    if record.status == MISSING:
        found, fix = f"{record.name} has none", f"add: {wanted}"
        return fault(check, found, fix) if record.type == "MX" else warning(check, found, fix)
    found = f"{record.name}: {_REASONS.get(record.reason, record.reason)}"
    if record.reason == "duplicate_records":
        return fault(check, found, f"leave one, such as: {wanted}")
    return warning(check, found, f"unless a provider receives or sends for it: {wanted}")
