"""API keys on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, model_validator

from ....tokens import public_id
from ..permissions import PERMISSIONS
from ..targets import shown_inbox_id
from .wire import Moment, Name, PageQuery, Request, Stamp, Text, Wire

if TYPE_CHECKING:
    from ....store.api_keys import KeyRecord


def _granted(permissions: Mapping[str, bool | None]) -> Mapping[str, bool | None]:
    unknown = sorted(name for name, on in permissions.items() if on and name not in PERMISSIONS)
    if unknown:
        raise ValueError(f"unknown: {', '.join(unknown)}")
    return {name: on for name, on in permissions.items() if on}


Permissions = Annotated[Mapping[str, bool | None], AfterValidator(_granted)]


class CreateApiKeyRequest(Request):
    """A key to make: all permissions of the one that makes it, unless some are named.

    ``live`` keys may send through a provider that reaches people; only a live key makes one.
    """

    name: Name | None = None
    permissions: Permissions | None = None
    expires_at: Moment | None = None
    live: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _has_a_secret(cls, data: Any) -> Any:
        """Who registers a public key must not be given a secret in its place."""
        if isinstance(data, dict) and data.get("public_key") is not None:  # pyright: ignore[reportUnknownMemberType] - JSON
            raise ValueError("public_key: keys here are bearer keys; leave it out to get one")
        return data  # pyright: ignore[reportUnknownVariableType] - JSON


class ListApiKeysQuery(PageQuery):
    """Which keys: ``type`` is a kind of AgentMail's, of which there is one here."""

    type: Text | None = None


class UpdateApiKeyRequest(Request):
    """What changes of a key."""

    name: Name | None = None
    permissions: Permissions | None = None

    @model_validator(mode="after")
    def _says_something(self) -> UpdateApiKeyRequest:
        if self.name is None and self.permissions is None:
            raise ValueError("give at least one of name, permissions")
        return self


class ApiKey(Wire):
    """A key without its secret."""

    type: Literal["bearer"] = "bearer"
    api_key_id: str
    prefix: str
    name: str
    pod_id: str | None = None
    inbox_id: str | None = None
    used_at: Stamp | None = None
    permissions: Mapping[str, bool] | None = None
    created_at: Stamp
    updated_at: Stamp
    expires_at: Stamp | None = None


class CreateApiKeyResponse(Wire):
    """A new key with its secret, which is never shown again."""

    api_key_id: str
    api_key: str
    prefix: str
    name: str
    pod_id: str | None = None
    inbox_id: str | None = None
    permissions: Mapping[str, bool] | None = None
    created_at: Stamp
    expires_at: Stamp | None = None


class ListApiKeysResponse(Wire):
    """A page of keys, newest first; AgentMail's has no ``limit``."""

    count: int
    next_page_token: str | None = None
    api_keys: Sequence[ApiKey]


def api_key(record: KeyRecord) -> ApiKey:
    """Return a key for the wire."""
    return ApiKey(
        api_key_id=public_id("key", record.id),
        prefix=record.prefix,
        name=record.name,
        pod_id=record.pod_id,
        inbox_id=None if record.inbox is None else shown_inbox_id(record.inbox),
        used_at=record.used_at,
        permissions=record.permissions,
        created_at=record.created_at,
        updated_at=record.updated_at,
        expires_at=record.expires_at,
    )
