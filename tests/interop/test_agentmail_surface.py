"""Every method of AgentMail's client against our routes; what has none is named, with a reason."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from inboxkit.http.api.resources import ROUTES
from inboxkit.http.api.routing import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

sdk: Any = import_module("agentmail")
_HOME = Path(sdk.__file__).parent
# What this server is not: a sign-up, an identity for other apps, a calendar, a file store, a judge
# of prompts, a programme of previews.
_LEFT_OUT = re.compile(
    r"/v0/(agent|apps|accounts)\b|/(accounts|calendar|files|authorize|agent-armor|labs)\b"
)


class Method(NamedTuple):
    """One method of the client, and what it asks."""

    name: str
    verb: str
    path: str


def methods() -> Iterator[Method]:
    """Yield the methods of the blocking client, as its source has them."""
    for file in sorted(_HOME.rglob("raw_client.py")):
        place = ".".join(file.relative_to(_HOME).parts[:-1])
        tree = ast.parse(file.read_text(encoding="utf-8"))
        blocking = [n for n in tree.body if isinstance(n, ast.ClassDef)]
        for made in (n for n in blocking if not n.name.startswith("Async")):
            for function in (n for n in made.body if isinstance(n, ast.FunctionDef)):
                yield from (
                    Method(f"{place}.{function.name}", verb, path)
                    for verb, path in requests(function)
                )


def requests(function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    """Yield verb and path of the requests that a method makes, ``{}`` for each id."""
    for call in (n for n in ast.walk(function) if isinstance(n, ast.Call)):
        verbs = [k.value for k in call.keywords if k.arg == "method"]
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("request", "stream"):
            (verb,) = (v.value for v in verbs if isinstance(v, ast.Constant))
            yield str(verb), f"/{written(call.args[0])}"


def written(path: ast.expr) -> str:
    """Return a path as it is written, without what it puts in."""
    pieces = path.values if isinstance(path, ast.JoinedStr) else [path]
    return "".join(str(p.value) if isinstance(p, ast.Constant) else "{}" for p in pieces)


def test_every_method_of_the_client_has_a_route_or_a_reason() -> None:
    ours = {(m.route.method, re.sub(r"{[^}]*}", "{}", m.path)) for m in Table(ROUTES).mounted}
    found = list(methods())
    without = [m for m in found if (m.verb, m.path) not in ours]

    assert len(found) >= 180
    assert [m for m in without if not _LEFT_OUT.search(m.path)] == []
    assert [m for m in found if m not in without and _LEFT_OUT.search(m.path)] == []
