"""Places for steps and edges: found by the very library that draws the dashboard's pictures."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pgflow_worker import ExtraMissing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pgflow_cli.graph.model import FlowGraph

__all__ = ["Box", "Course", "Placed", "place"]

_LIBRARY: Final = Path(__file__).parents[1] / "ui" / "assets" / "vendor" / "dagre.js"
_EXPORTS: Final = re.compile(r"export\{([^}]*)\};?\s*")

# The library is a module of a browser: it says what it exports, and clones what is plain data.
_BEFORE: Final = "globalThis.structuredClone = (value) => JSON.parse(JSON.stringify(value));"
_PLACE: Final = """
((text) => {
  const given = JSON.parse(text);
  const graph = new dagre.Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 22, ranksep: 54, marginx: 16, marginy: 16 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const [slug, width, height] of given.nodes) graph.setNode(slug, { width, height });
  for (const [from, to] of given.edges) graph.setEdge(from, to);
  dagre.layout(graph);
  return JSON.stringify({
    nodes: Object.fromEntries(graph.nodes().map((slug) => [slug, graph.node(slug)])),
    edges: graph.edges().map(({ v, w }) => [v, w, graph.edge(v, w).points]),
  });
})
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Where a step stands: its middle, and how large it is."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Where an edge goes along."""

    start: str
    end: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A flow whose steps and edges have their places."""

    boxes: Mapping[str, Box]
    paths: tuple[Course, ...]


def place(graph: FlowGraph, sizes: Mapping[str, tuple[float, float]]) -> Placed:
    """Find places for a flow's steps, from left to right.

    Args:
        graph: The flow.
        sizes: How wide and how high each step's box is.

    Raises:
        ExtraMissing: The library that runs the placing is not installed.
    """
    if find_spec("quickjs") is None:
        raise ExtraMissing("a picture", "pgflow-cli[graph]")
    if not graph.nodes:
        return Placed(boxes={}, paths=())
    given = {
        "nodes": [[slug, *size] for slug, size in sizes.items()],
        "edges": [[each, node.slug] for node in graph.nodes for each in node.dependencies],
    }
    found: dict[str, Any] = json.loads(_run(json.dumps(given)))
    return Placed(
        boxes={
            slug: Box(x=box["x"], y=box["y"], width=box["width"], height=box["height"])
            for slug, box in found["nodes"].items()
        },
        paths=tuple(
            Course(start=start, end=end, points=tuple((at["x"], at["y"]) for at in points))
            for start, end, points in found["edges"]
        ),
    )


def _run(text: str) -> str:
    # It says nothing of its types.
    context: Any = import_module("quickjs").Context()
    context.eval(_BEFORE + _as_script(_LIBRARY.read_text()))
    return str(context.eval(_PLACE)(text))


def _as_script(module: str) -> str:
    """Turn the library from a module into a script that leaves its exports in `dagre`."""
    found = _EXPORTS.search(module)
    if found is None:
        raise ValueError(f"{_LIBRARY.name} exports nothing")
    pairs = (each.split(" as ") for each in found[1].split(","))
    names = {names[-1].strip(): names[0].strip() for names in pairs}
    exported = ", ".join(f"{name}: {names[name]}" for name in ("Graph", "layout"))
    return _EXPORTS.sub(f"globalThis.dagre = {{ {exported} }};\n", module)
