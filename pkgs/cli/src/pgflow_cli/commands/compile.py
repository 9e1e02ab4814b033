"""`pgflow compile`: flows as SQL."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("sources", metavar="MODULE[:FLOW]...", nargs=-1, required=True)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write one file for each flow into this folder, made if it is not there.",
)
@click.option("--force", is_flag=True, help="Overwrite files that say something else.")
def compile(*, sources: tuple[str, ...], out: Path | None, force: bool) -> int:
    """Turn flows into SQL that defines them.

    The SQL depends on nothing but the flow, and may be run again: it then updates options. Without
    --out it is printed. A worker compiles the flows that it serves by itself; this is for people
    who own their migrations.
    """
    from pgflow_dsl import compile_flow

    from pgflow_cli.loading import load_flows

    texts = {flow.slug: compile_flow(flow) for flow in load_flows(sources)}
    if out is None:
        click.echo("\n".join(texts.values()))
        return 0
    files = {out / f"create_{slug}_flow.sql": f"{text}\n" for slug, text in texts.items()}
    # All are looked at before any is written.
    changed = [path for path, text in files.items() if path.exists() and path.read_text() != text]
    if changed and not force:
        listed = ", ".join(map(str, changed))
        raise click.ClickException(
            f"{listed} says something else; --force overwrites, and nothing was written"
        )
    out.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        is_new = not path.exists() or path in changed
        path.write_text(text)
        click.echo(f"{'Wrote' if is_new else 'Unchanged:'} {path}")
    return 0
