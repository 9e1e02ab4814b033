"""`pgflow install`: the schema, brought to this version."""

from __future__ import annotations

import click

from pgflow_cli.options import as_json, database_url


@click.command()
@database_url
@click.option("--sql", is_flag=True, help="Print one plain SQL script instead, and change nothing.")
@click.option("--check", is_flag=True, help="Change nothing; exit with 3 if there is work to do.")
@as_json
def install(*, database_url: str | None, sql: bool, check: bool, as_json: bool) -> int:
    """Bring the database to this version of pgflow.

    Creates the schema `pgflow`, or applies what is missing in it. Run again, it changes nothing.
    A database that a newer pgflow has installed is left alone.
    """
    if sql:
        if check or as_json or database_url:
            raise click.UsageError("--sql prints a script, and takes no other option")
        from pgflow_core_sql import install_script

        click.echo(install_script(), nl=False)
        return 0
    return _check(database_url, as_json) if check else _install(database_url, as_json)


def _install(option: str | None, as_json: bool) -> int:
    from pgflow_core_sql import Migrator

    from pgflow_cli.printing import print_json
    from pgflow_cli.ready import reached_database, telling_of

    database = reached_database(option)
    with telling_of(database):
        done = Migrator(database.url).migrate()
    if as_json:
        print_json({"before": done.before, "after": done.after, "applied": done.applied})
    elif done.applied:
        click.echo(f"pgflow is installed, in schema version {done.after}. Applied:")
        for name in done.applied:
            click.echo(f"  {name}")
    else:
        click.echo(f"pgflow was installed already, in schema version {done.after}.")
    return 0


def _check(option: str | None, as_json: bool) -> int:
    from pgflow_core_sql import Migrator

    from pgflow_cli.printing import print_json
    from pgflow_cli.ready import newest_schema, reached_database, telling_of
    from pgflow_cli.reporting import PENDING

    database = reached_database(option)
    with telling_of(database):
        pending = Migrator(database.url).pending()
    if as_json:
        print_json({"pending": pending, "newest": newest_schema()})
    elif pending:
        click.echo(f"{len(pending)} to apply with `pgflow install`:")
        for name in pending:
            click.echo(f"  {name}")
    else:
        click.echo(f"Nothing to apply: schema version {newest_schema()} is installed.")
    return PENDING if pending else 0
