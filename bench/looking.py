"""The pages and searches that are measured on a large store, as the API asks for them."""

from __future__ import annotations

import random
import statistics
import time
from typing import TYPE_CHECKING

from growing import vocabulary

from inboxkit.store import conversations, events, search
from inboxkit.store.pages import Page
from inboxkit.store.query import Query, parse_query
from inboxkit.store.reach import EVERYTHING, HIDDEN_LABELS, Reach

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from inboxkit.store.inboxes import InboxRecord

_PAGE = 50
_NOTHING = Query()


class Looks:
    """Makes up one query after another, of the kinds in ``kinds``."""

    def __init__(self, connection: Connection, boxes: Sequence[InboxRecord], now: datetime) -> None:
        self._connection = connection
        self._boxes = boxes
        self._now = now
        self._words = vocabulary(random.Random(2))
        self._rng = random.Random(3)
        self._last = events.last(connection)
        self._newest = search.page(connection, EVERYTHING, _NOTHING, Page(1))[0]
        self._threads = [
            row.id for row in conversations.listed(connection, EVERYTHING, _NOTHING, Page(500))
        ]
        self.kinds: dict[str, Callable[[], object]] = {
            "newest page": self._list,
            "newest page of an inbox": lambda: self._list(self._inbox()),
            "a page far down": lambda: self._list(self._inbox(), far=True),
            "page of threads": lambda: self._list_threads(self._inbox()),
            "page of a thread": self._thread,
            "page of events": lambda: events.after(connection, self._last - _PAGE, limit=_PAGE),
            "rare word": lambda: self._search(self._rare()),
            "two words": lambda: self._search(f"{self._known()} {self._known()}"),
            "common word": lambda: self._search(self._common()),
            "rare word in an inbox": lambda: self._search(self._rare(), self._inbox()),
            "two words in an inbox": lambda: self._search(
                f"{self._known()} {self._known()}", self._inbox()
            ),
            "common word in an inbox": lambda: self._search(self._common(), self._inbox()),
            "common without another": lambda: self._search(f"{self._common()} -{self._known()}"),
            "a phrase": lambda: self._search(f'"{self._known()} {self._common()}"'),
            "threads of a common word": lambda: self._search_threads(self._common()),
        }

    def _inbox(self) -> Reach:
        return Reach(None, self._rng.choice(self._boxes).id)

    def _rare(self) -> str:
        return self._words[-self._rng.randrange(1, 2_000)]

    def _known(self) -> str:
        return self._words[self._rng.randrange(50, 2_000)]

    def _common(self) -> str:
        return self._words[self._rng.randrange(20)]

    def _list(self, reach: Reach = EVERYTHING, *, far: bool = False) -> object:
        page = Page(_PAGE, after=self._newest - (1 << 22) * 10_000 if far else None)
        return search.page(self._connection, reach, _NOTHING, page, hidden=HIDDEN_LABELS)

    def _list_threads(self, reach: Reach) -> object:
        page: Page[tuple[datetime, int]] = Page(_PAGE)
        return conversations.listed(self._connection, reach, _NOTHING, page, hidden=HIDDEN_LABELS)

    def _thread(self) -> object:
        thread = self._rng.choice(self._threads)
        return conversations.members(self._connection, EVERYTHING, thread, Page(_PAGE))

    def _search(self, asked: str, reach: Reach = EVERYTHING) -> object:
        query = parse_query(asked, now=self._now)
        return search.page(self._connection, reach, query, Page(_PAGE), hidden=HIDDEN_LABELS)

    def _search_threads(self, asked: str) -> object:
        query = parse_query(asked, now=self._now)
        page: Page[int] = Page(_PAGE)
        return conversations.found(self._connection, EVERYTHING, query, page, hidden=HIDDEN_LABELS)

    def measure(self, kind: str, samples: int) -> tuple[float, float, float, float]:
        """Return p50 and p99 of the time, then of this thread's CPU time, all in ms."""
        taken: list[float] = []
        used: list[float] = []
        for _ in range(samples):
            begun, before = time.perf_counter(), time.thread_time()
            self.kinds[kind]()
            taken.append((time.perf_counter() - begun) * 1000)
            used.append((time.thread_time() - before) * 1000)
        return (
            *(statistics.median(taken), percentile(taken, 99)),
            *(statistics.median(used), percentile(used, 99)),
        )


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value that so many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
