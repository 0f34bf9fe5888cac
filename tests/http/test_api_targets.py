"""Targets as clients really send them: ids with slashes, question marks and percent signs."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.http.api import targets
from inboxkit.http.api.resources import ROUTES
from inboxkit.http.api.routing import Table

TABLE = Table(ROUTES)
BOX = "/v0/inboxes/a@b.example/messages"


@pytest.mark.parametrize(
    ("method", "raw", "handler", "id"),
    [
        ("GET", f"{BOX}/%3Ca@x%3E", "get", "<a@x>"),
        ("GET", f"{BOX}/<a@x>", "get", "<a@x>"),
        ("GET", f"{BOX}/%3Ca/b/c@x%3E", "get", "<a/b/c@x>"),
        ("GET", f"{BOX}/%3Ca/b@x%3E/raw", "get_raw", "<a/b@x>"),
        ("GET", f"{BOX}/%3Ca?b@x%3E", "get", "<a?b@x>"),
        ("POST", f"{BOX}/%3Ca?b?c@x%3E/reply-all", "reply_all", "<a?b?c@x>"),
        ("GET", f"{BOX}/%3Ca+b=c&d@x%3E/raw?x=1", "get_raw", "<a+b=c&d@x>"),
        ("GET", f"{BOX}/%3Ca%2Fb%3Fc%23d%2B@x%3E", "get", "<a/b?c#d+@x>"),
        ("GET", f"{BOX}/%3Ca/raw@x%3E", "get", "<a/raw@x>"),
        ("GET", f"{BOX}/msg_1/attachments/att_1", "get_attachment", "msg_1"),
        ("GET", f"http://127.0.0.1:8025{BOX}/%3Ca@x%3E", "get", "<a@x>"),
    ],
    ids=lambda value: str(value)[-30:],
)
def test_a_message_id_is_found_in_any_form(method: str, raw: str, handler: str, id: str) -> None:
    found = TABLE.find(method, raw)
    assert found.route.handler.__name__ == handler
    assert targets.names(found.ids["message_id"])[0] == id


@pytest.mark.parametrize(
    ("method", "raw", "handler"),
    [
        ("GET", f"{BOX}/search?q=a", "find"),
        ("POST", f"{BOX}/send", "send"),
        ("POST", f"{BOX}/batch-get", "batch_get"),
        ("GET", "/v0/inboxes/search?q=ab", "search"),
        ("GET", "/v0/inboxes/", "listed"),
    ],
)
def test_words_of_routes_are_no_ids(method: str, raw: str, handler: str) -> None:
    assert TABLE.find(method, raw).route.handler.__name__ == handler


def test_the_query_behind_a_mended_id_is_kept() -> None:
    target = targets.read(f"{BOX}/%3Ca?b@x%3E?limit=5")
    assert (target.pieces[-1], target.query) == ("%3Ca?b@x%3E", "limit=5")


def as_python_sends(message_id: str) -> str:
    """Return an id as httpx puts it into a path: what has a meaning in URLs stays as it is."""
    return message_id.replace("<", "%3C").replace(">", "%3E").partition("#")[0]


@given(st.text(st.sampled_from("ab/.?#%41+=&@"), min_size=1, max_size=20))
def test_an_id_as_we_show_it_comes_back_from_either_sdk(local: str) -> None:
    message_id = f"<{local}@x>"
    shown = targets.shown_message_id(message_id)
    for sent in (as_python_sends(shown), quote(shown, safe="")):
        found = TABLE.find("GET", f"{BOX}/{sent}/raw")
        assert message_id in targets.names(found.ids["message_id"])


@given(st.text(max_size=200))
def test_no_target_breaks_the_reading(raw: str) -> None:
    target = targets.read(raw)
    assert all(targets.names(piece) for piece in target.pieces)


def test_inbox_ids_with_marks_are_encoded() -> None:
    assert targets.shown_inbox_id("ann+x=1@shop.example") == "ann+x=1@shop.example"
    assert targets.shown_inbox_id("a/b?c#d@shop.example") == "a%2Fb%3Fc%23d@shop.example"
