from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.links import find_links
from inboxkit.parsing.mentions import clean_url

from .otp_corpus import samples, score

TOKEN = "c8Zr2mQv7Lx0aPdN4sTyWk31"
URL = f"https://app.example/x/{TOKEN}"


def page(label: str, url: str = URL, before: str = "") -> str:
    return f"<p>{before} <a class='btn' href='{url}'>{label}</a></p>"


def test_links_of_many_languages_are_found_and_decoys_are_not() -> None:
    result = score((mail.id, mail.link, mail.found_link()) for mail in samples())

    assert result.precision >= 0.98, result.decoys
    assert result.recall >= 0.98, result.missed


PURPOSES = {
    "verify": ("Confirm your email", "Confirm email address", "verify"),
    "unlock": ("Your account is locked", "Unlock my account", "verify"),
    "login": ("Your magic link", "Sign in", "login"),
    "reset": ("Forgot your password?", "Choose a new password", "reset"),
    "invite": ("Ann invited you to Kite", "Join workspace", "invite"),
    "de": ("Passwort vergessen", "Neues Passwort vergeben", "reset"),
    "ja": ("招待が届いています", "招待を承認する", "invite"),
    "ar": ("تفعيل الحساب", "تفعيل الحساب", "verify"),
    "ru": ("Ссылка для входа", "Войти", "login"),
}


@pytest.mark.parametrize(("subject", "label", "purpose"), PURPOSES.values(), ids=PURPOSES.keys())
def test_a_button_is_found_by_its_words(subject: str, label: str, purpose: str) -> None:
    links = find_links("", html=page(label), subject=subject)

    assert [(link.url, link.purpose) for link in links] == [(URL, purpose)]


AVOIDED = {
    "unsubscribe": page("Unsubscribe"),
    "help": page("Visit our help center"),
    "privacy": page("Privacy policy"),
    "view online": page("View in browser"),
    "decline": page("Decline"),
    "not me": page("This wasn't me"),
    "home": page("Confirm email", "https://app.example/"),
    "picture": page("Confirm email", f"https://app.example/{TOKEN}.png"),
    "app store": page("Confirm email", "https://apps.apple.com/app/id12345"),
    "social": page("Confirm email", "https://www.facebook.com/verify/12345"),
    "script": page("Confirm email", "javascript:confirm('verify')"),
    "mail": page("Confirm email", "mailto:verify@app.example"),
    "address says so": page("Confirm email", f"https://app.example/unsubscribe/{TOKEN}"),
    "not you, same sentence": page("reset your password", before="If this wasn't you, please"),
    "order": page("Confirm your order"),
    "meeting": page("Join video call", before="You are invited to a meeting."),
}


@pytest.mark.parametrize("html", AVOIDED.values(), ids=AVOIDED.keys())
def test_other_links_are_left_alone(html: str) -> None:
    assert find_links("", html=html, subject="Please confirm your email") == ()


IN_TEXT = {
    "own line": f"Click below to confirm your email:\n\n{URL}\n",
    "same line": f"Confirm your email: {URL}",
    "after a label": f"Confirm your email ( {URL} )",
    "angle brackets": f"Confirm your email:\n<{URL}>",
    "markdown": f"[Confirm your email]({URL})",
    "end of a sentence": f"To confirm your email, open {URL}.",
    "a sentence between": f"Click to confirm your email. The link works once.\n\n{URL}",
    "carriage returns": f"Confirm your email:\r\n\r\n{URL}\r\n",
    "before other links": f"Confirm your email: {URL}\nHelp: https://app.example/help/{TOKEN}",
}


@pytest.mark.parametrize("text", IN_TEXT.values(), ids=IN_TEXT.keys())
def test_an_address_in_the_text_is_found_by_the_sentence_before(text: str) -> None:
    links = find_links(text, subject="Please confirm your email")

    assert [link.url for link in links] == [URL]


BY_ADDRESS = {
    "verify": (f"https://app.example/verify?token={TOKEN}", "verify"),
    "confirm": (f"https://app.example/auth/confirm-email/{TOKEN}", "verify"),
    "activate": (f"https://app.example/activate?code={TOKEN}", "verify"),
    "reset": (f"https://app.example/password/reset?key={TOKEN}", "reset"),
    "magic": (f"https://app.example/magic-link?t={TOKEN}", "login"),
    "invite": (f"https://app.example/invitations/{TOKEN}", "invite"),
    "field": (f"https://app.example/users/confirmation?confirmation_token={TOKEN}", "verify"),
    "completion": (f"https://app.example/signup/complete?token={TOKEN}", "verify"),
    "german": (f"https://app.example/registrierung/bestaetigen/{TOKEN}", "verify"),
    "login behind": (f"https://app.example/login/magic?token={TOKEN}", "login"),
}
ALONE = {"line": "Hello,\n\n{}\n\nThe team", "colon": "Here you are: {}", "brackets": "<{}>"}


