"""`pgflow worker`: the handlers of flows, served until a signal comes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from pgflow_cli.options import database_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pgflow_worker import WorkerOptions

_positive = click.IntRange(min=1)


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="MODULE:FLOW...")
@database_url
@click.option(
    "--concurrency", type=_positive, default=100, show_default=True, help="Tasks at a time."
)
@click.option(
    "--threads", type=_positive, help="Threads for sync handlers. Default: concurrency, at most 32."
)
@click.option(
    "--processes",
    type=_positive,
    help="Processes for handlers of executor 'process'. Default: one for each CPU.",
)
@click.option(
    "--shutdown-timeout",
    type=click.FloatRange(min=0),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="How long a stopping worker waits for its tasks, before it hands them back.",
)
@click.option("--no-listen", is_flag=True, help="Poll only, for poolers in transaction mode.")
@click.option("--no-prepared-statements", is_flag=True, help="Prepare nothing, for such poolers.")
@click.option("--install", is_flag=True, help="Install pgflow's schema first, if it is not there.")
@click.option(
    "--recompile",
    is_flag=True,
    help="Define flows of changed structure anew, and delete their runs. For development.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False),
    default="info",
    show_default=True,
)
@click.option("--json-logs", is_flag=True, help="Log an object of JSON a line.")
def worker(
    *,
    targets: tuple[str, ...],
    database_url: str | None,
    concurrency: int,
    threads: int | None,
    processes: int | None,
    shutdown_timeout: float,
    no_listen: bool,
    no_prepared_statements: bool,
    install: bool,
    recompile: bool,
    log_level: str,
    json_logs: bool,
) -> int:
    """Run the handlers of flows.

    MODULE:FLOW is a flow of a module or file, such as flows:greet or app/flows.py:greet; the
    module alone stands for all flows in it. Flows that the database does not have are defined.

    SIGTERM and Ctrl-C let it finish its tasks; the second one stops it at once, and its tasks go
    to other workers. It logs to stderr.
    """
    from pgflow_worker import WorkerOptions

    from pgflow_cli.logs import log_to_stderr

    log_to_stderr(log_level, as_json=json_logs)
    options = WorkerOptions(
        concurrency=concurrency,
        threads=threads,
        processes=processes,
        shutdown_timeout=timedelta(seconds=shutdown_timeout),
        listen=not no_listen,
        prepared_statements=not no_prepared_statements,
        allow_data_loss=recompile,
    )
    return _serve(targets, database_url, options, install=install)


def _serve(
    targets: Sequence[str], option: str | None, options: WorkerOptions, *, install: bool
) -> int:
    from pgflow_worker import Worker

    from pgflow_cli.loading import load_flows
    from pgflow_cli.ready import ready_database, telling_of
    from pgflow_cli.serving import serve

    # Before the database: a module that does not import should not start a server.
    flows = load_flows(targets)
    database = ready_database(option, install=install)
    with telling_of(database):
        return serve(lambda: Worker(flows, database.url, options))
