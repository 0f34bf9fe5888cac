"""Jinja2, as little of it as mails need: no calls, no macros, no includes, and a Budget.

Only the parts of the language that are named here are let through, so nothing of Python is in
reach. What an operation would cost is counted before it is done: ``costs`` says how much.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

from jinja2 import ChainableUndefined, StrictUndefined, TemplateSyntaxError, nodes
from jinja2.filters import FILTERS
from jinja2.runtime import markup_join, str_join
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS
from jinja2.visitor import NodeTransformer

from . import costs
from .budget import MEMBER, Budget, TemplateError, check_source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_ALLOWED = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.For, nodes.If, nodes.Assign),
    *(nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Filter),
    *(nodes.Test, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.CondExpr),
    *(nodes.Concat, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod),
    *(nodes.Neg, nodes.Pos, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Keyword),
)
# What the loops, slices, texts put together and comparisons of a source are turned into.
_EACH, _PART, _CONCATENATED, _COMPARED = (
    f"{name} by inboxkit" for name in ("each", "part", "concatenated", "compared")
)
_NODES_A_STEP = 50


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
        tests = cast("Mapping[str, Callable[..., Any]]", TESTS)
        self.tests = {name: self._costing(tests[name], cost) for name, cost in costs.TESTS.items()}
        filters = cast("Mapping[str, Callable[..., Any]]", FILTERS)
        self.filters = {
            name: self._costing(filters[name], cost) for name, cost in costs.FILTERS.items()
        }
        self.filters |= {_EACH: self._each, _PART: self._made}
        self.filters |= {_CONCATENATED: self._concatenated, _COMPARED: self._compared}

    def _final(self, found: Any) -> Any:
        self.budget.step()
        costs.text(found)
        return "" if found is None else found

    def _costing(self, function: Callable[..., Any], cost: costs.Cost) -> Callable[..., Any]:
        passed = int(hasattr(function, "jinja_pass_arg"))

        @wraps(function)
        def bounded(*args: Any, **kwargs: Any) -> Any:
            characters = cost(self, *args[passed:], **kwargs)
            self.budget.handle(characters)
            found = function(*args, **kwargs)
            return self._made(found) if characters else found

        return bounded

    def _made(self, found: Any) -> Any:
        """Count what an operation has made; what it would yield is made now."""
        self.budget.step()
        made: Any = found
        if isinstance(found, Iterator):
            made = list(found)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - of a template
        if isinstance(made, str):
            self.budget.handle(len(costs.text(made)))
        elif isinstance(made, list):
            self.budget.handle(MEMBER * len(made))  # pyright: ignore[reportUnknownArgumentType] - of a template
        return made  # pyright: ignore[reportUnknownVariableType] - of a template

    def _each(self, found: Any, steps: int) -> Iterator[Any]:
        """Yield what a loop goes over; each turn takes as many steps as its body is long."""
        for one in costs.members(found):
            self.budget.step(steps)
            yield one

    def _concatenated(self, parts: Sequence[Any]) -> Any:
        self.budget.handle(costs.concatenation(parts))
        return self._made(markup_join(parts) if self.autoescape else str_join(parts))

    def _compared(self, values: Sequence[Any], *names: str) -> bool:
        """Compare each value with the next one, as in ``1 < a < 9``."""
        for name, left, right in zip(names, values, values[1:], strict=False):
            self.budget.handle(costs.comparison(name, left, right))
            if not costs.COMPARISONS[name](left, right):
                return False
        return True

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Calculate with numbers of a sane size; ``+`` joins texts too."""
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            self.budget.handle(costs.concatenation((left, right)))
            return self._made(left + right)
        for one in (left, right):
            costs.number(one, operator)
        return super().call_binop(context, operator, left, right)


def check(source: str) -> None:
    """Raise TemplateError, with the line, for a source that is not let through."""
    _read(_Environment(Budget(), strict=False, escape=False), source)


def render(
    source: str,
    variables: Mapping[str, Any],
    *,
    strict: bool,
    escape: bool,
    budget: Budget | None = None,
) -> str:
    """Return the text; raise TemplateError. ``strict``: a variable that is missing is one."""
    budget = budget or Budget()
    environment = _Environment(budget, strict=strict, escape=escape)
    found = _read(environment, source)
    try:
        code = environment.compile(found)
        template = environment.template_class.from_code(environment, code, {})
        return "".join([budget.write(piece) for piece in template.generate(dict(variables))])
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
        return cast("nodes.Template", _Binding(environment).visit(found))
    except TemplateSyntaxError as error:
        raise TemplateError(f"line {error.lineno}: {error.message}") from None
    except RecursionError:
        raise TemplateError("is nested too deeply") from None


def _check(node: nodes.Node) -> None:
    """Raise TemplateError for what no mail needs."""
    if not isinstance(node, _ALLOWED):
        raise TemplateError(f"line {node.lineno}: {type(node).__name__} is not supported")
    if isinstance(node, (nodes.Filter, nodes.Test)):
        known = costs.FILTERS if isinstance(node, nodes.Filter) else costs.TESTS
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


class _Binding(NodeTransformer):
    """Puts what counts in the place of what could make a text or a loop long."""

    def __init__(self, environment: _Environment) -> None:
        self._environment = environment

    def visit_For(self, node: nodes.For) -> nodes.Node:
        """Count the turns."""
        steps = 1 + sum(1 for _ in node.find_all(nodes.Node)) // _NODES_A_STEP
        self.generic_visit(node)
        node.iter = self._filtered(cast("nodes.Expr", node.iter), _EACH, steps)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        """Count what a slice copies."""
        self.generic_visit(node)
        return self._filtered(node, _PART) if isinstance(node.arg, nodes.Slice) else node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        """Add the lengths up first."""
        self.generic_visit(node)
        return self._filtered(nodes.List(node.nodes, lineno=node.lineno), _CONCATENATED)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        """Count what is compared."""
        self.generic_visit(node)
        values = [node.expr, *(operand.expr for operand in node.ops)]
        names = [operand.op for operand in node.ops]
        return self._filtered(nodes.List(values, lineno=node.lineno), _COMPARED, *names)

    def _filtered(self, node: nodes.Expr, name: str, *args: int | str) -> nodes.Filter:
        constants = [nodes.Const(arg, lineno=node.lineno) for arg in args]
        made = nodes.Filter(node, name, constants, [], None, None, lineno=node.lineno)
        made.set_environment(self._environment)
        return made
