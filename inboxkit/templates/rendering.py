"""A mail's subject and texts out of templates and variables, in either language."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import handlebars, jinja
from .budget import MOST_SOURCE_CHARACTERS, Budget, TemplateError

if TYPE_CHECKING:
    from collections.abc import Mapping

JINJA, HANDLEBARS = "jinja", "handlebars"
ENGINES = (JINJA, HANDLEBARS)
PARTS = ("subject", "text", "html")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The templates of one mail; "" where it has none."""

    engine: str
    subject: str = ""
    text: str = ""
    html: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What came of it."""

    subject: str
    text: str
    html: str
    headers: Mapping[str, str]


def check(sources: Sources) -> None:
    """Raise TemplateError, naming the part, for a source that cannot be read."""
    named = {name: getattr(sources, name) for name in PARTS}
    if sum(map(len, sources.headers.values())) > MOST_SOURCE_CHARACTERS:
        raise TemplateError(f"headers: are longer than {MOST_SOURCE_CHARACTERS} characters")
    for name, source in (named | dict(sources.headers)).items():
        try:
            if sources.engine == HANDLEBARS:
                handlebars.parse(source)
            else:
                jinja.check(source)
        except TemplateError as error:
            raise TemplateError(f"{name}: {error}") from None


def render(sources: Sources, variables: Mapping[str, Any], *, strict: bool) -> Rendered:
    """Return a mail's parts; raise TemplateError, naming the part.

    Only HTML is escaped; a subject and a header become one line.
    """
    budget = Budget()

    def part(name: str, source: str, *, line: bool = False) -> str:
        try:
            text = _one(
                sources.engine, source, variables, budget, strict=strict, escape=name == "html"
            )
        except TemplateError as error:
            raise TemplateError(f"{name}: {error}") from None
        return _on_one_line(text) if line else text

    return Rendered(
        subject=part("subject", sources.subject, line=True),
        text=part("text", sources.text),
        html=part("html", sources.html),
        headers={name: part(name, source, line=True) for name, source in sources.headers.items()},
    )


def _one(
    engine: str,
    source: str,
    variables: Mapping[str, Any],
    budget: Budget,
    *,
    strict: bool,
    escape: bool,
) -> str:
    if engine == HANDLEBARS:
        template = handlebars.parse(source)
        return template.render(variables, strict=strict, escape=escape, budget=budget)
    return jinja.render(source, variables, strict=strict, escape=escape, budget=budget)


def _on_one_line(text: str) -> str:
    return " ".join("".join(c if c >= " " and c != "\x7f" else " " for c in text).split())
