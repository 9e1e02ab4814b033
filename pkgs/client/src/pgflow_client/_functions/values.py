"""Inputs and outputs of runs, steps and tasks: how large they are, and their text on demand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, LiteralString, TypeAlias

from pgflow_client._functions.call import Call, Rows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

__all__ = ["ValueKind", "ValueSizes", "ValueText", "get_value", "get_value_sizes"]

ValueKind: TypeAlias = Literal[
    "run_input", "run_output", "step_output", "task_input", "task_output"
]

# What is stored is measured as it is stored, compressed or not, without reading it.
_GET_VALUE_SIZES: Final = """
select
  pg_column_size(run.input), pg_column_size(run.output),
  coalesce(
    (
      select jsonb_object_agg(state.step_slug, pg_column_size(state.output))
      from pgflow.step_states as state
      where state.run_id = run.run_id and state.output is not null
    ),
    '{}'
  )
from pgflow.runs as run
where run.run_id = %(run_id)s::uuid
"""
# The text of a value that is larger than asked for is never made.
_RUN_INPUT: Final = """
select
  pg_column_size(run.input),
  case when pg_column_size(run.input) <= %(most)s::int then run.input::text end
from pgflow.runs as run
where run.run_id = %(run_id)s::uuid
"""
_RUN_OUTPUT: Final = """
select
  pg_column_size(run.output),
  case when pg_column_size(run.output) <= %(most)s::int then run.output::text end
from pgflow.runs as run
where run.run_id = %(run_id)s::uuid
"""
_STEP_OUTPUT: Final = """
select
  pg_column_size(state.output),
  case when pg_column_size(state.output) <= %(most)s::int then state.output::text end
from pgflow.step_states as state
where state.run_id = %(run_id)s::uuid and state.step_slug = %(step_slug)s::text
"""
_TASK_OUTPUT: Final = """
select
  pg_column_size(task.output),
  case when pg_column_size(task.output) <= %(most)s::int then task.output::text end
from pgflow.step_tasks as task
where task.run_id = %(run_id)s::uuid and task.step_slug = %(step_slug)s::text
  and task.task_index = %(task_index)s::int
"""
# An element of a map over a map is kept as that map's output.
_TASK_INPUT: Final = """
select
  pg_column_size(coalesce(task.input, element.output)),
  case
    when pg_column_size(coalesce(task.input, element.output)) <= %(most)s::int
      then coalesce(task.input, element.output)::text
  end
from pgflow.step_tasks as task
join pgflow.steps as step
  on step.flow_slug = task.flow_slug and step.step_slug = task.step_slug
left join pgflow.step_tasks as element
  on element.run_id = task.run_id and element.step_slug = step.map_over
    and element.task_index = task.task_index
where task.run_id = %(run_id)s::uuid and task.step_slug = %(step_slug)s::text
  and task.task_index = %(task_index)s::int
"""
_STATEMENTS: Final[dict[ValueKind, LiteralString]] = {
    "run_input": _RUN_INPUT,
    "run_output": _RUN_OUTPUT,
    "step_output": _STEP_OUTPUT,
    "task_input": _TASK_INPUT,
    "task_output": _TASK_OUTPUT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueSizes:
    """How large the values of a run are, in bytes as they are stored.

    Attributes:
        input: The flow input.
        output: The run's output; None where there is none.
        steps: The outputs of those steps that have one.
    """

    input: int
    output: int | None
    steps: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueText:
    """A value as JSON text.

    Attributes:
        size: How large it is, in bytes as it is stored; None where there is none.
        text: Its text; None where there is none, or it is larger than was asked for.
    """

    size: int | None
    text: str | None


def get_value_sizes(run_id: UUID) -> Call[ValueSizes | None]:
    """Measure the values of a run; None where there is no such run."""
    return Call(sql=_GET_VALUE_SIZES, arguments={"run_id": run_id}, read=_sizes)


def get_value(
    kind: ValueKind, run_id: UUID, *, step_slug: str = "", task_index: int = 0, most: int
) -> Call[ValueText | None]:
    """Read a value; None where there is no such run, step or task.

    Args:
        kind: Which value.
        run_id: The run.
        step_slug: The step, for values of steps and tasks.
        task_index: The task, for values of tasks.
        most: A value of more bytes is measured, and not read.
    """
    arguments = {
        "run_id": run_id,
        "step_slug": step_slug,
        "task_index": task_index,
        "most": most,
    }
    return Call(sql=_STATEMENTS[kind], arguments=arguments, read=_text)


def _sizes(rows: Rows) -> ValueSizes | None:
    if not rows:
        return None
    input_size, output_size, steps = rows[0]
    return ValueSizes(input=input_size, output=output_size, steps=steps)


def _text(rows: Rows) -> ValueText | None:
    return ValueText(size=rows[0][0], text=rows[0][1]) if rows else None