@pytest.mark.parametrize("text", ALONE.values(), ids=ALONE.keys())
@pytest.mark.parametrize(("url", "purpose"), BY_ADDRESS.values(), ids=BY_ADDRESS.keys())
def test_an_address_that_stands_apart_may_speak_for_itself(
    url: str, purpose: str, text: str
) -> None:
    found = find_links(text.format(url), subject="Hello from Kite")
    button = find_links("", html=page("Let's go", url), subject="Hello from Kite")

    assert [(link.url, link.purpose) for link in (*found, *button)] == [(url, purpose)] * 2


VERIFY = f"https://app.example/verify?token={TOKEN}"
NOT_BY_ADDRESS = {
    "inside a sentence": ("Hello", f"Calls to {VERIFY} return 500 since noon."),
    "answer": ("Re: staging", f"Still broken:\n\n{VERIFY}"),
    "not you": ("Hello", f"If you did not do this:\n{VERIFY}"),
    "something changed": ("Your email was changed", VERIFY),
    "order": ("Thank you for your order", VERIFY),
    "without a token": ("Hello", "https://app.example/verify"),
    "field, no action": ("Hello", f"https://app.example/s/{TOKEN}?verify=1"),
    "longer word": ("Hello", f"https://app.example/activate-tracking?parcel={TOKEN}"),
    "adjective": ("Hello", f"https://app.example/stats/active-users/{TOKEN}"),
    "state": ("Hello", f"https://app.example/badges/verified-user/{TOKEN}"),
    "field of another page": ("Hello", f"https://app.example/n?token={TOKEN}&next=/verify"),
    "another thing": ("Hello", f"https://git.example/p/pull/47/verify-email?x={TOKEN}"),
    "another action": ("Hello", f"https://app.example/orders/confirm/{TOKEN}"),
}


@pytest.mark.parametrize(("subject", "text"), NOT_BY_ADDRESS.values(), ids=NOT_BY_ADDRESS.keys())
def test_an_address_alone_proves_nothing_elsewhere(subject: str, text: str) -> None:
    assert find_links(text, subject=subject) == ()


def test_a_button_without_a_purpose_has_that_of_the_subject() -> None:
    html = page("Yes, this is me")

    assert [link.purpose for link in find_links("", html=html, subject="Confirm your email")] == [
        "verify"
    ]
    assert find_links("", html=html, subject="Ana shared a password with you") == ()


def test_a_line_that_asks_stands_above_its_link() -> None:
    assert find_links(f"Confirm your address:\n{URL}", subject="Welcome")
    assert find_links(f"Schalte deinen Zugang frei:\n{URL}", subject="Zugang freischalten")
    assert not find_links(f"Please confirm this:\n{URL}", subject="Welcome")


def test_advice_and_alerts_ask_for_nothing() -> None:
    tips = f"Read our tips for a good password: {URL}"
    alert = f"Neue Anmeldung aus Kiel. Warst du das nicht? {URL}"

    assert find_links(tips, subject="Password expired?") == ()
    assert find_links(alert, subject="Neue Anmeldung") == ()


def test_what_was_verified_asks_for_nothing() -> None:
    text = f"See what 300 verified buyers say: {URL}"

    assert find_links(text, subject="Verified reviews") == ()


SAID = {
    "accept, swedish": ("Eva har bjudit in dig till laget Hamnen.", "Tacka ja", "invite"),
    "added to a team": ("Bo added you to the harbour plan.", "Accept", "invite"),
    "finish, french": ("Pour terminer votre inscription, cliquez ici :", "Ici", "verify"),
    "invited, hebrew": ("דנה הזמינה אותך לצוות", "הצטרפות לצוות", "invite"),
}


@pytest.mark.parametrize(("before", "label", "purpose"), SAID.values(), ids=SAID.keys())
def test_the_words_before_a_button_say_what_it_is_for(
    before: str, label: str, purpose: str
) -> None:
    links = find_links("", html=page(label, before=before), subject="Kite")

    assert [link.purpose for link in links] == [purpose]


