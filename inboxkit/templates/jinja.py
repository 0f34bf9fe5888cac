"""Jinja2, as little of it as mails need: no calls, no macros, no includes, and a Budget.

Only the parts of the language that are named here are let through, so nothing of Python is in
reach. What could make a text or a loop long is counted.
"""

from __future__ import annotations

from functools import wraps
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from jinja2 import ChainableUndefined, StrictUndefined, TemplateSyntaxError, Undefined, nodes
from jinja2.filters import FILTERS
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS

from .budget import MOST_OUTPUT_CHARACTERS, Budget, TemplateError, check_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_FILTERS = (
    *("abs", "capitalize", "count", "d", "default", "e", "escape", "first", "float", "int"),
    *("items", "join", "last", "length", "list", "lower", "max", "min", "reverse", "round"),
    *("sort", "string", "sum", "title", "trim", "unique", "upper", "urlencode", "wordcount"),
)
_TESTS = (
    *("boolean", "defined", "divisibleby", "even", "false", "float", "in", "integer"),
    *("iterable", "lower", "mapping", "none", "number", "odd", "sequence", "string", "true"),
    *("undefined", "upper", "==", "!=", ">", ">=", "<", "<=", "eq", "ne", "gt", "ge", "lt", "le"),
)
_ALLOWED = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.For, nodes.If, nodes.Assign),
    *(nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Filter),
    *(nodes.Test, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.CondExpr),
    *(nodes.Concat, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod),
    *(nodes.Neg, nodes.Pos, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Keyword),
)
_LARGEST = 1e15
_COUNTED, _BOUNDED = "counted by inboxkit", "bounded by inboxkit"


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja2 with a Budget."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%"})

    def __init__(self, budget: Budget, *, strict: bool, escape: bool) -> None:
        super().__init__(
            undefined=StrictUndefined if strict else ChainableUndefined,
            autoescape=escape,
            finalize=self._final,
            optimized=False,
            keep_trailing_newline=True,
        )
        self.budget = budget
        self.globals.clear()
        self.tests = {name: TESTS[name] for name in _TESTS}
        self.filters = {name: self._bounding(FILTERS[name]) for name in _FILTERS}
        self.filters |= {_COUNTED: self._counted, _BOUNDED: self._bounded}

    def _final(self, found: Any) -> Any:
        if isinstance(found, (str, int, float, Undefined)):
            self.budget.write(str(found))
            return found
        if found is None:
            return ""
        raise TemplateError("a list or an object cannot be written; write its members")

    def _bounding(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def bounded(*args: Any, **kwargs: Any) -> Any:
            return self._bounded(function(*args, **kwargs))

        return bounded

    def _bounded(self, found: Any) -> Any:
        self.budget.step()
        if isinstance(found, str) and len(found) > MOST_OUTPUT_CHARACTERS:
            raise TemplateError(f"gives more than {MOST_OUTPUT_CHARACTERS} characters")
        return found

    def _counted(self, found: Iterable[Any]) -> list[Any]:
        items = list(islice(found, MOST_OUTPUT_CHARACTERS))
        self.budget.step(len(items))
        return items

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Calculate with numbers of a sane size; ``+`` joins texts too."""
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            return self._bounded(left + right)
        for one in (left, right):
            if not isinstance(one, (int, float)) or abs(one) > _LARGEST:
                raise TemplateError(f"{operator} is for numbers up to {_LARGEST:g}")
        return super().call_binop(context, operator, left, right)


def check(source: str) -> None:
    """Raise TemplateError, with the line, for a source that is not let through."""
    _read(_Environment(Budget(), strict=False, escape=False), source)


def render(source: str, variables: Mapping[str, Any], *, strict: bool, escape: bool) -> str:
    """Return the text; raise TemplateError. ``strict``: a variable that is missing is one."""
    environment = _Environment(Budget(), strict=strict, escape=escape)
    found = _read(environment, source)
    try:
        code = environment.compile(found)
        template = environment.template_class.from_code(environment, code, {})
        return "".join(template.generate(dict(variables)))
    except TemplateError:
        raise
    except Exception as error:  # noqa: BLE001 - a template is foreign code
        raise TemplateError(str(error) or type(error).__name__) from None


def _read(environment: _Environment, source: str) -> nodes.Template:
    check_source(source)
    try:
        found = environment.parse(source)
        for node in list(found.find_all(nodes.Node)):
            _check(node)
            _bind(node)
    except TemplateSyntaxError as error:
        raise TemplateError(f"line {error.lineno}: {error.message}") from None
    except RecursionError:
        raise TemplateError("is nested too deeply") from None
    return found


def _check(node: nodes.Node) -> None:
    """Raise TemplateError for what no mail needs."""
    if not isinstance(node, _ALLOWED):
        raise TemplateError(f"line {node.lineno}: {type(node).__name__} is not supported")
    if isinstance(node, (nodes.Filter, nodes.Test)):
        known = _FILTERS if isinstance(node, nodes.Filter) else _TESTS
        if node.name not in known or node.dyn_args or node.dyn_kwargs:
            raise TemplateError(f"line {node.lineno}: {node.name} is not supported")
    if isinstance(node, nodes.For) and node.recursive:
        raise TemplateError(f"line {node.lineno}: recursive loops are not supported")
    if isinstance(node, nodes.Dict) or _holds_more_than_constants(node):
        raise TemplateError(f"line {node.lineno}: a list may hold constants only")


def _holds_more_than_constants(node: nodes.Node) -> bool:
    """Whether lists are made of lists, by which a short source grows without bounds."""
    if not isinstance(node, (nodes.List, nodes.Tuple)):
        return False
    if isinstance(node, nodes.Tuple) and node.ctx == "store":
        return False
    return not all(isinstance(item, nodes.Const) for item in node.items)


def _bind(node: nodes.Node) -> None:
    """Count what a loop goes over, and bound what is joined."""
    if isinstance(node, nodes.For):
        node.iter = _filtered(cast("nodes.Expr", node.iter), _COUNTED)
        return
    for name, inner in node.iter_fields():
        if isinstance(inner, nodes.Concat):
            setattr(node, name, _filtered(inner, _BOUNDED))
        elif isinstance(inner, list):
            inner[:] = [_joined(one) for one in inner]  # pyright: ignore[reportUnknownVariableType] - untyped


def _joined(node: Any) -> Any:
    return _filtered(node, _BOUNDED) if isinstance(node, nodes.Concat) else node


def _filtered(node: nodes.Expr, name: str) -> nodes.Filter:
    made = nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)
    made.environment = node.environment
    return made
