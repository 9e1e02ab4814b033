"""A flow as lines of text: one a step, its dependencies drawn beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    """Draw a flow, a step on each line.

    A step's edge runs down a lane of its own, to the line of its last dependent, and turns right
    to each dependent: ├ and ┼ join and go on below, ╰ and ┴ join and end, │ only crosses.
    """
    steps = flow.steps
    lines: list[GraphLine] = []
    for row, step in enumerate(steps):
        joins = [other in step.dependencies for other in steps[:row]]
        goes_on = [
            any(other in later.dependencies for later in steps[row + 1 :]) for other in steps[:row]
        ]
        after = "  " * (len(steps) - row - 1)
        lines.append(GraphLine(slug=step.slug, before=_lanes(joins, goes_on), after=after))
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
