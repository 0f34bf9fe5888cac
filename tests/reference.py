"""The page ``docs/reference.md``, made of the source: ``python -m tests.reference`` writes it.

Nothing is imported: what a package lists in ``__all__`` is looked up where it comes from.
"""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "reference.md"
PACKAGES = ("inboxkit", "inboxkit.testing", "inboxkit.client")
# Of these a program is given values, and makes none.
_GIVEN = ("inboxkit.extracted", "inboxkit.models", "inboxkit.inbox", "inboxkit.testing.")
_INTRO = """\
# The Python API

Every public name, as the code has it: other names may change. A signature says what is taken, \
in the order in which it is taken; `timeout` is always in seconds, other durations are \
`timedelta`, moments are aware and in UTC. \
Types that are named and not listed are internal. Examples are in [handlers.md](handlers.md), \
[send.md](send.md), [testing.md](testing.md) and [client.md](client.md).

`python -m tests.reference` writes this page.
"""
_ABOUT = {
    "inboxkit": "What programs import. The errors are also in `inboxkit.errors`.",
    "inboxkit.testing": "What the fixtures `sandbox`, `mailbox` and `fake_provider` give to tests.",
    "inboxkit.client": "The same out of process, over HTTP.",
}
Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Definition:
    """Where a name is defined: the module and the statement, with its line in the source."""

    name: str
    module: str
    node: ast.stmt
    line: str


def page() -> str:
    """Return the whole page."""
    parts = [_INTRO]
    for package in PACKAGES:
        parts.append(f"## {package}\n\n{_ABOUT[package]}\n")
        parts += [_described(definition) for definition in definitions(package)]
    text = "\n".join(parts)
    return f"{text}\n{_aliases(text)}"