def test_the_same_link_in_text_and_html_is_one() -> None:
    links = find_links(f"Confirm email <{URL}>", html=page("Confirm email"))

    assert [link.url for link in links] == [URL]


def test_the_best_link_comes_first() -> None:
    other = f"https://app.example/y/{TOKEN}"
    html = page("Sign in with a magic link", other) + page("Confirm email address")

    links = find_links("", html=html, subject="Confirm your email address")

    assert [link.url for link in links] == [URL, other]
    assert links[0].confidence >= links[1].confidence


def test_entities_of_an_address_are_decoded_and_its_fields_kept() -> None:
    html = page("Confirm email", f"https://app.example/c?t={TOKEN}&amp;copy=1&copy=2")

    links = find_links("", html=html, subject="Confirm your email")

    assert links[0].url == f"https://app.example/c?t={TOKEN}&copy=1&copy=2"


def test_a_sign_in_page_for_everyone_is_no_link_to_act_on() -> None:
    html = page("Log in", "https://app.example/login")

    assert find_links("", html=html, subject="Log in to see your statement") == ()


def test_a_picture_is_a_button_by_its_text() -> None:
    html = page("<img src='b.png' alt='Confirm email'>")

    assert find_links("", html=html, subject="One step left")[0].purpose == "verify"


def test_the_report_of_a_change_asks_for_nothing() -> None:
    html = f"<p>If you did not do this, reset it.</p>{page('Reset password')}"

    assert find_links("", html=html, subject="Your password was changed") == ()


def test_quoted_and_forwarded_mails_give_no_link() -> None:
    text = f"FYI\n\nFrom: A <a@b.example>\nSubject: Hi\n\nConfirm your email: {URL}"

    assert find_links(f"> Confirm your email: {URL}", subject="Confirm your email") == ()
    assert find_links(text, subject="Confirm your email") == ()
    assert find_links("", html=f"<div class='gmail_quote'>{page('Confirm email')}</div>") == ()


CLEANED = {
    "full stop": f"{URL}.",
    "bracket": f"{URL}).",
    "quotes": f'{URL}"',
    "entity-like end": f"{URL};",
    "full-width stop": f"{URL}。",
    "emphasis": f"{URL}**",
}


@pytest.mark.parametrize("url", CLEANED.values(), ids=CLEANED.keys())
def test_what_text_adds_to_an_address_is_removed(url: str) -> None:
    assert clean_url(url) == URL


def test_brackets_that_belong_to_an_address_stay() -> None:
    assert clean_url("https://x.example/a_(b)") == "https://x.example/a_(b)"


def test_a_link_says_why_and_hides_its_address() -> None:
    link = find_links("", html=page("Confirm email"), subject="Confirm your email")[0]

    assert 0.5 < link.confidence <= 1
    assert "its words ask for it" in link.reason
    assert TOKEN not in repr(link)


WORDS = "</a> confirm your email ( ) < > &amp; &#x <p> </p> \n > not If you"
PIECES = st.sampled_from([URL, f"<a href='{URL}'>", *WORDS.split(" ")])
MAILS = st.lists(st.one_of(PIECES, st.text(max_size=8))).map(" ".join)


@given(MAILS, MAILS, st.text(max_size=40))
def test_any_mail_is_read_and_only_web_addresses_are_returned(
    text: str, html: str, subject: str
) -> None:
    links = find_links(text, html=html, subject=subject)

    assert all(link.url[:8].lower().startswith(("http://", "https://")) for link in links)
    assert all(not link.url[-1].isspace() for link in links)


HOSTILE = {
    "addresses": "http://a",
    "addresses apart": f"{URL} ",
    "slashes": "://",
    "words": "confirm your email: ",
    "anchors": f"<a href='{URL}'>confirm",
    "open anchors": "<a href='",
    "pictures": "<a href=x><img alt='confirm",
    "tags": "<p>",
    "entities": "&amp;",
    "actions": f"{VERIFY}\n",
    "long actions": f"https://a.example/{'activate-account-' * 50}\n",
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE.keys())
def test_time_grows_with_the_size_only(piece: str) -> None:
    def seconds(size: int) -> float:
        text = (piece * size)[:size]
        start = time.process_time()
        find_links(text, html=f"<a href='{size}'>{text}", subject="Confirm your email")
        return time.process_time() - start

    small = min(seconds(16 * 1024) for _ in range(3))
    assert any(seconds(64 * 1024) < 6 * small + 0.01 for _ in range(3))
