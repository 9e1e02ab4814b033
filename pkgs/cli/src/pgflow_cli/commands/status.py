"""`pgflow status`: a database as a whole, or one run."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from pgflow_cli.options import as_json, database_url

if TYPE_CHECKING:
    from uuid import UUID

    from pgflow_cli.database import Database

# Failed attempts that are read of a run, the latest.
_MOST_ATTEMPTS = 20


@click.command()
@click.argument("run_id", type=click.UUID, metavar="[RUN_ID]", required=False)
@database_url
@as_json
def status(*, run_id: UUID | None, database_url: str | None, as_json: bool) -> None:
    """Show what a database does, or where one run stands.

    Without RUN_ID: the flows with their runs and tasks, and the workers. With one: its steps, and
    its latest failed attempts. Who is not allowed to read tables sees a run without those.
    """
    from pgflow_cli.ready import ready_database

    database = ready_database(database_url)
    if run_id is None:
        _show_database(database, as_json)
    else:
        show_run(database, run_id, as_json)


def _show_database(database: Database, as_json: bool) -> None:
    from pgflow_client.overview import read_overview

    from pgflow_cli.database import connect
    from pgflow_cli.printing import print_json
    from pgflow_cli.ready import telling_of

    with telling_of(database), connect(database.url) as conn:
        overview = read_overview(conn)
    if as_json:
        print_json(asdict(overview))
        return
    from pgflow_cli.tables import overview_lines

    _print_lines(overview_lines(overview, database.place))


def show_run(database: Database, run_id: UUID, as_json: bool) -> None:
    """Show where a run stands.

    Args:
        database: Where it is.
        run_id: The run.
        as_json: Whether to print JSON.

    Raises:
        RunNotFound: There is no such run.
    """
    from pgflow_client import Client, PermissionRefused
    from pgflow_client.overview import FailedAttempt, read_failed_attempts

    from pgflow_cli.database import connect
    from pgflow_cli.printing import print_json
    from pgflow_cli.ready import telling_of

    attempts: tuple[FailedAttempt, ...] | None
    with telling_of(database), connect(database.url) as conn:
        with Client(conn) as client:
            progress = client.get_run(run_id).progress()
        try:
            attempts = read_failed_attempts(conn, run_id, _MOST_ATTEMPTS)
        except PermissionRefused:
            # A client may follow runs, but not read tables.
            attempts = None
    if as_json:
        listed = None if attempts is None else [asdict(attempt) for attempt in attempts]
        print_json({**asdict(progress), "failed_attempts": listed})
        return
    from pgflow_cli.tables import run_lines

    _print_lines(run_lines(progress, attempts))


def _print_lines(lines: Any) -> None:
    for line in lines:
        click.echo(line)
