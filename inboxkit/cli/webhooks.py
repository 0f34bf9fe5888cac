"""Commands on outgoing webhooks: list, create, show, delete, switch, try, and post again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from ..client.server import piece
from ..errors import NotFound
from .moments import since
from .opening import run, url_of
from .printing import as_json, flat, moment, table
from .reaching import server_of
from .reading import json_option, limit_option

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from ..client.server import Server

_PAGE, _MOST_AGAIN = 100, 500
_SHOWN = ("id", "url", "event_types", "inbox", "pod", "inboxes", "pods", "headers", "client_id")
_STATE = ("state", "failing_since", "disabled_because", "created_at", "updated_at")
_ATTEMPT = ("at", "event_id", "event_type", "number", "status", "error", "next_at")


@click.group()
def webhook() -> None:
    """List, create, show, delete, switch and try outgoing webhooks; post events again."""


@webhook.command("list")
@click.option("--inbox", metavar="ADDRESS", help="Of this inbox alone.")
@json_option
@click.pass_context
def list_(ctx: click.Context, inbox: str | None, json_: bool) -> None:
    """List webhooks, newest first, with how each does and what it answered last."""
    rows = run(_list(ctx, inbox))
    if json_:
        for row in rows:
            as_json(row)
        return
    columns = ("id", "url", "event_types", "for", "state", "last")
    cells = ([*(row[c] for c in columns[:3]), _for(row), row["state"], _last(row)] for row in rows)
    table(columns, cells, spare=("for", "event_types"))


async def _list(ctx: click.Context, inbox: str | None) -> list[dict[str, Any]]:
    path = f"/v0/inboxes/{piece(inbox)}/webhooks" if inbox else "/v0/webhooks"
    async with server_of(ctx) as server:
        found = [one async for one in _all(server, path)]
        return [_row(one) | {"last_attempt": await _latest(server, one)} for one in found]


async def _all(server: Server, path: str) -> AsyncGenerator[dict[str, Any]]:
    token: str | None = ""
    while token is not None:
        said = await server.get(path, {"limit": _PAGE, "page_token": token or None})
        for one in said["webhooks"]:
            yield one
        token = said.get("next_page_token")


async def _latest(server: Server, found: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the last attempt; None also when the webhook was deleted meanwhile."""
    try:
        said = await server.get(f"{_path(found['webhook_id'])}/attempts", {"limit": 1})
    except NotFound:
        return None
    attempts: list[dict[str, Any]] = said["attempts"]
    return attempts[0] if attempts else None


