"""Sending through the Mailgun facade: forms and whole mails, once, all or nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.http.api.access import Identity
from inboxkit.http.mailgun import messages
from inboxkit.http.mailgun import stored as stored_mail
from inboxkit.http.mailgun.call import Call
from inboxkit.parsing import Limits
from inboxkit.parsing.worker import ParserProcess
from inboxkit.providers import forms
from inboxkit.providers.forms import Field
from inboxkit.providers.mailgun_requests import Refusal
from tests.mails import mail

from .api import Api, path, serving
from .mailgun import BASE, DOMAIN, Mailgun

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit.http.mailgun.call import Handler
    from inboxkit.parsing import ParsedMessage

SEND, MIME = f"/v3/{DOMAIN}/messages", f"/v3/{DOMAIN}/messages.mime"
SHOP = f"shop@{DOMAIN}"


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving() as running:
        yield running


@pytest.fixture(scope="module")
def mailgun(api: Api) -> Mailgun:
    return Mailgun(api)


def stored(mailgun: Mailgun, message_id: str) -> Any:
    """Return a stored message as the facade shows it."""
    key = mailgun.message(message_id)["inboxkit"]["id"]
    return mailgun.good("GET", f"/v3/domains/{DOMAIN}/messages/{key}")


def test_a_form_becomes_a_mail_of_the_inbox_it_is_from(mailgun: Mailgun) -> None:
    options = {"v:order": "42", "h:X-Order": "42", "h:Reply-To": "help@shop.example"}
    sent = mailgun.send(**{"o:tag": ["order", "second"], "html": "<b>Hello</b>", **options})

    shown = mailgun.message(sent)
    assert shown["from"] == f"Shop <{SHOP}>"
    assert (shown["text"], shown["html"]) == ("Hello", "<b>Hello</b>")
    assert (shown["reply_to"], shown["headers"]) == (["help@shop.example"], {"X-Order": "42"})
    assert (shown["inboxkit"]["tag"], shown["inboxkit"]["metadata"]) == ("order", {"order": "42"})


def test_files_and_inline_images_are_attached(mailgun: Mailgun) -> None:
    fields = [Field(name, value.encode()) for name, value in BASE.items()]
    fields += [
        Field("html", b'<img src="cid:logo.png">'),
        Field("attachment", b"%PDF\x00", "rück.pdf", "application/pdf"),
        Field("inline", b"\x89PNG", "logo.png", "image/png"),
    ]
    answer = mailgun.upload(SEND, fields)

    files = mailgun.message(answer.json["id"])["attachments"]
    assert {(f["filename"], f["size"], f.get("content_id")) for f in files} == {
        ("rück.pdf", 5, None),
        ("logo.png", 4, "logo.png"),
    }


def test_each_recipient_gets_a_mail_of_their_own_words(mailgun: Mailgun) -> None:
    variables = {"ann@example.com": {"name": "Ann", "id": 7}, "ben@example.com": {"name": "Ben"}}
    mailgun.send(
        **{
            "from": f"many@{DOMAIN}",
            "to": list(variables),
            "subject": "Hi %recipient.name%",
            "text": "No %recipient.id%, 100%",
            "v:id": "%recipient.id%",
            "recipient-variables": json.dumps(variables),
        }
    )

    listed = mailgun.api.good("GET", f"/v0/inboxes/many@{DOMAIN}/messages")["messages"]
    whole = [mailgun.message(m["message_id"], f"many@{DOMAIN}") for m in listed]
    assert {(m["to"][0], m["subject"], m["text"]) for m in whole} == {
        ("ann@example.com", "Hi Ann", "No 7, 100%"),
        ("ben@example.com", "Hi Ben", "No %recipient.id%, 100%"),
    }


def test_what_is_no_text_is_filled_in_as_the_json_that_it_was(mailgun: Mailgun) -> None:
    values = {"yes": True, "none": None, "price": 1.5, "of": ["é", 1]}
    words = "|".join(f"%recipient.{name}%" for name in values)

    sent = mailgun.send(text=words, **{"recipient-variables": json.dumps({BASE["to"]: values})})

    assert mailgun.message(sent)["text"] == 'true||1.5|["é", 1]'


FILLED, LARGE = "%recipient.x%", "x" * 1_000_000
PEOPLE = [f"a{n}@example.com" for n in range(900)]
MULTIPLIED: dict[str, tuple[dict[str, Any], str, int]] = {
    "one text": ({"text": FILLED * 40_000}, LARGE, 400),
    "one header": ({"h:X-Any": FILLED}, LARGE, 400),
    "headers together": ({f"h:X-{n}": FILLED for n in range(9)}, "x" * 40_000, 400),
    "a subject": ({"subject": FILLED * 9}, "x" * 100_000, 400),
    "a variable": ({"v:any": FILLED * 9}, "x" * 100_000, 400),
    "mails together": ({"to": PEOPLE, "text": "x" * 300_000}, "1", 413),
    "variables": ({}, "x" * 5_000_000, 400),
}


@pytest.mark.parametrize(("fields", "value", "status"), MULTIPLIED.values(), ids=MULTIPLIED)
def test_recipient_variables_make_no_small_request_a_large_one(
    mailgun: Mailgun, fields: dict[str, Any], value: str, status: int
) -> None:
    variables = json.dumps({one: {"x": value} for one in fields.get("to", [BASE["to"]])})
    asked = {**BASE, "text": FILLED, **fields, "recipient-variables": variables}
    answer = mailgun.ask("POST", SEND, **asked)
    assert (answer.status, "over" in answer.json["message"]) == (status, True)


def test_a_batch_is_sent_whole_or_not_at_all(mailgun: Mailgun) -> None:
    fields = {"from": f"whole@{DOMAIN}", "to": ["ann@example.com", "b en@exa mple.com"]}
    given = {**BASE, **fields, "recipient-variables": '{"ann@example.com": {}}'}

    assert mailgun.ask("POST", SEND, **given).status == 400
    assert mailgun.api.ask("GET", f"/v0/inboxes/whole@{DOMAIN}").status == 404


@pytest.mark.parametrize("where", ["header", "field"])
def test_a_repeated_request_sends_once(mailgun: Mailgun, where: str) -> None:
    fields = [Field(name, value.encode()) for name, value in BASE.items()]
    given = [*fields, Field("h:X-Idempotency-Key", b"k-1")] if where == "field" else fields
    headers = {"Idempotency-Key": "k-2"} if where == "header" else {}

    first = mailgun.upload(SEND, given, **headers)
    again = mailgun.upload(SEND, given, **headers)
    other = mailgun.upload(SEND, [*given, Field("cc", b"x@example.com")], **headers)

    assert (first.status, first.json) == (again.status, again.json)
    assert (other.status, "idempotency" in other.json["message"]) == (409, True)


def test_a_test_mail_is_shown_but_never_sent(mailgun: Mailgun) -> None:
    sent = mailgun.send(**{"o:testmode": "yes"})

    assert mailgun.message(sent)["inboxkit"]["state"] == "recorded"
    [event] = mailgun.good("GET", f"/v3/{DOMAIN}/events", **{"message-id": sent})["items"]
    assert (event["event"], event["flags"]["is-test-mode"]) == ("accepted", True)


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ({}, {}),
        ({"o:tracking": "htmlonly"}, {"track_opens": True, "track_clicks": True}),
        (
            {"o:tracking": "no", "o:tracking-opens": "yes"},
            {"track_opens": True, "track_clicks": False},
        ),
        ({"o:tracking-clicks": "htmlonly"}, {"track_clicks": True}),
        ({"o:tracking-clicks": "False"}, {"track_clicks": False}),
    ],
    ids=["nothing", "all", "one of them otherwise", "clicks", "no clicks"],
)
def test_tracking_is_asked_of_the_provider(
    mailgun: Mailgun, options: dict[str, str], asked: dict[str, bool]
) -> None:
    shown = mailgun.message(mailgun.send(**options))
    assert mailgun.api.asked(shown["inboxkit"]["id"]) == asked


def test_a_mail_waits_for_its_time_and_can_be_taken_back(mailgun: Mailgun) -> None:
    later = mailgun.api.runner.clock.now() + timedelta(days=2)
    sent = mailgun.send(**{"o:deliverytime": format_datetime(later)})
    assert mailgun.message(sent)["inboxkit"]["state"] == "scheduled"

    mailgun.good("DELETE", f"/v3/{DOMAIN}/envelopes")
    assert mailgun.api.ask("GET", path(SHOP, sent)).status == 404


def test_what_waits_is_taken_back_of_one_domain_only(mailgun: Mailgun) -> None:
    later = mailgun.api.runner.clock.now() + timedelta(days=2)
    sent = mailgun.send(**{"o:deliverytime": format_datetime(later)})
    mailgun.api.good("POST", "/v0/domains", {"domain": "other.example"})

    mailgun.good("DELETE", "/v3/other.example/envelopes")
    assert mailgun.message(sent)["inboxkit"]["state"] == "scheduled"


def test_an_answer_joins_the_thread_of_what_it_answers(api: Api, mailgun: Mailgun) -> None:
    mailgun.send()
    came = api.arrive(SHOP, subject="Broken")
    sent = mailgun.send(subject="Re: Broken", **{"h:In-Reply-To": came.message_id})

    assert mailgun.message(sent)["thread_id"] == came.thread_id


def test_a_composed_mail_is_taken_over(mailgun: Mailgun) -> None:
    raw = mail("Which size?", sender=f"Shop <{SHOP}>", to="Ann <ann@example.com>", subject="Size")
    to = [Field("to", b"ann@example.com"), Field("to", b"blind@example.com")]
    answer = mailgun.upload(MIME, [*to, Field("message", raw, "m.eml", "message/rfc822")])

    shown = mailgun.message(answer.json["id"])
    assert (shown["subject"], shown["text"].strip()) == ("Size", "Which size?")
    assert (shown["to"], shown.get("bcc")) == (["Ann <ann@example.com>"], ["blind@example.com"])


def composed(raw: bytes) -> list[Field]:
    return [Field("to", b"ann@example.com"), Field("message", raw, "m.eml", "message/rfc822")]


def test_a_composed_mail_joins_the_thread_of_what_it_answers(api: Api, mailgun: Mailgun) -> None:
    mailgun.send()
    came = api.arrive(SHOP, subject="Torn")
    raw = mail(sender=SHOP, to="ann@example.com", headers={"In-Reply-To": came.message_id})
    answer = mailgun.upload(MIME, composed(raw))
    assert mailgun.message(answer.json["id"])["thread_id"] == came.thread_id


NO_TIME = Limits(seconds=0)


class Impatient(ParserProcess):
    """A parser that has no time for what needs any."""

    async def read(self, raw: bytes, limits: Limits = NO_TIME) -> ParsedMessage:
        return await super().read(raw, limits)


LONG = mail("a b c\n" * 50_000, sender=SHOP, to="ann@example.com")


def asked(api: Api, handler: Handler, fields: list[Field], **ids: str) -> Any:
    """Ask a handler whose parser is impatient; return its answer."""
    kind, body = forms.write(fields)
    parts = replace(api.runner.kit.runtime.parts, parser=Impatient())
    call = Call(
        parts=parts,
        who=Identity(),
        ids={"domain": DOMAIN, **ids},
        headers={"Content-Type": kind},
        query="",
        body=body,
        base=api.url,
    )
    return api.runner.call(handler, call)


def test_a_composed_mail_that_takes_too_long_to_read_is_refused(api: Api) -> None:
    with pytest.raises(Refusal, match="cannot be read: limit: seconds") as refused:
        asked(api, messages.send_mime, composed(LONG))
    assert refused.value.status == 400


def test_a_stored_mail_that_takes_too_long_to_read_is_not_sent_again(
    api: Api, mailgun: Mailgun
) -> None:
    mailgun.send()
    came = api.runner.call(api.runner.kit.receive, LONG, mail_from="", rcpt_to=[SHOP])
    with pytest.raises(Refusal, match="cannot be read: limit: seconds") as refused:
        asked(api, stored_mail.resend, [Field("to", b"eve@example.com")], key=came.id)
    assert refused.value.status == 400


def test_a_long_mail_is_taken_over_too(mailgun: Mailgun) -> None:
    answer = mailgun.upload(MIME, composed(LONG))
    assert mailgun.message(answer.json["id"])["text"].count("a b c") == 50_000


def test_of_a_composed_mail_nobody_else_stands_as_its_sender(mailgun: Mailgun) -> None:
    headers = {"Sender": "ceo@other.example", "Errors-To": "eve@other.example", "X-Own": "x"}
    raw = mail("Hello", sender=SHOP, to="ann@example.com", headers=headers)
    to = Field("to", b"ann@example.com")
    answer = mailgun.upload(MIME, [to, Field("message", raw, "m.eml", "message/rfc822")])

    shown = mailgun.message(answer.json["id"])["headers"]
    assert (shown.get("X-Own"), set(headers) & set(shown)) == ("x", {"X-Own"})


SEALED = (
    f"From: {SHOP}\r\nTo: a@b.example\r\nContent-Type: multipart/signed; boundary=x\r\n\r\n--x--"
)
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no sender": ({"from": ""}, "from parameter is missing"),
    "another domain": ({"from": "a@else.example"}, f"not an address of {DOMAIN}"),
    "no recipient": ({"to": ""}, "to parameter is missing"),
    "no address": ({"to": "nobody"}, "to parameter is not a valid address"),
    "no words": ({"text": ""}, "Need at least one of"),
    "an own id": ({"h:Message-Id": "<a@b>"}, "h:Message-Id"),
    "an own header": ({"h:To": "x@b.example"}, "header To"),
    "a broken header": ({"h:X-A": "a\r\nBcc: e@example.com"}, "X-A"),
    "no time": ({"o:deliverytime": "soon"}, "invalid delivery time"),
    "perhaps a test": ({"o:testmode": "Test"}, "o:testmode parameter is neither yes nor no"),
    "html alone in a test": ({"o:testmode": "htmlonly"}, "neither yes nor no"),
    "one that may be a test": ({"o:testmode": ["no", "?"]}, "neither yes nor no"),
    "perhaps tracked": ({"o:tracking-opens": "2"}, "o:tracking-opens parameter"),
    "no variables": ({"recipient-variables": "[]"}, "not a valid JSON object"),
    "no template": ({"template": "nothing"}, "nothing"),
}


@pytest.mark.parametrize(("given", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_wrong_is_said(mailgun: Mailgun, given: dict[str, Any], words: str) -> None:
    answer = mailgun.ask("POST", SEND, **(BASE | given))
    assert (answer.status, words in answer.json["message"]) == (400, True), answer.json


def test_what_is_no_form_is_called_so(mailgun: Mailgun) -> None:
    answer = mailgun.post_json(SEND, BASE)
    assert (answer.status, "got 'application/json'" in answer.json["message"]) == (400, True)
    assert "got ''" in mailgun.ask("POST", SEND).json["message"]


def test_a_sealed_mail_is_refused_rather_than_broken(mailgun: Mailgun) -> None:
    fields = [Field("to", b"a@b.example"), Field("message", SEALED.encode(), "m", "")]
    answer = mailgun.upload(MIME, fields)
    assert (answer.status, "signed or encrypted" in answer.json["message"]) == (400, True)


def test_another_domain_is_unknown(mailgun: Mailgun) -> None:
    answer = mailgun.ask("POST", "/v3/else.example/messages", **BASE | {"from": "a@else.example"})
    assert (answer.status, answer.json) == (404, {"message": "Domain not found: else.example"})


def test_a_stored_mail_is_read_sent_again_and_deleted(api: Api, mailgun: Mailgun) -> None:
    mailgun.send()
    came = api.arrive(SHOP, "Thanks\n\n> Hello", files={"a.txt": b"a"})
    item = f"/v3/domains/{DOMAIN}/messages/{came.id}"

    shown = mailgun.good("GET", item)
    assert (shown["Message-Id"], shown["stripped-text"]) == (came.message_id, "Thanks")
    assert api.ask("GET", shown["attachments"][0]["url"].removeprefix(api.url)).body == b"a"
    again = mailgun.good("POST", item, to="eve@example.com")
    assert mailgun.message(again["id"])["to"] == []
    mailgun.good("DELETE", item)
    assert mailgun.ask("GET", item).status == 404


def test_a_stored_mail_tells_where_its_inline_images_are(api: Api, mailgun: Mailgun) -> None:
    logo = Field("inline", b"\x89PNG", "logo.png", "image/png")
    fields = [Field(name, value.encode()) for name, value in BASE.items()]
    html = Field("html", b'<img src="cid:logo.png">')
    sent = mailgun.upload(SEND, [*fields, html, logo, Field("attachment", b"a", "a.txt")])

    shown = stored(mailgun, sent.json["id"])

    [(name, told)] = shown["content-id-map"].items()
    assert (name, told["name"], told in shown["attachments"]) == ("<logo.png>", "logo.png", True)
    assert api.ask("GET", told["url"].removeprefix(api.url)).body == b"\x89PNG"


@pytest.mark.parametrize(
    "accept", ["message/rfc2822", "application/json;q=0.5, Message/RFC2822", "message/rfc822;q=1"]
)
def test_a_stored_mail_is_given_as_it_came(api: Api, mailgun: Mailgun, accept: str) -> None:
    mailgun.send()
    came = api.arrive(SHOP, "As it came")
    target = f"/v3/domains/{DOMAIN}/messages/{came.id}"

    answer = api.ask("GET", target, headers={"Accept": accept})

    assert "As it came" in answer.json["body-mime"]
