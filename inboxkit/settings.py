"""Settings: from what the program or a flag gives, ``INBOXKIT_*`` and ``inboxkit.toml``, in order.

Nothing is read at import. A wrong value stops the start and names its key.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from .errors import ConfigurationError

FILE = "inboxkit.toml"
_PREFIX = "INBOXKIT_"
_SECRET_WORDS = ("key", "secret", "password", "token")


class Settings(BaseModel):
    """How a runtime is set up. Every field is also a flag, ``INBOXKIT_NAME`` and a TOML key."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    database: str = "sqlite:///inboxkit.db"
    domain: str = "inbox.example"
    reply_domain: str = ""
    catch_all: bool = False
    any_recipient: bool = False
    provider: tuple[str, ...] = ("memory",)
    smtp: str = ""
    http: str = ""
    handlers: str = "handlers"
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
    trusted_networks: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    auto_replies_per_thread_hour: int = Field(default=20, ge=0)
    auto_replies_per_inbox_hour: int = Field(default=1_000, ge=0)
    send_concurrency: int = Field(default=10, gt=0)
    webhook_insecure: bool = False
    log_format: str = Field(default="text", pattern="^(text|json)$")
    options: Mapping[str, Mapping[str, Any]] = Field(
        default_factory=dict[str, Mapping[str, Any]], repr=False
    )

    @field_validator("provider", "trusted_networks", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value

    @field_validator("smtp", "http")
    @classmethod
    def _bind(cls, value: str) -> str:
        if value:
            host_port(value)
        return value

    @field_validator("domain", "reply_domain")
    @classmethod
    def _lower(cls, value: str) -> str:
        return value.strip().lower()

    def provider_options(self, name: str) -> Mapping[str, str]:
        """Return the options of one provider, from its TOML table and ``INBOXKIT_NAME_*``."""
        return {k: str(v) for k, v in self.options.get(name, {}).items()}


def host_port(bind: str) -> tuple[str, int]:
    """Split ``HOST:PORT``; raise ValueError with the way to write it."""
    host, separator, port = bind.rpartition(":")
    if not separator or not port.isdigit() or int(port) > 65_535:
        raise ValueError(f"{bind!r} is not HOST:PORT, such as 127.0.0.1:1025")
    return host.strip("[]") or "127.0.0.1", int(port)


def is_loopback(host: str) -> bool:
    """Whether a bind address can only be reached from this machine."""
    return host in ("localhost", "::1") or host.startswith("127.")


def load(
    given: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Settings:
    """Read the settings; raise ConfigurationError that names the key and where it came from."""
    values: dict[str, Any] = {}
    values |= _from_file(file or Path(FILE), required=file is not None)
    values |= _from_environment(os.environ if environ is None else environ, values)
    values |= {k: v for k, v in (given or {}).items() if v is not None}
    return checked(values)


def checked(values: Mapping[str, Any]) -> Settings:
    """Return Settings of these values, or say which key is wrong."""
    known = set(Settings.model_fields)
    tables = {k: v for k, v in values.items() if k not in known and isinstance(v, Mapping)}
    plain = {k: v for k, v in values.items() if k not in tables}
    plain["options"] = {**plain.get("options", {}), **tables}
    try:
        return Settings(**plain)
    except ValidationError as error:
        lines = [_explain(item, known) for item in error.errors(include_url=False)]
        raise ConfigurationError("settings: " + "; ".join(lines)) from None


def _explain(item: Mapping[str, Any] | Any, known: Sequence[str] | set[str]) -> str:
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        return f"{key}: unknown key; known are {', '.join(sorted(known))}"
    return f"{key}: {item['msg']}"


def _from_file(file: Path, *, required: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if required:
            raise ConfigurationError(f"settings: {file} does not exist") from None
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"settings: {file}: {error}") from None


def _from_environment(environ: Mapping[str, str], base: Mapping[str, Any]) -> dict[str, Any]:
    """``INBOXKIT_DOMAIN`` sets ``domain``; ``INBOXKIT_MAILGUN_API_KEY`` an option of a provider."""
    values: dict[str, Any] = {}
    options: dict[str, dict[str, Any]] = {}
    for name, value in environ.items():
        if not name.startswith(_PREFIX):
            continue
        key = name.removeprefix(_PREFIX).lower()
        if key in Settings.model_fields:
            values[key] = value
            continue
        provider, separator, option = key.partition("_")
        if separator and option:
            options.setdefault(provider, dict(base.get(provider, {})))[option] = value
    return values | options


def masked(settings: Settings) -> dict[str, Any]:
    """Return the settings for people to read: secrets as stars."""
    shown = settings.model_dump()
    for key in shown:
        if any(word in key for word in _SECRET_WORDS) and shown[key] and key != "tls_key":
            shown[key] = "***"
    shown["smtp_users"] = dict.fromkeys(shown["smtp_users"], "***")
    shown["options"] = {
        name: {k: "***" if any(w in k for w in _SECRET_WORDS) else v for k, v in options.items()}
        for name, options in shown["options"].items()
    }
    return shown
