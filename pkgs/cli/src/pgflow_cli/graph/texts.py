"""Flows as text: lines for a terminal, JSON, and the languages of Mermaid and of Graphviz."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from pgflow_cli.demo.graph import draw_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pgflow_cli.graph.model import FlowGraph, Node

__all__ = ["draw_dot", "draw_json", "draw_mermaid", "draw_text"]


def draw_text(graph: FlowGraph) -> str:
    """Draw a flow as lines, a step on each, with what is special about it."""
    lines = draw_lines({node.slug: node.dependencies for node in graph.nodes})
    drawn = [
        f"{line.before}● {line.after}{node.slug}{_remark(node)}"
        for line, node in zip(lines, graph.nodes, strict=True)
    ]
    return "".join(f"{line.rstrip()}\n" for line in drawn)


def draw_mermaid(graph: FlowGraph) -> str:
    """Return a flowchart in the language of Mermaid."""
    # Slugs are labels only: some of them, such as `end`, are words of Mermaid's own.
    names = {node.slug: f"s{index}" for index, node in enumerate(graph.nodes)}
    return "\n".join(["flowchart LR", *_mermaid_lines(graph, names)]) + "\n"


def draw_dot(graph: FlowGraph) -> str:
    """Return a digraph in the language of Graphviz."""
    return "\n".join([f'digraph "{graph.slug}" {{', *_dot_lines(graph), "}"]) + "\n"


def draw_json(graph: FlowGraph) -> str:
    """Return what a picture would show, for scripts."""
    nodes = [{**asdict(node), "only_after": sorted(node.only_after)} for node in graph.nodes]
    return json.dumps({"slug": graph.slug, "nodes": nodes}, indent=2) + "\n"


def _remark(node: Node) -> str:
    remarks = [
        word
        for word, holds in (
            ("map", node.is_map),
            ("on a condition", node.is_conditional),
            ("skipped if it fails", node.may_skip),
        )
        if holds
    ]
    return f"  ({', '.join(remarks)})" if remarks else ""


def _mermaid_lines(graph: FlowGraph, names: dict[str, str]) -> Iterator[str]:
    for node in graph.nodes:
        opening, closing = ("[[", "]]") if node.is_map else ("[", "]")
        if node.is_conditional:
            opening, closing = "{{", "}}"
        yield f'  {names[node.slug]}{opening}"{node.slug}{_mark(node)}"{closing}'
    for node in graph.nodes:
        for dependency in node.dependencies:
            arrow = "-.->" if dependency in node.only_after else "-->"
            yield f"  {names[dependency]} {arrow} {names[node.slug]}"


def _dot_lines(graph: FlowGraph) -> Iterator[str]:
    yield "  rankdir=LR"
    yield '  node [shape=box, style=rounded, fontname="monospace"]'
    for node in graph.nodes:
        attributes = [f'label="{node.slug}{_mark(node)}"']
        attributes += ["peripheries=2"] if node.is_map else []
        attributes += ['style="rounded,dashed"'] if node.is_conditional or node.may_skip else []
        yield f'  "{node.slug}" [{", ".join(attributes)}]'
    for node in graph.nodes:
        for dependency in node.dependencies:
            style = " [style=dashed]" if dependency in node.only_after else ""
            yield f'  "{dependency}" -> "{node.slug}"{style}'


def _mark(node: Node) -> str:
    return " ?" if node.is_conditional else ""
