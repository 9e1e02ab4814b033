"""`pgflow compile`: flows as SQL migrations, for people who apply their migrations themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pgflow_cli.options import as_json as as_json_option
from pgflow_cli.options import migration_tool

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pgflow_dsl import Flow


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="MODULE:FLOW...")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write a file into this folder, made if it is not there. Default: print the SQL.",
)
@click.option(
    "--name",
    help="Name of the file, with all flows in it. Default: create_FLOW_flow.sql for each flow.",
)
@click.option("--force", is_flag=True, help="Overwrite a file with other content.")
@migration_tool
@click.option(
    "--check", is_flag=True, help="With --for: write nothing; exit with 3 if something is missing."
)
@as_json_option
def compile(
    *,
    targets: tuple[str, ...],
    out: Path | None,
    name: str | None,
    force: bool,
    tool: str | None,
    check: bool,
    as_json: bool,
) -> int:
    """Turn flows into SQL that defines them.

    MODULE:FLOW is a flow of a module or file, such as flows:greet or app/flows.py:greet; the
    module alone stands for all flows in it. The same flow gives the same SQL. To run it again
    changes nothing, or updates options; in a database that has the flow with another structure it
    makes a new version, which new runs take, while runs under way keep theirs.

    With --for, each flow becomes a migration of that tool, and a flow that has changed another one.
    """
    if tool is not None:
        return _export(targets, tool, out, name or force, check=check, as_json=as_json)
    if check:
        raise click.UsageError("--check is about migrations, and needs --for")
    if out is None and (name or force or as_json):
        raise click.UsageError("--name, --force and --json are about files, and need --out")
    if name is not None and (Path(name).name != name or name in {".", ".."}):
        raise click.UsageError("--name is the name of a file; its folder is given by --out")
    from pgflow_dsl import compile_version

    flows = _load(targets)
    if out is None:
        click.echo("\n".join(compile_version(flow) for flow in flows), nl=False)
        return 0
    states = _write(_files(flows, out, name), force=force)
    if as_json:
        from pgflow_cli.printing import print_json

        print_json([{"path": str(path), "state": state} for path, state in states.items()])
        return 0
    for path, state in states.items():
        click.echo(f"{state.capitalize()}: {path}")
    return 0


def _export(
    targets: Sequence[str],
    tool: str,
    out: Path | None,
    has_more: object,
    *,
    check: bool,
    as_json: bool,
) -> int:
    if has_more:
        raise click.UsageError("--for chooses the files' names, and takes no --name or --force")
    from pgflow_cli.exports import flow_pieces
    from pgflow_cli.exports.command import export

    return export(flow_pieces(_load(targets)), tool, out, check=check, as_json=as_json)


def _load(targets: Sequence[str]) -> list[Flow[Any]]:
    from pgflow_cli.loading import load_flows

    return load_flows(targets)


def _files(flows: Sequence[Flow[Any]], out: Path, name: str | None) -> dict[Path, str]:
    from pgflow_dsl import compile_version

    if name is None:
        return {out / f"create_{flow.slug}_flow.sql": compile_version(flow) for flow in flows}
    file = name if name.endswith(".sql") else f"{name}.sql"
    return {out / file: "\n".join(compile_version(flow) for flow in flows)}


def _write(files: Mapping[Path, str], *, force: bool) -> dict[Path, str]:
    """Write the files, all or none; return what became of each."""
    from pgflow_cli.errors import FileDiffers

    states: dict[Path, str] = {}
    for path, text in files.items():
        there = path.read_bytes() if path.exists() else None
        if there is not None and there != text.encode() and not force:
            raise FileDiffers(path)
        states[path] = "unchanged" if there == text.encode() else "written"
    for path, text in files.items():
        if states[path] == "written":
            path.parent.mkdir(parents=True, exist_ok=True)
            # Under another name first: a migration tool that looks now sees all of it or nothing.
            draft = path.with_name(f".{path.name}.tmp")
            draft.write_bytes(text.encode())
            draft.replace(path)
    return states
