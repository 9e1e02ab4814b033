"""A picture of a flow, its steps coloured by how they are doing."""

from __future__ import annotations

from html import escape
from textwrap import shorten
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pgflow_cli.demo.layout import Bend, lay_out
from pgflow_cli.demo.words import describe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pgflow_dsl import AnyStep, Flow

    from pgflow_cli.demo.layout import Edge, Layout
    from pgflow_cli.demo.state import StepView

HEIGHT: Final = 54
GAP: Final = 22
BEND_HEIGHT: Final = 12
LAYER_GAP: Final = 56
MARGIN: Final = 12
# Widths of characters, measured generously: fonts differ between machines.
SLUG_CHARACTER: Final = 8.6
WORD_CHARACTER: Final = 6.6
PADDING: Final = 32
LONGEST_CAPTION: Final = 60

# Fill and line. Each card brings its own background, so that the picture reads on light and dark.
COLORS: Final = {
    "waiting": ("#f6f7f9", "#aab2bd"),
    "running": ("#dcebfd", "#2f6fd0"),
    "retrying": ("#fdf0d2", "#b7791f"),
    "done": ("#dff5e5", "#2f9e55"),
    "skipped": ("#eceef1", "#8b95a1"),
    "failed": ("#fde3e1", "#d1382d"),
    "cancelled": ("#eceef1", "#8b95a1"),
}

Point: TypeAlias = "tuple[float, float]"
Node: TypeAlias = "AnyStep | Bend"


def draw_picture(flow: Flow[Any], steps: Mapping[str, StepView]) -> str:
    """Draw a flow as SVG, from left to right.

    Args:
        flow: The flow.
        steps: Where its steps stand, by slug.
    """
    layout = lay_out(flow)
    captions = {slug: _caption(step) for slug, step in steps.items()}
    widths = [_layer_width(layer, captions) for layer in layout.layers]
    heights = [_layer_height(layer) for layer in layout.layers]
    width = sum(widths) + LAYER_GAP * (len(widths) - 1) + 2 * MARGIN
    height = max(heights) + 2 * MARGIN
    centres = _place(layout, widths, heights)
    spans = {node: widths[rank] for rank, layer in enumerate(layout.layers) for node in layer}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img" '
        'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace">',
        f"<title>The steps of flow {escape(flow.slug)}</title>",
        *(_edge(edge, centres, spans) for edge in layout.edges),
        *(
            _card(steps[step.slug], captions[step.slug], centres[step], spans[step])
            for step in flow.steps
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _caption(step: StepView) -> str:
    said = shorten(describe(step), LONGEST_CAPTION, placeholder="…")
    return f"{step.standing} · {said}" if said else step.standing


def _layer_width(layer: tuple[Node, ...], captions: Mapping[str, str]) -> float:
    return max(
        max(len(node.slug) * SLUG_CHARACTER, len(captions[node.slug]) * WORD_CHARACTER) + PADDING
        for node in layer
        if not isinstance(node, Bend)
    )


def _layer_height(layer: tuple[Node, ...]) -> float:
    return sum(map(_height, layer)) + GAP * (len(layer) - 1)


def _height(node: Node) -> float:
    return BEND_HEIGHT if isinstance(node, Bend) else HEIGHT


def _place(layout: Layout, widths: list[float], heights: list[float]) -> dict[Node, Point]:
    """Centre the layers beside each other, and each one's nodes below each other."""
    centres: dict[Node, Point] = {}
    left = float(MARGIN)
    for layer, width, height in zip(layout.layers, widths, heights, strict=True):
        top = MARGIN + (max(heights) - height) / 2
        for node in layer:
            centres[node] = (left + width / 2, top + _height(node) / 2)
            top += _height(node) + GAP
        left += width + LAYER_GAP
    return centres


def _edge(edge: Edge, centres: Mapping[Node, Point], spans: Mapping[Node, float]) -> str:
    """Draw an edge as curves that leave and reach each layer level, with a tip at its end."""
    first, *others = edge.path
    x, y = centres[first]
    x += spans[first] / 2
    path = f"M{x:.1f},{y:.1f}"
    for node in others:
        centre_x, to_y = centres[node]
        to_x = centre_x - spans[node] / 2
        middle = (x + to_x) / 2
        path += f" C{middle:.1f},{y:.1f} {middle:.1f},{to_y:.1f} {to_x:.1f},{to_y:.1f}"
        x, y = to_x, to_y
        if isinstance(node, Bend):
            x = centre_x + spans[node] / 2
            path += f" L{x:.1f},{y:.1f}"
    dashes = ' stroke-dasharray="5 4"' if edge.only_orders else ""
    return (
        f'<path d="{path}" fill="none" stroke="#8b95a1" stroke-width="1.5"{dashes}/>'
        f'<path d="M{x - 7:.1f},{y - 4:.1f} L{x:.1f},{y:.1f} L{x - 7:.1f},{y + 4:.1f}" '
        'fill="none" stroke="#8b95a1" stroke-width="1.5"/>'
    )


def _card(step: StepView, caption: str, centre: Point, width: float) -> str:
    x, y = centre[0] - width / 2, centre[1] - HEIGHT / 2
    fill, line = COLORS[step.standing]
    dashes = ' stroke-dasharray="5 4"' if step.standing in {"skipped", "cancelled"} else ""

    def box(shift: float) -> str:
        return (
            f'<rect x="{x + shift:.1f}" y="{y + shift:.1f}" width="{width:.1f}" '
            f'height="{HEIGHT}" rx="9" fill="{fill}" stroke="{line}" stroke-width="1.5"{dashes}/>'
        )

    def text(below: float, size: int, color: str, words: str) -> str:
        return (
            f'<text x="{centre[0]:.1f}" y="{centre[1] + below:.1f}" font-size="{size}" '
            f'fill="{color}" text-anchor="middle">{escape(words)}</text>'
        )

    # A map is a stack of cards.
    parts = [box(4)] if step.is_map else []
    parts += [box(0), text(-4, 14, "#1b2733", step.slug), text(15, 11, "#4a5563", caption)]
    return "".join(parts)
