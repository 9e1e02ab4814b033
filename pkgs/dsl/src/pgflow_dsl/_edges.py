"""Finds the edges of the graph: what each parameter of a handler stands for."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from pgflow_dsl._plain import is_array, is_object
from pgflow_dsl._problems import show
from pgflow_dsl._signature import Handler, Parameter, Unresolved, unresolved
from pgflow_dsl.errors import DefinitionError
from pgflow_dsl.references import ContextReference, InputReference, OutputReference, Reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pgflow_dsl.flow import Flow
    from pgflow_dsl.step import AnyStep

_EMPTY: Any = inspect.Parameter.empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """What a handler's parameters take.

    Attributes:
        outputs: Parameters that take a step's output, with the step.
        flow_inputs: Parameters that take the flow's input.
        elements: The parameter that takes a map's element; empty for other steps.
        contexts: Names of parameters that take the task's context.
        fixed: Values given at definition, by parameter.
        positional: Names of filled parameters that cannot be passed by name.
    """

    outputs: list[tuple[Parameter, AnyStep]] = field(default_factory=list[Any])
    flow_inputs: list[Parameter] = field(default_factory=list[Parameter])
    elements: list[Parameter] = field(default_factory=list[Parameter])
    contexts: list[str] = field(default_factory=list[str])
    fixed: dict[str, Any] = field(default_factory=dict[str, Any])
    positional: list[str] = field(default_factory=list[str])


def find_edges(
    handler: Handler,
    flow: Flow[Any],
    is_map: bool,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> Edges:
    """Return what each parameter takes.

    Args:
        handler: The function.
        flow: The flow it becomes a step of.
        is_map: Whether its first parameter that is no context takes the element.
        args: References and values that were given by position.
        kwargs: References and values that were given by name.

    Raises:
        DefinitionError: A parameter has nothing to take, or something it cannot take.
    """
    element = _element(handler) if is_map else None
    given = _given(handler, element, args, kwargs)
    edges = Edges()
    for parameter in handler.parameters:
        if parameter is element:
            edges.elements.append(_annotated(parameter, handler))
            is_filled = True
        else:
            is_filled = _add_edge(edges, parameter, given, handler, flow)
        if is_filled and parameter.is_positional_only:
            edges.positional.append(parameter.name)
    return edges


def _element(handler: Handler) -> Parameter:
    for parameter in handler.parameters:
        if parameter.is_context:
            continue
        if isinstance(parameter.default, Reference):
            reason = (
                f"parameter {parameter.name!r} is the first, so it takes the map's element and "
                f"cannot take {parameter.default!r} too"
            )
            raise DefinitionError(handler.where, reason)
        return parameter
    raise DefinitionError(handler.where, "a map's function needs a parameter for the element")


def _given(
    handler: Handler, element: Parameter | None, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the arguments of `add` by parameter."""
    places = [each for each in handler.parameters if not each.is_keyword_only]
    if element is not None:
        # A map's function may start with its context; arguments follow the element.
        places = places[places.index(element) + 1 :] if element in places else places
    if len(args) > len(places):
        reason = f"takes {len(places)} arguments by position here, but {len(args)} were given"
        raise DefinitionError(handler.where, reason)
    given = {place.name: value for place, value in zip(places, args, strict=False)}
    names = {each.name for each in handler.parameters if not each.is_positional_only}
    for name, value in kwargs.items():
        if name not in names or name in given or (element and name == element.name):
            raise DefinitionError(handler.where, f"cannot take an argument {name!r} here")
        given[name] = value
    return given


def _add_edge(
    edges: Edges,
    parameter: Parameter,
    given: Mapping[str, Any],
    handler: Handler,
    flow: Flow[Any],
) -> bool:
    """Add what a parameter takes; return False where it keeps its own default."""
    name = parameter.name
    value = given.get(name, parameter.default)
    match value:
        case OutputReference():
            edges.outputs.append((_annotated(parameter, handler), value.pgflow_source))
        case InputReference():
            if value.pgflow_source is not flow:
                reason = f"takes {value!r}, but the step is one of flow {flow.slug!r}"
                raise DefinitionError(handler.where, f"parameter {name!r} {reason}")
            edges.flow_inputs.append(_annotated(parameter, handler))
        case ContextReference():
            edges.contexts.append(name)
        case _ if name in given:
            _check_value(value, name, handler)
            edges.fixed[name] = value
        case _ if parameter.is_context:
            edges.contexts.append(name)
        case _ if value is _EMPTY:
            # An annotation that cannot be resolved may be the reason, so it is told first.
            _annotated(parameter, handler)
            reason = "has no reference: give it a default such as flow.input or fetch.output"
            raise DefinitionError(handler.where, f"parameter {name!r} {reason}")
        case _:
            _check_value(value, name, handler)
            return False
    return True


def _check_value(value: Any, name: str, handler: Handler) -> None:
    """Refuse values that were surely meant to be references."""
    # Imported here because these modules are built on this one.
    from pgflow_dsl.flow import Flow
    from pgflow_dsl.step import Step

    if isinstance(value, Step | Flow):
        attribute = "output" if isinstance(value, Step) else "input"
        told = show(cast("object", value))
        reason = f"has {told} as its default; write .{attribute} behind it"
        raise DefinitionError(handler.where, f"parameter {name!r} {reason}")
    parts: Iterable[Any] = ()
    if is_object(value):
        parts = value.values()
    elif is_array(value):
        parts = value
    if any(isinstance(part, Reference) for part in parts):
        reason = "holds references inside a container; take each as a parameter of its own"
        raise DefinitionError(handler.where, f"parameter {name!r} {reason}")


def _annotated(parameter: Parameter, handler: Handler) -> Parameter:
    """Return the parameter, once its annotation is known to be there."""
    subject = f"parameter {parameter.name!r}"
    annotation = parameter.annotation
    if annotation is _EMPTY:
        raise DefinitionError(handler.where, f"{subject} has no annotation to check its value with")
    if isinstance(annotation, Unresolved):
        raise unresolved(handler.where, subject, annotation.annotation, annotation.error)
    return parameter
