"""The command ``inboxkit``. A sub-command's module is imported only when it is called."""

from __future__ import annotations

import atexit
import contextlib
import gc
import io
import os
import sys
import threading
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ..client.transport import Unreachable
from ..errors import ConfigurationError, InboxKitError, NotFound, WaitTimeout

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

# name -> (module, function, what the help says about it)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "agent": ("connecting", "agent", "Have an agent's program start inboxkit mcp."),
    "backup": ("copying", "backup", "Copy the database and its files while a server runs."),
    "cancel": ("cancelling", "cancel", "Take back a send whose time has not come."),
    "config": ("configuring", "config", "Show or check the settings."),
    "db": ("databases", "db", "Upgrade or check the database; hold back what a copy would do."),
    "demo": ("demo", "demo", "Run the whole two-way story and end."),
    "dev": ("developing", "dev", "Run for development: take any mail, reload handlers, print it."),
    "doctor": ("doctor.command", "doctor", "Look at whether this installation can work."),
    "draft": ("drafts", "draft", "List, show, send and delete drafts."),
    "events": ("happening", "events", "List what happened to messages."),
    "export": ("exporting", "export", "Write messages to a folder, a file each."),
    "fake": ("faking", "fake", "Emulate the vendors' APIs, for programs under test."),
    "forward": ("sending", "forward", "Send a message on to others."),
    "import": ("importing", "import_", "Take in mbox, Maildir and .eml files."),
    "inbox": ("inboxes", "inbox", "Create, list, show and delete inboxes."),
    "init": ("initiating", "init", "Lay out a new project."),
    "key": ("keys", "key", "Create, list and revoke API keys."),
    "link": ("waiting", "link", "Wait for a link to act on and print it."),
    "listen": ("forwarding", "listen", "Show events as they happen; post them to a local program."),
    "mcp": ("agents", "mcp", "Serve an agent inboxes as tools, over standard input."),
    "messages": ("reading", "messages", "List messages, newest first."),
    "openapi": ("describing", "openapi", "Print the OpenAPI document of the HTTP API."),
    "otp": ("waiting", "otp", "Wait for a one-time code and print it."),
    "parse": ("parsing", "parse", "Read mail files and print what they say, without a database."),
    "purge": ("purging", "purge", "Delete old messages."),
    "receive": ("receiving", "receive", "Take a mail in from standard input."),
    "replay": ("replaying", "replay", "Run a handler again, or plan a message again."),
    "reply": ("sending", "reply", "Answer a message."),
    "resolve": ("resolving", "resolve", "Settle a send whose outcome is unknown."),
    "routes": ("routing", "routes", "Say which handlers would take a message."),
    "run": ("serving", "run", "Run in earnest: known inboxes, handlers, ports."),
    "runs": ("happening", "runs", "List the calls of handlers."),
    "send": ("sending", "send", "Send a message."),
    "sendmail": ("submitting", "sendmail", "Stand in for /usr/sbin/sendmail."),
    "show": ("reading", "show", "Show a message."),
    "suppressions": ("suppressing", "suppressions", "List and change who is not written to."),
    "thread": ("reading", "thread", "Show a conversation."),
    "trigger": ("triggering", "trigger", "Let something happen to what a fake vendor took."),
    "try": ("rehearsing", "try_", "Call the handlers for a mail file; print what they would send."),
    "wait": ("waiting", "wait", "Wait for a message and print it."),
    "webhook": ("webhooks", "webhook", "Create, list, try and delete outgoing webhooks."),
    "webhook-url": ("configuring", "webhook_url", "Print the address for a provider's webhooks."),
}

