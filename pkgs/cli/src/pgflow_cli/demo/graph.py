"""A flow as lines of text: one a step, its dependencies drawn beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pgflow_dsl import Flow


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphLine:
    """The drawing beside one step; all lines of a graph are equally long.

    Attributes:
        slug: The step.
        before: What stands left of the step's own mark, which takes one column.
        after: What stands right of it.
    """

    slug: str
    before: str
    after: str


def draw_graph(flow: Flow[Any]) -> list[GraphLine]:
    """Draw a flow, a step on each line; see `draw_lines`."""
    return draw_lines({step.slug: [each.slug for each in step.dependencies] for step in flow.steps})


def draw_lines(steps: Mapping[str, Collection[str]]) -> list[GraphLine]:
    """Draw steps, one on each line.

    A step's edge runs down a lane of its own, to the line of its last dependent, and turns right
    to each dependent: ├ and ┼ join and go on below, ╰ and ┴ join and end, │ only crosses.

    Args:
        steps: The dependencies of each step by slug, dependencies before dependents.
    """
    slugs = list(steps)
    lines: list[GraphLine] = []
    for row, slug in enumerate(slugs):
        joins = [other in steps[slug] for other in slugs[:row]]
        goes_on = [
            any(other in steps[later] for later in slugs[row + 1 :]) for other in slugs[:row]
        ]
        after = "  " * (len(slugs) - row - 1)
        lines.append(GraphLine(slug=slug, before=_lanes(joins, goes_on), after=after))
    return lines


def _lanes(joins: list[bool], goes_on: list[bool]) -> str:
    """Draw the lanes left of a step, each with the gap to its right.

    Args:
        joins: Of each lane, whether the step depends on its step.
        goes_on: Of each lane, whether a later step does.
    """
    drawn = ""
    has_begun = False
    for lane_joins, lane_goes_on in zip(joins, goes_on, strict=True):
        if lane_joins:
            cell = ("┼" if has_begun else "├") if lane_goes_on else ("┴" if has_begun else "╰")
            has_begun = True
        else:
            cell = "│" if lane_goes_on else ("─" if has_begun else " ")
        drawn += cell + ("─" if has_begun else " ")
    return drawn
