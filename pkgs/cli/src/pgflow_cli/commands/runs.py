"""`pgflow runs`: finding runs, and changing what becomes of them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import click

from pgflow_cli.options import as_json, database_url, read_instant, read_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from datetime import datetime
    from uuid import UUID

    from pgflow_client import Client, Run

# Commands import what they need when they run: `--help` answers at once.

_STATUSES: Final = ("started", "completed", "failed", "cancelled")

run_argument = click.argument("run_id", type=click.UUID, metavar="RUN_ID")
run_arguments = click.argument(
    "run_ids", type=click.UUID, metavar="RUN_ID...", nargs=-1, required=True
)


@click.group()
def runs() -> None:
    """List, show, watch, cancel, retry and restart runs."""


@runs.command("list")
@click.option("--flow", metavar="SLUG", help="Only runs of this flow.")
@click.option("--status", type=click.Choice(_STATUSES), help="Only runs of this status.")
@click.option(
    "--tag",
    "tags",
    metavar="NAME=VALUE",
    multiple=True,
    callback=read_tags,
    help="Only runs with this tag. May be given several times.",
)
@click.option(
    "--since",
    metavar="TIME",
    callback=read_instant,
    help="Only runs that were started then or later: 2h ago, or 2026-01-31T12:00.",
)
@click.option(
    "--until", metavar="TIME", callback=read_instant, help="Only runs that were started before."
)
@click.option(
    "--before", type=click.UUID, metavar="RUN_ID", help="Only runs that come after this one."
)
@click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    default=20,
    show_default=True,
    help="How many runs at most.",
)
@database_url
@as_json
def list_(
    *,
    flow: str | None,
    status: Any,
    tags: dict[str, Any] | None,
    since: datetime | None,
    until: datetime | None,
    before: UUID | None,
    limit: int,
    database_url: str | None,
    as_json: bool,
) -> None:
    """List runs, the newest first."""
    from pgflow_cli.printing import print_json, say
    from pgflow_cli.tables import summary_lines

    with _client(database_url) as client:
        found = client.list_runs(
            flow,
            status=status,
            tags=tags,
            since=since,
            until=until,
            before=before,
            # One more, to know whether there is more.
            page=min(limit + 1, 1000),
        )
        listed = list(islice(found, limit + 1))
    if as_json:
        print_json([asdict(run) for run in listed[:limit]])
        return
    for line in summary_lines(listed[:limit]):
        click.echo(line)
    if len(listed) > limit:
        say(f"There are more: `--before {listed[limit - 1].run_id}` goes on.")


@runs.command()
@run_argument
@database_url
@as_json
def show(*, run_id: UUID, database_url: str | None, as_json: bool) -> None:
    """Show where a run stands: its steps, and its latest failed attempts."""
    from pgflow_cli.commands.status import show_run
    from pgflow_cli.ready import ready_database

    show_run(ready_database(database_url), run_id, as_json)


@runs.command()
@run_argument
@click.option(
    "--after",
    metavar="CURSOR",
    help="Go on after the event with this cursor, which --json prints with each one.",
)
@database_url
@as_json
def watch(*, run_id: UUID, after: str | None, database_url: str | None, as_json: bool) -> int:
    """Show what has happened to a run and what happens, until it ends.

    The exit code is 0 if the run completed, 1 if it failed, 4 if it was cancelled. Ctrl-C ends the
    watching, and not the run.
    """
    from pgflow_cli.watching import watch_run

    with _client(database_url) as client:
        return watch_run(client.get_run(run_id), as_json=as_json, after=after)


@runs.command()
@run_arguments
@click.option("--reason", metavar="TEXT", help="Kept with the runs, and told to those who wait.")
@database_url
@as_json
def cancel(
    *, run_ids: tuple[UUID, ...], reason: str | None, database_url: str | None, as_json: bool
) -> int:
    """Cancel runs: nothing more of them is started.

    The exit code is 1 where a run had ended otherwise, or does not exist.
    """
    return _change(database_url, run_ids, "cancelled", as_json, lambda run: run.cancel(reason))


@runs.command()
@run_arguments
@database_url
@as_json
def retry(*, run_ids: tuple[UUID, ...], database_url: str | None, as_json: bool) -> int:
    """Go on with runs that failed or were cancelled; what has completed stays.

    The exit code is 1 where a run is completed, or does not exist.
    """
    return _change(database_url, run_ids, "started", as_json, lambda run: run.retry())


@runs.command()
@run_argument
@click.option("--from", "step", metavar="STEP", required=True, help="The step to begin with.")
@click.option(
    "--version",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="Version of its flow that the run goes on as. What has ended has to be the same there.",
)
@database_url
@as_json
def restart(
    *, run_id: UUID, step: str, version: int | None, database_url: str | None, as_json: bool
) -> int:
    """Repeat a step of a run and all that depends on it, also of one that is completed."""
    return _change(
        *(database_url, (run_id,), "", as_json),
        lambda run: run.restart_from(step, version=version),
    )


@contextmanager
def _client(database_url: str | None) -> Generator[Client]:
    from pgflow_client import Client

    from pgflow_cli.ready import ready_database, telling_of

    database = ready_database(database_url)
    with telling_of(database), Client(database.url) as client:
        yield client


def _change(
    database_url: str | None,
    run_ids: tuple[UUID, ...],
    wanted: str,
    as_json: bool,
    change: Callable[[Run[Any]], Any],
) -> int:
    """Change runs one by one, tell what each is now, and return the exit code.

    Args:
        database_url: As the option was given.
        run_ids: The runs.
        wanted: The status that they should have then; "" for any.
        as_json: Whether to print JSON.
        change: Makes the change.
    """
    from pgflow_client.errors import CoreError

    from pgflow_cli.printing import complain, print_json

    told: list[dict[str, Any]] = []
    code = 0
    with _client(database_url) as client:
        for run_id in run_ids:
            try:
                run = client.get_run(run_id)
                change(run)
            except CoreError as error:
                complain(str(error))
                code = 1
                continue
            # It may go on as another version now.
            slug = client.get_run(run_id).flow_slug
            told.append({"run_id": run_id, "flow_slug": slug, "status": run.status})
            if not as_json:
                click.echo(f"run {run_id} of {slug}: {run.status}")
            if wanted and run.status != wanted:
                complain(f"run {run_id} had {_ENDED[run.status]} before")
                code = 1
    if as_json:
        print_json(told)
    return code


_ENDED: Final = {
    "started": "started",
    "completed": "completed",
    "failed": "failed",
    "cancelled": "been cancelled",
}