EXIT_ERROR, EXIT_USAGE, EXIT_NOT_FOUND, EXIT_TIMEOUT, EXIT_UNREACHABLE = 1, 2, 3, 4, 5
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class _Text(click.types.StringParamType):
    """An argument that is no path. What is not UTF-8 no database takes, and no address holds.

    Python decodes it all the same, to halves of surrogate pairs.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text: str = super().convert(value, param, ctx)
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fail(f"{text!r} is not UTF-8", param, ctx)
        return text


def _take_text_only(command: click.Command) -> None:
    """Refuse what is not UTF-8 for all that is text, of a command and of those below it."""
    for param in command.params:
        if type(param.type) is click.types.StringParamType:
            param.type = _Text()
    if isinstance(command, click.Group) and not isinstance(command, LazyGroup):
        for each in command.commands.values():
            _take_text_only(each)


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports them when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, function, _ = COMMANDS[cmd_name]
        with _uncollected():
            command: click.Command = getattr(import_module(f"inboxkit.cli.{module}"), function)
        _take_text_only(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and (meant := get_close_matches(args[0], COMMANDS, 1, 0.7)):
            said = f"No such command {args[0]!r}; did you mean {meant[0]}?"
            raise click.UsageError(said, ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, COMMANDS[name][2]) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as error:
            if any(error.option_name in option.opts for option in self.params):
                raise click.UsageError(
                    f"{error.option_name} goes before the command: "
                    f"inboxkit {error.option_name} ... {ctx.invoked_subcommand}",
                    error.ctx,
                ) from None
            raise
        except BrokenPipeError:  # the reader, such as ``head``, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return None


@contextlib.contextmanager
def _uncollected() -> Generator[None]:
    """Look for no garbage meanwhile: modules leave none, and each look goes through all of them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _settings(_ctx: click.Context, _option: click.Parameter, pairs: tuple[str, ...]) -> Any:
    """Turn ``catch_all=true`` and ``mailgun.domain=...`` into what a settings file would hold.

    Tables are kept apart, as ``[options.smtp]`` is: ``smtp`` and ``object_store`` are keys as well.
    """
    given: dict[str, Any] = {}
    tables: dict[str, dict[str, str]] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        table, dot, option = key.removeprefix("options.").partition(".")
        if not (equals and table and (option or not dot)) or key == "options":
            raise click.BadParameter(f"{key} is not KEY=VALUE or TABLE.KEY=VALUE")
        if dot:
            tables.setdefault(table, {})[option] = value
        else:
            given[key] = value
    return given | {"options": tables}


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--database", metavar="URL", help="sqlite:///FILE or postgresql://HOST/NAME.")
@click.option(
    "--url",
    envvar="INBOXKIT_URL",
    metavar="URL",
    default="",
    help="Work on a server, such as http://127.0.0.1:8025, with the key INBOXKIT_API_KEY.",
)
@click.option("--domain", metavar="NAME", help="Domain of new inboxes.")
@click.option(
    "--provider",
    metavar="NAMES",
    help="Through what to send: memory, smtp or a vendor; commas between several.",
)
@click.option(
    "--set",
    "others",
    multiple=True,
    metavar="KEY=VALUE",
    callback=_settings,
    help="Any other setting; repeatable.",
)
@click.option(
    "--config",
    envvar="INBOXKIT_CONFIG",
    type=click.Path(),
    metavar="FILE",
    help="Settings file; inboxkit.toml by default.",
)
@click.version_option(package_name="inboxkit", prog_name="inboxkit")
@click.pass_context
def cli(
    ctx: click.Context, /, config: str | None, url: str, others: dict[str, Any], **given: Any
) -> None:
    """Two-way email for programs.

    Flags come before variables (INBOXKIT_DATABASE and so on), these before inboxkit.toml.
    """
    flags = {key: value for key, value in given.items() if value is not None}
    if url and given["database"] is not None:
        raise click.UsageError("--url and --database: a command works on one of them")
    made_before: dict[str, Any] = ctx.obj or _beginning([])
    ctx.obj = made_before | {"file": config, "url": url, "given": others | flags}


_take_text_only(cli)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit, although something that a handler began does not end."""
    if arguments is None:  # the process is ours, and all its memory goes with it
        atexit.register(gc.freeze)
    left: list[str] = []
    try:
        _called(arguments, left)
    except BaseException as ended:
        if left:
            from .ending import exit_soon

            exit_soon(ended.code if isinstance(ended, SystemExit) else EXIT_ERROR, left)
        raise


def _beginning(left: list[str]) -> dict[str, Any]:
    """Return what commands tell by what does not end with them; ``left`` takes its names."""
    return {"left": left, "threads": frozenset(threading.enumerate())}


def _called(arguments: Sequence[str] | None, left: list[str]) -> NoReturn:
    """Call a command and exit; errors of ours become one line and an exit code.

    ``left``: see ``_beginning``.
    """
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(io.UnsupportedOperation):  # something was read before
                stream.reconfigure(errors="replace")  # an odd letter ends nothing
    try:
        sys.exit(
            cli(arguments, "inboxkit", standalone_mode=False, obj=_beginning(left))
        )  # the code that a command exits with, or None
    except click.Abort as error:
        stopped = isinstance(error.__context__, KeyboardInterrupt)
        click.echo("stopped" if stopped else "aborted", err=True)
        sys.exit(EXIT_INTERRUPTED if stopped else EXIT_ERROR)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except InboxKitError as error:
        _explain(error)
    except OSError as error:  # a folder that cannot be written, a file that went away
        if not error.filename:
            raise
        click.echo(f"error: {error.filename}: {error.strerror or error}", err=True)
        sys.exit(EXIT_ERROR)


def _explain(error: InboxKitError) -> NoReturn:
    """Print an error of ours, with the traceback of the foreign code that caused it."""
    cause = error.__cause__
    if isinstance(error, ConfigurationError) and cause is not None:
        import traceback  # only a broken handler module needs it

        click.echo("".join(traceback.format_exception(cause)), err=True, nl=False)
    click.echo(f"error: {error}", err=True)
    codes: dict[type[InboxKitError], int] = {
        NotFound: EXIT_NOT_FOUND,
        WaitTimeout: EXIT_TIMEOUT,
        ConfigurationError: EXIT_USAGE,
        Unreachable: EXIT_UNREACHABLE,
    }
    sys.exit(next((code for kind, code in codes.items() if isinstance(error, kind)), EXIT_ERROR))


if __name__ == "__main__":
    main()
