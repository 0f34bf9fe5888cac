"""Settings: from what the program or a flag gives, ``INBOXKIT_*`` and ``inboxkit.toml``, in order.

Nothing is read at import. A wrong value stops the start and names its key.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from .errors import ConfigurationError

FILE = "inboxkit.toml"
PREFIX = "INBOXKIT_"
LOCAL = "local"  # the forwarder that hands mail to ``receive`` on this machine
ROLES = ("smtp", "http", "worker")
_WORDS = (
    *("provider", "role", "trusted_networks", "egress_networks", "arc_sealers", "dns_servers"),
    *("mcp_inboxes", "mcp_allow_to"),
)
_PORTS_AND_TABLES = ("smtp", "object_store")  # a key each, and a table of options as well
TWO_WORDS = ("unisender_go",)  # the providers whose name has an underscore
_SECRET_WORDS = ("key", "secret", "password", "token")
_SHORTEST_KEY = 16
_LABEL = r"""[^\s@<>()\[\],;:\\"'/.]{1,63}"""  # of any script: IDNA says the rest
_DOMAIN = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*")
_HOSTNAME = re.compile(r"[!-~]{1,253}")
_RATES = re.compile(r"[1-9]\d{0,8}/[smhd]( [1-9]\d{0,8}/[smhd]){0,3}")
_PASSWORD = re.compile(r"(://[^:/@]*:).*@", re.DOTALL)
_PASSWORD_OF_NO_URL = re.compile(r"^((?:\w+:/?)?[^:/@\s]*:).*@", re.DOTALL)  # s3:/id:secret@bucket
# By the name, in any case; a name with an escape may be any of them.
_SECRET_ARGUMENT = re.compile(
    r"([?&][^=&#\s]*(?:pass|pwd|secret|token|key|sig|sas|cred|%)[^=&#\s]*=)[^&#]*", re.IGNORECASE
)


class Settings(BaseModel):
    """How a runtime is set up. Every field is also ``INBOXKIT_NAME``, a TOML key and a flag.

    As a flag: ``--database`` and a few others of their own, ``--set KEY=VALUE`` for all. What each
    is for stands in docs/settings.md. Raises pydantic's ValidationError; a kit that reads them
    raises ConfigurationError.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    database: str = Field(default="sqlite:///inboxkit.db", repr=False)
    domain: str = "inbox.example"
    reply_domain: str = ""
    catch_all: bool = False
    any_recipient: bool = False
    provider: Sequence[str] = ("memory",)
    smtp: str = ""
    http: str = ""
    handlers: str = "handlers"
    role: Sequence[str] = ROLES
    workers: int = Field(default=1, gt=0, le=64)
    object_store: str = Field(default="", repr=False)
    api_key: str = Field(default="", repr=False)
    hostname: str = "inboxkit"
    tls_certificate: str = ""
    tls_key: str = Field(default="", repr=False)
    smtp_users: Mapping[str, str] = Field(default_factory=dict[str, str], repr=False)
    smtp_require_auth: bool = False
    max_message_bytes: int = Field(default=25 * 1024 * 1024, gt=0)
    max_recipients: int = Field(default=100, gt=0)
    max_connections: int = Field(default=1_000, gt=0)
    max_connections_per_client: int = Field(default=20, gt=0)
    http_max_connections: int = Field(default=4_000, gt=0)
    http_max_connections_per_client: int = Field(default=1_000, gt=0)
    http_head_seconds: float = Field(default=15, gt=0)
    http_pages: bool = False
    trusted_networks: Sequence[str] = ("127.0.0.0/8", "::1/128")
    smtp_auth_without_tls: bool = False
    smtp_any_login: bool = False
    smtp_idle_seconds: float = Field(default=60, gt=0)
    smtp_data_seconds: float = Field(default=300, gt=0)
    smtp_min_data_rate: int = Field(default=500, ge=0)
    smtp_data_rate_seconds: float = Field(default=30, gt=0)
    smtp_max_auth_failures: int = Field(default=3, gt=0)
    smtp_max_errors: int = Field(default=20, gt=0)
    smtp_max_commands: int = Field(default=1_000, gt=0)
    smtp_bare_newline: str = Field(default="normalise", pattern="^(normalise|refuse)$")
    smtp_proxy_protocol: bool = False
    authenticate: str = Field(default="auto", pattern="^(auto|always|never)$")
    authenticate_seconds: float = Field(default=10.0, gt=0, le=60)
    unauthenticated: str = Field(default="keep", pattern="^(keep|label)$")
    trusted_forwarders: Mapping[str, str] = Field(default_factory=dict[str, str])
    arc_sealers: Sequence[str] = ()
    dns_servers: Sequence[str] = ()
    auto_replies_per_thread_hour: int = Field(default=20, ge=0)
    auto_replies_per_correspondent_hour: int = Field(default=60, ge=0)
    auto_replies_per_inbox_hour: int = Field(default=1_000, ge=0)
    keep_days: int = Field(default=0, ge=0, le=36_500)
    keep_messages: int = Field(default=0, ge=0)
    egress_networks: Sequence[str] = ()
    send_concurrency: int = Field(default=32, gt=0)
    send_rates: Mapping[str, str] = Field(default_factory=dict[str, str])
    send_slots: Mapping[str, int] = Field(default_factory=dict[str, int])
    same_send_seconds: int = Field(default=0, ge=0, le=86_400)
    unsupported: str = Field(default="refuse", pattern="^(refuse|drop)$")
    unknown_sends: str = Field(default="keep", pattern="^(keep|sent|retry)$")
    mcp: bool = False
    mcp_read_only: bool = False
    mcp_inboxes: Sequence[str] = ()
    mcp_send: str = Field(default="draft", pattern="^(auto|draft|deny)$")
    mcp_allow_to: Sequence[str] = ()
    log_format: str = Field(default="text", pattern="^(text|json)$")
    options: Mapping[str, Mapping[str, Any]] = Field(
        default_factory=dict[str, Mapping[str, Any]], repr=False
    )

    @field_validator(*_WORDS, mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        return value.replace(",", " ").split() if isinstance(value, str) else value

    @field_validator(*_WORDS)
    @classmethod
    def _unchanging(cls, value: Sequence[str]) -> Sequence[str]:
        return tuple(value)

    @field_validator("smtp_users", "send_rates", "send_slots", "trusted_forwarders", mode="before")
    @classmethod
    def _table(cls, value: Any) -> Any:
        """From a variable or a flag: as JSON."""
        try:
            return json.loads(value) if isinstance(value, str) else value
        except (ValueError, RecursionError):
            raise ValueError('write it as JSON, such as {"name": "value"}') from None

    @field_validator("trusted_forwarders")
    @classmethod
    def _forwarders(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        for block in " ".join(value.values()).split():
            if block != LOCAL:
                ip_network(block)
        return value

    @field_validator("send_rates")
    @classmethod
    def _rates(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        for rates in value.values():
            if not _RATES.fullmatch(rates):
                raise ValueError(f"{rates!r} is no rate, such as 14/s, or 14/s 50000/d")
        return value

    @field_validator("send_slots")
    @classmethod
    def _slots(cls, value: Mapping[str, int]) -> Mapping[str, int]:
        if any(count < 1 for count in value.values()):
            raise ValueError("sends under way at once: 1 or more")
        return value

    @field_validator("role")
    @classmethod
    def _roles(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or set(value) - set(ROLES):
            raise ValueError(f"one or more of {', '.join(ROLES)}")
        return value

    @field_validator("egress_networks", "trusted_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for block in value:
            ip_network(block)  # its ValueError says what is wrong
        return value

    @field_validator("api_key")
    @classmethod
    def _long_enough(cls, value: str) -> str:
        key = value.strip()  # of a file or a variable it often ends a line
        if 0 < len(key) < _SHORTEST_KEY:
            raise ValueError(f"a key needs {_SHORTEST_KEY} characters or more")
        return key

    @field_validator("smtp", "http")
    @classmethod
    def _bind(cls, value: str) -> str:
        if value:
            host_port(value)
        return value

    @field_validator("domain", "reply_domain")
    @classmethod
    def _domain(cls, value: str, info: ValidationInfo) -> str:
        value = value.strip().lower()
        if not _DOMAIN.fullmatch(value) and (value or info.field_name == "domain"):
            raise ValueError(f"{value[:80]!r} is no domain, such as mail.example.com")
        return value

    @field_validator("hostname")
    @classmethod
    def _hostname(cls, value: str) -> str:
        if not _HOSTNAME.fullmatch(value):
            raise ValueError(f"{value[:80]!r} is no name of a host, such as mx.example.com")
        return value

    @field_validator("provider")
    @classmethod
    def _providers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("one or more, such as memory, smtp or mailgun")
        return value

    @field_validator("dns_servers")
    @classmethod
    def _name_servers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for server in value:
            if not (server.startswith("https://") or _is_address(server)):
                raise ValueError(
                    f"{server!r} is no IP address, such as 192.0.2.53 or 192.0.2.53:5353"
                )
        return value

    def provider_options(self, name: str) -> Mapping[str, str]:
        """Return the options of one provider, from its TOML table and ``INBOXKIT_NAME_*``."""
        return {k: str(v) for k, v in self.options.get(name, {}).items()}


def _is_address(server: str) -> bool:
    """Whether this is an IP address, perhaps with a port; one of IPv6 is then in brackets."""
    host, _, port = server.rpartition(":")
    bare = host if port.isdigit() and (":" not in host or host.endswith("]")) else server
    try:
        ip_address(bare.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def host_port(bind: str) -> tuple[str, int]:
    """Split ``HOST:PORT``; raise ValueError with the way to write it."""
    host, separator, port = bind.rpartition(":")
    if not separator or "/" in host or not port.isdigit() or int(port) > 65_535:
        raise ValueError(f"{bind!r} is not HOST:PORT, such as 127.0.0.1:1025")
    return host.strip("[]") or "127.0.0.1", int(port)


def is_loopback(host: str) -> bool:
    """Whether a bind address can only be reached from this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def load(
    given: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Settings:
    """Read the settings; raise ConfigurationError that names the key and where it came from."""
    variables = os.environ if environ is None else environ
    sources = (
        _from_file(file or Path(FILE), required=file is not None),
        _from_environment(variables),
        {k: v for k, v in (given or {}).items() if v is not None},
    )
    values: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for source in sources:
        plain, tables = _split(source)
        values |= plain
        for name, table in tables.items():
            known = options.get(name, {})
            options[name] = {**known, **table} if isinstance(table, Mapping) else table
    return checked({"options": options} | values)


def checked(values: Mapping[str, Any]) -> Settings:
    """Return Settings of these values, or say which key is wrong."""
    plain, tables = _split(values)
    try:
        return Settings.model_validate({"options": tables} | plain)
    except ValidationError as error:
        lines = [_explain(item) for item in error.errors(include_url=False)]
        raise ConfigurationError("settings: " + "; ".join(lines)) from None


def _split(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part the plain keys from the providers' tables, written ``[mailgun]`` or ``[options.smtp]``.

    ``smtp`` is a key, and a provider's name as well: a table is the provider's. So with
    ``object_store``, whose options are in a table like a provider's. A key whose value is a table,
    such as ``send_rates``, is a plain one.
    """
    plain: dict[str, Any] = {}
    tables: dict[str, Any] = {}
    for key, value in values.items():
        (tables if isinstance(value, Mapping) else plain)[key] = value
    if isinstance(found := tables.pop("options", None), Mapping):
        tables |= found
    keys = [key for key in tables if key in Settings.model_fields and key not in _PORTS_AND_TABLES]
    return {key: tables.pop(key) for key in keys} | plain, tables


def _explain(item: Mapping[str, Any] | Any) -> str:
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        known = sorted(Settings.model_fields)
        meant = "".join(f" did you mean {name}?" for name in get_close_matches(key, known, n=1))
        return f"{key}: unknown key;{meant} known are {', '.join(known)}"
    return f"{key}: {item['msg'].removeprefix('Value error, ')}"


def _from_file(file: Path, *, required: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if required:
            raise ConfigurationError(f"settings: {file} does not exist") from None
        return {}
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, too long a number, too deep
        raise ConfigurationError(f"settings: {file}: {error}") from None


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """``INBOXKIT_DOMAIN`` sets ``domain``; ``INBOXKIT_MAILGUN_API_KEY`` an option of a provider."""
    values: dict[str, Any] = {}
    options: dict[str, dict[str, str]] = {}
    for name, value in environ.items():
        if not name.startswith(PREFIX):
            continue
        key = name.removeprefix(PREFIX).lower()
        provider, option = provider_option(key)
        if key in Settings.model_fields:
            values[key] = value
        elif option:
            options.setdefault(provider, {})[option] = value
    return values | {"options": options}


def provider_option(key: str) -> tuple[str, str]:
    """Split ``mailgun_api_key`` after the provider's name, which may have two words."""
    for name in (*TWO_WORDS, "object_store"):
        if key.startswith(f"{name}_"):
            return name, key.removeprefix(f"{name}_")
    provider, _, option = key.partition("_")
    return provider, option


def masked(settings: Settings) -> dict[str, Any]:
    """Return the settings for people to read: secrets as stars."""
    shown: dict[str, Any] = {
        name: _masked("", value) for name, value in settings.model_dump().items()
    }
    shown["api_key"] = settings.api_key and "***"
    shown["smtp_users"] = dict.fromkeys(settings.smtp_users, "***")
    shown["options"] = {
        name: {k: _masked(k, v) for k, v in options.items()}
        for name, options in settings.options.items()
    }
    return shown


def _masked(name: str, value: Any) -> Any:
    if any(word in name for word in _SECRET_WORDS):
        return "***"
    return without_secrets(value) if isinstance(value, str) else value


def holds_secret(name: str, value: str) -> bool:
    """Whether the value of a setting, or of its variable, is not for everybody to see."""
    return bool(_masked(name.lower(), value) != value)


def without_secrets(url: str) -> str:
    """Return the URL of a database or a bucket, or words that hold one, as they may be shown."""
    password = _PASSWORD if "://" in url else _PASSWORD_OF_NO_URL
    return _SECRET_ARGUMENT.sub(r"\1***", password.sub(r"\1***@", url))
