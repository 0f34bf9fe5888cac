"""Handlebars without partials, helpers and scripts: what mails at Mailgun are written in.

Variables, ``if``, ``unless``, ``each``, ``with``, sections, ``else``; all escaped for HTML unless
in three braces. Rendering is bounded by a Budget.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from .budget import MOST_OUTPUT_CHARACTERS, Budget, TemplateError, check_source, size
from .handlebars_tags import Literal, Path, Token, tokens, value, words

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEEPEST = 50
_BLOCKS = ("if", "unless", "each", "with")
_ESCAPES = str.maketrans(
    {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        '"': "&quot;",
        "'": "&#x27;",
        "`": "&#x60;",
        "=": "&#x3D;",
    }
)


@dataclass(frozen=True, slots=True)
class Output:
    """A value to write."""

    source: Path | Literal
    raw: bool


@dataclass(slots=True)
class Block:
    """A part that is written when, or as often as, a value says so."""

    kind: str
    source: Path | Literal
    line: int
    name: str
    params: tuple[str, ...] = ()
    body: list[Node] = field(default_factory=lambda: list[Node]())
    otherwise: list[Node] = field(default_factory=lambda: list[Node]())
    chained: bool = False  # by ``else if``: it ends where the block around it ends


Node: TypeAlias = "str | Output | Block"


@dataclass(frozen=True, slots=True)
class Template:
    """A template that was read."""

    nodes: Sequence[Node]

    def render(
        self,
        variables: Mapping[str, Any],
        *,
        strict: bool = False,
        escape: bool = True,
        budget: Budget | None = None,
    ) -> str:
        """Return the text; raise TemplateError. ``strict``: a variable that is missing is one."""
        writer = _Writer(budget or Budget(), strict=strict, escape=escape)
        scope = _Scope((variables,), ({"root": variables},))
        return "".join(writer.write(self.nodes, scope))


def parse(source: str) -> Template:
    """Read a template; raise TemplateError that names the line."""
    check_source(source)
    root: list[Node] = []
    stack: list[tuple[Block, list[Node]]] = []
    into = root
    for token in tokens(source):
        if token.kind == "text":
            if token.text:
                into.append(token.text)
        elif token.kind in ("output", "raw"):
            into.append(Output(_single(token), token.kind == "raw"))
        elif token.kind in ("open", "inverse"):
            into = _open(token, into, stack)
        elif token.kind == "else":
            into = _else(token, stack)
        elif token.kind == "close":
            into = _close(token, stack)
    if stack:
        raise TemplateError(f"line {stack[-1][0].line}: {stack[-1][0].name} is not closed")
    return Template(root)


def _single(token: Token) -> Path | Literal:
    found = words(token.text, token.line)
    if len(found) != 1:
        raise TemplateError(f"line {token.line}: {token.text[:80]!r}: helpers are not supported")
    return value(found[0], token.line)


def _open(token: Token, into: list[Node], stack: list[tuple[Block, list[Node]]]) -> list[Node]:
    block = _block(token, token.text)
    if len(stack) >= _DEEPEST:
        raise TemplateError(f"line {token.line}: blocks are nested deeper than {_DEEPEST}")
    into.append(block)
    stack.append((block, into))
    if token.kind == "inverse":
        block.otherwise, block.body = block.body, block.otherwise
        return block.otherwise
    return block.body


def _block(token: Token, text: str) -> Block:
    found = words(text, token.line)
    params: tuple[str, ...] = ()
    if "as" in found and found[-1] == "|":
        place = found.index("as")
        params = tuple(word for word in found[place + 1 :] if word != "|")
        found = found[:place]
    if len(found) == 2 and found[0] in _BLOCKS:
        source = value(found[1], token.line)
        return Block(found[0], source, token.line, found[0], params)
    if len(found) == 1 and found[0] not in _BLOCKS:
        return Block("section", value(found[0], token.line), token.line, found[0], params)
    raise TemplateError(
        f"line {token.line}: {text[:80]!r} is no block; known: {', '.join(_BLOCKS)}"
    )


def _else(token: Token, stack: list[tuple[Block, list[Node]]]) -> list[Node]:
    if not stack:
        raise TemplateError(f"line {token.line}: else stands outside of a block")
    block = stack[-1][0]
    if not token.text:
        return block.otherwise
    if len(stack) >= _DEEPEST:
        raise TemplateError(f"line {token.line}: blocks are nested deeper than {_DEEPEST}")
    inner = _block(token, token.text)
    inner.chained = True
    block.otherwise.append(inner)
    stack.append((inner, block.otherwise))
    return inner.body


def _close(token: Token, stack: list[tuple[Block, list[Node]]]) -> list[Node]:
    while stack and stack[-1][0].chained:
        stack.pop()
    if not stack or stack[-1][0].name != token.text:
        raise TemplateError(f"line {token.line}: /{token.text[:80]} closes nothing that is open")
    return stack.pop()[1]


@dataclass(frozen=True, slots=True)
class _Scope:
    """The contexts around a place, the innermost last, and their ``@`` values."""

    contexts: tuple[Any, ...]
    data: tuple[Mapping[str, Any], ...]
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def inside(self, context: Any, params: Mapping[str, Any], **data: Any) -> _Scope:
        """Return the scope of a block's body."""
        named = {**self.data[-1], **data}
        return _Scope((*self.contexts, context), (*self.data, named), {**self.params, **params})

    def find(self, path: Path) -> Any:
        """Return a value, or _MISSING."""
        around = self.data if path.data else self.contexts
        if path.up >= len(around):
            return _MISSING
        found = around[-1 - path.up]
        names = path.names
        if names and not path.up and not path.data and names[0] in self.params:
            found, names = self.params[names[0]], names[1:]
        for name in names:
            found = _member(found, name)
        return found


