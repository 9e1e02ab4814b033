"""`pgflow dev`: all that it takes to develop flows, in one command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from pgflow_cli.options import database_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pgflow_cli.database import Database
    from pgflow_cli.reloading import Reloader
    from pgflow_cli.ui.opening import OpenDashboard

LIBRARIES: Final = ("watchfiles", "starlette", "uvicorn")


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="MODULE_OR_FOLDER...")
@database_url
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port of the page. Default: 8420, or the next."
)
@click.option("--open", "is_opened", is_flag=True, help="Open the page in a browser.")
def dev(
    *, targets: tuple[str, ...], database_url: str | None, port: int | None, is_opened: bool
) -> int:
    """Develop flows with a worker that follows the code, and a web page.

    Give modules, files or folders with flows. The embedded PostgreSQL starts, unless a database is
    named, and pgflow is installed in it. A worker serves the flows and starts anew whenever their
    code changes: in the embedded database, a flow of changed structure is defined anew, which
    deletes its runs, also those under way, and the log says how many these were; in a database
    that is named it gets a new version, and they go on. The dashboard shows what happens and starts
    runs; its address is printed.
    """
    import asyncio

    from pgflow_cli.logs import log_to_stderr
    from pgflow_cli.ready import ready_database
    from pgflow_cli.reloading import Reloader, folders_of
    from pgflow_cli.ui.opening import open_dashboard

    _check_libraries()
    log_to_stderr("info", as_json=False)
    reloader = Reloader(_worker_arguments(targets, database_url), folders_of(targets))
    database = ready_database(database_url, install=True)
    opened = open_dashboard(database, host="127.0.0.1", port=port, may_act=True)
    _greet(targets, database, opened)
    if is_opened:
        click.launch(opened.address)
    return asyncio.run(_run(reloader, opened))


def _check_libraries() -> None:
    # All at once: whoever installs what one part lacks would next hear of the other.
    from importlib.util import find_spec

    from pgflow_worker import ExtraMissing

    if any(find_spec(library) is None for library in LIBRARIES):
        raise ExtraMissing("pgflow dev", "pgflow-cli[reload,ui]")


def _worker_arguments(targets: Sequence[str], option: str | None) -> list[str]:
    named = ["--database-url", option] if option else []
    return ["worker", "--reload", *named, "--", *targets]


def _greet(targets: Sequence[str], database: Database, opened: OpenDashboard) -> None:
    from pgflow_cli.printing import paint

    where = "embedded PostgreSQL" if database.is_embedded else f"named by {database.source}"
    click.echo(f"  dashboard  {paint(opened.address, 'cyan', bold=True)}")
    click.echo(f"  flows      {', '.join(targets)}: save a file, and the worker starts anew")
    click.echo(f"  database   {where}")
    click.echo("  Ctrl-C ends it all, except for the embedded database: `pgflow db stop`")
    click.echo()


async def _run(reloader: Reloader, opened: OpenDashboard) -> int:
    import asyncio

    serving = asyncio.create_task(opened.server.run())
    try:
        return await reloader.run()
    finally:
        opened.server.end()
        await serving
