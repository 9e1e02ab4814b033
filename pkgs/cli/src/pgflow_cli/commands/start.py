"""`pgflow start`: a run of a flow, and if wanted its course until the end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pgflow_cli.options import as_json, database_url, read_delay, read_tags

if TYPE_CHECKING:
    from datetime import timedelta
    from uuid import UUID

    from pgflow_client import Client, Run, StartArguments

    from pgflow_cli.database import Database


@click.command()
@click.argument("flow", metavar="FLOW")
@click.argument("text", metavar="[INPUT]", required=False)
@click.option(
    "--input",
    "file",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Read the input from this file; - is standard input.",
)
@click.option("--watch", is_flag=True, help="Show what happens until the run ends.")
@click.option("--run-id", type=click.UUID, help="Give the run this id, to start it only once.")
@click.option(
    "--priority",
    type=click.IntRange(-32768, 32767),
    default=0,
    show_default=True,
    help="Runs with a higher one go first.",
)
@click.option(
    "--idempotency-key",
    metavar="TEXT",
    help="Start the run once for this text; later starts with it find the same run.",
)
@click.option(
    "--delay",
    metavar="TIME",
    callback=read_delay,
    help="Have it wait so long before anything of it is claimed: 30s, 5min, 2h, 1d.",
)
@click.option(
    "--tag",
    "tags",
    metavar="NAME=VALUE",
    multiple=True,
    callback=read_tags,
    help="Put a tag on the run to find it by. May be given several times.",
)
@database_url
@as_json
def start(
    *,
    flow: str,
    text: str | None,
    file: Path | None,
    watch: bool,
    run_id: UUID | None,
    priority: int,
    idempotency_key: str | None,
    delay: timedelta | None,
    tags: dict[str, Any] | None,
    database_url: str | None,
    as_json: bool,
) -> int:
    """Start a run of a flow and print its id.

    FLOW is the slug of a flow that the database has, or MODULE:FLOW in code, whose types then check
    the input, and which the embedded database gets where it does not have it yet. INPUT is JSON,
    - reads it from standard input; without one it is null. One that begins with a minus comes after
    `--`.

    With --watch the exit code is 0 if the run completed, 1 if it failed, 4 if it was cancelled.
    Ctrl-C ends the watching, and not the run.
    """
    from pgflow_cli.loading import load_flow, names_code
    from pgflow_cli.ready import ready_database
    from pgflow_cli.run_input import read_input

    json_text, value = read_input(text, file)
    given: Any = flow
    if names_code(flow):
        given = load_flow(flow)
        value = given.load_input(json_text)
    database = ready_database(database_url)
    start = _Start(database=database, name=flow, flow=given, is_watched=watch, as_json=as_json)
    return start.run(
        value,
        {
            "run_id": run_id,
            "priority": priority,
            "idempotency_key": idempotency_key,
            "delay": delay,
            "tags": tags,
        },
    )


class _Start:
    """One start of a run, and what is shown of it."""

    def __init__(
        self, *, database: Database, name: str, flow: Any, is_watched: bool, as_json: bool
    ) -> None:
        self._database = database
        self._name = name
        self._flow = flow
        self._is_watched = is_watched
        self._as_json = as_json

    def run(self, value: Any, options: StartArguments) -> int:
        from pgflow_client import Client, FlowNotFound, RunExists

        from pgflow_cli.ready import telling_of

        with telling_of(self._database), Client(self._database.url) as client:
            try:
                run: Run[Any] = self._start(client, value, options)
            except FlowNotFound as error:
                if self._flow is self._name:
                    error.add_note(self._advice())
                raise
            except RunExists as error:
                error.add_note(f"`pgflow runs show {options.get('run_id')}` shows where it stands.")
                raise
            self._tell_if_unserved()
            if self._is_watched:
                # By its id alone: what a job returns is shown as the JSON that it is stored as.
                run = client.get_run(run.run_id)
            return self._show(run)

    def _start(self, client: Client, value: Any, options: StartArguments) -> Run[Any]:
        """Start the run; of a flow in code that the embedded database lacks, define it before."""
        from pgflow_client import FlowNotFound

        try:
            return client.start_flow(self._flow, value, **options)
        except FlowNotFound as error:
            if self._flow is self._name:
                raise
            if not self._database.is_embedded:
                advice = (
                    f"`pgflow worker {self._name}` defines and serves it; "
                    "if that was started only now, try again in a moment"
                )
                where = f"flow {self._flow.slug} is not in {self._database.place}"
                raise FlowNotFound(where, advice, error.detail) from error
        self._define()
        return client.start_flow(self._flow, value, **options)

    def _define(self) -> None:
        """Define the flow, which a worker that has just been started may do at the same time."""
        from pgflow_dsl import compile_flow

        from pgflow_cli.database import connect
        from pgflow_cli.printing import say

        with connect(self._database.url) as conn:
            conn.execute(compile_flow(self._flow).encode())
        say(f"Flow {self._flow.slug} is now defined in {self._database.place}.")

    def _tell_if_unserved(self) -> None:
        """Say so where the run will wait for want of a worker."""
        import psycopg
        from pgflow_client.versions import read_flow_versions
        from pgflow_dsl import PgflowError

        from pgflow_cli.database import connect
        from pgflow_cli.printing import say

        flow_slug = self._flow if isinstance(self._flow, str) else self._flow.slug
        try:
            with connect(self._database.url) as conn:
                versions = read_flow_versions(conn, flow_slug)
        except (PgflowError, psycopg.Error):
            # It is started, whatever else can be found out about it.
            return
        taken = [each for each in versions if each.is_current] or versions
        if not any(each.workers for each in taken):
            code = "MODULE:FLOW" if self._flow is self._name else self._name
            say(f"No worker serves {flow_slug} now, so the run waits: `pgflow worker {code}`")

    def _show(self, run: Run[Any]) -> int:
        from pgflow_cli.printing import print_json

        if not self._is_watched:
            if self._as_json:
                print_json({"run_id": run.run_id, "flow_slug": run.flow_slug})
            else:
                click.echo(str(run.run_id))
            return 0
        from pgflow_cli.watching import watch_run

        return watch_run(run, as_json=self._as_json)

    def _advice(self) -> str:
        """Say which flow the database has that may have been meant."""
        import difflib

        from pgflow_client.overview import read_flow_slugs

        from pgflow_cli.database import connect

        lines: list[str] = []
        if Path(f"{self._name}.py").exists():
            lines.append(f"For a flow of {self._name}.py, write {self._name}:NAME.")
        with connect(self._database.url) as conn:
            slugs = read_flow_slugs(conn)
        if near := difflib.get_close_matches(self._name, slugs, n=1):
            lines.append(f"Did you mean {near[0]}?")
        lines.append(
            f"The database has: {', '.join(slugs)}." if slugs else "The database has no flows yet."
        )
        return "\n".join(lines)
