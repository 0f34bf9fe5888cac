"""The command ``agent setup``: the configuration with which an agent's program starts our tools."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ConfigurationError
from ..saving import replace_whole
from ..settings import FILE, PREFIX, holds_secret
from .agent_programs import ANY, PROGRAMS, merged, shown
from .mounting import check_installed, tool_options
from .opening import flags_of, settings_of, url_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .agent_programs import Program


@click.group()
def agent() -> None:
    """Have an agent's program start inboxkit mcp."""


@agent.command()
@click.argument("client", required=False, type=click.Choice(sorted(PROGRAMS)))
@click.option("--write", is_flag=True, help="Write it into the program's file; else it is printed.")
@click.option(
    "--file",
    type=click.Path(),
    metavar="FILE",
    help="Another file than the program's usual one.",
)
@click.option(
    "--name", default="inboxkit", show_default=True, help="What the program calls the server."
)
@tool_options
@click.pass_context
def setup(
    ctx: click.Context,
    /,
    client: str | None,
    write: bool,
    file: str | None,
    name: str,
    **tools: Any,
) -> None:
    """Print or write the configuration with which an agent's program starts `inboxkit mcp`.

    CLIENT is the program; without one the form is printed that most of them read. What stands
    before the command, such as --url, and the flags of `inboxkit mcp` go into it. What else is in
    the file stays.
    """
    program = ANY if client is None else PROGRAMS[client]
    if write and client is None and file is None:
        raise click.UsageError("--write needs the program, or --file FILE")
    target = _target(client, program, file)
    variables = _variables(ctx)
    entry = {**program.more, **_started(**tools), "env": variables}
    if write:
        if target is None:
            raise ConfigurationError(f"{client} has no known file on this system; give --file FILE")
        _write(target, program.key, name, entry)
    else:
        click.echo(shown(program.key, name, entry), nl=False)
        if target is not None:
            click.echo(f"for {target}; --write puts it there", err=True)
    _advise(ctx, variables, target if write else None)


def _target(client: str | None, program: Program, file: str | None) -> Path | None:
    if file is not None:
        return Path(file)
    return program.path(sys.platform, os.environ, Path.home()) if client is not None else None


def _started(
    *,
    read_only: bool | None,
    inboxes: Sequence[str],
    send: str | None,
    allow_to: Sequence[str],
) -> dict[str, Any]:
    """Return command and arguments; the command with its path, as the program may know no PATH."""
    script = Path(sys.executable).with_name("inboxkit.exe" if os.name == "nt" else "inboxkit")
    command = [str(script)] if script.is_file() else [sys.executable, "-m", "inboxkit"]
    flags = ["--read-only"] if read_only else []
    flags += [word for inbox in inboxes for word in ("--inbox", inbox)]
    flags += ["--send", send] if send else []
    flags += [word for glob in allow_to for word in ("--allow-to", glob)]
    return {"command": command[0], "args": [*command[1:], "mcp", *flags]}


def _variables(ctx: click.Context) -> dict[str, str]:
    """Return what this call would work on, as variables: flags would show to who lists processes.

    Relative paths are made whole. Other variables of this shell are not taken along.
    """
    given, settings = flags_of(ctx), settings_of(ctx)
    tables: Mapping[str, Mapping[str, str]] = given.pop("options")
    found = {f"{PREFIX}{key.upper()}": str(value) for key, value in given.items()}
    for table, options in tables.items():
        found |= {f"{PREFIX}{table}_{key}".upper(): value for key, value in options.items()}
    file = Path(ctx.find_root().obj["file"] or FILE)
    if file.is_file():
        found[f"{PREFIX}CONFIG"] = str(file.absolute())
    if url_of(ctx):
        key = os.environ.get(f"{PREFIX}API_KEY")
        return found | {f"{PREFIX}URL": url_of(ctx)} | ({f"{PREFIX}API_KEY": key} if key else {})
    whole = _whole(settings.database)
    if whole != settings.database or f"{PREFIX}DATABASE" in os.environ:
        found[f"{PREFIX}DATABASE"] = whole
    return found


def _whole(database: str) -> str:
    """Return the URL of a database with the whole path of its file, if it is one."""
    from ..store.database import parse_url, sqlite_file  # a server's client needs no database

    file = sqlite_file(database)
    if file is None or file.is_absolute():
        return database
    whole = parse_url(database).set(database=file.absolute().as_posix())
    return whole.render_as_string(hide_password=False)


def _write(target: Path, key: str, name: str, entry: Mapping[str, Any]) -> None:
    """Put the server into a file; raise ConfigurationError for one that cannot be read."""
    try:
        before = target.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        before = ""
    except UnicodeDecodeError:
        raise ConfigurationError(f"{target} is not UTF-8; nothing is changed") from None
    try:
        after = merged(before, key, name, entry)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"{target} cannot be read as JSON: {error}; nothing is changed: put it right, or add "
            "by hand what is printed without --write"
        ) from None
    if after == before:
        click.echo(f"kept    {target}", err=True)
        return
    replace_whole(target, after.encode())
    click.echo(f"written {target}; the program reads it when it starts", err=True)


def _advise(ctx: click.Context, variables: Mapping[str, str], file: Path | None) -> None:
    """Say what is missing, and what should not be given away."""
    try:
        check_installed()
    except ConfigurationError as error:
        click.echo(str(error), err=True)
    if secret := [name for name, value in variables.items() if holds_secret(name, value)]:
        words = f"it holds secrets ({', '.join(secret)}): keep it to yourself"
        click.echo(f"{words}, also out of a repository", err=True)
        if file is not None and os.name == "posix" and file.stat().st_mode & 0o077:
            click.echo(f"others on this machine may read it: chmod 600 {file}", err=True)
    elif url_of(ctx) and not settings_of(ctx).api_key:
        click.echo("it holds no API key; `inboxkit key create` at the server makes one", err=True)
