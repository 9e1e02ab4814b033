"""`pgflow status`: a database as a whole, or one run."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from pgflow_cli.options import as_json, database_url

if TYPE_CHECKING:
    from pgflow_client import RunProgress
    from pgflow_client.overview import FailedAttempt, Overview

# Failed attempts that are shown of a run.
_SHOWN_ATTEMPTS = 10


@click.command()
@click.argument("run_id", metavar="[RUN_ID]", required=False)
@database_url
@as_json
def status(*, run_id: str | None, database_url: str | None, as_json: bool) -> int:
    """Show what a database does, or where one run stands.

    Without RUN_ID: flows with their runs and queues, and the workers. With one: its steps, and the
    attempts that failed. Needs the role pgflow_reader.
    """
    import psycopg
    from pgflow_client import Client
    from pgflow_client.overview import read_failed_attempts, read_overview

    from pgflow_cli.printing import print_json
    from pgflow_cli.ready import ready_database, telling_of

    database = ready_database(database_url)
    with telling_of(database), psycopg.connect(database.url, autocommit=True) as conn:
        if run_id is None:
            overview = read_overview(conn)
            if as_json:
                print_json(asdict(overview))
            else:
                _show_overview(overview)
            return 0
        progress = Client(conn).get_run(_uuid(run_id)).progress()
        attempts = read_failed_attempts(conn, progress.run_id, _SHOWN_ATTEMPTS)
    if as_json:
        print_json({**asdict(progress), "failed_attempts": [asdict(each) for each in attempts]})
    else:
        _show_run(progress, attempts)
    return 0


def _uuid(text: str) -> Any:
    from uuid import UUID

    try:
        return UUID(text)
    except ValueError:
        raise click.UsageError(f"a run has a UUID as its id, not {text!r}") from None


def _show_overview(overview: Overview) -> None:
    click.echo(f"schema version {overview.schema_version}")
    if not overview.flows:
        click.echo(
            "no flows yet: start a worker that serves some, or apply what `pgflow compile` prints"
        )
    rows = [
        [
            flow.flow_slug,
            flow.steps,
            flow.runs_started,
            flow.runs_completed,
            flow.runs_failed,
            flow.runs_cancelled,
            flow.tasks_ready,
            flow.tasks_delayed,
            flow.tasks_started,
        ]
        for flow in overview.flows
    ]
    if rows:
        heads = [
            "flow",
            "steps",
            "running",
            "completed",
            "failed",
            "cancelled",
            "ready",
            "delayed",
            "claimed",
        ]
        _table(heads, rows)
    workers = [
        [worker.place, worker.state, ", ".join(worker.flow_slugs), worker.worker_id]
        for worker in overview.workers
    ]
    if workers:
        _table(["worker", "state", "flows", "id"], workers)
    else:
        click.echo("no workers")


def _show_run(run: RunProgress, attempts: tuple[FailedAttempt, ...]) -> None:
    from pgflow_cli.printing import paint

    click.echo(f"run {run.run_id} of {run.flow_slug}: {run.status}")
    if run.error_message:
        click.echo(paint(f"{run.failed_step_slug or 'run'}: {run.error_message}", "red"))
    rows = [
        [
            step.step_slug,
            step.kind,
            step.status,
            "" if step.tasks_total is None else f"{step.tasks_done}/{step.tasks_total}",
            step.failed_attempts or "",
            (step.skip_reason or step.error_message or "").replace("\n", " ")[:60],
        ]
        for step in run.steps
    ]
    _table(["step", "kind", "status", "tasks", "failed attempts", "why"], rows)
    for each in attempts:
        message = each.error_message.replace("\n", " ")[:200]
        click.echo(
            f"attempt {each.attempt} of {each.step_slug}[{each.task_index}] failed: {message}"
        )


def _table(heads: list[str], rows: list[list[Any]]) -> None:
    texts = [heads, *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(heads))]
    click.echo()
    for row in texts:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())
