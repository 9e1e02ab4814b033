"""`pgflow db`: the embedded PostgreSQL, and a psql on whichever database is in use."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pgflow_cli.database import Database
    from pgflow_cli.embedded import EmbeddedServer

# Commands import what they need when they run: `--help` answers at once.

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
database_url = click.option(
    "--database-url", metavar="URL", help="Use this database instead of the embedded one."
)


@click.group()
def db() -> None:
    """Manage the embedded PostgreSQL, which starts by itself when a command needs it.

    Its data is kept in .pgflow/db of the project (or in PGFLOW_HOME/db) and outlives the commands;
    the server runs until `pgflow db stop`.
    """


@db.command()
@click.option("--tcp", is_flag=True, help="Also listen on 127.0.0.1, with a password.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="The TCP port, with --tcp. Default: 5432, or a free one if that is taken.",
)
@as_json
def start(*, tcp: bool, port: int | None, as_json: bool) -> None:
    """Start the server, if it does not run, and print its URL."""
    from pgflow_cli.database import embedded_server, named_database

    if port is not None and not tcp:
        raise click.UsageError("--port is the TCP port, and needs --tcp")
    server = embedded_server()
    ran = server.is_running()
    url = server.start(tcp_port=(port or 0) if tcp else None)
    tcp_url = server.tcp_url()
    if as_json:
        _print_json(
            started=not ran,
            url=url,
            tcp_url=tcp_url,
            version=server.version(),
            data=str(server.data),
            log=str(server.log),
        )
        return
    state = "was running already" if ran else "runs"
    click.echo(f"PostgreSQL {server.version()} {state}, with its data in {server.data}")
    click.echo(f"  {url}")
    if tcp_url is not None:
        click.echo(f"  {tcp_url}")
    if (named := named_database()) is not None:
        click.echo(f"Note that other commands do not use it: {named.source} is set.", err=True)


@db.command()
@as_json
def stop(*, as_json: bool) -> None:
    """Stop the server. Its data stays."""
    from pgflow_cli.database import embedded_server

    server = embedded_server()
    ran = server.stop()
    if as_json:
        _print_json(stopped=ran)
    else:
        click.echo("PostgreSQL has stopped." if ran else "PostgreSQL was not running.")


@db.command()
@database_url
@click.option("--tcp", is_flag=True, help="The embedded server's TCP URL, with its password.")
@as_json
def url(*, database_url: str | None, tcp: bool, as_json: bool) -> None:
    """Print the URL of the database that commands use here, and start it if it is embedded."""
    database = _open(database_url, tcp=tcp)
    if as_json:
        _print_json(url=database.url, source=database.source)
    else:
        click.echo(database.url)


@db.command(context_settings={"ignore_unknown_options": True})
@database_url
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[PSQL ARGUMENTS]...")
def psql(*, database_url: str | None, arguments: tuple[str, ...]) -> None:
    """Open psql on the database that commands use here; further arguments go to psql."""
    from pgflow_cli.database import open_database
    from pgflow_cli.embedded.psql import become_psql

    become_psql(open_database(database_url).url, arguments)


@db.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def reset(*, yes: bool, as_json: bool) -> None:
    """Stop the embedded server and delete all of its data."""
    from pgflow_cli.database import embedded_server

    server = embedded_server()
    if (others := _others_on(server)) and not as_json:
        click.echo(
            f"{others} other programs are connected, such as workers: stop them first, and start "
            "them again afterwards.",
            err=True,
        )
    if server.data.exists() and not yes:
        _confirm(f"Delete all data in {server.data}?")
    deleted = server.reset()
    if as_json:
        _print_json(deleted=deleted)
    else:
        click.echo("The data is deleted." if deleted else "There was no data.")


def _confirm(question: str) -> None:
    """Ask whether to go on.

    Raises:
        click.Abort: The answer was no, or there was none.
    """
    try:
        click.confirm(question, abort=True, err=True)
    except click.Abort:
        if not sys.stdin.isatty():
            # Nobody has ended the line of the question.
            click.echo(err=True)
        raise


def _others_on(server: EmbeddedServer) -> int:
    """Count the programs that are connected to a server that runs."""
    if not server.is_running():
        return 0
    import psycopg

    from pgflow_cli.database import connect

    query = (
        "select count(distinct coalesce(client_addr::text, '') || application_name)"
        " from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
    )
    try:
        with connect(server.url()) as conn:
            row = conn.execute(query).fetchone()
    except psycopg.Error:
        return 0
    return row[0] if row else 0


def _open(option: str | None, *, tcp: bool) -> Database:
    from pgflow_cli.database import Database, embedded_server, open_database
    from pgflow_cli.embedded import TcpUnavailable

    database = open_database(option)
    if not tcp:
        return database
    if not database.is_embedded:
        raise click.UsageError(f"--tcp is for the embedded server, but {database.source} is set")
    server = embedded_server()
    tcp_url = server.tcp_url()
    if tcp_url is None:
        raise TcpUnavailable(server.root, None)
    return Database(url=tcp_url, source=database.source)


def _print_json(**fields: Any) -> None:
    click.echo(json.dumps(fields, indent=2))
