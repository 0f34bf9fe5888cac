"""A send by template: the stored words with the variables of the request filled in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ...blocking import in_thread
from ...providers.mailgun_requests import Refusal
from ...store import templates
from ...store.api_tables import DEFAULT_POD
from ...templates.budget import TemplateError
from ...templates.rendering import Rendered, render

if TYPE_CHECKING:
    from ...providers.mailgun_requests import SendRequest
    from ...store.templates import VersionRecord
    from .call import Call


async def rendered(call: Call, asked: SendRequest) -> SendRequest:
    """Return a request with its template's words; what the request says itself stays.

    Raise Refusal for a template or a version that is not there, and for one that breaks.
    """
    if not asked.template:
        return asked
    found = await _version(call, asked)
    variables = {**asked.metadata, **asked.variables}

    def work() -> Rendered:
        return render(found.sources, variables, strict=False)

    try:
        made = await in_thread(work)
    except TemplateError as error:
        raise Refusal(400, f"template {asked.template[:100]}: {error}") from None
    given = {name.lower() for name in asked.headers}
    headers = {n: v for n, v in made.headers.items() if n.lower() not in given and v}
    return replace(
        asked,
        subject=asked.subject or made.subject,
        text=asked.text or made.text,
        html=asked.html or made.html,
        headers={**headers, **asked.headers},
    )


async def _version(call: Call, asked: SendRequest) -> VersionRecord:
    pod_id = call.reach.pod_id or DEFAULT_POD
    known = await call.store.read(templates.find, pod_id, asked.template.lower())
    tag = asked.options.get("t:version") or None
    found = None
    if known is not None:
        found = await call.store.read(templates.version, known.id, tag)
    if found is None:
        version = f", version {tag[:100]}" if tag else ""
        raise Refusal(400, f"template {asked.template[:100]}{version} is not stored here")
    return found
