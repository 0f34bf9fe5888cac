from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.signatures import BadSignature, Key, headers, verify

NOW = datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)
KEY, OTHER = Key(bytes(range(24))), Key(bytes(range(1, 33)))
BODY = b'{"caf\xc3\xa9": "\xff"}'
GOOD = headers([KEY], "msg_1", NOW, BODY, prefix="svix")


def test_the_signature_is_the_one_of_the_published_library() -> None:
    # made with svix 1.x: Webhook(secret).sign(id, time, body)
    key = Key.of("whsec_" + base64.b64encode(bytes(range(24))).decode())

    assert (
        key.sign("msg_1", 1767323046, b'{"a": 1}')
        == "v1,wmp4Ox3ZI9zkSpfigPJeT+YTljXAbvCR3cIuHqwgLQw="
    )


@pytest.mark.parametrize("prefix", ["svix", "webhook"])
def test_what_was_signed_gives_its_id(prefix: str) -> None:
    signed = headers([KEY], "msg_1", NOW, BODY, prefix="svix" if prefix == "svix" else "webhook")

    assert set(signed) == {f"{prefix}-{name}" for name in ("id", "timestamp", "signature")}
    assert verify([KEY], signed, BODY, NOW) == "msg_1"


def test_header_names_are_read_in_any_case() -> None:
    assert verify([KEY], {name.upper(): v for name, v in GOOD.items()}, BODY, NOW) == "msg_1"


@pytest.mark.parametrize("keys", [[KEY], [OTHER], [OTHER, KEY]], ids=["old", "new", "both"])
def test_either_key_is_enough_while_keys_are_changed(keys: list[Key]) -> None:
    signed = headers([KEY, OTHER], "msg_1", NOW, BODY)

    assert verify(keys, signed, BODY, NOW) == "msg_1"


def test_one_good_signature_among_foreign_ones_is_enough() -> None:
    many = f"v1a,AAAA v2,BBBB v1,CCCC  {GOOD['svix-signature']} v1,"

    assert verify([KEY], {**GOOD, "svix-signature": many}, BODY, NOW) == "msg_1"


@pytest.mark.parametrize(
    "changes",
    [
        {"svix-id": "msg_2"},
        {"svix-timestamp": str(int(NOW.timestamp()) + 1)},
        {"svix-signature": OTHER.sign("msg_1", int(NOW.timestamp()), BODY)},
        {"svix-signature": GOOD["svix-signature"].removeprefix("v1,")},
        {"svix-signature": GOOD["svix-signature"].replace("v1,", "v1a,")},
        {"svix-signature": GOOD["svix-signature"][:-1]},
        {"svix-signature": "v1,é"},
        {"svix-signature": ""},
        {"svix-id": ""},
        {"svix-timestamp": ""},
        {"svix-timestamp": "soon"},
        {"svix-timestamp": "٣"},
        {"svix-timestamp": "²"},
        {"svix-timestamp": f"0{int(NOW.timestamp())}"},
        {"svix-timestamp": f"-{int(NOW.timestamp())}"},
        {"svix-timestamp": "9" * 400},
    ],
    ids=str,
)
def test_what_was_tampered_with_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(BadSignature):
        verify([KEY], {**GOOD, **changes}, BODY, NOW)


def test_a_body_of_other_bytes_is_refused() -> None:
    with pytest.raises(BadSignature, match="wrong signature"):
        verify([KEY], GOOD, BODY + b" ", NOW)


def test_the_line_between_id_time_and_body_cannot_be_moved() -> None:
    seconds = str(int(NOW.timestamp()))
    signed = headers([KEY], "msg_1", NOW, f"{seconds}.rest".encode())
    moved = {**signed, "webhook-id": f"msg_1.{seconds}"}

    with pytest.raises(BadSignature):
        verify([KEY], moved, b"rest", NOW)


def test_without_a_key_nothing_is_good() -> None:
    with pytest.raises(BadSignature, match="wrong signature"):
        verify([], GOOD, BODY, NOW)


@pytest.mark.parametrize(
    ("age", "fresh"), [(-301, False), (-300, True), (0, True), (300, True), (301, False)]
)
def test_only_what_was_signed_within_300_seconds_is_taken(age: int, fresh: bool) -> None:
    now = NOW + timedelta(seconds=age)

    if fresh:
        assert verify([KEY], GOOD, BODY, now) == "msg_1"
    else:
        with pytest.raises(BadSignature, match="window"):
            verify([KEY], GOOD, BODY, now)


@given(st.dictionaries(st.sampled_from([*GOOD]), st.text()), st.binary())
def test_no_header_makes_it_raise_anything_else(foreign: dict[str, str], body: bytes) -> None:
    with pytest.raises(BadSignature):
        verify([KEY], foreign, body, NOW)


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "whsec_AAAA", "whsec_!" + "A" * 31, "é" * 32, "whsec_" + "A" * 33],
    ids=["empty", "no key", "3 bytes", "no base64", "no ASCII", "cut off"],
)
def test_a_secret_that_protects_nothing_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(ValueError, match="must") as raised:
        Key.of(secret)
    assert not secret or secret not in str(raised.value)


def test_a_secret_is_read_with_and_without_prefix_and_padding_and_never_shown() -> None:
    assert Key.of(KEY.secret) == Key.of(KEY.secret.removeprefix("whsec_")) == KEY
    assert Key.of(f" {OTHER.secret.rstrip('=')}\n") == OTHER
    assert repr(KEY) == "Key()"
