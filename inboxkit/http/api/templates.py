"""Templates of mails with versions: keep them, see what they give, send what they give."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...blocking import in_thread
from ...store import templates
from ...store.api_tables import DEFAULT_POD
from ...store.templates import TemplateRecord, VersionRecord
from ...templates.budget import TemplateError
from ...templates.rendering import PARTS, Rendered, Sources, check, render
from ...tokens import new_id
from . import sends
from .envelope import ApiError, invalid, not_found
from .routing import At, Route
from .schemas.messages import SendMessageResponse
from .schemas.templates import (
    CreateTemplateRequest,
    ListTemplatesResponse,
    ListVersionsResponse,
    Preview,
    RenderRequest,
    SendTemplateRequest,
    Template,
    UpdateTemplateRequest,
    UpdateVersionRequest,
    Version,
    VersionRequest,
    preview,
    template,
    version,
)
from .schemas.wire import Nothing, PageQuery

if TYPE_CHECKING:
    from ...actions import LocalActions
    from ...models import Message
    from ...store.transactions import Tx
    from ...values import Draft
    from .call import Call


def _pod(call: Call[Any]) -> str:
    """Return whose templates are meant: those of the path's or the key's pod."""
    return (call.named.pod_id if call.named else call.reach.pod_id) or DEFAULT_POD


def _check_writer(call: Call[Any]) -> None:
    """Raise ApiError for a key of one inbox: the templates serve the whole pod."""
    if call.reach.inbox_id is not None:
        raise ApiError("forbidden", "A key that is bound to an inbox changes no templates")


async def create(call: Call[CreateTemplateRequest]) -> Template:
    """Make a template, with its first version if one is given."""
    _check_writer(call)
    asked, pod_id, now = call.given, _pod(call), call.now
    if asked.version is not None:
        await _check(asked.version)

    def work(tx: Tx) -> tuple[TemplateRecord, VersionRecord | None]:
        made = templates.create(
            tx, pod_id=pod_id, name=asked.name, description=asked.description or "", now=now
        )
        first = None if asked.version is None else _version(call, made, asked.version)
        return made, None if first is None else templates.add_version(tx, first)

    return template(*await call.store.write(work))


async def _check(asked: VersionRequest) -> None:
    """Raise ApiError for a source that cannot be read."""
    sources = Sources(
        engine=asked.engine,
        subject=asked.subject,
        text=asked.text,
        html=asked.html,
        headers=asked.headers,
    )
    try:
        await in_thread(check, sources)
    except TemplateError as error:
        raise invalid(str(error), "version") from None


def _version(call: Call[Any], made: TemplateRecord, asked: VersionRequest) -> VersionRecord:
    said: dict[str, Any] = {**asked.model_dump(), "comment": asked.comment or ""}
    return VersionRecord(
        id=new_id(), template_id=made.id, **said, created_at=call.now, updated_at=call.now
    )


async def listed(call: Call[PageQuery]) -> ListTemplatesResponse:
    """List templates without their versions, newest first."""
    page = call.by_id("templates", call.given)
    found = await call.store.read(templates.listed, _pod(call), page)
    items, fields = call.cut("templates", page, found, lambda one: [one.id])
    return ListTemplatesResponse(templates=[template(one) for one in items], **fields)


async def _wanted(call: Call[Any]) -> TemplateRecord:
    """Return the template of the path; raise ApiError 404."""
    found = await call.store.read(templates.find, _pod(call), call.name("name"))
    if found is None:
        raise call.unknown("Template", "name")
    return found


async def _wanted_version(call: Call[Any], tag: str) -> VersionRecord:
    """Return a version of the template of the path; raise ApiError 404."""
    known = await _wanted(call)
    found = await call.store.read(templates.version, known.id, tag)
    if found is None:
        raise not_found("Version", tag)
    return found


async def _version_for(call: Call[Any], tag: str | None) -> VersionRecord:
    """Return the version that a request asks for, else the active one; raise ApiError."""
    known = await _wanted(call)
    found = await call.store.read(templates.version, known.id, tag)
    if found is None and tag is not None:
        raise invalid("names no version of this template", "tag")
    if found is None:
        raise ApiError(
            "unprocessable",
            f"Template {known.name} has no active version",
            fix="make one: POST /v0/templates/{name}/versions",
        )
    return found


async def get(call: Call[Nothing]) -> Template:
    """Return a template with its active version."""
    known = await _wanted(call)
    return template(known, await call.store.read(templates.version, known.id, None))


async def update(call: Call[UpdateTemplateRequest]) -> Template:
    """Change the description."""
    _check_writer(call)
    known = await _wanted(call)
    await call.store.write(templates.describe, known, call.given.description, call.now)
    return template(await _wanted(call))


async def delete(call: Call[Nothing]) -> None:
    """Delete a template with its versions."""
    _check_writer(call)
    await call.store.write(templates.remove, await _wanted(call))


async def create_version(call: Call[VersionRequest]) -> Version:
    """Add a version; the first of a template is the active one."""
    _check_writer(call)
    known = await _wanted(call)
    await _check(call.given)
    made = _version(call, known, call.given)
    return version(await call.store.write(templates.add_version, made))


async def list_versions(call: Call[PageQuery]) -> ListVersionsResponse:
    """List versions, newest first."""
    known = await _wanted(call)
    page = call.by_id("template-versions", call.given)
    found = await call.store.read(templates.versions, known.id, page)
    items, fields = call.cut("template-versions", page, found, lambda one: [one.id])
    return ListVersionsResponse(versions=[version(one) for one in items], **fields)


async def get_version(call: Call[Nothing]) -> Version:
    """Return a version."""
    return version(await _wanted_version(call, call.name("tag")))


async def update_version(call: Call[UpdateVersionRequest]) -> Version:
    """Change a version, or make it the active one."""
    _check_writer(call)
    known = await _wanted_version(call, call.name("tag"))
    values = call.given.model_dump(exclude_none=True)
    await _check(VersionRequest.model_validate(_said(known) | values))
    return version(await call.store.write(templates.change_version, known, values, call.now))


def _said(known: VersionRecord) -> dict[str, Any]:
    return {name: getattr(known, name) for name in ("tag", "engine", *PARTS, "headers")}


async def delete_version(call: Call[Nothing]) -> None:
    """Delete a version that is not the active one."""
    _check_writer(call)
    known = await _wanted_version(call, call.name("tag"))
    if known.active:
        raise ApiError(
            "cannot_delete", f"Version {known.tag} is the active one", fix="activate another"
        )
    await call.store.write(templates.remove_version, known)


async def rendered(call: Call[RenderRequest]) -> Preview:
    """Return what a template gives for these variables; nothing is sent."""
    return preview(await _rendered(call, call.given))


async def _rendered(call: Call[Any], asked: RenderRequest) -> Rendered:
    found = await _version_for(call, asked.tag)

    def work() -> Rendered:
        return render(found.sources, asked.variables, strict=asked.strict)

    try:
        return await in_thread(work)
    except TemplateError as error:
        raise ApiError("unprocessable", f"Template {call.name('name')}: {error}") from None


async def send(call: Call[SendTemplateRequest]) -> SendMessageResponse:
    """Send a mail whose subject and texts a template gives."""
    asked = call.given
    if not (asked.to or asked.cc or asked.bcc):
        raise invalid("give at least one recipient", "to")
    made = await _rendered(call, asked.template)
    filled = asked.model_copy(
        update={
            "subject": asked.subject or made.subject,
            "text": made.text,
            "html": made.html,
            "headers": {**made.headers, **asked.headers},
        }
    )

    async def go(actions: LocalActions, draft: Draft) -> Message:
        return await actions.send(call.inbox.address, draft)

    return await sends.accepted(replace(call, given=filled), f"template {call.name('name')}", go)


_LIST, _ITEM = "/templates", "/templates/{name}"
_VERSIONS, _VERSION = f"{_ITEM}/versions", f"{_ITEM}/versions/{{tag}}"
_AT = At.ORG | At.POD
_READ, _WRITE = "template_read", "template_update"
ROUTES: tuple[Route[Any], ...] = (
    Route("POST", _LIST, create, CreateTemplateRequest, Template, _WRITE, _AT),
    Route("GET", _LIST, listed, PageQuery, ListTemplatesResponse, _READ, _AT),
    Route("GET", _ITEM, get, Nothing, Template, _READ, _AT),
    Route("PATCH", _ITEM, update, UpdateTemplateRequest, Template, _WRITE, _AT),
    Route("DELETE", _ITEM, delete, Nothing, None, _WRITE, _AT),
    Route("POST", _VERSIONS, create_version, VersionRequest, Version, _WRITE, _AT),
    Route("GET", _VERSIONS, list_versions, PageQuery, ListVersionsResponse, _READ, _AT),
    Route("GET", _VERSION, get_version, Nothing, Version, _READ, _AT),
    Route("PATCH", _VERSION, update_version, UpdateVersionRequest, Version, _WRITE, _AT),
    Route("DELETE", _VERSION, delete_version, Nothing, None, _WRITE, _AT),
    Route("POST", f"{_ITEM}/preview", rendered, RenderRequest, Preview, _READ, _AT),
    Route(
        "POST",
        f"{_ITEM}/send",
        send,
        SendTemplateRequest,
        SendMessageResponse,
        "message_send",
        At.INBOX,
        sends.MOST_BYTES,
    ),
)
