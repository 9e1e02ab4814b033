"""`pgflow graph`: a flow as a picture, or as text that others make pictures of."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pgflow_cli.options import database_url

if TYPE_CHECKING:
    from pgflow_cli.graph import FlowGraph

_FORMATS: Final = ("text", "svg", "png", "mermaid", "dot", "json")
_SUFFIXES: Final = {
    ".svg": "svg",
    ".png": "png",
    ".mmd": "mermaid",
    ".dot": "dot",
    ".gv": "dot",
    ".txt": "text",
    ".json": "json",
}


@click.command()
@click.argument("flow", metavar="FLOW")
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    help="What to draw. Default: what the name of the file says, else text.",
)
@click.option("--json", "form", flag_value="json", help="The same as --format json.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write it there. Default: print it.",
)
@database_url
def graph(*, flow: str, form: str | None, out: Path | None, database_url: str | None) -> None:
    """Draw a flow.

    FLOW is MODULE:FLOW in code, or the slug of a flow that the database has. In a picture, a map
    is a stack of boxes, `if` marks a step that runs on a condition, and » one that is skipped when
    it fails. Pictures take `pip install 'pgflow-cli[graph]'`.
    """
    chosen = form or (_SUFFIXES.get(out.suffix.lower(), "text") if out else "text")
    if chosen == "png" and out is None and sys.stdout.isatty():
        raise click.UsageError("a PNG is nothing for a terminal; give a file by --out")
    drawn = _draw(_graph(flow, database_url), chosen)
    if out is not None:
        out.write_bytes(drawn)
        click.echo(f"Written: {out}", err=True)
        return
    sys.stdout.buffer.write(drawn)
    sys.stdout.flush()


def _graph(flow: str, option: str | None) -> FlowGraph:
    from pgflow_cli.graph import graph_of_code, graph_of_definition
    from pgflow_cli.loading import load_flow, names_code

    if names_code(flow):
        return graph_of_code(load_flow(flow))
    from pgflow_client import Client

    from pgflow_cli.ready import ready_database, telling_of

    database = ready_database(option)
    with telling_of(database), Client(database.url) as client:
        return graph_of_definition(client.get_flow(flow))


def _draw(graph: FlowGraph, form: str) -> bytes:
    if form in ("svg", "png"):
        from pgflow_cli.graph.svg import draw_png, draw_svg

        return draw_png(graph) if form == "png" else draw_svg(graph).encode()
    from pgflow_cli.graph.texts import draw_dot, draw_json, draw_mermaid, draw_text

    draw = {"mermaid": draw_mermaid, "dot": draw_dot, "json": draw_json, "text": draw_text}[form]
    return draw(graph).encode()
