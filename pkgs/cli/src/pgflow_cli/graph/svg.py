"""Flows as pictures: SVG that needs nothing else, and PNG made of it."""

from __future__ import annotations

from html import escape
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from pgflow_worker import ExtraMissing

from pgflow_cli.graph.placing import place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pgflow_cli.graph.model import FlowGraph, Node
    from pgflow_cli.graph.placing import Box, Course

__all__ = ["draw_png", "draw_svg"]

# Measured generously: fonts differ between machines.
_CHARACTER: Final = 8.4
_PADDING: Final = 40.0
_LEAST_WIDTH: Final = 84.0
_HEIGHT: Final = 42.0
_MARGIN: Final = 14.0
_RADIUS: Final = 9
_FONT: Final = "ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace"
# Boxes bring their own ground, so that the picture reads on light and on dark.
_LINE: Final = "#7b8698"
_FILL: Final = "#ffffff"
_TEXT: Final = "#1a2230"
_MARK: Final = "#8a5a00"
_MARK_FILL: Final = "#fbf1da"
_ZOOM: Final = 2


def draw_svg(graph: FlowGraph) -> str:
    """Draw a flow as SVG.

    Raises:
        ExtraMissing: A library that it takes is not installed.
    """
    sizes = {node.slug: (_width(node), _HEIGHT) for node in graph.nodes}
    placed = place(graph, sizes)
    left, top, width, height = _extent([*placed.boxes.values()], [*placed.paths])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{left:.0f} {top:.0f} {width:.0f} '
        f'{height:.0f}" width="{width:.0f}" height="{height:.0f}" role="img" '
        f'font-family="{_FONT}">',
        f"<title>The steps of flow {escape(graph.slug)}</title>",
        f'<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" '
        f'markerHeight="9" markerUnits="userSpaceOnUse" orient="auto-start-reverse">'
        f'<path d="M0.5 0.8L7 4L0.5 7.2z" fill="{_LINE}"/></marker></defs>',
    ]
    nodes = {node.slug: node for node in graph.nodes}
    parts += [
        _edge(course, is_dashed=course.start in nodes[course.end].only_after)
        for course in placed.paths
    ]
    for slug, box in placed.boxes.items():
        parts += _step(nodes[slug], box)
    return "\n".join([*parts, "</svg>"]) + "\n"


def draw_png(graph: FlowGraph) -> bytes:
    """Draw a flow as PNG, for screens with many pixels.

    Raises:
        ExtraMissing: A library that it takes is not installed.
    """
    if find_spec("resvg_py") is None:
        raise ExtraMissing("a picture", "pgflow-cli[graph]")
    import resvg_py

    renderer: Any = resvg_py
    return bytes(renderer.svg_to_bytes(svg_string=draw_svg(graph), zoom=_ZOOM))


def _width(node: Node) -> float:
    return max(_LEAST_WIDTH, len(node.slug) * _CHARACTER + _PADDING)


def _extent(boxes: list[Box], paths: list[Course]) -> tuple[float, float, float, float]:
    """Measure what the picture takes: an edge around a step may lead further than all steps."""
    xs = [edge for box in boxes for edge in (box.x - box.width / 2, box.x + box.width / 2)]
    ys = [edge for box in boxes for edge in (box.y - box.height / 2, box.y + box.height / 2)]
    xs += [x for path in paths for x, _ in path.points]
    ys += [y for path in paths for _, y in path.points]
    left, right = min(xs, default=0) - _MARGIN, max(xs, default=0) + _MARGIN
    top, bottom = min(ys, default=0) - _MARGIN, max(ys, default=0) + _MARGIN
    return left, top, right - left, bottom - top


def _edge(course: Course, *, is_dashed: bool) -> str:
    dashes = ' stroke-dasharray="4 4"' if is_dashed else ""
    return (
        f'<path d="{_curve(course.points)}" fill="none" stroke="{_LINE}" stroke-width="1.6"'
        f'{dashes} marker-end="url(#arrow)"/>'
    )


def _curve(points: tuple[tuple[float, float], ...]) -> str:
    """Draw a smooth line through points."""
    (x, y), *rest = points
    drawn = f"M{x:.1f} {y:.1f}"
    if len(rest) < 2:
        return drawn + "".join(f"L{x:.1f} {y:.1f}" for x, y in rest)
    for place_, (x, y) in enumerate(rest[:-1], start=1):
        is_last = place_ == len(rest) - 1
        next_x, next_y = rest[place_]
        end_x, end_y = (next_x, next_y) if is_last else ((x + next_x) / 2, (y + next_y) / 2)
        drawn += f"Q{x:.1f} {y:.1f} {end_x:.1f} {end_y:.1f}"
    return drawn


def _step(node: Node, box: Box) -> Iterator[str]:
    left, top = box.x - box.width / 2, box.y - box.height / 2
    for offset in (6, 3) if node.is_map else ():
        yield _rect(left + offset, top - offset, box.width, box.height)
    dashes = ' stroke-dasharray="5 4"' if node.is_conditional else ""
    yield _rect(left, top, box.width, box.height, dashes)
    yield (
        f'<text x="{box.x:.1f}" y="{box.y + 4.5:.1f}" text-anchor="middle" font-size="13" '
        f'font-weight="600" fill="{_TEXT}">{escape(node.slug)}</text>'
    )
    if node.is_conditional:
        yield from _badge(left + box.width - 28, top - 9, "if")
    if node.may_skip:
        yield from _badge(left + box.width - 28, top + box.height - 8, "»")


def _rect(left: float, top: float, width: float, height: float, more: str = "") -> str:
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'rx="{_RADIUS}" fill="{_FILL}" stroke="{_LINE}" stroke-width="1.5"{more}/>'
    )


def _badge(left: float, top: float, text: str) -> Iterator[str]:
    yield (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="22" height="17" rx="8.5" '
        f'fill="{_MARK_FILL}" stroke="{_MARK}"/>'
    )
    yield (
        f'<text x="{left + 11:.1f}" y="{top + 12.2:.1f}" text-anchor="middle" font-size="11" '
        f'font-weight="600" fill="{_MARK}">{text}</text>'
    )
