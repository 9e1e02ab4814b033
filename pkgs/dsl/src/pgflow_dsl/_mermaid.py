"""Draws a flow as a Mermaid flowchart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pgflow_dsl.flow import Flow


def draw_mermaid(flow: Flow[Any]) -> str:
    """Return the text of the chart; see `Flow.to_mermaid`."""
    # Slugs are labels only: some of them, such as `end`, are words of Mermaid's own.
    names = {step: f"s{index}" for index, step in enumerate(flow.steps)}
    lines = ["flowchart TD"]
    for step, name in names.items():
        opening, closing = ("[[", "]]") if step.kind == "map" else ("[", "]")
        lines.append(f'  {name}{opening}"{step.slug}"{closing}')
    for step, name in names.items():
        lines += [f"  {names[dependency]} --> {name}" for dependency in step.delivered]
        lines += [f"  {names[dependency]} -.-> {name}" for dependency in step.after]
    return "\n".join(lines) + "\n"