class _Missing:
    """The value of what is not there."""


_MISSING = _Missing()


def _member(found: Any, name: str) -> Any:
    if isinstance(found, Mapping):
        return found.get(name, _MISSING)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - JSON
    if isinstance(found, (list, str)) and name == "length":
        return len(found)  # pyright: ignore[reportUnknownArgumentType] - JSON
    if isinstance(found, list) and name.isascii() and name.isdigit() and len(name) < 10:
        return found[int(name)] if int(name) < len(found) else _MISSING  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - JSON
    return _MISSING


class _Writer:
    """Writes nodes under a Budget."""

    def __init__(self, budget: Budget, *, strict: bool, escape: bool) -> None:
        self._budget = budget
        self._strict = strict
        self._escape = escape

    def write(self, nodes: Sequence[Node], scope: _Scope) -> Iterator[str]:
        """Yield the text of nodes."""
        for node in nodes:
            self._budget.step()
            if isinstance(node, str):
                yield self._budget.write(node)
            elif isinstance(node, Output):
                yield self._output(node, scope)
            else:
                yield from self._block(node, scope)

    def _output(self, node: Output, scope: _Scope) -> str:
        text = _text(self._value(node.source, scope, strict=self._strict))
        self._budget.handle(len(text))
        plain = node.raw or not self._escape
        return self._budget.write(text if plain else text.translate(_ESCAPES))

    def _value(self, source: Path | Literal, scope: _Scope, *, strict: bool = False) -> Any:
        if isinstance(source, Literal):
            return source.value
        found = scope.find(source)
        if found is _MISSING and strict:
            raise TemplateError(f"the variable {source.written} is not given")
        return found

    def _block(self, block: Block, scope: _Scope) -> Iterator[str]:
        found = self._value(block.source, scope)
        kind = _section(found) if block.kind == "section" else block.kind
        if kind in ("if", "unless"):
            shown = block.body if _holds(found) == (kind == "if") else block.otherwise
            yield from self.write(shown, scope)
        elif not _holds(found):
            yield from self.write(block.otherwise, scope)
        elif kind == "with":
            params: dict[str, Any] = dict.fromkeys(block.params[:1], found)
            yield from self.write(block.body, scope.inside(found, params))
        else:
            yield from self._each(block, found, scope)

    def _each(self, block: Block, found: Any, scope: _Scope) -> Iterator[str]:
        count = len(found) if isinstance(found, (list, Mapping)) else 0  # pyright: ignore[reportUnknownArgumentType] - JSON
        if not count:
            yield from self.write(block.otherwise, scope)
        for place, (key, one) in enumerate(_pairs(found)):
            self._budget.step()
            params = dict(zip(block.params, (one, key), strict=False))
            inner = scope.inside(
                one, params, index=place, key=key, first=not place, last=place + 1 == count
            )
            yield from self.write(block.body, inner)


def _section(found: Any) -> str:
    """Return what a block without a helper's name is for this value."""
    return "each" if isinstance(found, list) else "if" if found is True else "with"


def _pairs(found: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(found, list):
        yield from enumerate(found)  # pyright: ignore[reportUnknownArgumentType] - JSON
    elif isinstance(found, Mapping):
        yield from found.items()  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType, reportUnknownVariableType] - JSON


def _holds(found: Any) -> bool:
    """Whether a value counts as true: an object does, also an empty one."""
    return found is not _MISSING and (isinstance(found, Mapping) or bool(found))


def _text(found: Any) -> str:
    """Return a value as JavaScript writes it; raise TemplateError for more than may be written."""
    if size(found) > MOST_OUTPUT_CHARACTERS:
        raise TemplateError(f"a text has more than {MOST_OUTPUT_CHARACTERS} characters")
    return ",".join(_leaves(found))


def _leaves(found: Any) -> Iterator[str]:
    """Yield what is in lists and in theirs; how deep they are costs nothing."""
    left = [found]
    while left:
        one = left.pop()
        if isinstance(one, list) and one:
            left += reversed(one)  # pyright: ignore[reportUnknownArgumentType] - JSON
        else:
            yield _leaf(one)


def _leaf(found: Any) -> str:
    if found is _MISSING or found is None or found == []:
        return ""
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, float) and found.is_integer() and abs(found) < 1e21:
        return str(int(found))
    if isinstance(found, Mapping):
        return "[object Object]"
    return str(found)
