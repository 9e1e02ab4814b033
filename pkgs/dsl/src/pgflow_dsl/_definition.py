"""Makes a step of a function: finds its edges, checks everything, builds what running needs."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from pgflow_dsl._binding import Binder, KeyedParameter, WholeParameter
from pgflow_dsl._edges import Edges, find_edges
from pgflow_dsl._json_type import JsonType
from pgflow_dsl._plain import is_array
from pgflow_dsl._problems import show
from pgflow_dsl._signature import Handler, read_handler
from pgflow_dsl._slugs import FLOW_INPUT, check_slug
from pgflow_dsl.conditions import conditioned_steps, pattern_of
from pgflow_dsl.errors import DefinitionError
from pgflow_dsl.options import (
    SkipMode,
    check_executor,
    check_mode,
    check_transactional,
    step_options,
)
from pgflow_dsl.references import InputReference, OutputReference
from pgflow_dsl.step import AnyStep, MapStep, Step, StepSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pgflow_dsl.conditions import Conditions
    from pgflow_dsl.flow import Flow


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What `flow.step(...)` or `flow.map(...)` was given, before its function is known.

    Attributes:
        flow: The flow that gets the step.
        register: Adds the finished step to the flow.
        is_map: Whether the function runs once for each element.
        over: For a map, the reference to the array.
        when: Patterns that must be contained.
        when_not: Patterns that must not all be contained.
        when_unmet: What becomes of the step if a condition is not met; None is "skip".
        when_exhausted: What becomes of the step if its attempts are used up.
        arguments: The other options.
    """

    flow: Flow[Any]
    register: Callable[[AnyStep], None]
    is_map: bool = False
    over: Any = None
    when: Conditions | None = None
    when_not: Conditions | None = None
    when_unmet: SkipMode | None = None
    when_exhausted: SkipMode = "fail"
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        # Told before there is a function: a bare `@flow.map` takes the function for `over`.
        if self.is_map and not isinstance(self.over, InputReference | OutputReference):
            expected = "takes a reference such as fetch.output or flow.input"
            reason = f"over= {expected}, not {show(self.over)}"
            raise DefinitionError(f"a map of flow {self.flow.slug!r}", reason)


def define(draft: Draft, fn: Callable[..., Any], args: Any = (), kwargs: Any = None) -> Any:
    """Return the step made of a function, after adding it to the draft's flow.

    Args:
        draft: The options.
        fn: The function, or a step whose function is used again.
        args: References and values for the function's parameters, by position.
        kwargs: References and values by name.

    Raises:
        DefinitionError: The function, its wiring or an option is wrong. The flow is unchanged.
    """
    plain = fn.fn if isinstance(fn, Step) else fn
    handler = read_handler(plain)
    where = handler.where
    slug = _slug(draft, handler)
    over = _over_step(draft, where)
    edges = find_edges(handler, draft.flow, draft.is_map, args, kwargs or {})
    _check_shared(edges, over, where)
    delivered = _unique([*([over] if over else []), *(step for _, step in edges.outputs)])
    ordering = [
        *_after(draft.arguments.get("after", ()), where),
        *conditioned_steps(draft.when, draft.flow, "when", where),
        *conditioned_steps(draft.when_not, draft.flow, "when_not", where),
    ]
    after = [step for step in _unique(ordering) if step not in delivered]
    for step in [*delivered, *after]:
        _check_own(step, draft.flow, where)
    is_root = not delivered and not after
    _check_modes(draft, is_root, where)
    executor = draft.arguments.get("executor")
    check_executor(executor, handler.is_async, where)
    is_transactional = draft.arguments.get("transactional", False)
    check_transactional(is_transactional, executor, bool(edges.contexts), where)
    takes_flow_input = bool(edges.flow_inputs)
    result = _list_of(handler.returns) if draft.is_map else handler.returns
    spec = StepSpec(
        slug=slug,
        flow=draft.flow,
        fn=plain,
        where=where,
        is_async=handler.is_async,
        executor=executor,
        is_transactional=is_transactional,
        options=step_options(draft.arguments, where),
        delivered=tuple(delivered),
        after=tuple(after),
        takes_flow_input=takes_flow_input,
        required_pattern=pattern_of(draft.when, draft.flow, is_root, "when", where),
        forbidden_pattern=pattern_of(draft.when_not, draft.flow, is_root, "when_not", where),
        when_unmet=draft.when_unmet or "skip",
        when_exhausted=draft.when_exhausted,
        binder=_binder(handler, edges, draft.is_map),
        output_type=_json_type(handler, handler.returns, "its return type"),
        result_type=_json_type(handler, result, "its return type"),
    )
    step = MapStep[Any, Any, Any](spec, over) if draft.is_map else Step[Any, Any, Any](spec)
    draft.register(step)
    return step


def _list_of(annotation: Any) -> Any:
    kind: Any = list
    return kind[annotation]


