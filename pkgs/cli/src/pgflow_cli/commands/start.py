"""`pgflow start`: a run of a flow, and if wanted its course until the end."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pgflow_cli.options import as_json, database_url

if TYPE_CHECKING:
    from pgflow_client import Client, Run


@click.command()
@click.argument("flow", metavar="FLOW")
@click.argument("text", metavar="[INPUT]", required=False)
@click.option(
    "--input",
    "file",
    type=click.Path(path_type=Path, allow_dash=True),
    help="Read the input from this file, - for standard input.",
)
@click.option("--watch", is_flag=True, help="Show what happens until the run ends.")
@click.option("--run-id", metavar="UUID", help="Give the run this id.")
@click.option(
    "--priority",
    default=0,
    show_default=True,
    type=click.IntRange(-32768, 32767),
    help="Runs with a higher one go first.",
)
@database_url
@as_json
def start(
    *,
    flow: str,
    text: str | None,
    file: Path | None,
    watch: bool,
    run_id: str | None,
    priority: int,
    database_url: str | None,
    as_json: bool,
) -> int:
    """Start a run of a flow and print its id.

    FLOW is the slug of a flow that the database has, or MODULE:FLOW in code, which checks the
    input. INPUT is JSON; without one the input is null. With --watch the exit code is 0 if the run
    completed, 1 if it failed, 4 if it was cancelled.
    """
    from pgflow_client import Client

    from pgflow_cli.loading import load_flow, names_code
    from pgflow_cli.printing import print_json
    from pgflow_cli.ready import ready_database, telling_of

    value = _read_input(text, file)
    flow_or_slug: Any = load_flow(flow) if names_code(flow) else flow
    if names_code(flow):
        value = flow_or_slug.load_input(json.dumps(value))
    database = ready_database(database_url)
    with telling_of(database), Client(database.url) as client:
        run = _start(client, flow_or_slug, value, run_id, priority)
        if as_json and not watch:
            print_json({"run_id": str(run.run_id), "flow_slug": run.flow_slug})
        elif not as_json:
            click.echo(str(run.run_id))
        if not watch:
            return 0
        from pgflow_cli.watching import watch_run

        return watch_run(run, as_json=as_json)


def _start(client: Client, flow: Any, value: Any, run_id: str | None, priority: int) -> Run[Any]:
    from uuid import UUID

    try:
        chosen = UUID(run_id) if run_id else None
    except ValueError:
        raise click.UsageError(f"--run-id takes a UUID, not {run_id!r}") from None
    return client.start_flow(flow, value, run_id=chosen, priority=priority)


def _read_input(text: str | None, file: Path | None) -> Any:
    if text is not None and file is not None:
        raise click.UsageError("give the input once: as INPUT or with --input")
    if file is not None:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError as error:
        raise click.ClickException(
            f"the input is not JSON: {error}\nA text needs quotes of its own: '\"text\"'"
        ) from error
