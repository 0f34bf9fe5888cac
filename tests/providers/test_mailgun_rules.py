"""Mailgun's routes as a language: what is read, what matches, what is refused."""

from __future__ import annotations

import time

import pytest

from inboxkit.providers.mailgun_requests import Refusal
from inboxkit.providers.mailgun_rules import Action, action, expression, matches

SUBJECT = [("From", "ann@example.com"), ("Subject", "I need help"), ("Subject", "again")]
PASSES = {
    "everything": "catch_all()",
    "the recipient": 'match_recipient("shop@shop.example")',
    "a pattern": r"match_recipient('.*@shop\.example')",
    "any case": 'match_recipient("SHOP@.*")',
    "a header": 'match_header("subject", ".*help")',
    "a later header of a name": 'match_header("Subject", "again")',
    "both": 'match_recipient(".*") and match_header("subject", ".*help")',
    "an escaped quote": r'match_header("subject", "[^\"]*help")',
}
FAILS = {
    "another recipient": 'match_recipient("ann@.*")',
    "not from its beginning": 'match_recipient("hop@")',
    "no such header": 'match_header("x-none", ".*")',
    "one of two": 'match_recipient(".*") and match_header("subject", "never")',
}


@pytest.mark.parametrize("text", PASSES.values(), ids=PASSES.keys())
def test_an_expression_passes(text: str) -> None:
    assert matches(expression(text), "shop@shop.example", SUBJECT) is not None


@pytest.mark.parametrize("text", FAILS.values(), ids=FAILS.keys())
def test_an_expression_fails(text: str) -> None:
    assert matches(expression(text), "shop@shop.example", SUBJECT) is None


def test_a_pattern_is_tried_on_one_line() -> None:
    rule = expression('match_header("subject", ".*two$")')
    assert matches(rule, "x@y", [("subject", "one\ntwo")]) is not None


ORDINARY = {
    "words": "(.*)(urgent|help|asap|broken|down|outage)(.*)",
    "words to the end": "^.*(invoice|receipt|bill).*(paid|due|late).*$",
    "roles": "(sales|support|info|billing|jobs|press)@(a|b|c)[.]example",
    "a tag or none": r"([^+@]+)(\+[^@]*)?@shop[.](com|net)",
    "a ticket": r"ticket-(?P<id>\d{1,9})-?(?P<key>[a-z0-9]+)@.*",
    "three repeats": r"(.*)\+(.*)@(.*)[.](com|net)",
    "signs in a class": r"[()|?*+{}\]]+@(x|y)",
    "lazily": "(.*?)@(.+?)[.](?:com|net)(?:[.]uk)?",
}


@pytest.mark.parametrize("pattern", ORDINARY.values(), ids=ORDINARY.keys())
def test_an_ordinary_pattern_is_taken(pattern: str) -> None:
    [condition] = expression(f"match_recipient('{pattern}')")
    assert condition.pattern is not None


def test_what_groups_caught_is_filled_in() -> None:
    text = r'match_recipient("(?P<user>.*)\+(.*)@x") and match_header("subject", "I (.*) help")'
    found = matches(expression(text), "ann+a/b@x", SUBJECT)
    assert found is not None
    assert found.fill(r"\1@else.example") == "ann@else.example"
    assert found.fill(r"https://a.example/\g<user>?t=\2&s=\3") == (
        "https://a.example/ann?t=a%2Fb&s=need"
    )
    assert found.fill(r"https://a.example/\9\g<none>") == "https://a.example/"


WRONG = {
    "nothing": "",
    "no call": "everything",
    "unknown": "match_body('x')",
    "or": "catch_all() or catch_all()",
    "no quotes": "match_recipient(x)",
    "not closed": 'match_recipient("x"',
    "too few": 'match_header("subject")',
    "no pattern": 'match_recipient("[")',
    "flags that clash": 'match_recipient("(?a)(?u)x")',
    "a repeat of a repeat": 'match_recipient("(a+)+")',
    "a repeated choice": 'match_recipient("(a|a)*b")',
    "many repeats": 'match_recipient(".*.*.*.*x")',
    "many choices": f'match_recipient("{"(a|a)" * 7}b")',
    "many options": f'match_recipient("{"a?" * 7}b")',
    "optional braces": f'match_recipient("{"x}?" * 7}b")',
    "nested choices": f'match_recipient("{"((a|a)(a|a)|a?a?)" * 3}b")',
    "choices between repeats": 'match_recipient(".*(a|a).*(a|a).*b")',
    "choices hidden by a comment": f'match_recipient("(?#[){"(a|a)" * 7}(?#])b")',
    "choices hidden by a verbose comment": f'match_recipient("(?x)#[\n{"(a|a)" * 7}#]\nb")',
    "choices hidden by a class": rf'match_recipient("[\][]{"(a|a)" * 7}b]")',
    "a repeated possessive": 'match_recipient("(a{2,}+b)*c")',
    "a backward reference": r'match_recipient("(a*)\1")',
    "too long": f'match_recipient("{"x" * 301}")',
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG.keys())
def test_an_expression_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="Invalid parameter 'expression'"):
        expression(text)


def test_a_hostile_header_takes_no_time() -> None:
    worst = expression('match_header("subject", ".*a.*b.*c")')
    started = time.process_time()
    assert matches(worst, "x@y", [("subject", "ab" * 100_000)]) is None
    assert time.process_time() - started < 5


ACTIONS = {
    "a url": ('forward("https://a.example/mime")', ("forward", "https://a.example/mime")),
    "addresses": ("forward('a@b.example, c@d.example')", ("forward", "a@b.example", "c@d.example")),
    "store": ("store()", ("store",)),
    "store and tell": ('store(notify="http://a.example")', ("store", "http://a.example")),
    "stop": ("stop()", ("stop",)),
}


@pytest.mark.parametrize(("text", "read"), ACTIONS.values(), ids=ACTIONS.keys())
def test_an_action_is_read(text: str, read: tuple[str, ...]) -> None:
    assert action(text) == Action(read[0], read[1:])


@pytest.mark.parametrize(
    "text",
    ["forward()", 'stop("x@y")', 'drop("x@y")', 'forward("nobody")', 'store("a@b")', "stop", ""],
)
def test_an_action_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="Invalid parameter 'action'"):
        action(text)
