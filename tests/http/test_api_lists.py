"""Lists, searches and labels by HTTP: filters, pages, what is hidden, what is whose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.mails import mail

from .api import Api, path, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving() as running:
        yield running


@pytest.fixture
def inbox(api: Api) -> str:
    return api.inbox()


def subjects(api: Api, inbox: str, query: str = "") -> list[str]:
    found = api.good("GET", f"/v0/inboxes/{inbox}/messages{query}")["messages"]
    return [m["subject"] for m in found]


@pytest.fixture
def orders(api: Api, inbox: str) -> list[str]:
    """Three mails of an inbox, the second labelled; their ids."""
    senders = ("ann@example.com", "ben@shop.example", "ann@shop.example")
    ids = [
        api.arrive(inbox, f"Word{n}", subject=f"Order {n}", sender=sender).message_id
        for n, sender in enumerate(senders)
    ]
    api.good("PATCH", path(inbox, ids[1]), {"add_labels": ["vip", "read"]})
    return ids


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "210"),
        ("?ascending=true", "012"),
        ('?labels=["vip","received"]', "1"),
        ("?labels=vip&labels=received", "1"),
        ("?labels=vip", "1"),
        ("?labels=unread", "20"),
        ("?labels=read", "1"),
        ("?labels=sent", ""),
        ("?from=ANN", "20"),
        ('?from=["ann","shop"]', "2"),
        ("?subject=order&subject=1", "1"),
        ("?to=nobody", ""),
        ("?before=2020-01-01T00:00:00Z", ""),
        ("?after=2020-01-01T00:00:00+00:00", "210"),
        ("?unknown=1", "210"),
    ],
    ids=str,
)
def test_lists_filter(api: Api, inbox: str, orders: list[str], query: str, found: str) -> None:
    target = query.replace('"', "%22")
    assert subjects(api, inbox, target) == [f"Order {n}" for n in found]


@pytest.mark.parametrize("label", ["spam", "blocked", "unauthenticated", "trash"])
def test_what_is_hidden_is_shown_when_asked_for(
    api: Api, inbox: str, orders: list[str], label: str
) -> None:
    api.good("PATCH", path(inbox, orders[0]), {"add_labels": label})
    thread = api.good("GET", path(inbox, orders[0]))["thread_id"]
    assert subjects(api, inbox) == ["Order 2", "Order 1"]
    assert subjects(api, inbox, f"?include_{label}=true")[-1] == "Order 0"
    listed = f"/v0/inboxes/{inbox}/threads"
    shown = [t["thread_id"] for t in api.good("GET", listed)["threads"]]
    assert len(shown) == 2 and thread not in shown
    assert api.good("GET", f"{listed}?include_{label}=true")["count"] == 3
    assert api.good("GET", f"/v0/inboxes/{inbox}/messages/search?q=word0")["count"] == 0


def test_a_key_without_the_permission_does_not_see_a_label() -> None:
    with serving(api_key="k" * 20) as server:
        admin = server.of("k" * 20)
        inbox = admin.inbox()
        came = admin.arrive(inbox)
        admin.good("PATCH", path(inbox, came), {"add_labels": "spam"})
        asked = {"permissions": {"message_read": True}}
        api = server.of(admin.good("POST", "/v0/api-keys", asked)["api_key"])
        assert api.ask("GET", path(inbox, came)).status == 404
        assert api.ask("GET", f"/v0/threads/{came.thread_id}").status == 404
        hidden = api.ask("GET", f"/v0/inboxes/{inbox}/messages?include_spam=true")
        assert hidden.code == "missing_permission"


@pytest.mark.parametrize("ascending", ["false", "true"])
@pytest.mark.parametrize("kind", ["messages", "threads"])
def test_pages_join_to_the_whole(
    api: Api, inbox: str, orders: list[str], kind: str, ascending: str
) -> None:
    target = f"/v0/inboxes/{inbox}/{kind}?limit=2&ascending={ascending}"
    first = api.good("GET", target)
    rest = api.good("GET", f"{target}&page_token={first['next_page_token']}")
    found = [item["subject"] for item in (*first[kind], *rest[kind])]
    assert sorted(found, reverse=ascending == "false") == found == list(dict.fromkeys(found))
    assert (first["count"], rest["count"], "next_page_token" in rest) == (2, 1, False)


def test_a_token_is_good_for_its_own_list_only(api: Api, inbox: str, orders: list[str]) -> None:
    token = api.good("GET", f"/v0/inboxes/{inbox}/messages?limit=1")["next_page_token"]
    for target in (f"/v0/inboxes?page_token={token}", f"/v0/threads?page_token={token[:-1]}A"):
        assert api.ask("GET", target).code == "validation_error"


def test_a_threads_first_page_is_its_newest(api: Api, inbox: str) -> None:
    sent = api.send(inbox, subject="Talk")
    for n in range(3):
        headers = {"In-Reply-To": sent["message_id"], "References": sent["message_id"]}
        api.arrive(inbox, f"Answer {n}", subject="Re: Talk", headers=headers)
    target = f"/v0/threads/{sent['thread_id']}?limit=3"
    first = api.good("GET", target)
    rest = api.good("GET", f"{target}&page_token={first['next_page_token']}")
    assert [m["extracted_text"] for m in first["messages"]] == [f"Answer {n}" for n in range(3)]
    assert [m["message_id"] for m in rest["messages"]] == [sent["message_id"]]
    assert (first["count"], first["message_count"]) == (3, 4)
    assert first["senders"] == [inbox, "ann@example.com"]


def test_threads_are_found_by_what_any_of_their_messages_has(api: Api, inbox: str) -> None:
    sent = api.send(inbox, subject="Talk", to="ben@example.com")
    headers = {"In-Reply-To": sent["message_id"], "References": sent["message_id"]}
    came = api.arrive(inbox, "Zebra", sender="ben@example.com", subject="Re: Talk", headers=headers)
    api.good("PATCH", path(inbox, came), {"add_labels": "vip"})
    threads = f"/v0/inboxes/{inbox}/threads"
    for query in ("?labels=vip&labels=sent", "?senders=ben&senders=inbox", "?recipients=ben"):
        assert api.good("GET", threads + query)["count"] == 1, query
    for query in ("zebra", "lion%20OR%20zebra"):
        found = api.good("GET", f"{threads}/search?q={query}")["threads"]
        assert found[0]["highlights"] == {"text": ["**Zebra**"]}
    assert found[0]["labels"] == ["received", "sent", "unread", "vip"]


def test_a_thread_is_labelled_as_a_whole(api: Api, inbox: str) -> None:
    came = api.arrive(inbox)
    target = f"/v0/threads/{came.thread_id}"
    asked = {"add_labels": ["todo", "gone"], "remove_labels": ["gone", "unread"]}
    assert api.good("PATCH", target, asked)["labels"] == ["read", "received", "todo"]
    refused = api.ask("PATCH", target, {"add_labels": ["sent"]})
    assert refused.code == "validation_error"


def test_a_second_mail_with_one_message_id_has_a_name_of_its_own(api: Api, inbox: str) -> None:
    raw = mail("One", to=inbox)
    receive = api.runner.kit.receive
    first, second = (
        api.runner.call(receive, text, mail_from="a@b.example", rcpt_to=[inbox])
        for text in (raw, raw.replace(b"One", b"Two"))
    )
    listed = api.good("GET", f"/v0/inboxes/{inbox}/messages")["messages"]
    assert [m["message_id"] for m in listed] == [second.id, first.message_id]
    for name, text in ((second.id, "Two"), (first.message_id, "One"), (first.id, "One")):
        assert api.good("GET", path(inbox, name))["text"].strip() == text


def test_inboxes_are_searched_by_the_beginnings_of_words(api: Api) -> None:
    api.inbox(username="sales", display_name="Sales 100% desk")
    exact = api.inbox(username="sales-eu")
    api.inbox(username="resale")

    def found(q: str) -> list[str]:
        target = f"/v0/inboxes/search?limit=1&q={q}"
        page, names = api.good("GET", target), list[str]()
        while True:
            names += [i["inbox_id"] for i in page["inboxes"]]
            if "next_page_token" not in page:
                return names
            page = api.good("GET", f"{target}&page_token={page['next_page_token']}")

    assert found("sal") == [exact, "sales@inbox.example"]
    assert found("sales@inbox.example") == ["sales@inbox.example"]
    assert found("de%20100%25") == ["sales@inbox.example"]
    assert found("%25%25") == found("a__") == []


def test_a_client_id_is_one_inbox_in_each_pod(api: Api) -> None:
    pod = api.good("POST", "/v0/pods", {"name": "acme", "client_id": "acme"})
    assert api.good("POST", "/v0/pods", {"client_id": "acme"}) == pod
    target = f"/v0/pods/{pod['pod_id']}/inboxes"
    theirs = api.good("POST", target, {"client_id": "bot"})
    ours = api.good("POST", "/v0/inboxes", {"client_id": "bot"})
    assert theirs["inbox_id"] != ours["inbox_id"]
    assert api.good("POST", target, {"client_id": "bot"}) == theirs
    assert api.ask("DELETE", f"/v0/pods/{pod['pod_id']}").code == "cannot_delete"
    api.good("DELETE", f"{target}/{theirs['inbox_id']}")
    api.good("DELETE", f"/v0/pods/{pod['pod_id']}")
    assert api.ask("GET", target).status == 404


def test_a_deleted_inbox_is_gone_with_its_mail(api: Api, inbox: str) -> None:
    came = api.arrive(inbox)
    link = api.good("GET", path(inbox, came, "/raw"))["download_url"]
    api.good("DELETE", f"/v0/inboxes/{inbox}")
    assert api.ask("GET", f"/v0/threads/{came.thread_id}").status == 404
    assert api.ask("GET", link.removeprefix(api.url)).status == 404
