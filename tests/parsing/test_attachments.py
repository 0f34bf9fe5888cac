"""The files of a mail and names that can be saved."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.attachments import attachments, extract, safe_name
from inboxkit.parsing.mime import decode

from .corpus import NAMES, sample

FILES = {
    "forwarded": ["message.eml"],
    "invite": ["invite.ics"],
    "signed": ["signature.asc"],
    "smime": ["smime.p7m"],
    "uuencoded": ["table one.csv"],
    "yenc": ["all bytes.bin"],
    "winmail": ["Prüfbericht 2024.txt"],
    "delivery-status": ["delivery-status.txt", "headers.txt"],
    "alternative": [],
    "apple-mixed": ["front.png"],
}


@pytest.mark.parametrize(("name", "expected"), FILES.items(), ids=FILES.keys())
def test_files_are_listed_and_words_are_not(name: str, expected: list[str]) -> None:
    assert [file.filename for file in attachments(decode(sample(name)))] == expected


def test_file_has_its_hash_and_both_types() -> None:
    file = attachments(decode(sample("apple-mixed")))[0]

    assert file.sha256 == hashlib.sha256(file.data).hexdigest()
    assert (file.content_type, file.sniffed_type, file.size) == ("image/png", "image/png", 32)


def test_cited_picture_is_inline() -> None:
    (file,) = attachments(decode(sample("related")))

    assert file.inline
    assert file.content_id == "logo@example.com"


@pytest.mark.parametrize("name", NAMES)
def test_index_finds_the_same_bytes_again(name: str) -> None:
    for file in attachments(decode(sample(name))):
        assert extract(sample(name), file.index) == file.data


def test_index_that_is_not_there_is_an_error() -> None:
    with pytest.raises(IndexError):
        extract(sample("alternative"), 0)


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("report.pdf", "report.pdf"),
        ("Прайс лист.xlsx", "Прайс лист.xlsx"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("C:\\x.exe", "x.exe"),
        (".htaccess", "htaccess"),
        ("-rf", "rf"),
        ("con", "_con"),
        ("aux.txt", "_aux.txt"),
        ("a\0b\r\nc", "abc"),
        ("\u202egpj.exe", "gpj.exe"),
        ("a:b|c?.txt", "a_b_c_.txt"),
        ("..", "attachment"),
        ("", "attachment"),
        ("folder/", "folder"),
        ("x.pdf .exe", "x.pdf .exe"),
    ],
)
def test_safe_name(filename: str, expected: str) -> None:
    assert safe_name(filename) == expected


def test_long_name_keeps_its_extension() -> None:
    name = safe_name("é" * 5_000 + ".docx")

    assert name.endswith("é.docx")
    assert len(name.encode()) <= 150


@given(st.text(max_size=300))
def test_any_name_becomes_one_that_can_do_no_harm(filename: str) -> None:
    name = safe_name(filename)

    assert name
    assert len(name.encode()) <= 150
    assert name[0] not in ".-~ "
    assert not set(name) & set('/\\:*?"<>|\0\r\n\u202e')
