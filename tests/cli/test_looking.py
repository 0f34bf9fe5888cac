"""Commands that need what is stored, where there is no database: they make none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Command

ID = "0000000000001"
NEED_A_DATABASE = [
    "messages",
    "messages --inbox a@inbox.example --json",
    f"show msg_{ID}",
    f"thread thd_{ID}",
    "events",
    "events --follow",
    "listen",
    "runs",
    f"runs run_{ID}",
    "inbox list",
    "inbox show a@inbox.example",
    "inbox delete a@inbox.example --yes",
    "key list",
    f"key revoke key_{ID}",
    "key create x --inbox a@inbox.example",
    "suppressions list",
    "suppressions export",
    "suppressions remove ann@example.com",
    f"reply msg_{ID} --text x",
    f"forward msg_{ID} --to a@x.org",
    f"cancel msg_{ID}",
    f"resolve msg_{ID} sent",
    f"replay msg_{ID}",
    "export out",
    "purge --older-than 1d --yes",
    "db rotate-secret",
]


@pytest.mark.parametrize("command", NEED_A_DATABASE)
def test_a_command_that_looks_says_that_there_is_no_database(bare: Command, command: str) -> None:
    done = bare(*command.split())
    assert (done.code, done.out) == (3, "")
    assert f"no database at {bare.folder / 'inboxkit.db'}" in done.err
    assert "inboxkit inbox create" in done.err
    assert list(bare.folder.iterdir()) == []


def test_no_folder_is_made_for_it(bare: Command) -> None:
    assert bare("--database", "sqlite:///data/mail.db", "messages").code == 3
    assert list(bare.folder.iterdir()) == []


@pytest.mark.parametrize(
    "command", ["inbox create", "key create x", "suppressions add ann@example.com"]
)
def test_a_command_that_stores_makes_it(bare: Command, command: str) -> None:
    assert bare(*command.split()).code == 0
    assert bare("messages").code == 0
