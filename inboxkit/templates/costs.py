"""What every filter, test and comparison of a template handles, in characters, told beforehand.

A template and its variables come from outside: no text, number or list is trusted to be short.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from jinja2 import Undefined
from jinja2.filters import make_attrgetter

from .budget import MEMBER, MOST_OUTPUT_CHARACTERS, TemplateError, size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from jinja2 import Environment

LARGEST: Final = 1e15
_MOST_DIGITS = 400
_MOST_PRECISION = 15
_MOST_ATTRIBUTE_CHARACTERS = 100
_WORDS = 32  # of what makes a list of a text's words or bytes

Cost: TypeAlias = "Callable[..., int]"


def text(found: Any) -> str:
    """Return how a value is written; raise TemplateError for a list, an object or a long text."""
    if not isinstance(found, (str, int, float, Undefined)) and found is not None:
        raise TemplateError("a list or an object cannot be written; write its members")
    made = found if isinstance(found, str) else str(found)
    if len(made) > MOST_OUTPUT_CHARACTERS:
        raise TemplateError(f"a text has more than {MOST_OUTPUT_CHARACTERS} characters")
    return made


def number(found: Any, what: str) -> int | float:
    """Return a number of a sane size; raise TemplateError for anything else."""
    if isinstance(found, Undefined):
        text(found)  # under ``strict`` this names what is missing
    if not isinstance(found, (int, float)) or abs(found) > LARGEST:
        raise TemplateError(f"{what} is for numbers up to {LARGEST:g}")
    return found


def members(found: Any) -> Sequence[Any]:
    """Return what a value holds; raise TemplateError for what is no list, or a long one."""
    if isinstance(found, Undefined):
        return list(found)
    if not isinstance(found, (str, list, tuple, Mapping)):
        raise TemplateError("a list is needed here")
    held = cast("Sequence[Any] | Mapping[Any, Any]", found)
    if MEMBER * len(held) > MOST_OUTPUT_CHARACTERS:
        raise TemplateError(f"a list has more than {MOST_OUTPUT_CHARACTERS // MEMBER} members")
    return list(held)


def concatenation(parts: Iterable[Any], separator: Any = "") -> int:
    """Return how long the text will be; raise TemplateError when that is too long."""
    total, between = 0, len(text(separator))
    for place, one in enumerate(parts):
        total += len(text(one)) + (between if place else 0)
        if total > MOST_OUTPUT_CHARACTERS:
            raise TemplateError(f"gives more than {MOST_OUTPUT_CHARACTERS} characters")
    return total


def comparison(name: str, left: Any, right: Any) -> int:
    """Return what a comparison handles: the smaller value, but all that ``in`` looks through."""
    if name in ("in", "notin"):
        return size(left) + size(right)
    smaller, larger = sorted((left, right), key=_length)
    least = size(smaller)
    return min(least, size(larger, least))


def _length(found: Any) -> int:
    return len(cast("Any", found)) if isinstance(found, (str, list, tuple, Mapping)) else 0


def _is_in(left: Any, right: Any) -> bool:
    return left in right


COMPARISONS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    **{"eq": operator.eq, "ne": operator.ne, "gt": operator.gt, "lt": operator.lt},
    **{"gteq": operator.ge, "lteq": operator.le, "in": _is_in},
    "notin": lambda left, right: not _is_in(left, right),
}


def _nothing(_environment: Environment, *_args: Any, **_named: Any) -> int:
    return 0


def _once(_environment: Environment, value: Any) -> int:
    return len(text(value))


def _by_word(_environment: Environment, value: Any) -> int:
    return _WORDS * len(text(value))


def _trim(_environment: Environment, value: Any, chars: Any = None) -> int:
    return len(text(value)) * (1 if chars is None else 1 + len(text(chars)))


def _urlencode(_environment: Environment, value: Any) -> int:
    if not isinstance(value, (list, Mapping)):
        return _WORDS * len(text(value))
    pairs: list[Any] | Mapping[Any, Any] = value  # pyright: ignore[reportUnknownVariableType] - JSON
    for pair in pairs.items() if isinstance(pairs, Mapping) else pairs:
        concatenation(members(pair))
    return _WORDS * size(pairs)


def _abs(_environment: Environment, value: Any) -> int:
    number(value, "abs")
    return 0


def _round(_environment: Environment, value: Any, precision: Any = 0, method: Any = "") -> int:
    text(method)
    if number(precision, "round's precision") and abs(precision) > _MOST_PRECISION:
        raise TemplateError(f"round takes {-_MOST_PRECISION} to {_MOST_PRECISION} places")
    number(value, "round")
    return 0


def _digits(_environment: Environment, value: Any, default: Any = 0, base: Any = 10) -> int:
    number(base, "int's base")
    if isinstance(value, str) and len(value) > _MOST_DIGITS:
        raise TemplateError(f"a number has more than {_MOST_DIGITS} characters")
    return 0


def _float(environment: Environment, value: Any, default: Any = 0.0) -> int:
    return _digits(environment, value)


def _shallow(_environment: Environment, value: Any) -> int:
    return MEMBER * len(members(value))


def _reverse(environment: Environment, value: Any) -> int:
    return len(text(value)) if isinstance(value, str) else _shallow(environment, value)


def _items(environment: Environment, value: Any) -> int:
    return 4 * _shallow(environment, value)  # each is a pair


def _asked(environment: Environment, value: Any, attribute: Any) -> Sequence[Any]:
    """Return the members, or of each what an attribute names, ``a.b`` or for sort ``a,b``."""
    found = members(value)
    if attribute is None:
        return found
    named = text(attribute)
    parts = named.replace(",", ".").count(".") + 1
    if len(named) > _MOST_ATTRIBUTE_CHARACTERS:
        raise TemplateError(f"attribute has more than {_MOST_ATTRIBUTE_CHARACTERS} characters")
    if MEMBER * parts * len(found) > MOST_OUTPUT_CHARACTERS:
        raise TemplateError(f"attribute is for {MOST_OUTPUT_CHARACTERS // MEMBER // parts} members")
    every = named.split(",") if isinstance(attribute, str) else [attribute]
    getters = [make_attrgetter(environment, one) for one in every]
    return [getter(one) for getter in getters for one in found]


def _join(environment: Environment, value: Any, d: Any = "", attribute: Any = None) -> int:
    found = _asked(environment, value, attribute)
    return MEMBER * len(found) + concatenation(found, d)


def _sum(environment: Environment, iterable: Any, attribute: Any = None, start: Any = 0) -> int:
    found = _asked(environment, iterable, attribute)
    for one in (start, *found):
        number(one, "sum")
    return MEMBER * len(found)


def _extreme(
    environment: Environment, value: Any, case_sensitive: Any = False, attribute: Any = None
) -> int:
    return size(_asked(environment, value, attribute))


def _sort(
    environment: Environment,
    value: Any,
    reverse: Any = False,
    case_sensitive: Any = False,
    attribute: Any = None,
) -> int:
    found = _asked(environment, value, attribute)
    return size(found) * len(found).bit_length()


FILTERS: Final[Mapping[str, Cost]] = {
    **dict.fromkeys(("count", "d", "default", "first", "last", "length"), _nothing),
    **dict.fromkeys(("capitalize", "e", "escape", "lower", "string", "upper"), _once),
    **dict.fromkeys(("title", "wordcount"), _by_word),
    **dict.fromkeys(("max", "min", "unique"), _extreme),
    **{"abs": _abs, "float": _float, "int": _digits, "items": _items, "join": _join},
    **{"list": _shallow, "reverse": _reverse, "round": _round, "sort": _sort, "sum": _sum},
    **{"trim": _trim, "urlencode": _urlencode},
}


def _compared(name: str) -> Cost:
    def cost(_environment: Environment, value: Any, other: Any) -> int:
        return comparison(name, value, other)

    return cost


def _parity(_environment: Environment, value: Any, num: Any = 1) -> int:
    number(value, "this test")
    number(num, "this test")
    return 0


_OF_KIND = (
    *("boolean", "defined", "false", "float", "integer", "iterable", "mapping", "none"),
    *("number", "sequence", "string", "true", "undefined"),
)
TESTS: Final[Mapping[str, Cost]] = {
    **dict.fromkeys(_OF_KIND, _nothing),
    **dict.fromkeys(("divisibleby", "even", "odd"), _parity),
    **dict.fromkeys(("lower", "upper"), _once),
    **dict.fromkeys(("eq", "ne", "gt", "ge", "lt", "le"), _compared("eq")),
    "in": _compared("in"),
}
