"""`pgflow bench`: how fast flows go on this database, in a few seconds."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from pgflow_cli.options import as_json, database_url

if TYPE_CHECKING:
    from pgflow_cli.database import Database
    from pgflow_cli.trial import Figure, Trial


@click.command()
@click.option(
    "--size",
    type=click.IntRange(100, 100_000),
    default=5000,
    show_default=True,
    help="How many runs, and how many elements of a map.",
)
@click.option("--yes", is_flag=True, help="Do not ask before a database that is not embedded.")
@database_url
@as_json
def bench(*, size: int, yes: bool, database_url: str | None, as_json: bool) -> None:
    """Put a short load on a database, and tell how fast flows go there.

    It defines flows of its own that do nothing, runs them by one worker in this process, and
    deletes them at the end, which takes the owner of the schema. Figures of a machine that does
    other things at the same time are lower.
    """
    from pgflow_cli.printing import print_json
    from pgflow_cli.ready import ready_database
    from pgflow_cli.trial import Trial

    database = ready_database(database_url)
    if not database.is_embedded and not yes:
        click.confirm(f"Put a load on {database.source}?", abort=True, err=True)
    trial = Trial(database.url, size)
    figures = _measure(database, trial)
    if as_json:
        print_json([asdict(figure) for figure in figures])
        return
    width = max(len(figure.what) for figure in figures)
    for figure in figures:
        value = f"{figure.value:,.1f}" if figure.unit == "ms" else f"{figure.value:,.0f}"
        click.echo(f"{figure.what:<{width}}  {value:>9} {figure.unit}")


def _measure(database: Database, trial: Trial) -> list[Figure]:
    import asyncio

    from pgflow_client import FlowNotFound
    from pgflow_client.upkeep import delete_flow_and_data

    from pgflow_cli.database import connect
    from pgflow_cli.printing import progress
    from pgflow_cli.ready import telling_of

    with telling_of(database):
        try:
            with progress("Measuring", trial.parts) as advance:
                return asyncio.run(trial.run(advance))
        finally:
            with connect(database.url) as conn:
                for slug in trial.flow_slugs:
                    with suppress(FlowNotFound):
                        delete_flow_and_data(conn, slug)
