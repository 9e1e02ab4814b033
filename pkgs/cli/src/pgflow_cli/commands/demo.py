"""`pgflow demo`: a sample flow on real files, from nothing to a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pgflow_cli.options import database_url

if TYPE_CHECKING:
    from pgflow_cli.database import Database
    from pgflow_cli.demo.view import View


@click.command()
@click.argument(
    "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), required=False
)
@database_url
@click.option("--install", is_flag=True, help="Install pgflow in that database, if it is not.")
@click.option(
    "--out",
    metavar="FILE.md",
    type=click.Path(path_type=Path),
    help="Write the report there. Default: a folder of its own in .pgflow/reports.",
)
def demo(*, folder: Path | None, database_url: str | None, install: bool, out: Path | None) -> None:
    """Run a sample flow on a folder of files and watch it.

    The flow reads the text, Markdown, Python and SQL files in FOLDER, counts what is in them, and
    writes a report with a picture of itself. Nothing in FOLDER is changed. It is the current one by
    default; in a clone of pgflow, the whole project; where there are no such files, pgflow's own.
    """
    from pgflow_cli.demo.files import to_show, to_text
    from pgflow_cli.demo.places import check_report, choose_folder, own_code
    from pgflow_cli.demo.view import choose_view

    folder = choose_folder(folder)
    report = None if out is None else check_report(out)
    view = choose_view()
    if folder == own_code():
        view.title("Reading pgflow's own Python and SQL files (`pgflow demo FOLDER` reads others)")
    else:
        where = to_show(to_text(folder))
        view.title(f"Reading the text, Markdown, Python and SQL files in {where}")
    with view.busy("Getting the database ready"):
        database = _ready(database_url, install)
    view.done(_what_database(database))
    _run(folder, report, database, database_url, view)


def _run(
    folder: Path, report: Path | None, database: Database, option: str | None, view: View
) -> None:
    import asyncio

    from pgflow_cli.demo.ending import tell_end, tell_stop
    from pgflow_cli.demo.files import to_text
    from pgflow_cli.demo.flow import Survey
    from pgflow_cli.demo.places import new_report
    from pgflow_cli.demo.session import Session
    from pgflow_cli.ready import telling_of

    report = report or new_report()
    session = Session(database.url, view)
    try:
        with telling_of(database):
            outcome = session.run(Survey(folder=to_text(folder), report=to_text(report)))
    except KeyboardInterrupt:
        tell_stop(session.run_id, option, view)
        raise click.exceptions.Exit(130) from None
    except asyncio.CancelledError:
        tell_stop(session.run_id, option, view)
        raise click.exceptions.Exit(143) from None
    tell_end(outcome, report, session.run_id, option, view)


def _ready(option: str | None, install: bool) -> Database:
    from pgflow_client import SchemaMissing

    from pgflow_cli.ready import ready_database

    try:
        return ready_database(option, install=install)
    except SchemaMissing as error:
        error.add_note("Or have the demo do it: pgflow demo --install")
        raise


def _what_database(database: Database) -> str:
    from pgflow_cli.database import embedded_server
    from pgflow_cli.demo.places import show

    if not database.is_embedded:
        return f"the database that {database.source} names"
    server = embedded_server()
    return f"PostgreSQL {server.version()}, embedded, with its data in {show(server.data)}"