def _slug(draft: Draft, handler: Handler) -> str:
    slug = draft.arguments.get("slug")
    if slug is None:
        slug = handler.name
        if not slug:
            raise DefinitionError(handler.where, "it has no name to be the step's slug; give slug=")
    check_slug(slug, handler.where)
    for step in draft.flow.steps:
        if step.slug == slug:
            reason = f"flow {draft.flow.slug!r} already has a step {slug!r}, made of {step.where}"
            raise DefinitionError(handler.where, f"{reason}; give this one another slug=")
    return slug


def _over_step(draft: Draft, where: str) -> AnyStep | None:
    """Return the step that a map runs over, None where it is the flow's input."""
    if not draft.is_map:
        return None
    over = draft.over
    if isinstance(over, InputReference):
        if over.pgflow_source is not draft.flow:
            raise DefinitionError(where, f"over= is {over!r}, which is another flow")
        step, schema = None, draft.flow.input_schema
    else:
        step = cast("OutputReference", over).pgflow_source
        schema = {"type": "array"} if step.kind == "map" else step.output_schema
    if not _is_array(schema):
        raise DefinitionError(where, f"over= is {over!r}, which is not always an array")
    return step


def _is_array(schema: dict[str, Any]) -> bool:
    while "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        schema = {"$defs": schema.get("$defs", {}), **schema["$defs"][name]}
    # Any has a schema without a type: nothing is known, so nothing is refused.
    is_known = any(word in schema for word in ("type", "anyOf", "oneOf", "const", "enum"))
    return schema.get("type") == "array" if is_known else True


def _after(after: Any, where: str) -> list[AnyStep]:
    wrong = [each for each in after if not isinstance(each, Step)] if is_array(after) else [after]
    if wrong:
        hint = "; leave out .output" if isinstance(wrong[0], OutputReference) else ""
        reason = f"after= takes a list of steps, not {show(wrong[0])}{hint}"
        raise DefinitionError(where, reason)
    return list(after)


def _unique(steps: Iterable[AnyStep]) -> list[AnyStep]:
    return list(dict.fromkeys(steps))


def _check_own(step: AnyStep, flow: Flow[Any], where: str) -> None:
    if step.flow is not flow:
        reason = f"{step!r} cannot be a dependency of a step of flow {flow.slug!r}"
        advice = f"use {flow.slug}.add() to have its function in both flows"
        raise DefinitionError(where, f"{reason}; {advice}")


def _check_shared(edges: Edges, over: AnyStep | None, where: str) -> None:
    for parameter, step in edges.outputs:
        if step is over:
            reason = f"parameter {parameter.name!r} takes the array that the map runs over"
            advice = "elements get only their own element of it; hand it on by a step in between"
            raise DefinitionError(where, f"{reason}; {advice}")


def _check_modes(draft: Draft, is_root: bool, where: str) -> None:
    check_mode(draft.when_exhausted, "when_exhausted", where)
    has_conditions = draft.when is not None or draft.when_not is not None
    if draft.when_unmet is not None:
        check_mode(draft.when_unmet, "when_unmet", where)
        if not has_conditions:
            raise DefinitionError(where, "when_unmet needs a condition: when= or when_not=")
    if has_conditions and is_root and draft.is_map:
        reason = "a map over the flow's input cannot have a condition on that input, an array"
        raise DefinitionError(where, reason)


def _binder(handler: Handler, edges: Edges, is_map: bool) -> Binder:
    keyed = [
        KeyedParameter(
            name=parameter.name,
            key=step.slug,
            annotation=_checked(handler, parameter.annotation, parameter.name, step),
            may_be_absent=step.may_be_skipped,
        )
        for parameter, step in edges.outputs
    ]
    # A map's elements share the flow's input with the outputs, under a key of its own.
    keyed += [
        KeyedParameter(
            name=parameter.name,
            key=FLOW_INPUT,
            annotation=parameter.annotation,
            may_be_absent=False,
        )
        for parameter in (edges.flow_inputs if is_map else ())
    ]
    whole = [
        WholeParameter(
            name=parameter.name,
            load=_json_type(handler, parameter.annotation, f"parameter {parameter.name!r} of").load,
        )
        for parameter in (edges.elements if is_map else edges.flow_inputs)
    ]
    return Binder(
        keyed=keyed,
        whole=whole,
        context=edges.contexts,
        fixed=edges.fixed,
        positional=edges.positional,
        names=handler.names,
    )


def _checked(handler: Handler, annotation: Any, name: str, step: AnyStep) -> Any:
    subject = f"parameter {name!r} of type"
    kind = _json_type(handler, annotation, subject)
    if step.may_be_skipped and not kind.admits(None):
        shown = inspect.formatannotation(annotation)
        reason = f"{subject} {shown} must also take None, because step {step.slug!r} may be skipped"
        raise DefinitionError(handler.where, f"{reason}: annotate it `{shown} | None`")
    return annotation


def _json_type(handler: Handler, annotation: Any, subject: str) -> JsonType:
    return JsonType(annotation, handler.names, handler.where, subject)
