from __future__ import annotations

from inboxkit.providers.parsed_mail import body, header, header_map, header_pairs


def test_a_header_map_has_texts_and_lists() -> None:
    value = {"Received": ["a", "b", 7], "To": "c", "X": None, "Y": {"z": "w"}}

    assert list(header_pairs(value)) == [("Received", "a"), ("Received", "b"), ("To", "c")]
    assert list(header_pairs(["no", "map"])) == []


def test_fields_become_a_map_and_come_back() -> None:
    pairs = [("Received", "a"), ("Received", "b"), ("To", "c")]

    assert header_map(pairs) == {"Received": ["a", "b"], "To": "c"}
    assert list(header_pairs(header_map(pairs))) == pairs


def test_the_first_field_counts_whatever_its_case() -> None:
    pairs = [("return-PATH", "<>"), ("Return-Path", "<a@b>")]

    assert header(pairs, "Return-Path") == "<>"
    assert header(pairs, "Delivered-To") is None


def test_a_body_is_utf8_and_nothing_else_is_a_body() -> None:
    assert [body(value) for value in ("ü", "\udcff", None, 7)] == [b"\xc3\xbc", b"?", b"", b""]
