"""AgentMail's own Node client, unmodified, on our server: what node/story.mjs tells of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.mails import mail

from .agentmail import Server, served

if TYPE_CHECKING:
    from collections.abc import Iterator

SDK = "agentmail@0.5"
STORY = Path(__file__).parent / "node" / "story.mjs"
ME = "node@inbox.example"
HERE = Path(sysconfig.get_path("scripts"))  # where the wheel of Node puts its programs
NODE, NPM = (str(shutil.which(name, path=str(HERE))) for name in ("node", "npm"))


@pytest.fixture(scope="module")
def folder(pytestconfig: pytest.Config) -> Path:
    """Install the client, once for all runs."""
    folder = pytestconfig.cache.mkdir("agentmail-node")
    if not (folder / "node_modules" / ".package-lock.json").exists():  # npm writes it last
        quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run([NPM, "install", "--prefix", folder, *quiet, SDK], check=True)
    return folder


@pytest.fixture(scope="module")
def story(folder: Path) -> Iterator[dict[str, Any]]:
    """Give what each step told, by its name."""
    with served() as server:
        yield {line.pop("step"): line for line in told(server, folder)}


def told(server: Server, folder: Path) -> Iterator[dict[str, Any]]:
    asked = [NODE, str(STORY), server.runner.kit.url, str(folder)]
    with subprocess.Popen(asked, stdout=subprocess.PIPE, encoding="utf-8") as node:
        assert node.stdout is not None
        try:
            for line in map(json.loads, node.stdout):
                if line["step"] == "listening":
                    headers = {"Cc": "ben@example.com"}
                    raw = mail("The invoice, please", to=ME, subject="Invoice 7", headers=headers)
                    server.arrive(raw, to=ME)
                yield line
        except BaseException:
            node.kill()
            raise
    assert node.returncode == 0, "the story broke off: see its standard error"


def test_inboxes_are_made_from_nothing_and_once_for_a_client_id(story: dict[str, Any]) -> None:
    step = story["inboxes"]
    named = step["named"]
    assert step["bare"].endswith("@inbox.example")
    assert (named["inboxId"], named["clientId"], named["displayName"]) == (ME, "n-1", "Node")
    assert named["metadata"] == {"tier": 2}
    assert step["same"]
    assert sorted(step["listed"]) == sorted([step["bare"], ME])


def test_what_is_attached_is_sent_once_and_found(story: dict[str, Any]) -> None:
    step = story["send"]
    sent, got = step["sent"], step["got"]
    assert step["again"] == sent
    assert step["listed"] == [sent["messageId"]]
    assert (got["to"], got["subject"], got["text"]) == (
        ["ann@example.com"],
        "Plans",
        "See the file",
    )
    assert (got["threadId"], got["labels"]) == (sent["threadId"], ["out", "sent"])
    assert [(a["filename"], a["size"]) for a in got["attachments"]] == [("a.txt", 5)]
    assert (step["dated"], step["downloaded"]) == (True, "hello")


def test_a_socket_tells_of_what_comes(story: dict[str, Any]) -> None:
    listening, event = story["listening"], story["received"]
    assert (listening["type"], listening["inboxIds"]) == ("subscribed", [ME])
    assert (event["eventType"], event["message"]["inboxId"]) == ("message.received", ME)
    assert event["message"]["subject"] == event["thread"]["subject"] == "Invoice 7"


def test_answers_go_where_they_should(story: dict[str, Any]) -> None:
    step, came = story["answers"], story["received"]["message"]
    reply, everyone, on = step["reply"], step["everyone"], step["on"]
    assert (reply["to"], reply["inReplyTo"]) == (["ann@example.com"], came["messageId"])
    assert (reply["threadId"], reply["extractedText"]) == (came["threadId"], "Noted.")
    assert "> The invoice, please" in reply["text"]
    assert (everyone["to"], everyone["cc"]) == (["ann@example.com"], ["ben@example.com"])
    assert (on["to"], on["subject"]) == (["eve@example.com"], "Fwd: Invoice 7")


def test_labels_are_changed_and_filter(story: dict[str, Any]) -> None:
    step, came = story["labels"], story["received"]["message"]
    assert step["changed"]["messageId"] == came["messageId"]
    assert step["changed"]["labels"] == ["read", "received", "vip"]
    assert step["listed"] == [came["messageId"]]


def test_threads_hold_the_conversation(story: dict[str, Any]) -> None:
    step, came = story["threads"], story["received"]["message"]
    answers = story["answers"]
    held = [m["messageId"] for m in step["got"]["messages"]]
    assert step["listed"] == [came["threadId"]]
    assert held[:3] == [m["messageId"] for m in (came, answers["reply"], answers["everyone"])]
    assert step["got"]["messageCount"] == len(held)
    assert "todo" in step["changed"]["labels"]


def test_a_draft_is_sent_and_gone(story: dict[str, Any]) -> None:
    step = story["drafts"]
    assert (step["made"]["clientId"], step["made"]["subject"]) == ("d-1", "Offer")
    assert step["listed"] == [step["made"]["draftId"]]
    assert (step["got"]["text"], step["got"]["labels"]) == ("Hello", ["sent", "y"])
    assert step["gone"]["type"] == "NotFoundError"


def test_search_marks_what_it_found(story: dict[str, Any]) -> None:
    step, came = story["search"], story["received"]["message"]
    highlights = dict(step["messages"])[came["messageId"]]
    assert highlights["subject"] == ["**Invoice** 7"]
    assert highlights["text"] == ["The **invoice**, please"]
    assert came["threadId"] in step["threads"]


def test_webhooks_are_made_and_listed(story: dict[str, Any]) -> None:
    step = story["webhooks"]
    made = step["made"]
    assert (made["eventTypes"], made["inboxIds"]) == (["message.received"], [ME])
    assert (made["enabled"], made["secret"][:6]) == (True, "whsec_")
    assert step["listed"] == [made["webhookId"]]


@pytest.mark.parametrize(
    ("what", "type", "status", "name"),
    [
        ("message", "NotFoundError", 404, "NotFoundError"),
        ("thread", "NotFoundError", 404, "NotFoundError"),
        ("inbox", "NotFoundError", 404, "NotFoundError"),
        ("taken", "AgentMailError", 403, "IsTakenError"),  # the client types no 403 here
        ("invalid", "ValidationError", 400, "ValidationError"),
    ],
)
def test_errors_have_their_type(
    story: dict[str, Any], what: str, type: str, status: int, name: str
) -> None:
    error = story["errors"][what]
    assert (error["type"], error["status"], error["body"]["name"]) == (type, status, name)
    assert error["body"]["message"]
