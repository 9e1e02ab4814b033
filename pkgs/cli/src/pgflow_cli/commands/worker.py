"""`pgflow worker`: a process that runs handlers until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from pgflow_cli.options import database_url

if TYPE_CHECKING:
    from pgflow_worker import Worker


@click.command()
@click.argument("sources", metavar="MODULE[:FLOW]...", nargs=-1, required=True)
@database_url
@click.option(
    "--concurrency",
    default=100,
    show_default=True,
    type=click.IntRange(1),
    help="Tasks under way at once.",
)
@click.option("--threads", type=click.IntRange(1), help="Threads for sync handlers.")
@click.option(
    "--shutdown-timeout",
    default=30.0,
    show_default=True,
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="How long to wait for handlers when told to stop.",
)
@click.option(
    "--listen/--no-listen",
    default=True,
    help="Wait for notifications; not through a pooler in transaction mode.",
)
@click.option(
    "--prepared-statements/--no-prepared-statements",
    default=True,
    help="Prepare statements; not through a pooler in transaction mode.",
)
@click.option(
    "--recompile",
    is_flag=True,
    help="Define flows whose structure changed anew. Deletes their runs.",
)
@click.option("--install", is_flag=True, help="Install or upgrade the schema first.")
@click.option(
    "--log-level",
    default="info",
    show_default=True,
    type=click.Choice(["debug", "info", "warning", "error"]),
)
def worker(
    *,
    sources: tuple[str, ...],
    database_url: str | None,
    install: bool,
    log_level: str,
    **options: Any,
) -> int:
    """Run the handlers of flows.

    The flows are compiled first if the database does not have them. SIGTERM and Ctrl-C let handlers
    finish; a second one hands their tasks back, which costs them no attempt, and stops at once.
    """
    from pgflow_worker import Worker, WorkerOptions

    from pgflow_cli.loading import load_flows
    from pgflow_cli.ready import ready_database

    _log(log_level)
    flows = load_flows(sources)
    database = ready_database(database_url, install=install)
    settings = WorkerOptions(
        concurrency=options["concurrency"],
        threads=options["threads"],
        shutdown_timeout=timedelta(seconds=options["shutdown_timeout"]),
        listen=options["listen"],
        prepared_statements=options["prepared_statements"],
        allow_data_loss=options["recompile"],
    )
    return asyncio.run(_run(Worker(flows, database.url, settings)))


async def _run(worker: Worker) -> int:
    """Serve until a signal, and return 0, or 128 and the signal's number if tasks went back."""
    loop = asyncio.get_running_loop()
    received: list[int] = []

    def on_signal(number: int) -> None:
        received.append(number)
        if len(received) == 1:
            worker.drain()
        else:
            worker.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    await worker.run()
    return 128 + received[1] if len(received) > 1 else 0


def _log(level: str) -> None:
    import logging

    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S"
    )
    # The driver's own lines are about its insides.
    logging.getLogger("psycopg").setLevel(logging.WARNING)
