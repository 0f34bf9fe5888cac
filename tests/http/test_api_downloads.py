"""Downloads by signed address: good for an hour, for one file, and harmless in a browser."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.parsing.files import docx, paragraph

from .api import Api, path, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

HTML = b"<script>alert(1)</script>"


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(api_key="k" * 20) as running:
        yield running.of("k" * 20)


def link(api: Api) -> str:
    """Return the path of a new mail's only file."""
    inbox = api.inbox()
    came = api.arrive(inbox, files={'a"\u2028é.html': HTML})
    target = path(inbox, came, f"/attachments/{came.attachments[0].id}")
    url = api.good("GET", target)["download_url"]
    assert url.startswith(f"{api.url}/download/")
    return str(url.removeprefix(api.url))


def test_a_file_is_served_without_a_key_and_never_shown(api: Api) -> None:
    answer = api.of("").ask("GET", link(api))
    assert (answer.status, answer.body) == (200, HTML)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''")
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_words_of_a_document_are_had_apart(api: Api) -> None:
    inbox = api.inbox()
    files = {
        "a.docx": docx(paragraph("Invoice 42")),
        "broken.pdf": b"%PDF-1.7 broken",
        "a.txt": b"plain",
    }
    came = api.arrive(inbox, files=files)
    shown = [api.good("GET", path(inbox, came, f"/attachments/{f.id}")) for f in came.attachments]
    assert ["text_url" in one for one in shown] == [True, True, False]
    words, broken = (
        api.of("").ask("GET", one["text_url"].removeprefix(api.url)) for one in shown[:2]
    )
    assert (words.status, words.body.strip()) == (200, b"Invoice 42")
    assert words.headers["content-type"] == "text/plain; charset=utf-8"
    assert (broken.status, broken.code) == (422, "unprocessable")
    assert api.ask("GET", "/download/forged/text").code == "not_found"


def test_an_address_is_good_for_an_hour(api: Api) -> None:
    target = link(api)
    api.runner.clock.advance(timedelta(minutes=59))
    assert api.ask("GET", target).status == 200
    api.runner.clock.advance(timedelta(minutes=2))
    assert api.ask("GET", target).code == "forbidden"


@pytest.mark.parametrize("change", ["first", "last", "short", "empty", "odd"])
def test_no_other_address_can_be_made(api: Api, change: str) -> None:
    grant = link(api).rpartition("/")[2]
    forged = {
        "first": ("B" if grant[0] == "A" else "A") + grant[1:],
        "last": grant[:-2] + ("AA" if grant[-2:] != "AA" else "BB"),
        "short": grant[:20],
        "empty": "x",
        "odd": "%C3%A9%00",
    }[change]
    assert api.ask("GET", f"/download/{forged}").code == "not_found"
