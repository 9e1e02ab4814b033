"""What a picture of a flow shows, wherever the flow is known from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pgflow_client import FlowDefinition
    from pgflow_dsl import Flow

__all__ = ["FlowGraph", "Node", "graph_of_code", "graph_of_definition"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A step in a picture.

    Attributes:
        slug: The step.
        is_map: Whether it has a task for each element.
        dependencies: The steps that it waits for.
        only_after: Those of them whose output it does not receive.
        is_conditional: Whether it runs only on a condition.
        may_skip: Whether it is skipped when its attempts are used up.
    """

    slug: str
    is_map: bool
    dependencies: tuple[str, ...]
    only_after: frozenset[str]
    is_conditional: bool
    may_skip: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowGraph:
    """A flow in a picture.

    Attributes:
        slug: The flow.
        nodes: Its steps, dependencies before dependents.
    """

    slug: str
    nodes: tuple[Node, ...]


def graph_of_code(flow: Flow[Any]) -> FlowGraph:
    """Return what a picture of a flow shows that is defined in code."""
    return FlowGraph(
        slug=flow.slug,
        nodes=tuple(
            Node(
                slug=step.slug,
                is_map=step.kind == "map",
                dependencies=tuple(each.slug for each in step.dependencies),
                only_after=frozenset(each.slug for each in step.after),
                is_conditional=step.required_pattern is not None
                or step.forbidden_pattern is not None,
                may_skip=step.when_exhausted != "fail",
            )
            for step in flow.steps
        ),
    )


def graph_of_definition(flow: FlowDefinition) -> FlowGraph:
    """Return what a picture of a flow shows that a database knows."""
    return FlowGraph(
        slug=flow.flow_slug,
        nodes=tuple(
            Node(
                slug=step.step_slug,
                is_map=step.kind == "map",
                dependencies=step.dependencies,
                only_after=frozenset(step.only_after),
                is_conditional=step.condition is not None,
                may_skip=step.when_exhausted != "fail",
            )
            for step in flow.steps
        ),
    )
