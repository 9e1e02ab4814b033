"""The shape of a flow: its definition as JSON-like data, and what tells two of them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pgflow_dsl._plain import is_array, is_object
from pgflow_dsl._slugs import FLOW_INPUT
from pgflow_dsl.options import given_options

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pgflow_dsl.flow import Flow
    from pgflow_dsl.options import FlowOptions
    from pgflow_dsl.step import AnyStep

__all__ = ["compare_shapes", "compare_types", "flow_shape", "map_source"]

Shape = dict[str, Any]

_STRUCTURE: Final = {
    "stepType": "type",
    "dependencies": "dependencies",
    "after": "dependencies that only order",
    "mapOver": "array to map over",
    "whenUnmet": "when_unmet",
    "whenExhausted": "when_exhausted",
    "requiredInputPattern": "required pattern (when)",
    "forbiddenInputPattern": "forbidden pattern (when_not)",
}


def flow_shape(flow: Flow[Any]) -> Shape:
    """Return a flow's shape; see `Flow.shape`."""
    return {
        "flow_slug": flow.slug,
        "options": _options(flow.options),
        "inputSchema": flow.input_schema,
        "steps": [_step_shape(step) for step in flow.steps],
    }


def map_source(step: AnyStep) -> str | None:
    """Return what a map runs over: a step's slug or "run", the flow's input. None for others."""
    # Imported here because steps know nothing of shapes, but flows do of both.
    from pgflow_dsl.step import MapStep

    if not isinstance(step, MapStep):
        return None
    return step.over.slug if step.over is not None else FLOW_INPUT


def compare_shapes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return what has changed in a flow's structure, as sentences. Empty: nothing.

    Retries, timeouts and other options, what a handler does with the flow's input, and the
    schemas are no structure: they may change while runs are on their way.

    Args:
        old: A shape, such as the one that is stored.
        new: The shape to compare it with.
    """
    differences: list[str] = []
    if old.get("flow_slug") != new.get("flow_slug"):
        names = f"{old.get('flow_slug')!r} is now {new.get('flow_slug')!r}"
        differences.append(f"the flow {names}")
    olds = {step["slug"]: step for step in old["steps"]}
    news = {step["slug"]: step for step in new["steps"]}
    differences += [f"step {slug!r} is gone" for slug in olds if slug not in news]
    differences += [f"step {slug!r} is new" for slug in news if slug not in olds]
    differences += _order(olds, news)
    for slug in news:
        if slug in olds:
            differences += _compare_steps(slug, olds[slug], news[slug])
    return differences


def compare_types(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return whose types have changed, by their JSON Schemas, in words. Empty: nobody's.

    A schema that either shape does not have is taken for the same, and steps that only one has are
    no matter here: `compare_shapes` tells them.

    Args:
        old: A shape, such as the one that is stored.
        new: The shape to compare it with.
    """
    olds = {step["slug"]: step.get("outputSchema") for step in old["steps"]}
    pairs = {"the flow input": (old.get("inputSchema"), new.get("inputSchema"))}
    for step in new["steps"]:
        slug = step["slug"]
        pairs[f"the output of step {slug!r}"] = (olds.get(slug), step.get("outputSchema"))
    return [
        name
        for name, (before, after) in pairs.items()
        if before is not None and after is not None and before != after
    ]


def _order(olds: Iterable[str], news: Iterable[str]) -> list[str]:
    common_old = [slug for slug in olds if slug in set(news)]
    common_new = [slug for slug in news if slug in set(olds)]
    if common_old == common_new:
        return []
    return [f"the order of steps was {', '.join(common_old)} and is now {', '.join(common_new)}"]


def _compare_steps(slug: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [
        f"step {slug!r}: the {name} {was} {_told(old.get(key))} and {now} {_told(new.get(key))}"
        for key, name in _STRUCTURE.items()
        for was, now in [("were", "are now") if name.startswith("dep") else ("was", "is now")]
        if old.get(key) != new.get(key)
    ]


def _told(value: Any) -> str:
    if is_object(value) and "defined" in value:
        return _told(value["value"]) if value["defined"] else "none"
    if value is None or value == []:
        return "none"
    return ", ".join(value) if is_array(value) else repr(value)


def _step_shape(step: AnyStep) -> Shape:
    return {
        "slug": step.slug,
        "stepType": step.kind,
        "dependencies": sorted(each.slug for each in step.dependencies),
        "after": sorted(each.slug for each in step.after),
        "mapOver": map_source(step),
        "takesFlowInput": step.takes_flow_input,
        "whenUnmet": step.when_unmet,
        "whenExhausted": step.when_exhausted,
        "requiredInputPattern": _pattern(step.required_pattern),
        "forbiddenInputPattern": _pattern(step.forbidden_pattern),
        "options": _options(step.options),
        "outputSchema": step.output_schema,
    }


def _pattern(pattern: dict[str, Any] | None) -> Shape:
    # Kept apart from a JSON null, which SQL cannot do for a missing key.
    return {"defined": False} if pattern is None else {"defined": True, "value": pattern}


def _options(options: FlowOptions) -> Shape:
    return {_camel(name): value for name, value in given_options(options).items()}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
