"""`pgflow workers`: who works on what."""

from __future__ import annotations

from dataclasses import asdict

import click

from pgflow_cli.options import as_json, database_url


@click.command()
@database_url
@as_json
def workers(*, database_url: str | None, as_json: bool) -> None:
    """Show the workers: alive, draining or lost, and what each of them is at."""
    from pgflow_client.overview import read_workers
    from pgflow_client.upkeep import read_worker_loads
    from pgflow_client.versions import read_flow_versions

    from pgflow_cli.database import connect
    from pgflow_cli.printing import print_json
    from pgflow_cli.ready import ready_database, telling_of
    from pgflow_cli.tables import retired_lines, unserved_lines, worker_lines

    database = ready_database(database_url)
    with telling_of(database), connect(database.url) as conn:
        listed = read_workers(conn)
        loads = read_worker_loads(conn)
        versions = read_flow_versions(conn)
    if not as_json:
        for line in worker_lines(listed, loads):
            click.echo(line)
        for line in (*unserved_lines(versions), *retired_lines(listed, versions)):
            click.echo(line)
        return
    print_json(
        [
            {**asdict(worker), "holds": asdict(loads[worker.worker_id])}
            if worker.worker_id in loads
            else asdict(worker)
            for worker in listed
        ]
    )
