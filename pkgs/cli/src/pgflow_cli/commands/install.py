"""`pgflow install`: the schema, brought to this version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pgflow_cli.options import as_json as as_json_option
from pgflow_cli.options import database_url, migration_tool, read_versions


@click.command()
@database_url
@click.option("--sql", is_flag=True, help="Print one plain SQL script instead, and change nothing.")
@migration_tool
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="With --for: the folder of the migrations. Default: where that tool has it.",
)
@click.option(
    "--versions",
    metavar="N|N-M|N-",
    callback=read_versions,
    help="With --sql or --for: only these schema versions. The last one brings the functions.",
)
@click.option(
    "--check",
    is_flag=True,
    help="Change nothing; exit with 3 if there is work to do, 5 if the schema is not what pgflow "
    "made of it, 6 if a newer pgflow did.",
)
@click.option(
    "--roles",
    is_flag=True,
    help="Fail unless the group roles are there, and tell who is in them. With --sql: print what "
    "makes them, for an administrator.",
)
@as_json_option
def install(
    *,
    database_url: str | None,
    sql: bool,
    tool: str | None,
    out: Path | None,
    versions: tuple[int, int | None] | None,
    check: bool,
    roles: bool,
    as_json: bool,
) -> int:
    """Bring the database to this version of pgflow.

    Creates the schema `pgflow`, or applies what is missing in it. Run again, it changes nothing.
    A database that a newer pgflow has installed is left alone.

    With --for, nothing is applied: it writes migrations of that tool, one a schema version and one
    for the functions, and with a later pgflow those that have been added since.
    """
    if sql:
        if check or as_json or database_url or tool or out:
            raise click.UsageError("--sql prints a script, and takes no other option")
        click.echo(_roles_script() if roles else _in_range(_script, versions), nl=False)
        return 0
    if tool is not None:
        if database_url:
            raise click.UsageError("--for writes files, and takes no --database-url")
        return _export(tool, out, versions, check=check, as_json=as_json)
    if out or versions:
        raise click.UsageError("--out and --versions are about files, and need --for or --sql")
    if check:
        return _check(database_url, as_json)
    return _install(database_url, as_json, roles=roles)


def _script(first: int, last: int | None) -> str:
    from pgflow_core_sql import install_script

    return install_script(first, last)


def _roles_script() -> str:
    from pgflow_core_sql import roles_script

    return roles_script()


def _in_range(make: Any, versions: tuple[int, int | None] | None) -> Any:
    try:
        return make(*(versions or (1, None)))
    except ValueError as error:
        raise click.UsageError(f"--versions: {error}") from error


def _export(
    tool: str,
    out: Path | None,
    versions: tuple[int, int | None] | None,
    *,
    check: bool,
    as_json: bool,
) -> int:
    from pgflow_cli.exports import core_pieces
    from pgflow_cli.exports.command import export

    pieces = _in_range(core_pieces, versions)
    return export(pieces, tool, out, check=check, as_json=as_json)


def _install(option: str | None, as_json: bool, *, roles: bool) -> int:
    from pgflow_core_sql import Migrator, find_roles

    from pgflow_cli.database import connect
    from pgflow_cli.errors import RolesMissing
    from pgflow_cli.printing import print_json
    from pgflow_cli.ready import reached_database, telling_of

    database = reached_database(option)
    with telling_of(database), connect(database.url) as conn:
        migrator = Migrator(conn)
        # What --check told before: functions count, too, where they alone are of another version.
        applied = migrator.pending()
        amiss = () if applied else migrator.drift()
        done = migrator.migrate()
        left = migrator.drift() if amiss else ()
        found = find_roles(conn) if roles else ()
    if as_json:
        told = {"before": done.before, "after": done.after, "applied": applied}
        print_json(told | {"roles": {role.name: role.members for role in found}} if roles else told)
    else:
        state = "is now in" if applied else "was already in"
        more = " Applied:" if applied else ""
        click.echo(f"pgflow {state} {database.place}: schema version {done.after}.{more}")
        for name in applied:
            click.echo(f"  {name}")
        for each in amiss:
            click.echo(f"  {'not mended' if each in left else 'mended'}: {each}")
        for role in found:
            members = ", ".join(role.members) or "nobody yet" if role.is_there else "is not there"
            click.echo(f"  {role.name} {role.purpose}: {members}")
    if missing := [role.name for role in found if not role.is_there]:
        raise RolesMissing(tuple(missing))
    return 0


def _check(option: str | None, as_json: bool) -> int:
    from pgflow_cli.checking import check_schema
    from pgflow_cli.printing import print_json
    from pgflow_cli.ready import newest_schema, reached_database, telling_of
    from pgflow_cli.reporting import DRIFTED, NEWER, PENDING

    database = reached_database(option)
    with telling_of(database):
        found = check_schema(database.url)
    if as_json:
        print_json(
            {
                "state": found.state,
                "pending": found.pending,
                "drift": found.drift,
                "installed": found.installed,
                "newest": newest_schema(),
            }
        )
    else:
        for line in found.lines():
            click.echo(line)
    return {"complete": 0, "pending": PENDING, "drifted": DRIFTED, "newer": NEWER}[found.state]
