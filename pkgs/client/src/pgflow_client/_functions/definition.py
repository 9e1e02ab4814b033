"""What a flow is, as the database has it: options, steps, edges and schemas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from pgflow_client._functions.call import Call, Rows, load_json

if TYPE_CHECKING:
    from datetime import datetime

    from pgflow_dsl import Backoff

__all__ = [
    "Condition",
    "FlowDefinition",
    "FlowOptions",
    "StepDefinition",
    "get_definition",
    "list_definitions",
]

Ending = Literal["fail", "skip", "skip-cascade"]

# Options of a step that are not its own are the flow's.
_GET_DEFINITION: Final = """
select
  flow.flow_slug, flow.created_at, flow.input_schema::text,
  array[flow.opt_max_attempts, flow.opt_base_delay, flow.opt_timeout, flow.opt_max_delay],
  flow.opt_jitter, flow.opt_backoff,
  coalesce((
    select jsonb_agg(jsonb_build_object(
      'step_slug', step.step_slug, 'kind', step.step_type, 'map_over', step.map_over,
      'takes_flow_input', step.takes_flow_input, 'when_unmet', step.when_unmet,
      'when_exhausted', step.when_exhausted, 'required', step.required_input_pattern,
      'forbidden', step.forbidden_input_pattern, 'start_delay', step.opt_start_delay,
      'options', jsonb_build_array(
        coalesce(step.opt_max_attempts, flow.opt_max_attempts),
        coalesce(step.opt_base_delay, flow.opt_base_delay),
        coalesce(step.opt_timeout, flow.opt_timeout),
        coalesce(step.opt_max_delay, flow.opt_max_delay)
      ),
      'jitter', coalesce(step.opt_jitter, flow.opt_jitter),
      'backoff', coalesce(step.opt_backoff, flow.opt_backoff),
      'output_schema', step.output_schema,
      'dependencies', coalesce((
        select jsonb_agg(dep.dep_slug order by dep.dep_slug)
        from pgflow.deps as dep
        where dep.flow_slug = step.flow_slug and dep.step_slug = step.step_slug
      ), '[]'),
      'only_after', coalesce((
        select jsonb_agg(dep.dep_slug order by dep.dep_slug)
        from pgflow.deps as dep
        where dep.flow_slug = step.flow_slug and dep.step_slug = step.step_slug
          and dep.orders_only
      ), '[]')
    ) order by step.step_index)
    from pgflow.steps as step
    where step.flow_slug = flow.flow_slug
  ), '[]')::text
from pgflow.flows as flow
"""
_OF_ONE: Final = " where flow.flow_slug = %(flow_slug)s::text"
# What new runs of a flow take, where its name is given. The slug of version 1 has no number in it.
_OF_CURRENT: Final = r"""
where flow.flow_slug = (
  select
    case named.flow_slug
      when %(flow_slug)s::text then coalesce(named.current_slug, named.flow_slug)
      else named.flow_slug
    end
  from pgflow.flows as named
  where named.flow_slug = regexp_replace(%(flow_slug)s::text, '^([^@]+)@1$', '\1')
)
"""
_OF_ALL: Final = " order by flow.flow_slug"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowOptions:
    """How the tasks of a step are tried.

    Attributes:
        max_attempts: How often a task is tried, the first time included.
        base_delay: Seconds that the delay before a retry starts from.
        timeout: Seconds that an attempt may take.
        max_delay: Longest delay before a retry, in seconds.
        jitter: The fraction of that delay that is drawn at random.
        backoff: Whether it grows with each attempt or stays the same.
    """

    max_attempts: int
    base_delay: int
    timeout: int
    max_delay: int
    jitter: float
    backoff: Backoff


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What a step's input has to be for the step to run.

    Attributes:
        required: What it has to contain; None for anything.
        forbidden: What it may not contain; None for nothing.
        when_unmet: What becomes of the step otherwise.
    """

    required: Any
    forbidden: Any
    when_unmet: Ending


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDefinition:
    """A step of a flow.

    Attributes:
        step_slug: The step.
        kind: "single", with one task, or "map", with one task for each element.
        map_over: The dependency whose array a map runs over, or "run" for the flow input.
        dependencies: The steps that it waits for.
        only_after: Those of them whose output it does not receive.
        takes_flow_input: Whether it receives the flow input.
        condition: What its input has to be; None for anything.
        when_exhausted: What becomes of it when a task has no attempts left.
        start_delay: Seconds before its tasks may be claimed; None for none.
        options: How its tasks are tried.
        output_schema: JSON Schema of the output of a task; None where none is known.
    """

    step_slug: str
    kind: Literal["single", "map"]
    map_over: str | None
    dependencies: tuple[str, ...]
    only_after: tuple[str, ...]
    takes_flow_input: bool
    condition: Condition | None
    when_exhausted: Ending
    start_delay: int | None
    options: FlowOptions
    output_schema: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowDefinition:
    """A flow.

    Attributes:
        flow_slug: The flow; of later versions their slug, such as name@2.
        created_at: When it was first compiled.
        input_schema: JSON Schema of its input; None where none is known.
        options: How the tasks of its steps are tried, unless a step has options of its own.
        steps: Its steps, dependencies before dependents.
    """

    flow_slug: str
    created_at: datetime
    input_schema: Any
    options: FlowOptions
    steps: tuple[StepDefinition, ...]