def definitions(package: str) -> Iterator[Definition]:
    """Iterate over what a package lists in ``__all__``."""
    tree = _tree(package)
    homes = {
        alias.name: f"{package}{'.' * bool(node.module)}{node.module or ''}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }
    [listed] = [n.value for n in tree.body if isinstance(n, ast.Assign) and _names(n) == "__all__"]
    for name in ast.literal_eval(listed):
        yield _defined(homes[name], name)


def _names(node: ast.stmt) -> str:
    """Return the name that a statement defines."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return node.name
    if isinstance(node, ast.AnnAssign):
        return ast.unparse(node.target)
    return ast.unparse(node.targets[0]) if isinstance(node, ast.Assign) else ""


def _defined(module: str, name: str) -> Definition:
    [node] = [node for node in _tree(module).body if _names(node) == name]
    return Definition(name, module, node, _source(module).splitlines()[node.lineno - 1])


def _source(module: str) -> str:
    path = ROOT.joinpath(*module.split("."))
    return (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text("utf-8")


def _tree(module: str) -> ast.Module:
    return ast.parse(_source(module))


def _described(definition: Definition) -> str:
    node = definition.node
    if not isinstance(node, ast.ClassDef):
        return f"### {definition.name}\n\n{_alias(definition)}\n"
    head = _head(definition, node)
    lines = [f"### {node.name}\n", f"{head}\n", _text(node)]
    shown = _fields(node) if head.startswith("`class ") else ()
    members = [*shown, *_assigned(node), *_methods(node)]
    members = [_resolved(member, _constants(definition.module)) for member in members]
    return "\n".join([*lines, "", *members, ""]) if members else "\n".join([*lines, ""])


def _head(definition: Definition, node: ast.ClassDef) -> str:
    """Return how an object is made, or of what class it is when it is given."""
    bases = [ast.unparse(base) for base in node.bases if "Generic" not in ast.unparse(base)]
    plain = f"`class {node.name}({', '.join(bases)})`" if bases else f"`class {node.name}`"
    if definition.module.startswith(_GIVEN) or node.name == "SyncInbox":
        return plain
    for method in _functions(node):
        if method.name == "__init__":
            made = f"`{node.name}({_arguments(method)})`"
            return f"{plain}: {made}" if bases else made
    if any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
        given = [_field(one) for one in _annotated(node)]
        only = any("kw_only=True" in ast.unparse(one) for one in node.decorator_list)
        return f"`{node.name}({', '.join(['*', *given] if only else given)})`"
    return plain


def _functions(node: ast.ClassDef) -> Iterator[Function]:
    """Iterate over the methods, each once; overloads stand for what they overload."""
    overloaded: set[str] = set()
    for one in node.body:
        if not isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if _is(one, "overload"):
            if one.name == "__init__":
                continue
            overloaded.add(one.name)
        elif one.name in overloaded:
            continue
        yield one


def _is(node: Function, decorator: str) -> bool:
    return any(ast.unparse(one) == decorator for one in node.decorator_list)


def _annotated(node: ast.ClassDef) -> list[ast.AnnAssign]:
    found = [one for one in node.body if isinstance(one, ast.AnnAssign)]
    return [one for one in found if not ast.unparse(one.target).startswith("_")]


def _fields(node: ast.ClassDef) -> Iterator[str]:
    """Iterate over the attributes that a class declares, and the members of an enum."""
    for one in _annotated(node):
        yield f"- `{_field(one)}`"
    members = [one for one in node.body if isinstance(one, ast.Assign)]
    if "StrEnum" in (ast.unparse(base) for base in node.bases):
        yield f"- {', '.join(f'`{_quoted(ast.unparse(one))}`' for one in members)}"


def _field(one: ast.AnnAssign) -> str:
    default = None if one.value is None else _default(one.value)
    shown = f"{ast.unparse(one.target)}: {ast.unparse(one.annotation)}"
    return _quoted(shown if default is None else f"{shown} = {default}")


def _default(value: ast.expr) -> str | None:
    """Return a default as it reads: what a ``field`` is made of is not shown."""
    if not isinstance(value, ast.Call) or ast.unparse(value.func).lower() != "field":
        return ast.unparse(value)
    given = {one.arg: one.value for one in value.keywords}
    if "default_factory" in given:
        return "{}"
    return ast.unparse(given["default"]) if "default" in given else None


def _assigned(node: ast.ClassDef) -> Iterator[str]:
    """Iterate over the attributes that ``__init__`` sets from what it is given."""
    for method in [one for one in _functions(node) if one.name == "__init__"]:
        args = [*method.args.posonlyargs, *method.args.args, *method.args.kwonlyargs]
        types = {a.arg: ast.unparse(a.annotation) for a in args if a.annotation is not None}
        for one in method.body:
            target = one.targets[0] if isinstance(one, ast.Assign) else None
            if isinstance(target, ast.Attribute) and not target.attr.startswith("_"):
                assert isinstance(one, ast.Assign)
                kind = types.get(ast.unparse(one.value), "")
                yield f"- `{_quoted(f'{target.attr}: {kind}' if kind else target.attr)}`"


def _methods(node: ast.ClassDef) -> Iterator[str]:
    texts = {
        one.name: _text(one, line=True)
        for one in node.body
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    for one in _functions(node):
        if one.name.startswith("_") and one.name != "__call__":
            continue
        result = "" if one.returns is None else ast.unparse(one.returns)
        if _is(one, "property"):
            shown = f"{one.name}: {result}"
        else:
            kind = "async " if isinstance(one, ast.AsyncFunctionDef) else ""
            shown = f"{kind}{one.name}({_arguments(one)}) -> {result}"
        yield f"- `{_quoted(shown)}`: {texts[one.name]}"


def _arguments(method: Function) -> str:
    """Return what a method takes, without the object that it is of."""
    args = method.args
    places = [*args.posonlyargs, *args.args]
    defaults: list[ast.expr | None] = [None] * (len(places) - len(args.defaults))
    defaults += args.defaults
    shown = [_argument(*one) for one in zip(places, defaults, strict=True)]
    if args.posonlyargs:
        shown.insert(len(args.posonlyargs), "/")
    if args.vararg is not None:
        shown.append(f"*{_argument(args.vararg)}")
    elif args.kwonlyargs:
        shown.append("*")
    shown += [_argument(*one) for one in zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    if args.kwarg is not None:
        shown.append(f"**{_argument(args.kwarg)}")
    return _quoted(", ".join(shown[1:]))


def _argument(one: ast.arg, default: ast.expr | None = None) -> str:
    shown = one.arg if one.annotation is None else f"{one.arg}: {ast.unparse(one.annotation)}"
    return shown if default is None else f"{shown} = {ast.unparse(default)}"


def _constants(module: str) -> dict[str, str]:
    """Return the constants of a module that defaults may name."""
    found = [node for node in _tree(module).body if isinstance(node, ast.Assign)]
    return {
        _names(node): _quoted(ast.unparse(node.value))
        for node in found
        if isinstance(node.value, ast.Constant | ast.Tuple)
    }


def _resolved(member: str, constants: dict[str, str]) -> str:
    """Return a line with the values of the constants that its defaults name."""
    return re.sub(r" = ([A-Z_]+)\b", lambda m: f" = {constants.get(m[1], m[1])}", member)


def _text(node: ast.ClassDef | Function, *, line: bool = False) -> str:
    """Return a docstring, a line a paragraph, or all on one ``line``."""
    paragraphs = inspect.cleandoc(ast.get_docstring(node) or "").split("\n\n")
    told = (" ".join(one.split()).replace("``", "`") for one in paragraphs)
    return (" " if line else "\n\n").join(told)


def _quoted(code: str) -> str:
    return code if '"' in code else code.replace("'", '"')


def _alias(definition: Definition) -> str:
    node, (code, _, comment) = definition.node, definition.line.partition("  # ")
    assert isinstance(node, ast.AnnAssign) and node.value is not None, code
    value = ast.unparse(node.value).strip("'")
    return f"`{definition.name} = {value}`{': ' if comment else ''}{comment}"


def _aliases(text: str) -> str:
    """Return what the words in signatures stand for that are no public names."""
    found: dict[str, str] = {}
    for module in ("inboxkit.values", "inboxkit.router"):
        for node in _tree(module).body:
            if isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "TypeAlias":
                found[_names(node)] = _alias(_defined(module, _names(node)))
    code = " ".join(re.findall("`.*?`", text))
    public = {d.name for package in PACKAGES for d in definitions(package)}
    used = [n for n in sorted(found) if n not in public and re.search(rf"\b{n}\b", code)]
    lines: Sequence[str] = [f"- {found[name]}" for name in used]
    return "\n".join(["## Words in signatures", "", *lines, ""])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
