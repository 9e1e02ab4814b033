"""Places for a flow's steps in a picture: layers from left to right, with room for long edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pgflow_dsl import AnyStep, Flow

SWEEPS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Bend:
    """A place that a long edge passes in a layer between its steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """An edge and all that it passes, from a dependency to its dependent."""

    path: tuple[AnyStep | Bend, ...]
    only_orders: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Which steps stand in which layer, from the top down, and the edges between them."""

    layers: tuple[tuple[AnyStep | Bend, ...], ...]
    edges: tuple[Edge, ...]


def lay_out(flow: Flow[Any]) -> Layout:
    """Put each step in a layer right of its dependencies, with few crossings of edges."""
    ranks = _ranks(flow)
    layers: list[list[AnyStep | Bend]] = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
    for step, rank in ranks.items():
        layers[rank].append(step)
    edges: list[Edge] = []
    for step in flow.steps:
        for dependency in step.dependencies:
            bends = [Bend() for _ in range(ranks[dependency] + 1, ranks[step])]
            for rank, bend in enumerate(bends, start=ranks[dependency] + 1):
                layers[rank].append(bend)
            path: tuple[AnyStep | Bend, ...] = (dependency, *bends, step)
            edges.append(Edge(path=path, only_orders=dependency in step.after))
    _untangle(layers, edges)
    return Layout(layers=tuple(map(tuple, layers)), edges=tuple(edges))


def _ranks(flow: Flow[Any]) -> dict[AnyStep, int]:
    ranks: dict[AnyStep, int] = {}
    for step in flow.steps:
        ranks[step] = 1 + max((ranks[each] for each in step.dependencies), default=-1)
    # A step that waits for nothing stands close to those that wait for it.
    for step in reversed(flow.steps):
        if not step.dependencies:
            dependents = [ranks[each] for each in flow.steps if step in each.dependencies]
            ranks[step] = min(dependents, default=1) - 1
    return ranks


def _untangle(layers: list[list[AnyStep | Bend]], edges: list[Edge]) -> None:
    """Sort each layer by where its neighbours stand, forth and back."""
    links = [pair for edge in edges for pair in zip(edge.path, edge.path[1:], strict=False)]
    for sweep in range(SWEEPS):
        is_forth = sweep % 2 == 0
        order = range(1, len(layers)) if is_forth else range(len(layers) - 2, -1, -1)
        for rank in order:
            fixed = layers[rank - 1 if is_forth else rank + 1]
            places = {each: (index + 0.5) / len(fixed) for index, each in enumerate(fixed)}
            layer = layers[rank]
            own = {each: (index + 0.5) / len(layer) for index, each in enumerate(layer)}
            neighbours: dict[AnyStep | Bend, list[float]] = {each: [] for each in layer}
            for start, end in links:
                here, there = (end, start) if is_forth else (start, end)
                if here in neighbours and there in places:
                    neighbours[here].append(places[there])
            layer.sort(
                key=lambda each: (
                    sum(neighbours[each]) / len(neighbours[each]) if neighbours[each] else own[each]
                )
            )
