"""Webhooks and the log of their attempts, on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, model_validator

from ....pipeline.posts import is_own_header
from ....store.endpoints import public
from ....store.events import cursor_id
from ..targets import shown_inbox_id
from .events import EventTypes, Ids, KnownType
from .wire import ClientId, Line, Listed, Moment, PageQuery, Request, Stamp, Text, Wire

if TYPE_CHECKING:
    from ....store.attempts import AttemptRecord
    from ....store.endpoints import EndpointRecord

_MOST_HEADERS, _MOST_REPLAYED = 20, 500
_TOKEN = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$"  # RFC 9110 section 5.6.2
# whsec_ and the base64 of 24 bytes at least; the padding may be missing.
_SECRET = r"^(whsec_)?([A-Za-z0-9+/]{4}){8,45}([A-Za-z0-9+/]{2}(==)?|[A-Za-z0-9+/]{3}=?)?$"

Url = Annotated[Line, Field(min_length=1, max_length=2_048)]
HeaderName = Annotated[str, Field(pattern=_TOKEN)]
HeaderValue = Annotated[Line, Field(max_length=4_096, pattern=r"^[\x20-\x7e]*$")]


def _free(headers: Mapping[str, str]) -> Mapping[str, str]:
    own = sorted(name for name in headers if is_own_header(name))
    if own:
        raise ValueError(f"{own[0]} is set by the server")
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("names a header twice")
    return headers


Headers = Annotated[
    Mapping[HeaderName, HeaderValue], Field(max_length=_MOST_HEADERS), AfterValidator(_free)
]


class CreateWebhookRequest(Request):
    """Where to post which events. ``inbox_ids`` and ``pod_ids`` narrow it; one match is enough."""

    url: Url
    event_types: Annotated[EventTypes, Field(min_length=1)]
    inbox_ids: Ids = ()
    pod_ids: Ids = ()
    client_id: ClientId | None = None
    headers: Headers | None = None


class UpdateWebhookRequest(Request):
    """What changes. ``event_types`` replaces the list, empty leaves it as it is."""

    event_types: EventTypes = ()
    enabled: bool | None = None
    add_inbox_ids: Ids = ()
    remove_inbox_ids: Ids = ()
    add_pod_ids: Ids = ()
    remove_pod_ids: Ids = ()


class UpdateHeadersRequest(Request):
    """Headers to set and to remove."""

    headers: Headers | None = None
    remove_headers: Annotated[Ids, Field(max_length=_MOST_HEADERS)] = ()

    @model_validator(mode="after")
    def _one_way(self) -> UpdateHeadersRequest:
        if not self.headers and not self.remove_headers:
            raise ValueError("give at least one of headers, remove_headers")
        removed = {name.lower() for name in self.remove_headers}
        both = sorted(name for name in self.headers or () if name.lower() in removed)
        if both:
            raise ValueError(f"{both[0]} is both set and removed")
        return self


class RotateSecretRequest(Request):
    """A new secret (``whsec_`` and base64), and how long the one before signs too."""

    secret: Annotated[Line, Field(pattern=_SECRET)] | None = None
    overlap_hours: Annotated[int, Field(ge=0, le=168)] = 24


class Webhook(Wire):
    """An endpoint, with the secret that its receiver verifies signatures with."""

    webhook_id: str
    url: str
    event_types: Sequence[str] | None = None
    pod_ids: Sequence[str] | None = None
    inbox_ids: Sequence[str] | None = None
    pod_id: str | None = None
    inbox_id: str | None = None
    secret: str
    enabled: bool
    updated_at: Stamp
    created_at: Stamp
    client_id: str | None = None
    inboxkit: Health


class Health(Wire):
    """How an endpoint does: since when it takes nothing, and why it was disabled.

    ``old_secret_until``: until when posts are signed by an earlier secret too.
    """

    failing_since: Stamp | None = None
    old_secret_until: Stamp | None = None
    disabled_because: str | None = None


class ListWebhooksResponse(Listed):
    """A page of webhooks, newest first."""

    webhooks: Sequence[Webhook]


class HeaderNames(Wire):
    """The names of an endpoint's headers; their values are never shown."""

    header_names: Sequence[str]


class AttemptsQuery(PageQuery):
    """Which attempts: of one event, or only those that did not succeed."""

    event_id: Text | None = None
    failed: bool = False


class Attempt(Wire):
    """One post. ``status`` is that of the answer, 0 when there was none."""

    event_id: str
    event_type: str | None = None
    number: int
    good: bool
    status: int
    error: str | None = None
    milliseconds: int
    at: Stamp
    next_at: Stamp | None = None


class ListAttemptsResponse(Listed):
    """A page of attempts, newest first."""

    attempts: Sequence[Attempt]


class ReplayWebhookRequest(Request):
    """Which events to post again: these, or all that were not taken since a moment."""

    event_ids: Annotated[Ids, Field(max_length=_MOST_REPLAYED)] = ()
    failed_since: Moment | None = None

    @model_validator(mode="after")
    def _one_choice(self) -> ReplayWebhookRequest:
        if bool(self.event_ids) == (self.failed_since is not None):
            raise ValueError("give exactly one of event_ids, failed_since")
        return self


class SendExampleRequest(Request):
    """Of which type the example is; the first that the endpoint wants unless given."""

    event_type: KnownType | None = None


class SentExample(Wire):
    """What an endpoint answered to an example; ``status`` is 0 when there was no answer."""

    event_id: str
    event_type: str
    good: bool
    status: int
    error: str | None = None
    milliseconds: int


class Replayed(Wire):
    """How many are done again, and how many are left out, as they are being posted already."""

    replayed: int
    under_way: int


def webhook(record: EndpointRecord, addresses: Mapping[int, str]) -> Webhook:
    """Return an endpoint for the wire; ``addresses`` are those of its ``inbox_ids``."""
    return Webhook(
        webhook_id=public(record.id),
        url=record.url,
        event_types=list(record.event_types) or None,
        pod_ids=list(record.pod_ids) or None,
        inbox_ids=[shown_inbox_id(addresses[i]) for i in record.inbox_ids if i in addresses]
        or None,
        pod_id=record.pod_id,
        inbox_id=None if record.inbox is None else shown_inbox_id(record.inbox),
        secret=record.secret,
        enabled=record.enabled,
        updated_at=record.updated_at,
        created_at=record.created_at,
        client_id=record.client_id,
        inboxkit=Health(
            failing_since=record.failing_since,
            old_secret_until=record.old_until(),
            disabled_because=record.disabled_because or None,
        ),
    )


def attempt(record: AttemptRecord, event_type: str | None) -> Attempt:
    """Return an attempt for the wire."""
    return Attempt(
        event_id=cursor_id(record.event_seq),
        event_type=event_type,
        number=record.number,
        good=record.is_good,
        status=record.status,
        error=record.error or None,
        milliseconds=record.milliseconds,
        at=record.at,
        next_at=record.next_at,
    )
