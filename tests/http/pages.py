"""The web pages as a browser takes them apart: what stands in them, and what would act."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from .api import Answer, Api

Attributes: TypeAlias = list[tuple[str, str | None]]
Element: TypeAlias = tuple[str, dict[str, str]]

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SAFE = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
_ALONE = {"cross-origin-opener-policy": "same-origin"}
_ACTIVE = ("script", "object", "embed", "base", "meta", "iframe", "form", "link", "img", "svg")
_URLS = ("src", "href", "action", "formaction", "data", "srcdoc", "http-equiv", "content", "style")


@dataclass
class Page(HTMLParser):
    """What a page says, the elements that could act, and every attribute that could."""

    html: str
    text: str = ""
    active: list[Element] = field(default_factory=list[Element])
    handlers: list[str] = field(default_factory=list[str])
    links: dict[str, str] = field(default_factory=dict[str, str])
    _href: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        given = {name: value or "" for name, value in attrs}
        self.handlers += [name for name in given if name.startswith("on") or name == "style"]
        if tag in _ACTIVE:
            self.active.append((tag, {n: v for n, v in given.items() if n in _URLS}))
        self._href = given.get("href", "") if tag == "a" else self._href
        if tag == "a":
            self.links.setdefault(self._href, "")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._href:
            self.links[self._href] += data

    def handle_endtag(self, tag: str) -> None:
        self._href = "" if tag == "a" else self._href

    @property
    def foreign(self) -> list[str]:
        """What the page would load or run that is none of ours."""
        return [
            f"{tag} {name}={value}"
            for tag, given in self.active
            for name, value in given.items()
            if name in ("src", "href", "action", "formaction", "data", "srcdoc", "http-equiv")
            and not (value.startswith("/") and not value.startswith("//"))
        ]


def page(answer: Answer) -> Page:
    """Return the page of an answer, which must be one of ours, and safe."""
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    # A form that is checked for where it comes from must say so.
    is_sent = b'name="key"' in answer.body or b'name="token"' in answer.body
    is_form = is_sent or answer.headers["referrer-policy"] == "same-origin"
    safe = SAFE | _ALONE | ({"referrer-policy": "same-origin"} if is_form else {})
    assert {name: answer.headers.get(name) for name in safe} == safe
    found = Page(answer.body.decode())
    assert (found.foreign, found.handlers) == ([], [])
    return found


def look(api: Api, target: str, status: int = 200, **headers: str) -> Page:
    """Ask for a page that must be there, or be refused with this status."""
    answer = api.ask("GET", target, headers={n.replace("_", "-"): v for n, v in headers.items()})
    assert answer.status == status, (target, answer.status)
    return page(answer)
