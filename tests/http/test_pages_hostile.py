"""Hostile mail on the pages: nothing of it acts outside of the frame, whatever field it is in."""

from __future__ import annotations

from email.message import EmailMessage
from typing import TYPE_CHECKING

import pytest

from inboxkit.http.ui.rendering import is_web, line

from .api import Api, serving
from .pages import Page, look, page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit import Message

SCRIPT = "<script>alert(1)</script>"
ATTACKS = (
    SCRIPT,
    "</iframe><script src=//evil.example/x.js></script>",
    "</title></pre></bdi></details><img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    '" autofocus onfocus="alert(1)',
    "{{ 7 * 7 }}{% raw %}{{ look.parts.store.secret }}",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href=https://evil.example/><form action=//evil.example><button>Go</button></form>",
    "javascript:alert(1)",
    "\u202egpj.exe\u202c \u2066\u200bx",
)


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(http_pages=True, any_recipient=True) as api:
        yield api


def hostile(api: Api, attack: str) -> Message:
    """Let a mail come in that has an attack wherever a mail has words."""
    inbox = api.inbox()
    made = EmailMessage()
    made["Subject"] = attack
    made["From"] = f'"{attack.replace(chr(34), "")}" <ann@example.com>'
    made["To"] = f'"{attack.replace(chr(34), "")}" <{inbox}>'
    made["X-Attack"] = attack
    made["In-Reply-To"] = "<none@evil.example>"
    made.set_content(f"{attack}\n\nCode: 482913\n\nOn 4 March 2025 A <a@b.cc> wrote:\n> {attack}\n")
    made.add_alternative(f"<p>{attack}</p>", subtype="html")
    made.add_attachment(b"x", maintype="text", subtype="html", filename=attack)
    raw = made.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    receive = api.runner.kit.receive
    return api.runner.call(receive, raw, mail_from="ann@example.com", rcpt_to=[inbox])


def answering(api: Api, came: Message, words: str) -> str:
    """Make a draft that answers a mail in such words; return its id."""
    asked = {"in_reply_to": came.message_id, "text": words, "html": words, "subject": "Re"}
    return str(api.good("POST", f"/v0/inboxes/{came.inbox}/drafts", asked)["draft_id"])


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_of_a_mail_acts_outside_of_the_frame(api: Api, attack: str) -> None:
    came = hostile(api, attack)
    targets = (
        f"/?inbox={came.inbox}",
        "/?q=482913",
        "/mail/inboxes",
        f"/mail/threads/{came.thread_id}",
        f"/mail/messages/{came.id}",
        f"/mail/messages/{came.id}/source",
        f"/mail/messages/{came.id}/reply",
        f"/mail/messages/{came.id}/reply?everyone=1",
        f"/mail/arrive?answers={came.id}",
        f"/mail/drafts/{answering(api, came, attack)}",
        "/mail/drafts",
    )
    for target in targets:  # ``look`` fails where something acts
        shown = look(api, target)
        assert "49" not in shown.text.split()
        links = [href for href in shown.links if not href.startswith(("/", "#"))]
        assert links == []


def test_html_is_nowhere_but_in_the_frame(api: Api) -> None:
    came = hostile(api, SCRIPT)
    framed = api.ask("GET", f"/mail/messages/{came.id}/html")
    assert SCRIPT in framed.body.decode()  # as it came: the policy keeps it still
    policy = framed.headers["content-security-policy"].split("; ")
    assert policy[0].split()[0] == "sandbox"
    assert not {"allow-scripts", "allow-same-origin", "allow-forms"} & set(policy[0].split())
    assert "default-src 'none'" in policy
    assert not [term for term in policy if "script" in term]
    head = {"x-content-type-options": "nosniff", "content-type": "text/html; charset=utf-8"}
    assert {name: framed.headers[name] for name in head} == head


@pytest.mark.parametrize(
    "connecting",
    [
        '<link rel="preconnect" href="https://evil.example/">',
        '<LINK/rel=dns-prefetch href="//evil.example">',
        "<svg><link\trel=preconnect href=//evil.example></svg>",
        '<Iframe srcdoc="&lt;link rel=preconnect href=//evil.example&gt;"></Iframe>',
        "<p title='<link rel=preconnect href=//evil.example>'>",
    ],
)
def test_a_mail_that_is_looked_at_connects_to_nobody(api: Api, connecting: str) -> None:
    framed = api.ask("GET", f"/mail/messages/{hostile(api, connecting).id}/html")
    assert framed.headers["x-dns-prefetch-control"] == "off"  # of its links
    assert "evil.example" in framed.body.decode()
    assert not {"link", "iframe"} & {tag for tag, _ in Page(framed.body.decode()).active}


def test_html_that_is_opened_by_itself_opens_no_other_window(api: Api) -> None:
    target = f"/mail/messages/{hostile(api, '<a target=x href=//evil.example>').id}/html"
    for place, popups in (("document", False), ("iframe", True)):
        framed = api.ask("GET", target, headers={"Sec-Fetch-Dest": place})
        sandbox = framed.headers["content-security-policy"].partition(";")[0]
        assert ("allow-popups" in sandbox) is popups
        # With both a sandbox and this header browsers show nothing.
        assert "cross-origin-opener-policy" not in framed.headers


def test_what_turns_the_direction_of_words_is_left_out_of_names(api: Api) -> None:
    shown = look(api, f"/mail/messages/{hostile(api, ATTACKS[-1]).id}")
    assert not {"\u202e", "\u202c", "\u2066", "\u200b"} & set(shown.html.partition('id="text"')[0])


def test_a_search_is_shown_as_it_was_typed(api: Api) -> None:
    answer = api.ask("GET", "/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    assert 'value="&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"' in answer.body.decode()
    page(answer)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "//evil.example",
        "https:evil",
        "http://[",
        "https://a.example/\u202e",
        "vbscript:x",
        "",
    ],
)
def test_only_addresses_on_the_web_become_links(url: str) -> None:
    assert not is_web(url)
    assert is_web("https://shop.example/verify?a=b#c")


def test_a_line_has_no_control_and_no_direction_signs() -> None:
    assert line("a\r\nb\0c\u202ed\u2069e\u2028f\ufeffg\x1b[31m") == "a b c d e f g [31m"
    assert line("می\u200cخواهم") == "می\u200cخواهم"  # which Persian needs
