"""The forms of a page as a browser sends them: what stands in them, and what somebody types."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from inboxkit.providers import forms

from .pages import look

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .api import Answer, Api
    from .pages import Attributes


@dataclass
class Form:
    """A form of a page, and the names of its fields that no label says anything about."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict[str, str])
    names: list[str] = field(default_factory=list[str])
    unlabelled: list[str] = field(default_factory=list[str])


class _Reader(HTMLParser):
    """Reads the forms of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._labels = {part.split('"')[0] for part in html.split('<label for="')[1:]}
        self._area = ""
        self._in_label = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        given = {name: value or "" for name, value in attrs}
        self._in_label = tag == "label" or (self._in_label and tag != "form")
        if tag == "form":
            self.forms.append(Form(given["action"], given.get("method", "get")))
        elif tag in ("input", "textarea", "select"):
            self._field(self.forms[-1], tag, given)

    def _field(self, form: Form, tag: str, given: dict[str, str]) -> None:
        name, kind = given["name"], given.get("type", "text")
        form.names.append(name)
        said = self._in_label or given.get("id") in self._labels or "aria-label" in given
        if kind != "hidden" and not said:
            form.unlabelled.append(name)
        if tag == "textarea":
            self._area, form.fields[name] = name, ""
        elif kind not in ("radio", "checkbox", "file") or "checked" in given:
            form.fields[name] = given.get("value", "")

    def handle_data(self, data: str) -> None:
        if self._area:
            self.forms[-1].fields[self._area] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "label":
            self._in_label = False
        if tag == "textarea":
            fields = self.forms[-1].fields
            fields[self._area] = fields[self._area].removeprefix("\n")
            self._area = ""


def forms_of(html: str) -> list[Form]:
    """Return the forms of a page that change something; each field of theirs is labelled."""
    found = [form for form in _Reader(html).forms if form.method == "post"]
    assert [form.unlabelled for form in found] == [[] for _ in found]
    return [form for form in found if form.action != "/mail/sign-out"]


def opened(api: Api, target: str, ending: str = "", status: int = 200, **headers: str) -> Form:
    """Ask for a page; return its form whose action ends so."""
    found = forms_of(look(api, target, status, **headers).html)
    (form,) = [form for form in found if form.action.partition("?")[0].endswith(ending)]
    return form


def press(
    api: Api,
    form: Form,
    *,
    files: Mapping[str, bytes] | None = None,
    headers: Mapping[str, str] | None = None,
    **typed: Any,
) -> Answer:
    """Send a form as a browser does; ``typed`` None leaves a field out."""
    values = {name: value for name, value in {**form.fields, **typed}.items() if value is not None}
    fields = [
        forms.Field(name, str(value).replace("\n", "\r\n").encode())
        for name, value in values.items()
    ]
    chosen = next((name for name in form.names if name.startswith("file")), "files")
    fields += [forms.Field(chosen, data, name) for name, data in (files or {}).items()]
    kind, body = forms.write(fields)
    own = {"Content-Type": kind, "Origin": api.url, "Sec-Fetch-Site": "same-origin"}
    return api.ask("POST", form.action, body, {**own, **(headers or {})})


def sent(answer: Answer) -> str:
    """Return the id of the message that a form led to."""
    assert answer.status == 303, answer
    place = answer.headers["location"]
    assert place.startswith("/mail/messages/msg_")
    return place.removeprefix("/mail/messages/")
