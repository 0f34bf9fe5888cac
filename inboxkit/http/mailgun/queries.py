"""What the analytics routes are asked in JSON: what to count, of which mail, and how much of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ...providers.mailgun_requests import Refusal
from .call import storable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_QUERY_BYTES = 64 * 1024
_MOST_SKIPPED = 1_000_000
_MOST_VALUES = 100


@dataclass(frozen=True, slots=True)
class Query:
    """The JSON object of a request, read field by field; whatever is no such thing is refused."""

    given: Mapping[str, Any]

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts."""
        found: object = self.given.get(name)
        values = [found] if isinstance(found, str) and found else _listed(found)
        texts = [storable(value) for value in values if isinstance(value, str)]
        is_list = found is None or isinstance(found, str | list)
        if not is_list or len(texts) < len(values) or len(texts) > _MOST_VALUES:
            raise Refusal(400, f"{name} is not a list of at most {_MOST_VALUES} texts")
        return tuple(texts)

    def filters(self, known: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return the wanted values by attribute; raise Refusal for what cannot be looked for.

        All conditions must hold, of the values of one any.
        """
        found: dict[str, tuple[str, ...]] = {}
        for condition in _conditions(self.given.get("filter")):
            attribute, values = condition.get("attribute"), condition.get("values")
            if attribute not in known or attribute in found:
                raise Refusal(400, f"filter: attribute is none of {', '.join(known)}, each once")
            if condition.get("comparator") != "=":
                raise Refusal(400, "filter: the comparator is =")
            found[str(attribute)] = _values(values)
        return found

    def page(self, default: int, most: int) -> tuple[str, int, int]:
        """Return how to sort, how many to skip and how many to show."""
        said = self._pagination()
        skip, limit = said.get("skip", 0), said.get("limit", default)
        if not all(isinstance(n, int) and 0 <= n <= _MOST_SKIPPED for n in (skip, limit)):
            raise Refusal(400, "pagination: skip and limit are numbers")
        sort = said.get("sort") or ""
        if not isinstance(sort, str):
            raise Refusal(400, "pagination: sort is not a text")
        return sort, int(skip), max(1, min(int(limit), most))

    def is_on(self, name: str) -> bool:
        """Whether a switch is on."""
        return self.given.get(name) is True

    def token(self) -> str:
        """Return the token of the page that is asked for, "" for the first."""
        found: object = self._pagination().get("token")
        return found if isinstance(found, str) else ""

    def _pagination(self) -> dict[str, Any]:
        found: object = self.given.get("pagination") or {}
        if not isinstance(found, dict):
            raise Refusal(400, "pagination is not an object")
        return cast("dict[str, Any]", found)


def _conditions(given: object) -> list[dict[str, Any]]:
    """Return the conditions of ``{"AND": [...]}``."""
    if not given:
        return []
    all_of: object = cast("dict[str, Any]", given).get("AND") if isinstance(given, dict) else None
    found = _listed(all_of)
    if not found or not all(isinstance(one, dict) for one in found):
        raise Refusal(400, 'filter is not {"AND": [conditions]}')
    return found


def _values(given: object) -> tuple[str, ...]:
    """Return the values of a condition: texts, or objects with a ``value``."""
    found = [_value(one) for one in _listed(given)]
    if not 0 < len(found) <= _MOST_VALUES or not all(isinstance(v, str) and v for v in found):
        raise Refusal(400, f"filter: values are a list of at most {_MOST_VALUES} texts")
    return tuple(storable(str(value)) for value in found)


def _value(given: object) -> object:
    return cast("dict[str, Any]", given).get("value") if isinstance(given, dict) else given


def _listed(given: object) -> list[Any]:
    if not isinstance(given, list):
        return []
    return list(cast("list[object]", given))
