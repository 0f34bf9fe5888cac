"""The settings of the SMTP listener: where it listens, whom it trusts and every limit it keeps."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from ..errors import ConfigurationError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from pathlib import Path

BareNewline: TypeAlias = Literal["normalise", "refuse"]
_AT_LEAST_ONE = (
    "max_message_bytes",
    "max_recipients",
    "max_connections",
    "max_connections_per_client",
    "max_errors",
    "max_commands",
    "max_auth_failures",
    "spool_bytes",
)
_ABOVE_ZERO = ("idle_seconds", "data_seconds", "data_rate_seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpSettings:
    """Hold what a listener needs to know; raise ConfigurationError for what cannot work.

    ``port`` 0 takes any free port. Clients in ``trusted_networks`` are exempt from the limit of
    connections per client. ``auth`` maps users to passwords and is offered under TLS only, unless
    ``auth_without_tls``; ``any_login`` lets everybody in who tries, for programs under test.
    ``max_commands`` counts from one accepted message to the next.
    ``min_data_rate`` is in bytes a second, judged over every ``data_rate_seconds`` of DATA.
    A message above ``spool_bytes`` waits in a temporary file of ``spool_folder``.
    ``bare_newline`` says what becomes of CR and LF that stand alone in a message.
    """

    host: str = "127.0.0.1"
    port: int = 0
    hostname: str = "inboxkit"
    reuse_port: bool = False
    proxy_protocol: bool = False
    tls_context: ssl.SSLContext | None = None
    auth: Mapping[str, str] | None = field(default=None, repr=False)
    auth_without_tls: bool = False
    any_login: bool = False
    require_auth: bool = False
    max_message_bytes: int = 25 * 1024 * 1024
    max_recipients: int = 100
    max_connections: int = 1000
    max_connections_per_client: int = 20
    trusted_networks: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    max_errors: int = 20
    max_commands: int = 1000
    max_auth_failures: int = 3
    idle_seconds: float = 60
    data_seconds: float = 300
    min_data_rate: int = 500
    data_rate_seconds: float = 30
    bare_newline: BareNewline = "normalise"
    spool_bytes: int = 256 * 1024
    spool_folder: Path | None = None

    def __post_init__(self) -> None:
        for name in _AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise ConfigurationError(f"smtp {name} must be at least 1")
        for name in _ABOVE_ZERO:
            if getattr(self, name) <= 0:
                raise ConfigurationError(f"smtp {name} must be more than 0 seconds")
        if self.bare_newline not in ("normalise", "refuse"):
            raise ConfigurationError("smtp bare_newline must be 'normalise' or 'refuse'")
        self._check_auth()
        self.networks()

    def _check_auth(self) -> None:
        if self.require_auth and not (self.auth or self.any_login):
            raise ConfigurationError("smtp require_auth needs auth: name at least one user")
        if self.auth and not (self.tls_context or self.auth_without_tls):
            raise ConfigurationError(
                "smtp auth needs tls_context, or auth_without_tls where the network is trusted"
            )

    def networks(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        """Return ``trusted_networks``, parsed."""
        try:
            return tuple(ipaddress.ip_network(text) for text in self.trusted_networks)
        except ValueError as error:
            raise ConfigurationError(f"smtp trusted_networks: {error}") from error
