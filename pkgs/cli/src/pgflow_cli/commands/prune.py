"""`pgflow prune`: deleting runs that ended long ago."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from pgflow_cli.options import as_json, database_url, read_delay

if TYPE_CHECKING:
    from datetime import timedelta

    from psycopg import Connection

# Runs that one transaction deletes, so that none holds anything up for long.
_BATCH: Final = 1000


@click.command()
@click.option(
    "--older-than",
    "retention",
    required=True,
    metavar="SPAN",
    callback=read_delay,
    help="Delete runs that ended longer ago: 12h, 30d.",
)
@click.option("--dry-run", is_flag=True, help="Only count them.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@database_url
@as_json
def prune(
    *, retention: timedelta, dry_run: bool, yes: bool, database_url: str | None, as_json: bool
) -> None:
    """Delete runs that ended long ago, with their steps, tasks, attempts and streams.

    Runs that are under way stay, whatever their age. It is done piece by piece, safely beside
    running workers, and can be interrupted at any time. It takes the owner of the schema.
    """
    from pgflow_client.upkeep import count_prunable

    from pgflow_cli.database import connect
    from pgflow_cli.printing import print_json
    from pgflow_cli.ready import ready_database, telling_of

    database = ready_database(database_url)
    with telling_of(database), connect(database.url) as conn:
        count = count_prunable(conn, retention)
        deleted = 0
        if count and not dry_run:
            if not yes:
                click.confirm(f"Delete {_runs(count)}?", abort=True, err=True)
            deleted = _prune(conn, retention, count)
    if as_json:
        print_json({"found": count, "deleted": deleted})
    elif dry_run or not count:
        click.echo(f"{_runs(count)} ended longer ago than that.")
    else:
        click.echo(f"{_runs(deleted)} deleted.")


def _prune(conn: Connection[Any], retention: timedelta, count: int) -> int:
    from pgflow_client.upkeep import prune

    from pgflow_cli.printing import progress

    deleted = 0
    with progress("Deleting", count) as advance:
        while True:
            done = prune(conn, retention, _BATCH)
            deleted += done
            advance(done)
            if not done:
                return deleted


def _runs(count: int) -> str:
    return f"{count:,} {'run' if count == 1 else 'runs'}"
