"""`pgflow flows`: the versions of flows, and which of them new runs take."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from pgflow_cli.options import as_json, database_url

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from pgflow_client.versions import FlowVersion
    from pgflow_dsl import Flow
    from psycopg import Connection

name_argument = click.argument("name", metavar="NAME")
version_argument = click.argument("version", type=click.IntRange(min=1), metavar="VERSION")


@click.group()
def flows() -> None:
    """List flows and their versions, compare them, and say which of them new runs take."""


@flows.command("list")
@database_url
@as_json
def list_(*, database_url: str | None, as_json: bool) -> None:
    """List the flows, each with the version that new runs take."""
    from pgflow_client.versions import read_flow_versions

    with _connected(database_url) as conn:
        found = read_flow_versions(conn)
    # The youngest comes first, and stands for a flow that is retired altogether.
    shown = {each.flow: each for each in reversed(found)}
    shown |= {each.flow: each for each in found if each.is_current}
    _show(sorted(shown.values(), key=lambda each: each.flow), as_json=as_json)


@flows.command()
@name_argument
@database_url
@as_json
def versions(*, name: str, database_url: str | None, as_json: bool) -> None:
    """Show the versions of a flow: what is under way of each, and how many workers serve it."""
    from pgflow_client.versions import read_flow_versions

    with _connected(database_url) as conn:
        found = read_flow_versions(conn, name)
    _show(found, as_json=as_json)


@flows.command()
@click.argument("target", metavar="NAME|MODULE:FLOW")
@click.argument("old", type=click.IntRange(min=1), required=False, metavar="[A]")
@click.argument("new", type=click.IntRange(min=1), required=False, metavar="[B]")
@database_url
@as_json
def diff(
    *, target: str, old: int | None, new: int | None, database_url: str | None, as_json: bool
) -> int:
    """Show how the structure of a flow has changed.

    From version A of it to version B; without B, to the version that new runs take. MODULE:FLOW
    compares the database with the code, which is what a starting worker would do; where the code
    has the structure of an older version, it says so. Exits with 3 where something has changed,
    the types of the flow input and of outputs included.
    """
    from pgflow_client.versions import read_flow_shape, read_flow_versions
    from pgflow_dsl import compare_shapes, compare_types

    from pgflow_cli.printing import print_json
    from pgflow_cli.reporting import PENDING

    told: dict[str, int] = {}
    flow = _load(target) if ":" in target else None
    if flow is not None and new is not None:
        raise click.UsageError("MODULE:FLOW stands for the code, so there is no second version.")
    with _connected(database_url) as conn:
        if flow is not None:
            after = flow.shape()
            if old is None and (found := _version_of(conn, after)) is not None:
                old = found.version
                told = {"version": old}
            before = read_flow_shape(conn, flow.slug, old)
        else:
            if old is None:
                old = _version_before(read_flow_versions(conn, target))
            before = read_flow_shape(conn, target, old)
            after = read_flow_shape(conn, target, new)
    differences, types = compare_shapes(before, after), compare_types(before, after)
    if as_json:
        print_json({"flow": before["flow_slug"], "differences": differences, "types": types} | told)
    else:
        _tell(differences, types)
        if told:
            name = before["flow_slug"]
            click.echo(
                f"It is that of version {old} of {name}, and new runs take another. To have them "
                f"take it: pgflow flows use {name} {old}"
            )
    return PENDING if differences or types else 0


@flows.command()
@name_argument
@version_argument
@database_url
@as_json
def use(*, name: str, version: int, database_url: str | None, as_json: bool) -> None:
    """Have new runs of a flow take a version, an older or a retired one, too.

    Runs under way keep theirs. It takes the owner of the schema.
    """
    from pgflow_client.versions import read_flow_versions, use_flow_version

    from pgflow_cli.printing import print_json

    with _connected(database_url) as conn:
        use_flow_version(conn, name, version)
        found = read_flow_versions(conn, name)
    if as_json:
        print_json({"flow": name, "version": version})
        return
    click.echo(f"New runs of {name} take version {version}.")
    if any(each.version == version and not each.workers for each in found):
        click.echo("No worker serves it now: start one with its code.")


@flows.command()
@name_argument
@version_argument
@click.option("--cancel", is_flag=True, help="Cancel its runs that have not ended.")
@database_url
@as_json
def retire(
    *, name: str, version: int, cancel: bool, database_url: str | None, as_json: bool
) -> None:
    """Take a version out of use: no run of it starts, and none that has ended goes on.

    It is refused while runs of it have not ended, and while new runs take it though the flow has
    another version. Definition and history stay. It takes the owner of the schema.
    """
    from pgflow_client.versions import retire_flow_version

    from pgflow_cli.printing import print_json

    with _connected(database_url) as conn:
        cancelled = retire_flow_version(conn, name, version, cancel=cancel)
    if as_json:
        print_json({"flow": name, "version": version, "cancelled": cancelled})
        return
    was = "was" if cancelled == 1 else "were"
    ended = f" {cancelled:,} of its runs {was} cancelled." if cancelled else ""
    click.echo(f"Version {version} of {name} is retired.{ended}")


@contextmanager
def _connected(option: str | None) -> Generator[Connection[Any]]:
    from pgflow_cli.database import connect
    from pgflow_cli.ready import ready_database, telling_of

    database = ready_database(option)
    with telling_of(database), connect(database.url) as conn:
        yield conn


def _load(target: str) -> Flow[Any]:
    from pgflow_cli.loading import load_flows

    found = load_flows([target])
    if len(found) != 1:
        raise click.UsageError(f"{target} is not one flow.")
    return found[0]


def _version_of(conn: Connection[Any], shape: Mapping[str, Any]) -> FlowVersion | None:
    """Return the youngest version of a structure, unless new runs take one that has it."""
    from pgflow_client.versions import read_flow_shape, read_flow_versions
    from pgflow_dsl import compare_shapes

    found = [
        each
        for each in read_flow_versions(conn, shape["flow_slug"])
        if not compare_shapes(read_flow_shape(conn, each.flow, each.version), shape)
    ]
    return None if not found or any(each.is_current for each in found) else found[0]


def _tell(differences: Sequence[str], types: Sequence[str]) -> None:
    for difference in differences:
        click.echo(difference)
    if types:
        but = "" if differences else "The structure is the same, but the"
        click.echo(f"{but or 'The'} types of {', '.join(types)} changed.")
        if not differences:
            click.echo("That makes no version, and runs under way are read by the new code.")
    elif not differences:
        click.echo("The structure is the same.")


def _version_before(found: Sequence[FlowVersion]) -> int:
    """Return the version that the one new runs take has superseded, which is the first at first."""
    current = next((each.version for each in found if each.is_current), found[0].version)
    return max((each.version for each in found if each.version < current), default=current)


def _show(found: Sequence[FlowVersion], *, as_json: bool) -> None:
    from pgflow_cli.printing import print_json
    from pgflow_cli.tables import version_lines

    if as_json:
        print_json([asdict(each) for each in found])
        return
    for line in version_lines(found):
        click.echo(line)