def _headers(_ctx: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> Any:
    pairs = [line.partition(":") for line in given]
    if not all(colon and name.strip() for name, colon, _ in pairs):
        raise click.BadParameter("write it as NAME: VALUE")  # it may hold a secret: not shown
    return {name.strip(): value.strip() for name, _, value in pairs}


@webhook.command()
@click.argument("url")
@click.option(
    "--event",
    "types",
    multiple=True,
    default=("message.received",),
    show_default=True,
    metavar="TYPE",
    help="Be told of this type; repeatable.",
)
@click.option("--inbox", metavar="ADDRESS", help="Only of this inbox.")
@click.option("--pod", metavar="ID", help="Only of this pod.")
@click.option(
    "--header",
    "headers",
    multiple=True,
    callback=_headers,
    metavar="'NAME: VALUE'",
    help="Send this along; repeatable. Values are never shown again.",
)
@click.option("--client-id", metavar="ID", help="To repeat it safely: the same one returns it.")
@json_option
@click.pass_context
def create(
    ctx: click.Context,
    url: str,
    types: Sequence[str],
    inbox: str | None,
    pod: str | None,
    headers: Mapping[str, str],
    client_id: str | None,
    json_: bool,
) -> None:
    """Have events posted to URL from now on; prints the id and the secret that signs them.

    Only public addresses, and those that the setting egress_networks allows.
    """
    if inbox and pod:
        raise click.UsageError("give --inbox or --pod, not both")
    place = f"/inboxes/{piece(inbox)}" if inbox else f"/pods/{piece(pod)}" if pod else ""
    asked = {"url": url, "event_types": list(types), "headers": dict(headers) or None}
    made = run(_create(ctx, place, asked | {"client_id": client_id}))
    if json_:
        as_json(_row(made) | {"secret": made["secret"]})
    else:
        click.echo(f"{made['webhook_id']} {made['secret']}")


async def _create(ctx: click.Context, place: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    async with server_of(ctx, makes=not place) as server:
        given = {name: value for name, value in asked.items() if value is not None}
        made: dict[str, Any] = await server.post(f"/v0{place}/webhooks", given)
        return made


@webhook.command()
@click.argument("webhook_id", metavar="ID")
@click.option("--secret", is_flag=True, help="Print the secret that signs, and nothing else.")
@click.option("--failed", is_flag=True, help="Of the attempts only those that were not taken.")
@limit_option(10)
@json_option
@click.pass_context
def show(
    ctx: click.Context, webhook_id: str, secret: bool, failed: bool, limit: int, json_: bool
) -> None:
    """Show a webhook and its last attempts, newest first; they are kept for 30 days."""
    found, row = run(_show(ctx, webhook_id, failed, limit))
    if secret:
        click.echo(found["secret"])
    elif json_:
        as_json(row)
    else:
        for name in (*_SHOWN, *_STATE):
            if row.get(name):
                click.echo(f"{name}: {flat(row[name])}")
        if row["attempts"]:
            click.echo("")
        table(_ATTEMPT, ([one.get(c, "") for c in _ATTEMPT] for one in row["attempts"]))


async def _show(
    ctx: click.Context, webhook_id: str, failed: bool, limit: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    async with server_of(ctx) as server:
        path = _path(webhook_id)
        found = await server.get(path)
        names = (await server.get(f"{path}/headers"))["header_names"]
        attempts = await _attempts(server, path, failed, limit)
        return found, _row(found) | {"headers": names, "attempts": attempts}


async def _attempts(server: Server, path: str, failed: bool, limit: int) -> list[dict[str, Any]]:
    """Return the last attempts; a ``limit`` of 0 means all."""
    found: list[dict[str, Any]] = []
    token: str | None = ""
    while token is not None and (not limit or len(found) < limit):
        size = min(limit - len(found), _PAGE) if limit else _PAGE
        asked = {"limit": size, "page_token": token or None, "failed": failed}
        said = await server.get(f"{path}/attempts", asked)
        found += said["attempts"]
        token = said.get("next_page_token")
    return found


@webhook.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.pass_context
def delete(ctx: click.Context, ids: Sequence[str]) -> None:
    """Delete webhooks with their attempts; what waits for them is not posted."""
    run(_delete(ctx, ids))


async def _delete(ctx: click.Context, ids: Sequence[str]) -> None:
    async with server_of(ctx) as server:
        for path in await _paths(server, ids):
            await server.delete(path)


async def _paths(server: Server, ids: Sequence[str]) -> list[str]:
    """Return the paths of webhooks; raise NotFound before anything is done to one of them."""
    return [_path((await server.get(_path(one)))["webhook_id"]) for one in ids]


@webhook.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.pass_context
def enable(ctx: click.Context, ids: Sequence[str]) -> None:
    """Serve webhooks again, from now on; `resend` posts what they have missed."""
    run(_switch(ctx, ids, enabled=True))


@webhook.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.pass_context
def disable(ctx: click.Context, ids: Sequence[str]) -> None:
    """Post nothing to webhooks until they are enabled."""
    run(_switch(ctx, ids, enabled=False))


async def _switch(ctx: click.Context, ids: Sequence[str], *, enabled: bool) -> None:
    async with server_of(ctx) as server:
        for path in await _paths(server, ids):
            await server.patch(path, {"enabled": enabled})


@webhook.command()
@click.argument("webhook_id", metavar="ID")
@click.option("--event", "kind", metavar="TYPE", help="Of this type; its first one otherwise.")
@json_option
@click.pass_context
def test(ctx: click.Context, webhook_id: str, kind: str | None, json_: bool) -> None:
    """Post an example event now, signed, and print what was answered.

    Exits 1 when it was not taken. It is not tried again, and is not among the attempts.
    """
    said = run(_test(ctx, webhook_id, kind))
    if json_:
        as_json(said)
    else:
        answer = said["status"] or said.get("error", "")
        cells = (said["event_id"], said["event_type"], answer, f"{said['milliseconds']} ms")
        click.echo("\t".join(flat(cell) for cell in cells))
    if not said["good"]:
        click.echo(flat(f"error: not taken: {said.get('error', '')}"), err=True)
        raise click.exceptions.Exit(1)


async def _test(ctx: click.Context, webhook_id: str, kind: str | None) -> dict[str, Any]:
    async with server_of(ctx) as server:
        asked = {"event_type": kind} if kind else {}
        said: dict[str, Any] = await server.post(f"{_path(webhook_id)}/test", asked)
        return said


@webhook.command()
@click.argument("webhook_id", metavar="ID")
@click.argument("events", nargs=-1, metavar="EVENT...")
@click.option(
    "--failed-since",
    metavar="TIME",
    help="All that were not taken since an age, such as 2h or 3d, or a moment in ISO 8601.",
)
@click.pass_context
def resend(
    ctx: click.Context, webhook_id: str, events: Sequence[str], failed_since: str | None
) -> None:
    """Post events to a webhook once more, signed anew: some, or all that it never took.

    A process that is at work (`inboxkit run`) posts them.
    """
    if bool(events) == (failed_since is not None):
        raise click.UsageError("name events, or give --failed-since TIME")
    named = list(dict.fromkeys(events))
    if len(named) > _MOST_AGAIN:
        raise click.UsageError(f"name {_MOST_AGAIN} events at most")
    if failed_since is None:
        asked: dict[str, Any] = {"event_ids": named}
    else:
        asked = {"failed_since": moment(since(failed_since, datetime.now(UTC)))}
    done, busy, waits = run(_resend(ctx, webhook_id, asked))
    click.echo(f"queued {done}{f', {busy} under way already' if busy else ''}", err=True)
    if not named and done + busy >= _MOST_AGAIN:
        click.echo("there may be more: call again once these are taken", err=True)
    if done and waits:
        click.echo("nobody is at work on this database: they wait for inboxkit run", err=True)
    if done + busy < len(named):
        raise NotFound(f"{len(named) - done - busy} of these events are not there to be posted")


async def _resend(
    ctx: click.Context, webhook_id: str, asked: Mapping[str, Any]
) -> tuple[int, int, bool]:
    """Return how many are posted again, how many are under way, and whether nobody posts them."""
    async with server_of(ctx) as server:
        said = await server.post(f"{_path(webhook_id)}/replay", asked)
    if url_of(ctx):
        return said["replayed"], said["under_way"], False
    from .looking import looked  # a server's client needs no database

    async with looked(ctx) as look:
        return said["replayed"], said["under_way"], not await look.others_at_work()


def _path(webhook_id: str) -> str:
    return f"/v0/webhooks/{piece(webhook_id)}"


def _row(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a webhook as commands show things: with ``id`` and ``inbox``, without the secret."""
    how: Mapping[str, Any] = found["inboxkit"]
    failing = "failing" if how.get("failing_since") else "enabled"
    return {
        "id": found["webhook_id"],
        "url": found["url"],
        "event_types": found.get("event_types", []),
        "inbox": found.get("inbox_id"),
        "pod": found.get("pod_id"),
        "inboxes": found.get("inbox_ids", []),
        "pods": found.get("pod_ids", []),
        "client_id": found.get("client_id"),
        "state": failing if found["enabled"] else "disabled",
        "failing_since": how.get("failing_since"),
        "disabled_because": how.get("disabled_because"),
        "created_at": found["created_at"],
        "updated_at": found["updated_at"],
    }


def _for(row: Mapping[str, Any]) -> str:
    """Return whose events a webhook is told of, in words."""
    narrowed = ", ".join((*row["inboxes"], *row["pods"]))
    return narrowed or row["inbox"] or row["pod"] or "all"


def _last(row: Mapping[str, Any]) -> str:
    """Return what a webhook answered last, and when."""
    last = row["last_attempt"]
    return f"{last['at']} {last['status'] or last.get('error', '')}" if last else ""
