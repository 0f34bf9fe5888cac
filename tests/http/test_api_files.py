"""Files to send that a request names by a URL: fetched within bounds, and from nowhere private."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from inboxkit.egress import LOOPBACK, Guard
from inboxkit.http.api.envelope import ApiError
from inboxkit.http.api.files import Fetcher
from inboxkit.http.api.schemas.attachments import SendAttachment
from inboxkit.http.intake import Intake

from .api import Api, path, serving

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Mapping

    from inboxkit import File

_ELSEWHERE = {"inside": "http://10.0.0.1/", "file": "file:///etc/passwd", "loop": "/loop"}


async def report(request: web.Request) -> web.Response:
    body = request.rel_url.raw_query_string.encode() or b"%PDF"
    return web.Response(body=body, content_type="application/pdf")


async def elsewhere(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    raise web.HTTPFound(_ELSEWHERE.get(name, "/q1%20report.pdf"))


async def squeezed(_: web.Request) -> web.Response:
    return web.Response(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})


async def silent(_: web.Request) -> web.Response:
    await asyncio.sleep(60)
    return web.Response()


@asynccontextmanager
async def source() -> AsyncGenerator[str]:
    """Serve files on a free port; give its URL."""
    app = web.Application()
    app.router.add_get("/q1 report.pdf", report)
    app.router.add_get("/squeezed", squeezed)
    app.router.add_get("/silent", silent)
    app.router.add_get("/{name:moved|inside|file|loop}", elsewhere)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def fetched(
    named: Mapping[str, Any],
    *,
    most: int = 1_000,
    guard: Guard | None = None,
    seconds: float = 30,
) -> File:
    """Fetch one file; ``{}`` in its URL is the source."""
    async with source() as url:
        asked = SendAttachment(**{**named, "url": named["url"].replace("{}", url)})
        fetcher = Fetcher(guard or Guard(LOOPBACK), Intake(), seconds=seconds)
        return (await fetcher.fetch([(7, asked)], most))[7]


@pytest.mark.parametrize("url", ["{}/q1%20report.pdf", "{}/q1 report.pdf", "{}/moved"])
async def test_a_file_is_fetched_as_it_is(url: str) -> None:
    found = await fetched({"url": url, "content_id": "<c>"})
    name = "moved" if url.endswith("moved") else "q1 report.pdf"
    assert (found.filename, found.content_type) == (name, "application/pdf")
    assert (found.data, found.content_id) == (b"%PDF", "c")


async def test_what_the_request_says_goes_before_what_the_url_says() -> None:
    given = {"filename": "a.bin", "content_type": "application/x-own"}
    found = await fetched({"url": "{}/q1%20report.pdf?sig=a%2Fb%3D", **given})
    assert (found.filename, found.content_type) == ("a.bin", "application/x-own")
    assert found.data == b"sig=a%2Fb%3D"  # a signature is sent as it was given


@pytest.mark.parametrize(
    ("url", "code", "why"),
    [
        ("{}/nothing", "unprocessable", "attachments.7.url: answered 404"),
        ("{}/silent", "unprocessable", "not there within 0.3 s"),
        ("{}/squeezed", "unprocessable", "compressed"),
        ("{}/loop", "unprocessable", "more than 5 redirects"),
        ("{}/inside", "unprocessable", "10.0.0.1 is not a public address"),
        ("{}/file", "unprocessable", "cannot be fetched"),
        ("{}/q1 report.pdf?more", "payload_too_large", "larger than"),
        ("http://127.0.0.1:1/", "unprocessable", "cannot be fetched"),
        ("http://169.254.169.254/latest", "unprocessable", "is not a public address"),
        ("http://ann:secret@127.0.0.1/", "unprocessable", "a user name"),
        ("ftp://127.0.0.1/a", "unprocessable", "not http"),
        ("http://[", "unprocessable", "cannot be read"),
        ("", "unprocessable", "not http"),
    ],
    ids=str,
)
async def test_what_cannot_be_fetched_says_why(url: str, code: str, why: str) -> None:
    most = 3 if code == "payload_too_large" else 1_000
    with pytest.raises(ApiError, match=why) as refused:
        await fetched({"url": url}, most=most, seconds=0.3 if "silent" in url else 30)
    assert refused.value.code == code
    assert "secret" not in str(refused.value)


async def test_this_machine_is_no_source_unless_the_settings_say_so() -> None:
    with pytest.raises(ApiError, match=r"127\.0\.0\.1 is not a public address"):
        await fetched({"url": "{}/q1 report.pdf"}, guard=Guard())


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(egress_networks=LOOPBACK) as running:
        yield running


def test_a_mail_carries_the_files_of_both_kinds_in_their_order(api: Api) -> None:
    inbox = api.inbox()

    async def sent() -> Any:
        async with source() as url:
            asked = [{"url": f"{url}/moved"}, {"filename": "b.txt", "content": "Yg=="}]
            return await asyncio.to_thread(api.send, inbox, attachments=asked)

    got = api.good("GET", path(inbox, asyncio.run(sent())["message_id"]))
    assert [one["filename"] for one in got["attachments"]] == ["moved", "b.txt"]


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ([{"url": "http://127.0.0.1:1/a"}], "unprocessable"),
        ([{"url": "http://127.0.0.1:1/a"}] * 21, "validation_error"),
        ([{"content": b64encode(b"x" * 9).decode()}, {"url": "http://10.0.0.1/"}], "unprocessable"),
    ],
    ids=["nobody", "too many", "private"],
)
def test_a_file_that_is_not_had_stops_the_whole_request(api: Api, files: Any, code: str) -> None:
    inbox = api.inbox()
    mail = {"to": "ann@example.com", "text": "Hi", "attachments": files}
    for target in ("messages/send", "drafts"):
        answer = api.ask("POST", f"/v0/inboxes/{inbox}/{target}", mail)
        assert answer.code == code, answer
    assert api.good("GET", f"/v0/inboxes/{inbox}/messages")["count"] == 0
    assert api.good("GET", f"/v0/inboxes/{inbox}/drafts")["count"] == 0
