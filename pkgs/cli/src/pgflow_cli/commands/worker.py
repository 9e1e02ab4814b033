"""`pgflow worker`: the handlers of flows, served until a signal comes."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from pgflow_cli.options import database_url, read_limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pgflow_worker import WorkerOptions

    from pgflow_cli.children import Line
    from pgflow_cli.probes import Places

_positive = click.IntRange(min=1)
_seconds = click.FloatRange(min=0, min_open=True)
_port = click.IntRange(0, 65535)


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="MODULE:FLOW...")
@database_url
@click.option(
    "--concurrency", type=_positive, default=200, show_default=True, help="Tasks at a time."
)
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="QUEUE=N",
    callback=read_limits,
    help="Of these, at most N for a flow or for FLOW.STEP, in each worker. May be repeated.",
)
@click.option(
    "--threads", type=_positive, help="Threads for sync handlers. Default: concurrency, at most 32."
)
@click.option(
    "--handler-processes",
    type=_positive,
    help="Processes for handlers of executor 'process'. Default: one for each CPU.",
)
@click.option(
    "--processes",
    type=_positive,
    help="Run as many workers, each in a process of its own, and replace one that crashes.",
)
@click.option(
    "--reload",
    is_flag=True,
    help="Start anew whenever a Python file changes, and define flows of the embedded database "
    "anew as with --recompile. For development.",
)
@click.option(
    "--lifespan",
    metavar="MODULE:FUNCTION",
    help="Async context manager whose value handlers find as ctx.resources.",
)
@click.option(
    "--shutdown-timeout",
    type=click.FloatRange(min=0),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="How long a stopping worker waits for its tasks, before it hands them back.",
)
@click.option(
    "--listen/--no-listen",
    default=None,
    help="Wait for notifications, or poll only. Default: wait, unless there is a pooler.",
)
@click.option(
    "--prepared-statements/--no-prepared-statements",
    default=None,
    help="Prepare statements, or none. Default: prepare, unless there is a pooler.",
)
@click.option(
    "--run-for", type=_seconds, metavar="SECONDS", help="Drain by itself after this time."
)
@click.option(
    "--idle-timeout",
    type=_seconds,
    metavar="SECONDS",
    help="Drain by itself after so long without work.",
)
@click.option(
    "--health-port", type=_port, help="Answer /health and /ready on this port, for probes."
)
@click.option("--metrics-port", type=_port, help="Answer /metrics on this port, for Prometheus.")
@click.option(
    "--http-host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Listen here for both; 0.0.0.0 is for every address of this machine.",
)
@click.option("--install", is_flag=True, help="Install pgflow's schema first, if it is not there.")
@click.option(
    "--recompile",
    is_flag=True,
    help="Define flows of changed structure anew, and delete their runs. For development.",
)
@click.option(
    "--versions/--no-versions",
    default=True,
    help="Make a new version of a flow whose structure has changed, or refuse to start. "
    "Default: make it.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False),
    default="info",
    show_default=True,
)
@click.option(
    "--log-format",
    type=click.Choice(["plain", "json"], case_sensitive=False),
    default="plain",
    show_default=True,
    help="Lines for people, or an object of JSON a line.",
)
def worker(
    *,
    targets: tuple[str, ...],
    database_url: str | None,
    concurrency: int,
    limits: dict[str, int],
    threads: int | None,
    handler_processes: int | None,
    processes: int | None,
    reload: bool,
    lifespan: str | None,
    shutdown_timeout: float,
    listen: bool | None,
    prepared_statements: bool | None,
    run_for: float | None,
    idle_timeout: float | None,
    health_port: int | None,
    metrics_port: int | None,
    http_host: str,
    install: bool,
    recompile: bool,
    versions: bool,
    log_level: str,
    log_format: str,
) -> int:
    """Run the handlers of flows.

    MODULE:FLOW is a flow of a module or file, such as flows:greet or app/flows.py:greet; the
    module alone stands for all flows in it. Flows that the database does not have are defined; one
    whose structure has changed becomes a new version, which new runs take.

    SIGTERM and Ctrl-C let it finish its tasks; the second one stops it at once, and its tasks go
    to other workers. It logs to stderr.
    """
    from pgflow_cli.children import Line
    from pgflow_cli.exposition import require_prometheus
    from pgflow_cli.logs import log_to_stderr
    from pgflow_cli.probes import Places

    log_to_stderr(log_level, as_json=log_format == "json")
    if metrics_port is not None:
        require_prometheus()
    line = Line.to_parent()
    places = Places(host=http_host, health_port=health_port, metrics_port=metrics_port)
    if line is None and (processes is not None or reload):
        return _serve_in_children(targets, processes, shutdown_timeout, places, reload=reload)
    from pgflow_worker import WorkerOptions

    options = WorkerOptions(
        concurrency=concurrency,
        limits=limits,
        threads=threads,
        processes=handler_processes,
        shutdown_timeout=timedelta(seconds=shutdown_timeout),
        listen=listen,
        prepared_statements=prepared_statements,
        allow_data_loss=recompile,
        make_versions=versions,
        run_for=_span(run_for),
        idle_timeout=_span(idle_timeout),
        prometheus=metrics_port is not None,
    )
    if processes is not None:
        # Their parent answers for all of them.
        places = replace(places, health_port=None, metrics_port=None)
    ways = _Ways(install=install, is_development=reload, lifespan=lifespan)
    return _serve(targets, database_url, options, ways, places, line)


def _span(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def _serve_in_children(
    targets: Sequence[str],
    processes: int | None,
    shutdown_timeout: float,
    places: Places,
    *,
    reload: bool,
) -> int:
    if reload and processes is not None:
        raise click.UsageError("--reload runs one worker, so --processes does not go with it.")
    if sys.platform == "win32":
        raise click.UsageError("--processes and --reload are not to be had on Windows.")
    # The same command again; what makes it a child is in the environment.
    arguments = sys.argv[1:]
    if reload:
        from pgflow_cli.reloading import folders_of, serve_reloading

        return serve_reloading(arguments, folders_of(targets))
    from pgflow_cli.supervising import supervise

    return supervise(processes or 1, arguments, shutdown_timeout, places)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ways:
    """How the database is to be treated, and what handlers are to find."""

    install: bool
    is_development: bool
    lifespan: str | None


def _serve(
    targets: Sequence[str],
    option: str | None,
    options: WorkerOptions,
    ways: _Ways,
    places: Places,
    line: Line | None,
) -> int:
    from pgflow_worker import Worker

    from pgflow_cli.exposition import metrics_of_process
    from pgflow_cli.loading import load_flows, load_function
    from pgflow_cli.probes import health_of, serving_probes
    from pgflow_cli.ready import ready_database, telling_of
    from pgflow_cli.serving import serve

    workers: list[Worker] = []

    def make_worker() -> Worker:
        workers.append(Worker(flows, database.url, options, lifespan=lifespan))
        return workers[0]

    # Before all else: whatever takes long, the process is alive.
    with serving_probes(places, health_of(workers), metrics_of_process):
        # Before the database: a module that does not import should not start a server.
        flows = load_flows(targets)
        lifespan = load_function(ways.lifespan) if ways.lifespan else None
        database = ready_database(option, install=ways.install)
        if ways.is_development and database.is_embedded:
            options = replace(options, allow_data_loss=True)
        with telling_of(database):
            return serve(make_worker, line)
