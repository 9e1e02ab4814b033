"""`pgflow ui`: the dashboard, for whichever database."""

from __future__ import annotations

import os
from typing import Final

import click

from pgflow_cli.options import database_url

TOKEN_VARIABLE: Final = "PGFLOW_UI_TOKEN"


@click.command()
@database_url
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Listen on this address. One that other machines reach takes a token.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Listen on this port. Default: 8420, or the next."
)
@click.option(
    "--allow-actions", is_flag=True, help="Let visitors start, cancel, retry and restart runs."
)
@click.option(
    "--token",
    is_flag=True,
    help=f"Ask visitors of this machine for a token, too: that of {TOKEN_VARIABLE}, or a new one.",
)
@click.option(
    "--allowed-host",
    "names",
    multiple=True,
    metavar="NAME",
    help="Be called by this name, too, say behind a proxy; takes a token. May be given repeatedly.",
)
@click.option("--open", "is_opened", is_flag=True, help="Open the page in a browser.")
def ui(
    *,
    database_url: str | None,
    host: str,
    port: int | None,
    allow_actions: bool,
    token: bool,
    names: tuple[str, ...],
    is_opened: bool,
) -> None:
    """Show flows, runs and workers on a web page.

    The page only shows, unless --allow-actions is given, and only to this machine, unless --host
    names an address that others reach: then it asks for a token, which is printed here, or is the
    one of PGFLOW_UI_TOKEN. There is no encryption: let others come through a proxy with TLS.

    The database's user needs the role pgflow_reader, and pgflow_client to act.
    """
    import asyncio

    from pgflow_cli.ready import ready_database
    from pgflow_cli.ui.opening import open_dashboard

    opened = open_dashboard(
        ready_database(database_url),
        host=host,
        port=port,
        may_act=allow_actions,
        token=os.environ.get(TOKEN_VARIABLE, "") if token else os.environ.get(TOKEN_VARIABLE),
        names=names,
    )
    click.echo(opened.address)
    if is_opened:
        click.launch(opened.address)
    asyncio.run(opened.server.run_until_signal())
