"""One request as a handler sees it: who calls, what was given, and where it may reach."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from ...store import api_keys, search
from ...store.pages import Page
from ...store.reach import HIDDEN_LABELS
from . import page_tokens, targets
from .envelope import ApiError, not_found

if TYPE_CHECKING:
    from asyncio import BaseTransport
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from ...store.inboxes import InboxRecord
    from ...store.pods import PodRecord
    from ...store.query import Query
    from ...store.reach import Reach
    from ...store.store import Store
    from ..parts import Parts
    from .access import Identity

Key: TypeAlias = "Sequence[int | str]"
In = TypeVar("In")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[In]):
    """A request that was let in. ``given`` is its checked body or, for GET, its query.

    ``inbox`` and ``pod`` are those of the path; ``reach`` is what the key and the path allow.
    """

    parts: Parts
    who: Identity
    reach: Reach
    given: In
    ids: Mapping[str, str]  # of the path, still encoded
    headers: Mapping[str, str]
    base: str  # where this server was reached: http://127.0.0.1:8025
    pod: PodRecord | None = None
    named: InboxRecord | None = None
    line: BaseTransport | None = None  # to the client, so that a wait can see it hang up

    @property
    def store(self) -> Store:
        """The database."""
        return self.parts.store

    @property
    def now(self) -> datetime:
        """The present moment."""
        return self.parts.store.clock.now()

    @property
    def inbox(self) -> InboxRecord:
        """The inbox of the path; only for routes that have ``{inbox_id}``."""
        if self.named is None:
            raise ApiError("not_found", "Inbox not found")
        return self.named

    def name(self, id: str) -> str:
        """Return an id of the path, decoded."""
        return targets.names(self.ids[id])[0]

    def names(self, id: str) -> list[str]:
        """Return what an id of the path may mean, the likeliest first."""
        return targets.names(self.ids[id])

    def unknown(self, what: str, id: str) -> ApiError:
        """Return the answer for an id of the path that names nothing within reach."""
        return not_found(what, self.name(id))

    async def check_key(self) -> None:
        """Raise ApiError when the key has ended meanwhile; for what is answered after a wait."""
        key = self.who.key
        if key is None:
            return
        if await self.store.read(api_keys.find_good, key.id, self.now) is None:
            raise ApiError("unknown_api_key", "The API key has expired or was revoked meanwhile")

    # lists

    def page(self, kind: str, query: Any) -> Page[Any]:
        """Return which page a query asks for; its token's key as a list."""
        token = query.page_token
        after = page_tokens.read(self.store.secret, kind, token) if token else None
        return Page(query.limit, after, getattr(query, "ascending", False))

    def by_id(self, kind: str, query: Any) -> Page[Any]:
        """Return which page of a list is asked for that is in the order of its ids."""
        page = self.page(kind, query)
        return page if page.after is None else replace(page, after=page.after[0])

    def cut(
        self, kind: str, page: Page[Any], rows: Sequence[T], key: Callable[[T], Key]
    ) -> tuple[list[T], dict[str, Any]]:
        """Return the rows of a page, and the fields that every list has.

        ``key`` gives a row's place as a list of numbers and texts.
        """
        items = list(rows[: page.size])
        listed: dict[str, Any] = {"count": len(items), "limit": page.size}
        if len(rows) > page.size:
            listed["next_page_token"] = page_tokens.made(self.store.secret, kind, key(items[-1]))
        return items, listed

    def hidden(self, wanted: Mapping[str, bool]) -> list[str]:
        """Return the labels whose messages a list leaves out; ``wanted`` are its include flags."""
        denied = [name for name in self.reach.forbidden if wanted.get(name)]
        if denied:
            raise ApiError(
                "missing_permission", f"The key lacks the permission label_{denied[0]}_read"
            )
        return [name for name in HIDDEN_LABELS if not wanted.get(name)]

    def left_out(self, query: Query) -> Sequence[str]:
        """Return the labels whose messages a search leaves out; what is forbidden always is."""
        return search.left_out(query) or self.reach.forbidden
