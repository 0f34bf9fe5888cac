"""Templates on the wire; they are ours, AgentMail has none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from .messages import SendMessageRequest
from .wire import Line, Listed, Name, Request, Stamp, Text, Wire

if TYPE_CHECKING:
    from ....store.templates import TemplateRecord, VersionRecord
    from ....templates.rendering import Rendered

Engine = Literal["jinja", "handlebars"]
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9._~-]{1,128}$")]
Source = Annotated[Text, Field(max_length=128 * 1024)]
Sourced = Annotated[Mapping[Line, Source], Field(max_length=50)]


class VersionRequest(Request):
    """The templates of a mail: a subject, two texts, and headers."""

    tag: Key = "initial"
    engine: Engine = "jinja"
    comment: Name | None = None
    subject: Source = ""
    text: Source = ""
    html: Source = ""
    headers: Sourced = Field(default_factory=dict[str, str])
    active: bool = False


class CreateTemplateRequest(Request):
    """A template, with its first version if one is given."""

    name: Key
    description: Name | None = None
    version: VersionRequest | None = None


class UpdateTemplateRequest(Request):
    """Another description."""

    description: Name


class UpdateVersionRequest(Request):
    """What changes in a version; ``active`` true makes it the one that is used."""

    engine: Engine | None = None
    comment: Name | None = None
    subject: Source | None = None
    text: Source | None = None
    html: Source | None = None
    headers: Sourced | None = None
    active: Literal[True] | None = None


class RenderRequest(Request):
    """Variables; ``tag`` names a version, else the active one is used.

    ``strict``: a variable that is missing refuses the request.
    """

    tag: Key | None = None
    variables: Mapping[str, Any] = Field(default_factory=dict[str, Any])
    strict: bool = False


class SendTemplateRequest(SendMessageRequest):
    """A mail whose subject and texts a template gives; ``subject`` goes before the template's."""

    template: RenderRequest = RenderRequest()


class Version(Wire):
    """A version of a template."""

    tag: str
    active: bool
    engine: Engine
    comment: str | None = None
    subject: str
    text: str
    html: str
    headers: Mapping[str, str]
    updated_at: Stamp
    created_at: Stamp


class Template(Wire):
    """A template; with its active version where one alone is asked for."""

    pod_id: str
    name: str
    description: str | None = None
    version: Version | None = None
    updated_at: Stamp
    created_at: Stamp


class ListTemplatesResponse(Listed):
    """A page of templates, newest first."""

    templates: Sequence[Template]


class ListVersionsResponse(Listed):
    """A page of versions, newest first."""

    versions: Sequence[Version]


class Preview(Wire):
    """What a template gives."""

    subject: str
    text: str
    html: str
    headers: Mapping[str, str]


def template(record: TemplateRecord, found: VersionRecord | None = None) -> Template:
    """Return a template for the wire."""
    return Template(
        pod_id=record.pod_id,
        name=record.name,
        description=record.description or None,
        version=None if found is None else version(found),
        updated_at=record.updated_at,
        created_at=record.created_at,
    )


def version(record: VersionRecord) -> Version:
    """Return a version for the wire."""
    said = {name: getattr(record, name) for name in Version.model_fields}
    return Version.model_validate(said | {"comment": record.comment or None})


def preview(found: Rendered) -> Preview:
    """Return what was rendered for the wire."""
    return Preview(subject=found.subject, text=found.text, html=found.html, headers=found.headers)
