"""What is installed and set: settings, extras, providers, handlers, open files. Nothing is sent."""

from __future__ import annotations

import contextlib
import os
import sys
from datetime import UTC, datetime, timedelta
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...authentication.verification import missing_library
from ...edges import fitting, smtp_settings
from ...errors import ConfigurationError
from ...kit import check_domain
from ...listening import descriptors, raise_limit
from ...pipeline import configured
from ...pipeline.handlers import check_patterns
from ...providers.registry import provider
from ...settings import host_port, is_loopback
from ...store.database import parse_url
from ..configuring import unread
from ..serving import SMTP, make_kit
from .points import fault, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ...router import Router
    from ...settings import Settings
    from .points import Point

_SOON = timedelta(days=14)
_HELP = "see docs/settings.md, and `inboxkit config show`"


def settings(found: Settings) -> Iterator[Point]:
    """Whether what the settings say can be, and whether something reads each of them."""
    wrong = False
    for check in (check_domain, _check_smtp):
        try:
            check(found)
        except ConfigurationError as error:
            wrong = True
            yield fault("settings", str(error), _HELP)
    if not wrong:
        yield ok("settings", "they can be read")
    for name, hint in unread(os.environ, found).items():
        yield warning("settings", f"nothing reads {name}", hint or "take it out")


def _check_smtp(found: Settings) -> None:
    smtp_settings(found, found.smtp or SMTP)


def certificate(found: Settings) -> Iterator[Point]:
    """Whether the certificate of STARTTLS is good for a while; needs a library to be told."""
    if not found.tls_certificate or find_spec("cryptography") is None:
        return
    check, fix = "certificate", "renew it and restart: it is read at the start"
    try:
        text = Path(found.tls_certificate).read_bytes()
        read: Any = import_module("cryptography.x509").load_pem_x509_certificate(text)
    except (OSError, ValueError):
        return  # what is wrong with it is told of the settings
    ends: datetime = read.not_valid_after_utc
    said = f"{found.tls_certificate} ends at {ends:%Y-%m-%d %H:%M} UTC"
    if ends < datetime.now(UTC):
        yield fault(check, said, fix)
    elif ends - datetime.now(UTC) < _SOON:
        yield warning(check, said, fix)
    else:
        yield ok(check, said)


def extras(found: Settings) -> Iterator[Point]:
    """Whether what the settings ask for is installed."""
    if find_spec("uvloop") is None:
        yield ok("extra speed", "not installed; asyncio's own loop is used", _install("speed"))
    else:
        yield ok("extra speed", "installed")
    yield _auth(found)
    if parse_url(found.database).get_backend_name() == "postgresql":
        yield _needed("postgres", "psycopg", "the database")
    if found.object_store:
        yield _needed("s3", "obstore", "object_store")
    if found.mcp:
        yield _needed("mcp", "mcp", "the setting mcp")


def _auth(found: Settings) -> Point:
    check, missing = "extra auth", missing_library()
    if not missing:
        return ok(check, "installed")
    if found.authenticate == "always":
        return fault(check, f"authenticate = always needs {missing}", _install("auth"))
    if not is_loopback(host_port(found.smtp or SMTP)[0]) or "smtp" in found.provider:
        lacks = f"without {missing} no sender is verified, and nothing is signed with DKIM"
        return warning(check, lacks, _install("auth"))
    return ok(check, f"not installed ({missing})", _install("auth"))


def _needed(extra: str, library: str, by: str) -> Point:
    if find_spec(library) is None:
        return fault(f"extra {extra}", f"{by} needs {library}", _install(extra))
    return ok(f"extra {extra}", "installed")


def _install(extra: str) -> str:
    return f'pip install "inboxkit[{extra}]"'


def providers(found: Settings) -> Iterator[Point]:
    """Whether each provider has its settings; none is asked."""
    for name in found.provider:
        check = f"provider {name}"
        try:
            configured.configure(found.model_copy(update={"provider": (name,)}))
        except ConfigurationError as error:
            yield fault(check, str(error), f"see docs/providers for what {name} needs")
            continue
        if provider(name).transport == "memory":
            yield ok(check, "sends nothing to the outside", "to reach people: see docs/send.md")
        else:
            yield ok(check, "its settings are complete; it was not asked")


def handlers(
    found: Settings, flags: Mapping[str, Any]
) -> tuple[Point, Sequence[Router[...]], Settings]:
    """Whether the handlers import, their routers, and the settings of the kit that has them.

    What they print goes to standard error.
    """
    check, named = "handlers", found.handlers
    try:
        with contextlib.redirect_stdout(sys.stderr):
            kit = make_kit(found, flags)
        check_patterns([*kit.routers])
    except ConfigurationError as error:
        cause = error.__cause__
        fix = "inboxkit run shows its traceback" if cause is not None else "see docs/handlers.md"
        return fault(check, str(error), fix), [], found
    routers = kit.routers
    count = sum(len(router.handlers) for router in routers)
    if routers:
        point = ok(check, f"{count} in {len(routers)} routers of {named}")
    elif "worker" not in found.role:
        point = ok(check, "this process has not the role worker, and calls none")
    else:
        point = ok(check, f"none in {named}: mail is kept", "see docs/handlers.md")
    return point, routers, kit.settings


def limits(found: Settings) -> Point:
    """Whether there are file descriptors for the connections that are allowed."""
    raise_limit()
    most = descriptors()
    fits = fitting(found, most)
    smtp, http = fits.max_connections, fits.http_max_connections
    said = f"{most}: {smtp} connections by SMTP, {http} by HTTP"
    if (smtp, http) == (found.max_connections, found.http_max_connections):
        return ok("open files", said)
    wanted = f"fewer than max_connections ({found.max_connections}) and http_max_connections"
    return warning(
        "open files",
        f"{said}; {wanted} ({found.http_max_connections})",
        "raise the hard limit: LimitNOFILE= of systemd, --ulimit nofile= of docker, ulimit -n",
    )
