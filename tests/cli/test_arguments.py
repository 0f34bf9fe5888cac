"""Arguments that are not UTF-8: refused in one place, whatever the command, but for paths."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click
import pytest

from inboxkit.cli.main import COMMANDS, cli
from tests.mails import ANN

from .mails import mail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Command

ODD = os.fsdecode(b"caf\xe9")


def commands(group: click.Group, *before: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, *before, name)
        else:
            yield (*before, name), command


def arguments(command: click.Command, odd: click.Parameter) -> list[str]:
    """Return what a command needs, and ``odd`` as what is not UTF-8."""
    options = [p for p in command.params if isinstance(p, click.Option)]
    values = [p for p in command.params if isinstance(p, click.Argument)]
    given = [p for p in options if p is odd or p.required]
    pairs = [(p.opts[-1], ODD if p is odd else ANN) for p in given]
    return [*(word for pair in pairs for word in pair), *(ODD if p is odd else ANN for p in values)]


def is_text(parameter: click.Parameter) -> bool:
    is_flag = isinstance(parameter, click.Option) and parameter.is_flag
    return isinstance(parameter.type, click.types.StringParamType) and not is_flag


@pytest.mark.parametrize("name", sorted({*COMMANDS} - {"sendmail"}))  # which has exits of its own
def test_text_that_is_not_utf8_is_refused_for_each_argument(inboxkit: Command, name: str) -> None:
    (inboxkit.folder / ANN).write_bytes(mail())
    for words, command in commands(cli):
        for parameter in filter(is_text, command.params if words[0] == name else ()):
            done = inboxkit(*words, *arguments(command, parameter))
            assert done.code == 2, (words, parameter, done)
            assert "'caf\\udce9' is not UTF-8" in done.err, (words, parameter)


@pytest.mark.parametrize("option", [p.opts[-1] for p in cli.params if is_text(p)])
def test_text_before_the_command_is_refused_as_well(inboxkit: Command, option: str) -> None:
    done = inboxkit(option, f"a={ODD}", "messages")
    assert done.code == 2
    assert "'a=caf\\udce9' is not UTF-8" in done.err


def test_a_path_may_be_any_bytes(inboxkit: Command) -> None:
    (inboxkit.folder / ODD).write_bytes(mail())
    (row,) = inboxkit.rows("parse", ODD)
    assert row["message_id"] == "<1@example.com>"