def get_definition(flow_slug: str, *, is_current: bool = False) -> Call[FlowDefinition | None]:
    """Read what a flow is; None where there is no such flow.

    Args:
        flow_slug: The version of the flow that a run has; the name of a flow is its first one.
        is_current: Whether the name of a flow is the version that new runs take.
    """
    arguments = {"flow_slug": flow_slug}
    where = _OF_CURRENT if is_current else _OF_ONE
    return Call(sql=_GET_DEFINITION + where, arguments=arguments, read=_first_definition)


def list_definitions() -> Call[list[FlowDefinition]]:
    """Read what flows there are, by slug."""
    return Call(sql=_GET_DEFINITION + _OF_ALL, arguments={}, read=_definitions)


def _definitions(rows: Rows) -> list[FlowDefinition]:
    return [_definition(*row) for row in rows]


def _first_definition(rows: Rows) -> FlowDefinition | None:
    return _definition(*rows[0]) if rows else None


def _definition(
    slug: str,
    created_at: datetime,
    schema: str | None,
    options: list[int],
    jitter: float,
    backoff: Backoff,
    steps: str,
) -> FlowDefinition:
    return FlowDefinition(
        flow_slug=slug,
        created_at=created_at,
        input_schema=None if schema is None else load_json(schema),
        options=_options(options, jitter, backoff),
        steps=tuple(_step(step) for step in load_json(steps)),
    )


def _step(step: dict[str, Any]) -> StepDefinition:
    condition = None
    if step["required"] is not None or step["forbidden"] is not None:
        condition = Condition(
            required=step["required"], forbidden=step["forbidden"], when_unmet=step["when_unmet"]
        )
    return StepDefinition(
        step_slug=step["step_slug"],
        kind=step["kind"],
        map_over=step["map_over"],
        dependencies=tuple(step["dependencies"]),
        only_after=tuple(step["only_after"]),
        takes_flow_input=step["takes_flow_input"],
        condition=condition,
        when_exhausted=step["when_exhausted"],
        start_delay=step["start_delay"],
        options=_options(step["options"], step["jitter"], step["backoff"]),
        output_schema=step["output_schema"],
    )


def _options(numbers: list[int], jitter: float, backoff: Backoff) -> FlowOptions:
    max_attempts, base_delay, timeout, max_delay = numbers
    return FlowOptions(
        max_attempts=max_attempts,
        base_delay=base_delay,
        timeout=timeout,
        max_delay=max_delay,
        jitter=jitter,
        backoff=backoff,
    )
