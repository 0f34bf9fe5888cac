"""Templates and their versions, on the templates of the API; those of a pod serve its domains."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from ...providers.mailgun_requests import Refusal, is_on
from ...store import templates
from ...store.api_tables import DEFAULT_POD
from ...store.pages import Page
from ...store.templates import TemplateTaken, VersionRecord
from ...templates.budget import TemplateError
from ...templates.rendering import ENGINES, HANDLEBARS, check
from ...tokens import new_id, public_id
from . import domains
from .call import Call, Route, storable
from .pages import listed as paging
from .pages import stamp, turn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...store.templates import TemplateRecord
    from ...store.transactions import Tx

_NAME = re.compile(r"[a-z0-9._~-]{1,255}")
_DEFAULT, _MOST = 10, 100
_MOST_BYTES = 4 * 1024 * 1024
_FIRST = "initial"  # the tag of a version that came without one


async def listed(call: Call) -> Mapping[str, Any]:
    """Return a page of templates, oldest first."""
    await _open(call)
    name, backwards = turn(call, "p")
    known = await call.store.read(templates.find, _pod(call), name) if name else None
    size = max(1, call.number("limit", _DEFAULT, most=_MOST))
    page = Page(size, known.id if known else None, not backwards)
    found = (await call.store.read(templates.listed, _pod(call), page))[:size]
    rows = found[::-1] if backwards else found
    urls = paging(call, _path(call), "p", rows, lambda one: one.name)
    return {"items": [_shown(one) for one in rows], "paging": urls}


async def create(call: Call) -> Mapping[str, Any]:
    """Store a template, with its first version if one is given."""
    _check_writer(call)
    await _open(call)
    name, description = _name(call.text("name"), "name"), call.text("description")
    wanted = _wanted_version(call, call.text("tag") or _FIRST) if call.text("template") else None

    def work(tx: Tx) -> tuple[TemplateRecord, VersionRecord | None]:
        made = templates.create(
            tx, pod_id=_pod(call), name=name, description=description, now=call.now
        )
        return made, wanted and templates.add_version(tx, replace(wanted, template_id=made.id))

    try:
        made, version = await call.store.write(work)
    except TemplateTaken as error:
        raise Refusal(400, str(error)) from None
    return {"message": "template has been stored", "template": _shown(made, version)}


async def get(call: Call) -> Mapping[str, Any]:
    """Return a template; with ``active=yes`` also its active version."""
    known = await _known(call)
    wanted = is_on(call.text("active"))
    version = await call.store.read(templates.version, known.id, None) if wanted else None
    return {"template": _shown(known, version)}


async def update(call: Call) -> Mapping[str, Any]:
    """Change the description of a template."""
    _check_writer(call)
    known = await _known(call)
    await call.store.write(templates.describe, known, call.text("description"), call.now)
    return {"message": "template has been updated", "template": {"name": known.name}}


async def delete(call: Call) -> Mapping[str, Any]:
    """Delete a template with its versions."""
    _check_writer(call)
    known = await _known(call)
    await call.store.write(templates.remove, known)
    return {"message": "template has been deleted", "template": {"name": known.name}}


async def clear(call: Call) -> Mapping[str, Any]:
    """Delete all templates."""
    _check_writer(call)
    await _open(call)

    def work(tx: Tx) -> None:
        while found := templates.listed(tx.connection, _pod(call), Page(_MOST)):
            for known in found:
                templates.remove(tx, known)

    await call.store.write(work)
    return {"message": "templates have been deleted"}


async def list_versions(call: Call) -> Mapping[str, Any]:
    """Return the versions of a template, oldest first."""
    known = await _known(call)
    tag, backwards = turn(call, "p")
    after = await call.store.read(templates.version, known.id, tag) if tag else None
    size = max(1, call.number("limit", _DEFAULT, most=_MOST))
    page = Page(size, after.id if after else None, not backwards)
    found = (await call.store.read(templates.versions, known.id, page))[:size]
    rows = found[::-1] if backwards else found
    path = f"{_path(call)}/{quote(known.name)}/versions"
    urls = paging(call, path, "p", rows, lambda one: one.tag)
    versions = [_version(one, whole=False) for one in rows]
    return {"template": {**_shown(known), "versions": versions}, "paging": urls}


async def create_version(call: Call) -> Mapping[str, Any]:
    """Add a version; the first of a template is the active one."""
    _check_writer(call)
    known = await _known(call)
    wanted = _wanted_version(call, _name(call.text("tag"), "tag"))
    try:
        made = await call.store.write(templates.add_version, replace(wanted, template_id=known.id))
    except TemplateTaken as error:
        raise Refusal(400, str(error)) from None
    message = "new version of the template has been stored"
    return {"message": message, "template": _shown(known, made)}


async def get_version(call: Call) -> Mapping[str, Any]:
    """Return a version with its words."""
    known = await _known(call)
    return {"template": _shown(known, await _known_version(call, known))}


async def update_version(call: Call) -> Mapping[str, Any]:
    """Change a version, or make it the active one."""
    _check_writer(call)
    known = await _known(call)
    version = await _known_version(call, known)
    await call.store.write(templates.change_version, version, _changes(call, version), call.now)
    return {"message": "version has been updated", "template": _named(known, version.tag)}


async def delete_version(call: Call) -> Mapping[str, Any]:
    """Delete a version that is not the active one."""
    _check_writer(call)
    known = await _known(call)
    version = await _known_version(call, known)
    if version.active:
        raise Refusal(409, f"version {version.tag} is the active one; activate another first")
    await call.store.write(templates.remove_version, version)
    return {"message": "version has been deleted", "template": _named(known, version.tag)}


async def copy_version(call: Call) -> Mapping[str, Any]:
    """Copy a version under another tag; a version that has the tag is replaced."""
    _check_writer(call)
    known = await _known(call)
    version = await _known_version(call, known)
    tag = _name(call.ids["new_tag"], "tag")
    comment = call.text("comment") or version.comment

    def work(tx: Tx) -> VersionRecord:
        there = templates.version(tx.connection, known.id, tag)
        if there is not None:
            names = ("engine", "subject", "text", "html", "headers")
            values = {name: getattr(version, name) for name in names} | {"comment": comment}
            return templates.change_version(tx, there, values, call.now)
        changed = {"id": new_id(), "tag": tag, "active": False, "comment": comment}
        return templates.add_version(tx, _like(version, call, changed))

    made = await call.store.write(work)
    shown = _version(made, whole=True)
    return {"message": "version has been copied", "version": shown, "template": _named(known, tag)}


def _check_writer(call: Call) -> None:
    """Raise Refusal for a key of one inbox: the templates serve the whole pod."""
    if call.reach.inbox_id is not None:
        raise Refusal(403, "A key that is bound to an inbox changes no templates")


def _pod(call: Call) -> str:
    return call.reach.pod_id or DEFAULT_POD


def _path(call: Call) -> str:
    return f"/v3/{quote(call.domain)}/templates" if "domain" in call.ids else "/v4/templates"


async def _open(call: Call) -> None:
    """Raise Refusal 404 when the path names a domain that is not there."""
    if "domain" in call.ids:
        await domains.require(call)


async def _known(call: Call) -> TemplateRecord:
    await _open(call)
    found = await call.store.read(templates.find, _pod(call), call.ids["name"].lower())
    if found is None:
        raise Refusal(404, "template not found")
    return found


async def _known_version(call: Call, known: TemplateRecord) -> VersionRecord:
    found = await call.store.read(templates.version, known.id, call.ids["tag"].lower())
    if found is None:
        raise Refusal(404, "version not found")
    return found


def _name(text: str, parameter: str) -> str:
    if not _NAME.fullmatch(text.lower()):
        raise Refusal(400, f"{parameter} parameter: give 1 to 255 of a-z, 0-9, . _ ~ -")
    return text.lower()


def _wanted_version(call: Call, tag: str) -> VersionRecord:
    """Return the version that a request describes, of no template yet; raise Refusal."""
    if not call.text("template"):
        raise Refusal(400, "template parameter is missing")
    headers = _headers(call)
    return _checked(
        VersionRecord(
            id=new_id(),
            template_id=0,
            tag=_name(tag, "tag"),
            active=is_on(call.text("active")),
            engine=_engine(call.text("engine") or HANDLEBARS),
            comment=call.text("comment")[:1_000],
            subject=headers.pop("Subject", ""),
            html=call.text("template"),
            headers=headers,
            created_at=call.now,
            updated_at=call.now,
        )
    )


def _changes(call: Call, known: VersionRecord) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if call.text("template"):
        values["html"] = call.text("template")
    if "comment" in call.form:
        values["comment"] = call.text("comment")[:1_000]
    if "headers" in call.form:
        headers = _headers(call)
        values |= {"subject": headers.pop("Subject", ""), "headers": headers}
    if is_on(call.text("active")):
        values["active"] = True
    _checked(_like(known, call, {k: v for k, v in values.items() if k != "active"}))
    return values


def _engine(name: str) -> str:
    if name not in ENGINES:
        raise Refusal(400, f"engine parameter is none of {', '.join(ENGINES)}")
    return name


def _headers(call: Call) -> dict[str, str]:
    text = call.text("headers")
    try:
        found: object = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Refusal(400, "headers parameter is not a valid JSON object")
    given = cast("dict[str, Any]", found)
    headers = {storable(name).title(): storable(str(v)) for name, v in given.items()}
    return {name: value for name, value in headers.items() if name != "From"}


def _checked(version: VersionRecord) -> VersionRecord:
    try:
        check(version.sources)
    except TemplateError as error:
        raise Refusal(400, f"template parameter: {error}") from None
    return version


def _like(version: VersionRecord, call: Call, changed: Mapping[str, Any]) -> VersionRecord:
    return replace(version, **{"created_at": call.now, "updated_at": call.now, **changed})


def _named(known: TemplateRecord, tag: str) -> dict[str, Any]:
    return {"name": known.name, "version": {"tag": tag}}


def _shown(known: TemplateRecord, version: VersionRecord | None = None) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": known.name,
        "description": known.description,
        "createdAt": stamp(known.created_at),
        "createdBy": "",
        "id": public_id("tpl", known.id),
    }
    return shown if version is None else {**shown, "version": _version(version, whole=True)}


def _version(version: VersionRecord, *, whole: bool) -> dict[str, Any]:
    headers = {**version.headers, **({"Subject": version.subject} if version.subject else {})}
    shown: dict[str, Any] = {
        "tag": version.tag,
        "engine": version.engine,
        "mjml": "",
        "comment": version.comment,
        "active": version.active,
        "createdAt": stamp(version.created_at),
        "id": public_id("tpv", version.id),
        "headers": headers,
    }
    return {**shown, "template": version.html} if whole else shown


def _routes(many: str) -> tuple[Route, ...]:
    one = f"{many}/{{name}}"
    versions, version = f"{one}/versions", f"{one}/versions/{{tag}}"
    read = partial(Route, permission="template_read")
    write = partial(Route, permission="template_update", most_bytes=_MOST_BYTES)
    return (
        read("GET", many, listed),
        write("POST", many, create),
        write("DELETE", many, clear),
        read("GET", one, get),
        write("PUT", one, update),
        write("DELETE", one, delete),
        read("GET", versions, list_versions),
        write("POST", versions, create_version),
        read("GET", version, get_version),
        write("PUT", version, update_version),
        write("DELETE", version, delete_version),
        write("PUT", f"{version}/copy/{{new_tag}}", copy_version),
    )


ROUTES = (*_routes("/v3/{domain}/templates"), *_routes("/v4/templates"))
